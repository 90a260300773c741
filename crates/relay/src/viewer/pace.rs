use std::time::{Duration, Instant};

/// How fast a viewer gets what he has not yet: the newest group at his join, or again after a PLI (RTP.md 15).
///
/// A bucket of bytes that fills with time. A batch goes out whole as long as the bucket is not empty, and may leave it
/// in debt. Live batches of a viewer who is at live are not paced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    bytes_per_second: u64,
    /// Bytes that may go now; negative: sent already and not yet due.
    credit: i64,
    at: Instant,
    /// The most that is saved up.
    burst: i64,
    /// Before this nothing may go, not even what is live: the last pictures before live come one by one.
    step: Instant,
}

impl Pace {
    /// For a backlog of `bytes` that play for `span`, to a viewer at `round_trip` (if known). The first batch goes at
    /// once.
    pub(crate) fn new(
        now: Instant,
        bytes: usize,
        span: Duration,
        round_trip: Option<Duration>,
    ) -> Self {
        let bits_per_second = if round_trip.is_some_and(|time| time > FAR) {
            FAR_BITS
        } else if span <= SHORT_GROUP {
            NEAR_BITS
        } else {
            let bits = u64::try_from(bytes)
                .unwrap_or(u64::MAX)
                .saturating_mul(8_000);
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
            (bits / millis)
                .saturating_mul(TIMES_REAL)
                .clamp(LEAST_BITS, NEAR_BITS)
        };
        Self {
            bytes_per_second: bits_per_second / 8,
            credit: BURST_BYTES,
            at: now,
            burst: BURST_BYTES,
            step: now,
        }
    }

    /// For single pictures over a narrow link.
    pub(crate) fn slow(now: Instant, bits_per_second: u64) -> Self {
        Self {
            bytes_per_second: bits_per_second / 8,
            credit: SLOW_BURST_BYTES,
            at: now,
            burst: SLOW_BURST_BYTES,
            step: now,
        }
    }

    /// Whether a batch that costs nothing, because it is live, may go now.
    pub(crate) fn ready_live(&self, now: Instant) -> bool {
        now >= self.step
    }

    /// Whether a batch may go now.
    pub(crate) fn ready(&mut self, now: Instant) -> bool {
        if now < self.step {
            return false;
        }
        let passed = now
            .saturating_duration_since(self.at)
            .min(Duration::from_secs(1));
        let micros = u64::try_from(passed.as_micros()).unwrap_or(0);
        let earned = self.bytes_per_second * micros / 1_000_000;
        // Time is spent only where it bought something, so that many short waits lose nothing.
        if earned > 0 {
            let earned = i64::try_from(earned).unwrap_or(i64::MAX);
            self.credit = self.credit.saturating_add(earned).min(self.burst);
            self.at = now;
        }
        self.credit > 0
    }

    /// A batch went.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.credit = self
            .credit
            .saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A picture of a backlog went, `age` after it came from the host and `span` before the next one.
    ///
    /// The last pictures before live are sent, and so shown, at less than twice their speed. A browser that gets them at
    /// once shows one of them and leaves out the others, just when the viewer takes what he sees for live.
    pub(crate) fn step(&mut self, now: Instant, age: Duration, span: Duration) {
        if age < NEARLY_LIVE {
            self.step = now + (span * 3 / 5).min(STEP_MAX);
        }
    }

    /// When the next batch may go.
    pub(crate) fn next(&self) -> Instant {
        let debt = u64::try_from(1_i64.saturating_sub(self.credit)).unwrap_or(0);
        let micros = debt
            .saturating_mul(1_000_000)
            .div_ceil(self.bytes_per_second.max(1));
        let paid = self.at + Duration::from_micros(micros).min(Duration::from_secs(10));
        paid.max(self.step)
    }
}

/// What goes at once, whatever the pace: 3 ms at 50 Mb/s, so that the shard need not wake for each frame.
const BURST_BYTES: i64 = 20_000;
/// Two packets.
const SLOW_BURST_BYTES: i64 = 2_400;
const NEAR_BITS: u64 = 50_000_000;
const FAR_BITS: u64 = 20_000_000;
/// A group of a very small stream: at least as fast as this, a tick of 10 ms carries one packet.
const LEAST_BITS: u64 = 1_000_000;
/// A backlog that plays longer than this goes at a multiple of real time.
const SHORT_GROUP: Duration = Duration::from_secs(2);
const TIMES_REAL: u64 = 8;
/// A picture of this age is soon shown as live, 300 ms after it came from the host: a browser holds it for 100 ms. From 350 on
/// a viewer is at live 0.2 s later than from 220, from where 4 pictures were left out in a run.
const NEARLY_LIVE: Duration = Duration::from_millis(280);
/// From one picture to the next there: a screen of 60 Hz shows each, and at 30 a second a viewer who is 8 behind has
/// caught up after 0.4 s.
const STEP_MAX: Duration = Duration::from_millis(20);
/// Viewers further away than this round trip would lose a burst behind one hole.
const FAR: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_last_pictures_before_live_come_one_by_one_and_the_live_one_waits_its_turn() {
        let now = Instant::now();
        let mut pace = Pace::new(now, 1_000, MS * 500, None);
        pace.step(now, MS * 281, MS * 33);
        assert!(pace.ready(now), "there is credit, and far to go");
        pace.step(now, MS * 279, MS * 33);
        assert_eq!(pace.next(), now + Duration::from_micros(19_800));
        assert!(!pace.ready(now + MS * 19) && !pace.ready_live(now + MS * 19));
        assert!(pace.ready(now + MS * 20) && pace.ready_live(now + MS * 20));
        // Of 60 a second each has its turn before the next one is there; of 5 a second none waits for long.
        let now = now + MS * 20;
        pace.step(now, MS * 100, Duration::from_micros(16_500));
        assert_eq!(pace.next(), now + Duration::from_micros(9_900));
        pace.step(now, MS * 100, MS * 200);
        assert_eq!(pace.next(), now + MS * 20);
    }

    #[test]
    fn a_live_picture_needs_no_credit() {
        let now = Instant::now();
        let mut pace = Pace::new(now, 1_000_000, MS * 500, None);
        pace.spend(1_000_000);
        assert!(!pace.ready(now) && pace.ready_live(now));
    }
}
