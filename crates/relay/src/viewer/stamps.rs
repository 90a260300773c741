use std::time::{Duration, Instant};

use crate::packetize::Batch;

/// The RTP times of one viewer's pictures.
///
/// At live a picture has its own time. One that is sent late, from the cached group, has the time at which it is sent,
/// less a frame: what a picture would have that came from the host at that moment. A browser learns the sender's clock
/// from when pictures come (libwebrtc's `TimestampExtrapolator`, which does not forget), and a group's true times at
/// eight times their speed teach it a wrong one: for half a minute and more it then takes every picture for late, shows
/// it at once whatever delay was asked for, and does not bring sound and picture together. See
/// docs/decisions/0006-sound-with-its-picture.md.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    last: Option<u32>,
}

impl Stamps {
    /// The time for `batch`, which is sent at `now`, while `newest` is the newest there is. It is always later than the
    /// one before.
    pub(crate) fn next(&mut self, now: Instant, batch: &Batch, newest: &Batch) -> u32 {
        let behind = newest.sequence.saturating_sub(batch.sequence);
        let wanted = if behind == 0 {
            batch.rtp_time
        } else {
            sent_late(now, behind, newest)
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
    let since = now
        .saturating_duration_since(newest.received)
        .min(SINCE_MAX);
    let ticks = u32::try_from(since.as_micros() * 9 / 100).unwrap_or(0);
    let sending = newest.rtp_time.wrapping_add(ticks).wrapping_sub(FRAME);
    // All that follow must find a place before the newest.
    let room = i32::try_from(behind)
        .unwrap_or(i32::MAX)
        .saturating_mul(STEP);
    let most = newest.rtp_time.wrapping_add_signed(room.wrapping_neg());
    if distance(sending, most) < 0 {
        most
    } else {
        sending
    }
}

/// From one time to another, modulo 2^32.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

/// The least between two pictures: 1 ms, as on the broadcast's timeline.
const STEP: i32 = 90;
/// A picture at 30 a second, in ticks.
const FRAME: u32 = 3_000;
/// Beyond this the host has paused; 10 s.
const SINCE_MAX: Duration = Duration::from_secs(10);
/// Stamps run ahead of the timeline by a replayed group's pictures at a millisecond each; far less than this, 10 s.
const BACK_MAX: i32 = 900_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetize::BatchKind;

    const FIRST: u32 = u32::MAX - 5_000;

    fn batch(start: Instant, sequence: u32) -> Batch {
        Batch::new(
            BatchKind::Video {
                keyframe: sequence == 0,
            },
            u64::from(sequence),
            0,
            FIRST.wrapping_add(sequence * FRAME),
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
            assert_eq!(stamps.next(live.received, &live, &live), live.rtp_time);
        }
    }

    #[test]
    fn a_late_group_is_stamped_when_it_is_sent_and_live_goes_on_behind_it() {
        let start = Instant::now();
        let (mut stamps, newest) = (Stamps::default(), batch(start, 59));
        let mut last = None;
        for sequence in 0..59_u32 {
            // 0.4 ms apart, so that all are sent before the next picture.
            let now = newest.received + Duration::from_micros(400) * sequence;
            let stamp = stamps.next(now, &batch(start, sequence), &newest);
            if let Some(last) = last {
                let step = distance(last, stamp);
                assert!(
                    (36..=90).contains(&step) || step == 90,
                    "{sequence}: {step}"
                );
            }
            assert!(distance(stamp, newest.rtp_time) >= STEP);
            last = Some(stamp);
        }
        let now = newest.received + Duration::from_millis(24);
        assert_eq!(stamps.next(now, &newest, &newest), newest.rtp_time);
    }

    #[test]
    fn a_group_sent_again_does_not_turn_back_time() {
        let start = Instant::now();
        let (mut stamps, newest) = (Stamps::default(), batch(start, 30));
        let live = stamps.next(newest.received, &newest, &newest);
        let mut last = live;
        for sequence in 0..=30 {
            let stamp = stamps.next(newest.received, &batch(start, sequence), &newest);
            assert_eq!(distance(last, stamp), STEP);
            last = stamp;
        }
        // 31 ms ahead; the next picture is 33 ms on.
        let next = batch(start, 31);
        assert_eq!(stamps.next(next.received, &next, &next), next.rtp_time);
    }
}
