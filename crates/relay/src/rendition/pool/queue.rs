use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zongzi_media::Frame;

/// Source frames that wait for a thread to work on one rendition.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inputs: VecDeque<Input>,
    /// What came before the oldest was dropped.
    gap: bool,
    /// Waits for a thread, or is on one.
    pub(super) scheduled: bool,
    closed: bool,
}

/// A source frame.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) frame: Frame,
    /// When it came to the server.
    pub(super) received: Instant,
    queued: Instant,
    /// Frames before it were dropped: the codec must be told.
    pub(super) after_gap: bool,
}

impl Input {
    /// How long it waited for a thread.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.queued)
    }
}

impl Queue {
    /// Takes a frame. When there are too many the oldest one is dropped. Returns how many were.
    pub(super) fn push(&mut self, frame: Frame, received: Instant, now: Instant) -> u64 {
        let full = self.inputs.len() >= FRAMES_MAX;
        let dropped = if full { self.drop_oldest() } else { 0 };
        self.inputs.push_back(Input {
            frame,
            received,
            queued: now,
            after_gap: false,
        });
        dropped
    }

    /// The oldest frame, and how many before it were dropped because sound of them would come late. They go in one
    /// piece: one hole is heard less than many small ones.
    pub(super) fn pop(&mut self, now: Instant) -> (Option<Input>, u64) {
        let mut dropped = 0;
        if self.oldest_waited(now) > WAIT_MAX {
            while self.oldest_waited(now) > WAIT_AGAIN {
                dropped += self.drop_oldest();
            }
        }
        let mut input = self.inputs.pop_front();
        if let Some(input) = &mut input {
            input.after_gap = std::mem::take(&mut self.gap);
        }
        (input, dropped)
    }

    /// The rendition has ended: nothing in it is needed.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.inputs.clear();
    }

    pub(super) fn has_more(&self) -> bool {
        !self.closed && !self.inputs.is_empty()
    }

    fn oldest_waited(&self, now: Instant) -> Duration {
        let oldest = self.inputs.front();
        oldest.map_or(Duration::ZERO, |oldest| oldest.waited(now))
    }

    fn drop_oldest(&mut self) -> u64 {
        self.gap = true;
        u64::from(self.inputs.pop_front().is_some())
    }
}

/// Source frames that wait for a rendition: 1.4 s of AAC at 48 kHz.
pub const FRAMES_MAX: usize = 64;
/// A frame that waited this long for a thread makes late sound: viewers' buffers have run dry long before.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// And with it go all that waited this long.
const WAIT_AGAIN: Duration = Duration::from_millis(40);

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::fixture::sound;

    /// A queue with a frame each 21 ms, the last one at `end`.
    fn filled(frames: u32, end: Instant) -> Queue {
        let mut queue = Queue::default();
        for back in (0..frames).rev() {
            let frame = sound(i64::from(frames - back), Bytes::from_static(b"x"));
            let at = end - AAC * back;
            queue.push(frame, at, at);
        }
        queue
    }

    fn number(input: &Input) -> i64 {
        input.frame.dts.as_micros()
    }

    const AAC: Duration = Duration::from_millis(21);

    #[test]
    fn what_waits_for_a_short_time_is_all_worked_on() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut queue = filled(9, now);
        for expected in 1..=9 {
            let (input, dropped) = queue.pop(now + Duration::from_millis(30));
            let input = input.unwrap();
            assert_eq!((number(&input), dropped), (expected, 0));
            assert!(!input.after_gap);
        }
        assert!(queue.pop(now).0.is_none());
    }

    #[test]
    fn what_would_be_late_goes_in_one_piece_and_the_next_one_is_told() {
        let now = Instant::now() + Duration::from_secs(60);
        // The oldest waited for 210 ms, the last two for no more than 21.
        let mut queue = filled(11, now);
        let (input, dropped) = queue.pop(now);
        let input = input.unwrap();
        assert_eq!((number(&input), dropped), (10, 9));
        assert!(input.after_gap);
        let (input, dropped) = queue.pop(now);
        let input = input.unwrap();
        assert_eq!((number(&input), dropped), (11, 0));
        assert!(!input.after_gap);
    }

    #[test]
    fn a_gap_is_told_though_nothing_was_left_behind_it() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut queue = filled(3, now);
        let later = now + Duration::from_secs(1);
        let (input, dropped) = queue.pop(later);
        assert!(input.is_none());
        assert_eq!(dropped, 3);
        queue.push(sound(4, Bytes::from_static(b"x")), later, later);
        assert!(queue.pop(later).0.unwrap().after_gap);
    }
}
