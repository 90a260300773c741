use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock::Stamp;

/// What waits before a link of limited rate: a home router's worth. More is dropped at its tail.
const QUEUE_BYTES_MAX: usize = 64 * 1024;
/// Headers of IPv4 and UDP take their share of the rate.
const HEADER_BYTES: usize = 28;

/// A viewer's poor way down from the server: it loses datagrams at random, or carries only so many bits a second.
#[derive(Debug)]
pub(crate) struct Link {
    loss: f64,
    bits_per_second: u64,
    random: StdRng,
    queue: VecDeque<(Stamp, Vec<u8>)>,
    queued_bytes: usize,
    free: Stamp,
}

impl Link {
    /// A link that loses `loss_percent` of the datagrams; `kbps` 0 is no limit.
    pub(crate) fn new(loss_percent: f64, kbps: u64, seed: u64) -> Self {
        Self {
            loss: loss_percent / 100.0,
            bits_per_second: kbps.saturating_mul(1000),
            random: StdRng::seed_from_u64(seed),
            queue: VecDeque::new(),
            queued_bytes: 0,
            free: Stamp::default(),
        }
    }

    /// A datagram enters at `at`.
    pub(crate) fn enter(&mut self, at: Stamp, datagram: &[u8]) {
        let lost = self.random.random_bool(self.loss.clamp(0.0, 1.0));
        if lost || self.queued_bytes + datagram.len() > QUEUE_BYTES_MAX {
            return;
        }
        let start = self.free.max(at);
        let bits = (datagram.len() + HEADER_BYTES) as u64 * 8;
        let nanos = (bits * 1_000_000_000)
            .checked_div(self.bits_per_second)
            .unwrap_or(0);
        self.free = start.plus(Duration::from_nanos(nanos));
        self.queued_bytes += datagram.len();
        self.queue.push_back((self.free, datagram.to_vec()));
    }

    /// The next datagram that is through at `now`, and when it was.
    pub(crate) fn leave(&mut self, now: Stamp) -> Option<(Stamp, Vec<u8>)> {
        let (at, _) = self.queue.front()?;
        if *at > now {
            return None;
        }
        let (at, datagram) = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(datagram.len());
        Some((at, datagram))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_link_of_one_megabit_carries_one_megabit_and_drops_the_rest() {
        let mut link = Link::new(0.0, 1000, 1);
        let mut through = 0;
        for ms in 0..10_000_u64 {
            let now = Stamp(SECOND + ms * 1_000_000);
            link.enter(now, &[0; 1000]);
            while let Some((at, datagram)) = link.leave(now) {
                assert!(at <= now);
                through += datagram.len() + HEADER_BYTES;
            }
            assert!(link.queued_bytes <= QUEUE_BYTES_MAX);
        }
        let bits_per_second = through * 8 / 10;
        assert!(
            (980_000..=1_000_000).contains(&bits_per_second),
            "{bits_per_second}"
        );
    }

    #[test]
    fn a_lossy_link_loses_its_share_and_keeps_order_and_time() {
        let mut link = Link::new(10.0, 0, 1);
        let mut through = Vec::new();
        for number in 0..10_000_u64 {
            link.enter(Stamp(number), &number.to_be_bytes());
            through.extend(link.leave(Stamp(number)));
        }
        assert!(
            (8_900..=9_100).contains(&through.len()),
            "{}",
            through.len()
        );
        assert!(through.windows(2).all(|pair| pair[0].1 < pair[1].1));
        assert!(
            through
                .iter()
                .all(|(at, bytes)| at.0.to_be_bytes()[..] == bytes[..])
        );
    }
}
