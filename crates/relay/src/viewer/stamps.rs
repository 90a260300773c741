use std::time::Instant;

use crate::packetize::Batch;

/// The RTP times of one viewer's pictures.
///
/// At live a picture has its own time. One that is sent late, from the cached group, has the time at which it is sent:
/// what a picture would have that came from the host at that moment. A browser learns the sender's clock from when
/// pictures come (libwebrtc's `TimestampExtrapolator`, a straight line through all of them that forgets none), and a
/// group's true times at eight times their speed teach it a wrong one: for half a minute and more it then takes every
/// picture for late, shows it at once whatever delay was asked for, and does not bring sound and picture together. A step
/// of one frame between backlog and live is enough to bend the line, so there is none. See
/// docs/decisions/0006-sound-with-its-picture.md.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    last: Option<u32>,
    catching_up: bool,
}

impl Stamps {
    /// The time for `batch`, which is sent at `now`, while `newest` is the newest there is. It is always later than the
    /// one before.
    pub(crate) fn next(&mut self, now: Instant, batch: &Batch, newest: &Batch) -> u32 {
        let behind = newest.sequence.saturating_sub(batch.sequence);
        // With the one that is the newest the viewer has caught up, but it is late as those before it were.
        let late = std::mem::replace(&mut self.catching_up, behind > 0) || behind > 0;
        let wanted = if late {
            sent_late(now, behind, newest)
        } else {
            batch.rtp_time
        };
        let stamp = match self.last {
            // A longer way back is none: after hours without a picture the difference has wrapped.
            Some(last) if (-BACK_MAX..STEP).contains(&distance(last, wanted)) => {
                last.wrapping_add_signed(STEP)
            }
            _ => wanted,
        };
        self.last = Some(stamp);
        stamp
    }
}

/// For a picture that has `behind` others after it, up to `newest`.
fn sent_late(now: Instant, behind: u64, newest: &Batch) -> u32 {
    let since = now.saturating_duration_since(newest.received);
    let since = i32::try_from(since.as_micros() * 9 / 100).unwrap_or(i32::MAX);
    // All that follow must find a place before the next live one.
    let room = i32::try_from(behind)
        .unwrap_or(i32::MAX)
        .saturating_add(1)
        .saturating_mul(STEP);
    let ahead = since.min(FRAME.saturating_sub(room));
    newest.rtp_time.wrapping_add_signed(ahead)
}

/// From one time to another, modulo 2^32.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

/// The least between two pictures: 1 ms, as on the broadcast's timeline.
const STEP: i32 = 90;
/// A picture at 30 a second, in ticks.
const FRAME: i32 = 3_000;
/// Stamps run ahead of the timeline by a replayed group's pictures at a millisecond each; far less than this, 10 s.
const BACK_MAX: i32 = 900_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::packetize::BatchKind;

    const FIRST: u32 = u32::MAX - 5_000;
    const MS: Duration = Duration::from_millis(1);

    fn batch(start: Instant, sequence: u32) -> Batch {
        Batch::new(
            BatchKind::Video {
                keyframe: sequence == 0,
            },
            u64::from(sequence),
            0,
            FIRST.wrapping_add(sequence * 3_000),
            start + Duration::from_micros(33_333) * sequence,
            Box::default(),
            Box::default(),
        )
    }

    #[test]
    fn at_live_times_are_the_pictures_own() {
        let start = Instant::now();
        let mut stamps = Stamps::default();
        for sequence in 0..10 {
            let live = batch(start, sequence);
            // The thousandth viewer's turn comes later; his browser sees a constant delay.
            let turn = live.received + MS * 15;
            assert_eq!(stamps.next(turn, &live, &live), live.rtp_time);
        }
    }

    #[test]
    fn a_late_group_is_stamped_when_it_is_sent_and_live_goes_on_without_a_step() {
        let start = Instant::now();
        let mut stamps = Stamps::default();
        let newest = |now: Instant| {
            let frames = (now - start).as_micros() / 33_333;
            batch(start, u32::try_from(frames).unwrap())
        };
        // 50 pictures at 50 Mb/s, the last ten 20 ms apart, as `pace` sends them.
        let mut now = start + MS * 1_990;
        let (mut sequence, mut last) = (0, None);
        loop {
            let end = newest(now);
            let stamp = stamps.next(now, &batch(start, sequence), &end);
            if let Some(last) = last {
                assert!(distance(last, stamp) >= STEP, "{sequence}");
            }
            last = Some(stamp);
            let true_now = FIRST
                .wrapping_add_signed(i32::try_from((now - start).as_micros() * 9 / 100).unwrap());
            let off = distance(true_now, stamp);
            if end.sequence - u64::from(sequence) < 25 {
                // To a millisecond for each picture that is still to find its place.
                assert!((-25 * STEP..=2 * STEP).contains(&off), "{sequence}: {off}");
            }
            if end.sequence - u64::from(sequence) < 10 {
                assert!((-10 * STEP..=2 * STEP).contains(&off), "{sequence}: {off}");
            }
            if end.sequence == u64::from(sequence) {
                break;
            }
            sequence += 1;
            now += if sequence < 50 { MS * 2 } else { MS * 20 };
        }
        let live = batch(start, sequence + 1);
        assert_eq!(stamps.next(live.received, &live, &live), live.rtp_time);
    }

    #[test]
    fn a_host_who_pauses_leaves_room_for_his_next_picture() {
        let start = Instant::now();
        let (mut stamps, newest) = (Stamps::default(), batch(start, 5));
        for sequence in 0..=5 {
            let now = newest.received + MS * 500 + MS * 20 * sequence;
            let stamp = stamps.next(now, &batch(start, sequence), &newest);
            assert!(distance(newest.rtp_time, stamp) < FRAME, "{sequence}");
        }
        let next = batch(start, 6);
        let now = newest.received + MS * 700;
        assert_eq!(stamps.next(now, &next, &next), next.rtp_time);
    }

    #[test]
    fn a_group_sent_again_does_not_turn_back_time() {
        let start = Instant::now();
        let (mut stamps, newest) = (Stamps::default(), batch(start, 20));
        let mut last = stamps.next(newest.received, &newest, &newest);
        for sequence in 0..=20 {
            let stamp = stamps.next(newest.received, &batch(start, sequence), &newest);
            assert_eq!(distance(last, stamp), STEP);
            last = stamp;
        }
        // 21 ms ahead; the next picture is 33 ms on.
        let next = batch(start, 21);
        assert_eq!(stamps.next(next.received, &next, &next), next.rtp_time);
    }
}
