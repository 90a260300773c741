use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How a WHEP request ended: a closed set, so that it can be a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A session was made.
    Created,
    /// The request itself was wrong: media type, size, `If-Match`, a body that never came.
    BadRequest,
    /// No such channel.
    UnknownChannel,
    /// No such session.
    UnknownSession,
    /// The SDP can't be used.
    BadSdp,
    /// No codec in common.
    NothingInCommon,
    /// A private channel and no or a wrong token.
    NotAllowed,
    /// A limit was reached.
    Full,
    /// The server could not.
    Unavailable,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::BadRequest,
        Self::UnknownChannel,
        Self::UnknownSession,
        Self::BadSdp,
        Self::NothingInCommon,
        Self::NotAllowed,
        Self::Full,
        Self::Unavailable,
    ];

    /// Its name as a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::BadRequest => "bad_request",
            Self::UnknownChannel => "unknown_channel",
            Self::UnknownSession => "unknown_session",
            Self::BadSdp => "bad_sdp",
            Self::NothingInCommon => "nothing_in_common",
            Self::NotAllowed => "not_allowed",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Counts of WHEP requests by outcome, shared between the handlers and whoever reads them.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; Outcome::ALL.len()]);

impl Counters {
    /// The counts now.
    pub fn stats(&self) -> Stats {
        Stats(std::array::from_fn(|index| self.0[index].load(Relaxed)))
    }

    pub(super) fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].fetch_add(1, Relaxed);
    }
}

/// What [`Counters`] held at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats([u64; Outcome::ALL.len()]);

impl Stats {
    /// Sessions made, or refusals of that kind.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_own_count() {
        let counters = Counters::default();
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(
                outcome as usize, index,
                "ALL is in the order of the variants"
            );
            for _ in 0..=index {
                counters.count(outcome);
            }
        }
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(counters.stats().count(outcome), index as u64 + 1);
        }
    }
}
