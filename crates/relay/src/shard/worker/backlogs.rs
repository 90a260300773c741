use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::shard::viewers::ViewerKey;

/// Viewers who are not at live, and whose turn it is to be sent more.
///
/// They go on in rounds: each has one turn in a round, and the next round begins [`ROUNDS_APART`] after the last has ended
/// (100 broadcasts wake a shard thousands of times a second). A round has [`BUDGET`] of one turn of the shard, and goes on in
/// the next: a thousand backlogs take longer than live media may wait.
#[derive(Debug)]
pub(super) struct Backlogs {
    viewers: VecDeque<ViewerKey>,
    /// So many of the first have not had their turn in this round.
    left: usize,
    /// When the budget of this turn of the shard is spent.
    until: Instant,
    /// When the last round ended.
    ended: Instant,
}

impl Backlogs {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            viewers: VecDeque::new(),
            left: 0,
            until: now,
            ended: now,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.viewers.is_empty()
    }

    /// Somebody has a backlog, because he comes, or asked for it, or still has one after his turn: behind the others.
    pub(super) fn push(&mut self, viewer: ViewerKey) {
        self.viewers.push_back(viewer);
    }

    /// Somebody at live could not be sent all of it. Before those who come: what is left is the end of a keyframe.
    pub(super) fn push_from_live(&mut self, viewer: ViewerKey) {
        self.viewers.push_front(viewer);
        if self.left > 0 {
            self.left += 1;
        }
    }

    /// Goes on with a round, or begins one if it is time for it. Returns whether there is one.
    pub(super) fn go_on(&mut self, now: Instant) -> bool {
        if self.left == 0 && self.ended + ROUNDS_APART <= now {
            self.left = self.viewers.len();
        }
        self.until = now + BUDGET;
        self.left > 0
    }

    /// Whose turn it is; `None`: the round is over, or the budget spent.
    pub(super) fn next(&mut self, now: Instant) -> Option<ViewerKey> {
        if self.left == 0 || now > self.until {
            return None;
        }
        self.left -= 1;
        self.viewers.pop_front()
    }

    /// No more in this turn of the shard. Returns whether some had none in this round yet.
    pub(super) fn pause(&mut self, now: Instant) -> bool {
        if self.left == 0 {
            self.ended = now;
        }
        self.left > 0
    }
}

/// From a round's end to the begin of the next, at least.
const ROUNDS_APART: Duration = Duration::from_millis(2);
/// How long backlogs are sent in one turn of the shard.
const BUDGET: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn with(keys: &[usize]) -> (Backlogs, Instant) {
        let start = Instant::now();
        let mut backlogs = Backlogs::new(start);
        for key in keys {
            backlogs.push(ViewerKey(*key));
        }
        (backlogs, start)
    }

    /// One turn of the shard in which each viewer takes `each` and still has a backlog then.
    fn turn(backlogs: &mut Backlogs, now: &mut Instant, each: Duration) -> (Vec<usize>, bool) {
        let mut served = Vec::new();
        if !backlogs.go_on(*now) {
            return (served, false);
        }
        while let Some(key) = backlogs.next(*now) {
            served.push(key.0);
            backlogs.push(key);
            *now += each;
        }
        let more = backlogs.pause(*now);
        (served, more)
    }

    #[test]
    fn each_has_one_turn_in_a_round_and_rounds_are_apart() {
        let (mut backlogs, start) = with(&[1, 2, 3]);
        let mut now = start;
        assert_eq!(
            turn(&mut backlogs, &mut now, MS),
            (vec![], false),
            "too soon"
        );
        now = start + ROUNDS_APART;
        assert_eq!(turn(&mut backlogs, &mut now, MS), (vec![1, 2, 3], false));
        now += ROUNDS_APART - MS;
        assert_eq!(
            turn(&mut backlogs, &mut now, MS),
            (vec![], false),
            "too soon"
        );
        now += MS;
        assert_eq!(turn(&mut backlogs, &mut now, MS), (vec![1, 2, 3], false));
    }

    #[test]
    fn a_round_that_takes_too_long_goes_on_in_the_next_turn_where_it_was() {
        let (mut backlogs, start) = with(&[1, 2, 3, 4, 5]);
        let mut now = start + ROUNDS_APART;
        let slow = 11 * MS;
        assert_eq!(turn(&mut backlogs, &mut now, slow), (vec![1, 2], true));
        assert_eq!(turn(&mut backlogs, &mut now, slow), (vec![3, 4], true));
        assert_eq!(turn(&mut backlogs, &mut now, slow), (vec![5], false));
        now += ROUNDS_APART;
        assert_eq!(turn(&mut backlogs, &mut now, slow), (vec![1, 2], true));
    }

    #[test]
    fn who_falls_behind_at_live_goes_first_and_takes_nobodys_turn() {
        let (mut backlogs, start) = with(&[1, 2, 3]);
        let mut now = start + ROUNDS_APART;
        let slow = 21 * MS;
        assert_eq!(turn(&mut backlogs, &mut now, slow), (vec![1], true));
        backlogs.push(ViewerKey(8));
        backlogs.push_from_live(ViewerKey(9));
        assert_eq!(turn(&mut backlogs, &mut now, MS), (vec![9, 2, 3], false));
        // Between two rounds he waits for the next, as first.
        backlogs.push_from_live(ViewerKey(7));
        assert_eq!(
            turn(&mut backlogs, &mut now, MS),
            (vec![], false),
            "too soon"
        );
        now += ROUNDS_APART;
        assert_eq!(
            turn(&mut backlogs, &mut now, MS),
            (vec![7, 1, 8, 9, 2, 3], false)
        );
    }

    #[test]
    fn one_is_served_in_each_turn_however_long_he_takes() {
        let (mut backlogs, start) = with(&[1, 2]);
        let mut now = start + ROUNDS_APART;
        assert_eq!(turn(&mut backlogs, &mut now, 900 * MS), (vec![1], true));
        assert_eq!(turn(&mut backlogs, &mut now, 900 * MS), (vec![2], false));
    }
}
