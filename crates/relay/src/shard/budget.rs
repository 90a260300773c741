use std::collections::BTreeMap;
use std::sync::Arc;

use super::BroadcastId;
use crate::hub::Audience;

/// What the server has promised to send: each session at the bitrate of its broadcast, from its answer to its end.
///
/// A session that has not connected yet counts already, so that a crowd that comes in one second can't be let in on the
/// bitrate of the second before. A viewer whose link takes less than the stream counts in full: it may recover.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bits a second for all viewers together; 0: no limit.
    bitrate_max: u64,
    shows: BTreeMap<BroadcastId, Show>,
}

/// A broadcast that has sessions.
#[derive(Debug)]
struct Show {
    audience: Arc<Audience>,
    sessions: u64,
}

impl Budget {
    pub(super) fn new(bitrate_max: u64) -> Self {
        Self {
            bitrate_max,
            shows: BTreeMap::new(),
        }
    }

    /// Whether there is room for one more viewer of this broadcast. Who is in stays in, also when his host raises the
    /// bitrate.
    pub(super) fn admits(&self, audience: &Audience) -> bool {
        self.bitrate_max == 0 || self.with(audience) <= self.bitrate_max
    }

    /// Bits a second that are promised once he is in.
    pub(super) fn with(&self, audience: &Audience) -> u64 {
        self.reserved().saturating_add(audience.bitrate())
    }

    /// One more session.
    pub(super) fn enter(&mut self, broadcast: BroadcastId, audience: &Arc<Audience>) {
        let show = self.shows.entry(broadcast).or_insert_with(|| Show {
            audience: Arc::clone(audience),
            sessions: 0,
        });
        show.sessions += 1;
    }

    /// A session is over.
    pub(super) fn leave(&mut self, broadcast: BroadcastId) {
        let Some(show) = self.shows.get_mut(&broadcast) else {
            return;
        };
        show.sessions = show.sessions.saturating_sub(1);
        if show.sessions == 0 {
            self.shows.remove(&broadcast);
        }
    }

    /// Sessions of this broadcast.
    pub(super) fn sessions(&self, broadcast: BroadcastId) -> u64 {
        self.shows.get(&broadcast).map_or(0, |show| show.sessions)
    }

    /// Bits a second that are promised now.
    pub(super) fn reserved(&self) -> u64 {
        self.shows
            .values()
            .map(|show| show.sessions.saturating_mul(show.audience.bitrate()))
            .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(bitrate: u64) -> Arc<Audience> {
        let audience = Arc::<Audience>::default();
        audience.sends(Some(bitrate));
        audience
    }

    #[test]
    fn newcomers_count_at_their_own_broadcasts_bitrate_until_they_leave() {
        let (small, big) = (show(1_000_000), show(6_000_000));
        let mut budget = Budget::new(10_000_000);
        for _ in 0..4 {
            assert!(budget.admits(&small));
            budget.enter(BroadcastId(1), &small);
        }
        assert!(budget.admits(&big), "exactly as much as may be");
        budget.enter(BroadcastId(2), &big);
        assert_eq!(budget.reserved(), 10_000_000);
        assert!(!budget.admits(&small));
        budget.leave(BroadcastId(1));
        assert!(budget.admits(&small));
        assert!(!budget.admits(&big));
        budget.leave(BroadcastId(2));
        assert!(budget.admits(&big));
        budget.leave(BroadcastId(2));
        assert_eq!(budget.reserved(), 3_000_000, "nobody leaves twice");
    }

    #[test]
    fn a_host_who_raises_his_bitrate_keeps_his_viewers_and_gets_no_more() {
        let show = show(1_000_000);
        let mut budget = Budget::new(5_000_000);
        budget.enter(BroadcastId(1), &show);
        budget.enter(BroadcastId(1), &show);
        show.sends(Some(4_000_000));
        assert_eq!(budget.reserved(), 8_000_000);
        assert!(!budget.admits(&show));
        show.sends(Some(1_000_000));
        assert!(budget.admits(&show));
    }

    #[test]
    fn those_who_wait_for_a_host_count_as_if_he_sent_what_most_do() {
        let waiting = Arc::<Audience>::default();
        let mut budget = Budget::new(2 * Audience::BITRATE_ASSUMED);
        budget.enter(BroadcastId(1), &waiting);
        assert!(budget.admits(&waiting));
        budget.enter(BroadcastId(1), &waiting);
        assert!(!budget.admits(&waiting));
    }

    #[test]
    fn without_a_limit_everybody_comes_in() {
        let show = show(u64::MAX);
        let mut budget = Budget::new(0);
        for _ in 0..3 {
            assert!(budget.admits(&show));
            budget.enter(BroadcastId(1), &show);
        }
        assert_eq!(budget.reserved(), u64::MAX);
    }
}
