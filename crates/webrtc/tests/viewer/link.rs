use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Where a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Server,
    Viewer,
}

/// What the link does to datagrams. Chances are in 1/1000.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) delay: Duration,
    /// Added to the delay by chance, from nothing to this: datagrams overtake each other.
    pub(crate) jitter: Duration,
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
}

/// A link with delay, loss, reordering and duplication, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) conditions: Conditions,
    random: u64,
    count: u64,
    under_way: BTreeMap<(Instant, u64), (To, Vec<u8>)>,
}

impl Link {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            count: 0,
            under_way: BTreeMap::new(),
        }
    }

    pub(crate) fn send(&mut self, now: Instant, to: To, datagram: &[u8]) {
        let copies = if self.chance(self.conditions.duplication) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.chance(self.conditions.loss) {
                continue;
            }
            let jitter = u64::try_from(self.conditions.jitter.as_micros()).expect("short");
            let jitter = Duration::from_micros(self.next() % (jitter + 1));
            self.count += 1;
            let key = (now + self.conditions.delay + jitter, self.count);
            self.under_way.insert(key, (to, datagram.to_vec()));
        }
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn arrived(&mut self, now: Instant) -> Option<(To, Vec<u8>)> {
        let entry = self.under_way.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    fn chance(&mut self, of_a_thousand: u64) -> bool {
        self.next() % 1_000 < of_a_thousand
    }

    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
