use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::packetize::Batch;

/// What one viewer of a broadcast is sent, in bits a second: RTP with its headers and encryption, without UDP and IP.
///
/// The mean over the last [`SPAN`], which holds a keyframe of every host that sends one as often as it should. While the
/// host is interrupted it stays what it was: that is what viewers will be sent again.
#[derive(Debug, Default)]
pub(super) struct Bitrate {
    /// Bits by second, the newest last.
    seconds: VecDeque<(Instant, u64)>,
}

impl Bitrate {
    /// A batch goes to everybody.
    pub(super) fn note(&mut self, batch: &Batch) {
        let bytes = batch
            .bytes()
            .saturating_add(batch.packets().saturating_mul(PACKET_BYTES));
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        let now = batch.received;
        match self.seconds.back_mut() {
            Some((start, sum)) if now.saturating_duration_since(*start) < SECOND => {
                *sum = sum.saturating_add(bits);
            }
            _ => self.seconds.push_back((now, bits)),
        }
        while self
            .seconds
            .front()
            .is_some_and(|(start, _)| now.saturating_duration_since(*start) > SPAN)
        {
            self.seconds.pop_front();
        }
    }

    /// Forgets what was sent.
    pub(super) fn clear(&mut self) {
        self.seconds.clear();
    }

    /// Bits a second; `None` before a second was sent.
    pub(super) fn mean(&self) -> Option<u64> {
        // The newest second is not over.
        let (first, newest) = (self.seconds.front()?.0, self.seconds.back()?.0);
        let millis = newest.saturating_duration_since(first).as_millis();
        let millis = u64::try_from(millis).ok().filter(|millis| *millis > 0)?;
        let whole = self.seconds.len().saturating_sub(1);
        let bits = self.seconds.iter().take(whole).map(|(_, bits)| *bits);
        let bits = bits.fold(0, u64::saturating_add);
        Some(bits.saturating_mul(1_000) / millis)
    }
}

/// RTP header with its extensions, and the tag of the encryption.
const PACKET_BYTES: usize = 40;
const SECOND: Duration = Duration::from_secs(1);
/// The longest distance of keyframes that OBS sends unasked is 8.3 s.
const SPAN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetize::BatchKind;

    fn batch(at: Instant, bytes: u32) -> Batch {
        Batch::new(
            BatchKind::Audio,
            0,
            0,
            0,
            at,
            vec![0; bytes as usize].into(),
            vec![bytes].into(),
        )
    }

    /// Sends 25 batches a second, the first of every two seconds `times` as big. Returns when it ended.
    fn send(rate: &mut Bitrate, start: Instant, seconds: u32, bytes: u32, times: u32) -> Instant {
        let at = |number| start + Duration::from_millis(40) * number;
        for number in 0..seconds * 25 {
            let big = if number % 50 == 0 { times } else { 1 };
            rate.note(&batch(at(number), bytes * big));
        }
        at(seconds * 25)
    }

    #[test]
    fn it_is_the_mean_of_the_last_seconds_with_headers() {
        let mut rate = Bitrate::default();
        let start = Instant::now();
        assert_eq!(rate.mean(), None);
        let at = send(&mut rate, start, 1, 960, 1);
        assert_eq!(rate.mean(), None, "no second is over");
        let at = send(&mut rate, at, 20, 960, 1);
        assert_eq!(rate.mean(), Some(25 * 1_000 * 8));
        let at = send(&mut rate, at, 20, 1_960, 1);
        assert_eq!(rate.mean(), Some(25 * 2_000 * 8));
        send(&mut rate, at, 20, 960, 26);
        let mean = rate.mean().unwrap();
        // 296,000, more or less by where in a group the window ends.
        assert!((275_000..=320_000).contains(&mean), "{mean}");
        assert!(rate.seconds.len() <= 12);
    }

    #[test]
    fn a_host_who_is_gone_for_a_while_is_not_taken_for_a_slow_one() {
        let mut rate = Bitrate::default();
        let at = send(&mut rate, Instant::now(), 10, 960, 1);
        assert_eq!(rate.mean(), Some(200_000));
        send(&mut rate, at + Duration::from_secs(30), 3, 960, 1);
        assert_eq!(rate.mean(), Some(200_000));
    }
}
