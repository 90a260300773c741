use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Guards one channel against two encoders that take it from each other for ever.
///
/// More than [`TAKEOVERS_MAX`] takeovers in [`WINDOW`]: the newest host stays, and later ones are refused for
/// [`REFUSED_FOR`].
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// Takeovers within the window, oldest first; at most `TAKEOVERS_MAX + 1`.
    recent: VecDeque<Instant>,
    refuse_until: Option<Instant>,
}

impl Guard {
    /// A host asks to take over at `now`.
    ///
    /// # Errors
    /// With the span after which it may try again.
    pub(super) fn take_over(&mut self, now: Instant) -> Result<(), Duration> {
        if let Some(until) = self.refuse_until {
            let left = until.saturating_duration_since(now);
            if !left.is_zero() {
                return Err(left);
            }
            *self = Self::default();
        }
        while self
            .recent
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.recent.len() > TAKEOVERS_MAX {
            // This one is still let in: it is the newest, and it stays.
            self.refuse_until = now.checked_add(REFUSED_FOR);
        }
        Ok(())
    }
}

/// Takeovers within [`WINDOW`] that an encoder with a bad network may need.
const TAKEOVERS_MAX: usize = 5;
const WINDOW: Duration = Duration::from_secs(30);
const REFUSED_FOR: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_takeover_in_thirty_seconds_stays_and_later_ones_wait() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut guard = Guard::default();
        for second in 0..6 {
            assert_eq!(guard.take_over(at(second)), Ok(()), "takeover {second}");
        }
        assert_eq!(guard.take_over(at(6)), Err(Duration::from_secs(29)));
        assert_eq!(guard.take_over(at(34)), Err(Duration::from_secs(1)));
        assert_eq!(guard.take_over(at(35)), Ok(()));
    }

    #[test]
    fn five_takeovers_a_window_go_on_for_ever() {
        let start = Instant::now();
        let mut guard = Guard::default();
        for takeover in 0..200 {
            let now = start + Duration::from_secs(takeover * 6);
            assert_eq!(guard.take_over(now), Ok(()), "takeover {takeover}");
        }
    }
}
