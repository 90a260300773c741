use std::time::{Duration, Instant};

/// How fast a viewer gets what he has not yet: the newest group at his join, or again after a PLI (RTP.md 15).
///
/// A bucket of bytes that fills with time. A batch goes out whole as long as the bucket is not empty, and may leave it
/// in debt. What is live goes at once, up to a burst that a browser's socket takes: a host who was held up sends seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    bytes_per_second: u64,
    /// The same for parts of one picture; `None`: no other.
    picture_bytes_per_second: Option<u64>,
    /// Before this the next part of a picture may not go.
    part_until: Instant,
    /// Before this nothing may go, as too much that is live went at once.
    live_until: Instant,
    /// Bytes that may go now; negative: sent already and not yet due.
    credit: i64,
    at: Instant,
    /// The most that is saved up.
    burst: i64,
    /// Before this nothing may go, not even what is live: the last pictures before live come one by one.
    held_until: Instant,
}

impl Pace {
    /// For a backlog of `bytes` that play for `span`, pictures that go in parts not counted, to a viewer at `round_trip`
    /// (if known). The first batch goes at once.
    pub(crate) fn new(
        now: Instant,
        bytes: usize,
        span: Duration,
        round_trip: Option<Duration>,
    ) -> Self {
        let most = if round_trip.is_some_and(|time| time > FAR) {
            FAR_BITS
        } else {
            NEAR_BITS
        };
        let bits_per_second = if span <= SHORT_GROUP {
            most
        } else {
            let bits = u64::try_from(bytes)
                .unwrap_or(u64::MAX)
                .saturating_mul(8_000);
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
            (bits / millis)
                .saturating_mul(TIMES_REAL)
                .clamp(LEAST_BITS, most)
        };
        Self {
            bytes_per_second: bits_per_second / 8,
            picture_bytes_per_second: Some(most / 8),
            part_until: now,
            live_until: live_floor(now),
            credit: BURST_BYTES,
            at: now,
            burst: BURST_BYTES,
            held_until: now,
        }
    }

    /// For single pictures over a narrow link.
    pub(crate) fn slow(now: Instant, bits_per_second: u64) -> Self {
        Self {
            bytes_per_second: bits_per_second / 8,
            picture_bytes_per_second: None,
            part_until: now,
            live_until: live_floor(now),
            credit: SLOW_BURST_BYTES,
            at: now,
            burst: SLOW_BURST_BYTES,
            held_until: now,
        }
    }

    /// Whether a batch that costs nothing, because it is live, may go now.
    pub(crate) fn ready_live(&self, now: Instant) -> bool {
        now >= self.held_until.max(self.live_until)
    }

    /// Whether a batch may go now.
    pub(crate) fn ready(&mut self, now: Instant) -> bool {
        if !self.ready_live(now) || now < self.part_until {
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

    /// A part of a picture went: who waits for it waits for all of it, so its parts go as fast as any group does, however
    /// quiet this one is.
    pub(crate) fn spend_part(&mut self, now: Instant, bytes: usize) {
        let Some(bytes_per_second) = self.picture_bytes_per_second else {
            self.spend(bytes);
            return;
        };
        // What was late because the shard was is made up for.
        let from = now.checked_sub(PART_LATE).unwrap_or(now);
        self.part_until = self.part_until.max(from) + time_for(bytes, bytes_per_second);
    }

    /// A live picture went.
    pub(crate) fn spend_live(&mut self, now: Instant, bytes: usize) {
        let from = self.live_until.max(live_floor(now));
        self.live_until = from + time_for(bytes, LIVE_BITS / 8);
        // He is at live. What may pile up for him then is not the group that he joined, which may have been a quiet one.
        if let Some(bytes_per_second) = self.picture_bytes_per_second {
            self.bytes_per_second = bytes_per_second;
        }
    }

    /// Nothing may go before `turn`, not even what is live.
    pub(crate) fn hold(&mut self, turn: Instant) {
        self.held_until = turn;
    }

    /// When the next batch may go.
    pub(crate) fn next(&self) -> Instant {
        let debt = u64::try_from(1_i64.saturating_sub(self.credit)).unwrap_or(0);
        let micros = debt
            .saturating_mul(1_000_000)
            .div_ceil(self.bytes_per_second.max(1));
        let paid = self.at + Duration::from_micros(micros).min(Duration::from_secs(10));
        paid.max(self.held_until)
            .max(self.live_until)
            .max(self.part_until)
    }
}

/// No time before this counts for what is live.
fn live_floor(now: Instant) -> Instant {
    now.checked_sub(LIVE_BURST).unwrap_or(now)
}

/// How long `bytes` take.
fn time_for(bytes: usize, bytes_per_second: u64) -> Duration {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let micros = bytes.saturating_mul(1_000_000) / bytes_per_second.max(1);
    Duration::from_micros(micros).min(Duration::from_secs(1))
}

/// What goes at once, whatever the pace: 3 ms at 50 Mb/s, so that the shard need not wake for each frame.
const BURST_BYTES: i64 = 20_000;
/// A part that went later than it might by no more than this does not make the next one later.
const PART_LATE: Duration = Duration::from_millis(2);
/// As fast as what is live may go to one viewer for long: half of what a browser's socket takes (RTP.md 15), and more than any
/// stream has.
const LIVE_BITS: u64 = 100_000_000;
/// So much of it may go at once, 64 kB: five pictures of 3 Mb/s, or a keyframe that does not go in parts. Of 128 kB a busy
/// browser lost a packet now and then.
const LIVE_BURST: Duration = Duration::from_micros(5_120);
/// Two packets.
const SLOW_BURST_BYTES: i64 = 2_400;
const NEAR_BITS: u64 = 50_000_000;
const FAR_BITS: u64 = 20_000_000;
/// A group of a very small stream: at least as fast as this, a tick of 10 ms carries one packet.
const LEAST_BITS: u64 = 1_000_000;
/// A backlog that plays longer than this goes at a multiple of real time.
const SHORT_GROUP: Duration = Duration::from_secs(2);
const TIMES_REAL: u64 = 8;
/// Viewers further away than this round trip would lose a burst behind one hole.
const FAR: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_held_waits_for_its_turn_also_what_is_live() {
        let now = Instant::now();
        let mut pace = Pace::new(now, 1_000, MS * 500, None);
        assert!(pace.ready(now), "there is credit");
        pace.hold(now + MS * 27);
        assert_eq!(pace.next(), now + MS * 27);
        assert!(!pace.ready(now + MS * 26) && !pace.ready_live(now + MS * 26));
        assert!(pace.ready(now + MS * 27) && pace.ready_live(now + MS * 27));
    }

    #[test]
    fn what_is_live_goes_at_once_up_to_a_burst() {
        let now = Instant::now();
        let mut pace = Pace::new(now, 0, Duration::ZERO, None);
        let mut at_once = 0;
        while pace.ready_live(now) {
            pace.spend_live(now, 12_500);
            at_once += 1;
        }
        assert_eq!(at_once, 6, "64 kB and the picture that is not all over it");
        assert!(!pace.ready(now), "nor what is late");
        assert!(pace.ready_live(pace.next()) && pace.ready(pace.next()));
        // Live for an hour: 12.5 kB in 33 ms.
        let mut now = now + MS * 50;
        for _ in 0..30 {
            assert!(pace.ready_live(now));
            pace.spend_live(now, 12_500);
            now += MS * 33;
        }
        let mut burst = 0;
        while pace.ready_live(now) {
            pace.spend_live(now, 12_500);
            burst += 1;
        }
        assert_eq!(burst, at_once, "what was live cost nothing");
    }

    #[test]
    fn who_is_at_live_catches_up_at_full_speed_however_quiet_his_first_group_was() {
        let now = Instant::now();
        let mut pace = Pace::new(now, 30_000, Duration::from_secs(8), None);
        pace.spend(1_000_000);
        let quiet = pace.next() - now;
        let mut pace = Pace::new(now, 30_000, Duration::from_secs(8), None);
        pace.spend_live(now, 1_000);
        pace.spend(1_000_000);
        let full = pace.next() - now;
        assert!(quiet > MS * 7_000 && full < MS * 200, "{quiet:?}, {full:?}");
    }

    #[test]
    fn a_live_picture_needs_no_credit() {
        let now = Instant::now();
        let mut pace = Pace::new(now, 1_000_000, MS * 500, None);
        pace.spend(1_000_000);
        assert!(!pace.ready(now) && pace.ready_live(now));
    }
}
