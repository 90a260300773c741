use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zongzi_media::MediaTime;

/// Requests that a child has not answered yet, each with the time at which one that works in real time would come to it.
///
/// As a rule that is when it was made. But a host whose uplink stood still sends seconds of pictures at once: that a
/// picture waits for those before it then says nothing about the machine.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    due: VecDeque<Instant>,
    /// Of the newest picture: when it is due, and its decode time.
    newest: Option<(Instant, MediaTime)>,
}

impl Pending {
    /// A request is made: a picture with its decode time, or another one.
    pub(super) fn push(&self, now: Instant, picture: Option<MediaTime>) {
        let mut queue = self.lock();
        // Who has caught up has nothing to wait for.
        let before = queue.newest.filter(|_| queue.due.len() > CAUGHT_UP);
        let due = before.map_or(now, |(due, time)| {
            let step = picture.map_or(Duration::ZERO, |picture| picture.saturating_since(time));
            // Somewhat faster than real time, or one that is hardly faster would stay seconds behind for minutes.
            now.max(due + step.min(STEP_MAX) * 2 / 3)
        });
        queue.due.push_back(due);
        if let Some(time) = picture {
            queue.newest = Some((due, time));
        }
    }

    /// The oldest one is answered.
    pub(super) fn done(&self) {
        self.lock().due.pop_front();
    }

    /// How much later than in real time the oldest one is.
    pub(super) fn late(&self, now: Instant) -> Duration {
        let queue = self.lock();
        let oldest = queue.due.front();
        oldest.map_or(Duration::ZERO, |due| now.saturating_duration_since(*due))
    }

    /// Whether so few wait that the child is as far as the host.
    pub(super) fn is_caught_up(&self) -> bool {
        self.lock().due.len() <= CAUGHT_UP
    }

    /// What a panic leaves is whole: each section is a few assignments.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With so few requests unanswered a rendition has caught up; the decoder alone holds none of them.
const CAUGHT_UP: usize = 3;
/// The most that a picture is taken to last: ten a second.
const STEP_MAX: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A machine that needs so long for each picture. Gives how late each was when its turn came, in milliseconds.
    fn work(came: &[u32], each: u32) -> Vec<u128> {
        let (start, pending) = (Instant::now(), Pending::default());
        let at = |millis: u32| start + MS * millis;
        let time = |picture: usize| MediaTime::from_millis(i64::try_from(picture).unwrap() * 33);
        let (mut pushed, mut free, mut late) = (0, 0, Vec::new());
        while late.len() < came.len() {
            let turn = free.max(came[late.len()]);
            while pushed < came.len() && came[pushed] <= turn {
                pending.push(at(came[pushed]), Some(time(pushed)));
                pushed += 1;
            }
            late.push(pending.late(at(turn)).as_millis());
            free = turn + each;
            // What comes while it works finds it unanswered.
            while pushed < came.len() && came[pushed] < free {
                pending.push(at(came[pushed]), Some(time(pushed)));
                pushed += 1;
            }
            pending.done();
        }
        late
    }

    #[test]
    fn pictures_that_come_at_once_are_late_only_for_a_machine_that_is_slower_than_they_play() {
        let burst: Vec<u32> = (0..300).map(|n: u32| (33 * n).max(3_000)).collect();
        assert!(work(&burst, 10).iter().all(|late| *late <= 30));
        // One that is hardly faster would be seconds behind for half a minute.
        assert!(work(&burst, 30).iter().any(|late| *late > 100));
        let slow = work(&burst, 40);
        assert!(slow[60..].iter().all(|late| *late > 100), "{slow:?}");
    }

    #[test]
    fn after_a_burst_a_machine_that_becomes_too_slow_is_found_out() {
        let came: Vec<u32> = (0..400).map(|n: u32| (33 * n).max(3_000)).collect();
        let (start, pending) = (Instant::now(), Pending::default());
        for (picture, came) in came.iter().enumerate() {
            let time = MediaTime::from_millis(i64::try_from(picture).unwrap() * 33);
            pending.push(start + MS * *came, Some(time));
            // It keeps up for a while, and then it stands still.
            if picture < 200 && *came > 3_000 {
                while !pending.is_caught_up() {
                    pending.done();
                }
            }
        }
        let end = start + MS * 33 * 400;
        assert!(pending.late(end) > MS * 6_000);
    }

    #[test]
    fn one_that_keeps_up_is_late_by_what_it_waits() {
        let (start, pending) = (Instant::now(), Pending::default());
        pending.push(start, None);
        pending.push(start + MS * 33, Some(MediaTime::from_millis(33)));
        assert_eq!(pending.late(start + MS * 50), MS * 50);
        pending.done();
        assert_eq!(pending.late(start + MS * 50), MS * 17);
        pending.done();
        assert_eq!(pending.late(start + MS * 50), Duration::ZERO);
    }
}
