use std::time::{Duration, Instant};

use super::Advisory;

/// What a look at the stream says of one kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Too little is known: what was said stands.
    Unknown,
    /// All is well.
    Fine,
    /// This is to be said.
    Found(Advisory),
}

/// What is to be told to the host, and to who looks after the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is so from now on.
    Raised(Advisory),
    /// It is no longer so.
    Cleared(Advisory),
}

/// One kind of finding, with what was said of it.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What is raised.
    raised: Option<Advisory>,
    /// Since when all has been well, while it is raised.
    fine: Option<Instant>,
}

impl Said {
    /// Says no more, whatever was said.
    pub(super) fn clear(&mut self) -> Option<Change> {
        std::mem::take(self).raised.map(Change::Cleared)
    }

    /// Takes a look's verdict. What was raised is cleared when all has been well for `calm`.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        verdict: Verdict,
        calm: Duration,
    ) -> Option<Change> {
        match (verdict, self.raised) {
            (Verdict::Found(advisory), None) => {
                self.raised = Some(advisory);
                self.fine = None;
                Some(Change::Raised(advisory))
            }
            (Verdict::Found(_) | Verdict::Unknown, _) => {
                self.fine = None;
                None
            }
            (Verdict::Fine, Some(advisory)) => {
                let since = *self.fine.get_or_insert(now);
                if now.saturating_duration_since(since) < calm {
                    return None;
                }
                *self = Self::default();
                Some(Change::Cleared(advisory))
            }
            (Verdict::Fine, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_while_it_is_calm_begins_the_calm_anew() {
        let start = Instant::now();
        let calm = Duration::from_secs(10);
        for again in [Verdict::Found(Advisory::BFrames), Verdict::Unknown] {
            let mut said = Said::default();
            let mut hear =
                |second, verdict| said.hear(start + Duration::from_secs(second), verdict, calm);
            let raised = hear(0, Verdict::Found(Advisory::BFrames));
            assert_eq!(raised, Some(Change::Raised(Advisory::BFrames)));
            assert_eq!(hear(1, Verdict::Fine), None);
            assert_eq!(hear(8, again), None);
            for second in 9..19 {
                assert_eq!(hear(second, Verdict::Fine), None, "{again:?} {second}");
            }
            let cleared = hear(19, Verdict::Fine);
            assert_eq!(cleared, Some(Change::Cleared(Advisory::BFrames)));
        }
    }
}
