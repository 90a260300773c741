use std::time::{Duration, Instant};

use crate::packetize::{Batch, video_clock};

/// When a broadcast's next picture is likely to come: as long after the last one as that was after the one before it, on
/// the timeline.
#[derive(Debug, Default)]
pub(super) struct Cadence {
    /// RTP time of the newest picture.
    newest: Option<u32>,
    next: Option<Instant>,
}

impl Cadence {
    /// A live picture is sent.
    pub(super) fn picture(&mut self, now: Instant, picture: &Batch) {
        let before = self.newest.replace(picture.rtp_time);
        let ticks = before.map(|before| picture.rtp_time.wrapping_sub(before));
        self.next = ticks
            .filter(|ticks| (1..=APART_MAX).contains(ticks))
            .map(|ticks| now + video_clock::span(ticks));
    }

    /// Until when sound that is there `now` waits for the next picture; `None`: it is not worth it.
    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        let next = self.next?;
        let until = next + LATE;
        (next <= now + WAIT_MAX && now < until).then_some(until)
    }
}

/// Sound waits this long for a picture. It is heard that much later, as far as the browser's sound buffer (40 ms and more)
/// notices.
const WAIT_MAX: Duration = Duration::from_millis(10);
/// A picture that is later than this did not come when it was expected.
const LATE: Duration = Duration::from_millis(3);
/// At fewer than 10 pictures a second none is waited for.
const APART_MAX: u32 = 9_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetize::BatchKind;

    fn picture(cadence: &mut Cadence, now: Instant, rtp_time: u32) {
        let picture = Batch::new(
            BatchKind::Video { keyframe: false },
            0,
            0,
            rtp_time,
            now,
            Box::default(),
            Box::default(),
        );
        cadence.picture(now, &picture);
    }

    /// Two pictures 33 ms apart on the timeline, the second of which came at the returned time.
    fn cadence() -> (Cadence, Instant) {
        let start = Instant::now();
        let mut cadence = Cadence::default();
        picture(&mut cadence, start, u32::MAX - 1_000);
        assert_eq!(cadence.wait(start), None, "one picture tells nothing");
        // In a burst: 33 ms of the timeline in 20.
        let second = start + Duration::from_millis(20);
        picture(&mut cadence, second, 1_969);
        (cadence, second)
    }

    #[test]
    fn sound_waits_only_for_a_picture_that_is_about_to_come() {
        let (cadence, second) = cadence();
        let at = |millis| cadence.wait(second + Duration::from_millis(millis));
        assert_eq!(at(0), None);
        assert_eq!(at(22), None);
        let until = Some(second + Duration::from_micros(36_000));
        assert_eq!(at(23), until);
        assert_eq!(at(35), until);
        assert_eq!(at(36), None, "it did not come");
    }

    #[test]
    fn no_picture_is_expected_after_a_pause_or_at_a_slow_rate() {
        let (mut cadence, second) = cadence();
        let third = second + Duration::from_secs(1);
        picture(&mut cadence, third, 1_969 + 90_000);
        assert_eq!(cadence.wait(third + Duration::from_millis(995)), None);
        // Nor after one with the same time, or an earlier one.
        picture(&mut cadence, third, 1_969 + 90_000);
        assert_eq!(cadence.wait(third), None);
        picture(&mut cadence, third, 1_969);
        assert_eq!(cadence.wait(third), None);
    }
}
