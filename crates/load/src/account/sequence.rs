use crate::clock::Stamp;

/// How far behind the newest packet one may come and still be told apart from a duplicate.
const WINDOW: u64 = 1024;
const WORDS: usize = (WINDOW / 64) as usize;

/// What a packet is to its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Seen for the first time; its extended sequence number.
    New(u64),
    /// Seen before, or too old to tell.
    Duplicate,
}

/// Accounts one RTP stream (one SSRC) by sequence number: RFC 3550 §A.1 (extension), §A.3 (loss) and §A.8 (jitter).
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    clock_rate: u32,
    first: Option<u64>,
    highest: u64,
    /// Bit `n % WINDOW` is set when sequence number `n` came, for the newest [`WINDOW`] numbers.
    seen: [u64; WORDS],
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicates: u64,
    jitter_ticks: f64,
    last_transit: Option<i64>,
    reported: (u64, u64),
}

impl Sequence {
    /// A stream whose timestamps count at `clock_rate` Hz.
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            first: None,
            highest: 0,
            seen: [0; WORDS],
            packets: 0,
            bytes: 0,
            reordered: 0,
            duplicates: 0,
            jitter_ticks: 0.0,
            last_transit: None,
            reported: (0, 0),
        }
    }

    /// Takes one packet of `bytes` bytes.
    pub(crate) fn arrived(
        &mut self,
        number: u16,
        rtp_time: u32,
        bytes: usize,
        at: Stamp,
    ) -> Arrival {
        let extended = self.extend(number);
        let Some(first) = self.first else {
            self.first = Some(extended);
            self.highest = extended;
            self.mark(extended);
            self.accept(rtp_time, bytes, at);
            return Arrival::New(extended);
        };
        if extended > self.highest {
            for missing in (self.highest + 1..extended).take(WORDS * 64) {
                self.clear(missing);
            }
            self.highest = extended;
        } else if self.highest - extended >= WINDOW || self.is_marked(extended) {
            self.duplicates += 1;
            return Arrival::Duplicate;
        } else {
            self.reordered += 1;
            self.first = Some(first.min(extended));
        }
        self.mark(extended);
        self.accept(rtp_time, bytes, at);
        Arrival::New(extended)
    }

    /// Packets that should have come, from the lowest number seen to the highest.
    pub(crate) fn expected(&self) -> u64 {
        self.first.map_or(0, |first| self.highest - first + 1)
    }

    /// Packets that did not come.
    pub(crate) fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }

    /// The highest extended sequence number, as a receiver report wants it (RFC 3550 §6.4.1).
    pub(crate) fn highest(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the field wraps at 32 bits"
        )]
        let wrapped = (self.highest.wrapping_sub(1 << 16)) as u32;
        wrapped
    }

    /// The extended sequence number that `number` stands for, next to those already seen.
    pub(crate) fn extend(&self, number: u16) -> u64 {
        // Numbers start one roll-over up, so that one that is older than the first has a place below it.
        let Some(_) = self.first else {
            return (1 << 16) + u64::from(number);
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low 16 bits are wanted"
        )]
        let low = self.highest as u16;
        let distance = i64::from(number.wrapping_sub(low).cast_signed());
        self.highest.saturating_add_signed(distance)
    }

    /// Interarrival jitter in timestamp ticks (RFC 3550 §6.4.1).
    pub(crate) fn jitter_ticks(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float saturates as it is cast, and jitter is never negative"
        )]
        let ticks = self.jitter_ticks as u32;
        ticks
    }

    /// Interarrival jitter as time.
    #[cfg(test)]
    pub(crate) fn jitter(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(self.jitter_ticks / f64::from(self.clock_rate.max(1)))
    }

    /// The fraction lost since the last call, in 256ths (RFC 3550 §A.3).
    pub(crate) fn fraction_lost(&mut self) -> u8 {
        let (expected, packets) = (
            self.expected() - self.reported.0,
            self.packets - self.reported.1,
        );
        self.reported = (self.expected(), self.packets);
        let lost = expected.saturating_sub(packets);
        u8::try_from((lost * 256).checked_div(expected).unwrap_or(0)).unwrap_or(u8::MAX)
    }

    fn accept(&mut self, rtp_time: u32, bytes: usize, at: Stamp) {
        self.packets += 1;
        self.bytes += bytes as u64;
        let arrival = i128::from(at.0) * i128::from(self.clock_rate) / 1_000_000_000;
        let transit = i64::try_from(arrival & 0xffff_ffff).unwrap_or(0) - i64::from(rtp_time);
        if let Some(last) = self.last_transit.replace(transit) {
            // Both wrap at 2^32: the shorter way round is meant.
            #[expect(clippy::cast_possible_truncation, reason = "wraps like the timestamps")]
            let difference = (transit - last) as i32;
            self.jitter_ticks += (f64::from(difference.unsigned_abs()) - self.jitter_ticks) / 16.0;
        }
    }

    fn mark(&mut self, extended: u64) {
        let (word, bit) = place(extended);
        self.seen[word] |= bit;
    }

    fn clear(&mut self, extended: u64) {
        let (word, bit) = place(extended);
        self.seen[word] &= !bit;
    }

    fn is_marked(&self, extended: u64) -> bool {
        let (word, bit) = place(extended);
        self.seen[word] & bit != 0
    }
}

fn place(extended: u64) -> (usize, u64) {
    let within = extended % WINDOW;
    (
        usize::try_from(within / 64).unwrap_or(0) % WORDS,
        1 << (within % 64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(numbers: impl IntoIterator<Item = u16>) -> Sequence {
        let mut sequence = Sequence::new(90_000);
        for number in numbers {
            sequence.arrived(number, 0, 100, Stamp(0));
        }
        sequence
    }

    #[track_caller]
    fn check(numbers: &[u16], lost: u64, reordered: u64, duplicates: u64) {
        let sequence = fed(numbers.iter().copied());
        assert_eq!(
            (sequence.lost(), sequence.reordered, sequence.duplicates),
            (lost, reordered, duplicates),
            "{numbers:?}"
        );
    }

    #[test]
    fn loss_reordering_and_duplicates_are_told_apart() {
        check(&[1, 2, 3, 4], 0, 0, 0);
        check(&[1, 2, 4, 5], 1, 0, 0);
        check(&[1, 2, 4, 3, 5], 0, 1, 0);
        check(&[1, 2, 2, 3], 0, 0, 1);
        check(&[1, 1, 2, 3, 3], 0, 0, 2);
        check(&[5, 4, 6], 0, 1, 0);
    }

    #[test]
    fn numbers_roll_over() {
        check(&[65_534, 65_535, 0, 1], 0, 0, 0);
        check(&[65_534, 0, 65_535, 1], 0, 1, 0);
        check(&[65_535, 2], 2, 0, 0);
        check(&[0, 65_535, 1], 0, 1, 0);
    }

    #[test]
    fn a_long_stream_stays_exact_through_many_roll_overs() {
        let all = (0..300_000_u32).filter(|number| number % 1000 != 999);
        let sequence = fed(all.map(|number| u16::try_from(number & 0xffff).expect("16 bits")));
        assert_eq!(sequence.lost(), 299, "the last one can't be missed");
        assert_eq!(sequence.duplicates, 0);
    }

    #[test]
    fn a_hole_wider_than_the_window_is_all_lost() {
        let mut sequence = fed([10]);
        sequence.arrived(10 + 3000, 0, 100, Stamp(0));
        assert_eq!(sequence.lost(), 2999);
        assert_eq!(
            sequence.arrived(10 + 2999, 0, 100, Stamp(0)),
            Arrival::New((1 << 16) + 3009)
        );
    }

    #[test]
    fn fraction_lost_counts_since_the_last_report() {
        let mut sequence = fed([0, 1, 2, 3]);
        assert_eq!(sequence.fraction_lost(), 0);
        sequence.arrived(5, 0, 100, Stamp(0));
        sequence.arrived(7, 0, 100, Stamp(0));
        assert_eq!(sequence.fraction_lost(), 128);
        assert_eq!(sequence.fraction_lost(), 0);
    }

    #[test]
    fn jitter_is_zero_for_an_even_stream_and_settles_at_the_spread() {
        let mut even = Sequence::new(90_000);
        let mut uneven = Sequence::new(90_000);
        for frame in 0..500_u64 {
            let number = u16::try_from(frame).expect("small");
            let time = u32::try_from(frame * 3000).expect("small");
            even.arrived(number, time, 1, Stamp(frame * 33_333_333));
            let late = (frame % 2) * 10_000_000;
            uneven.arrived(number, time, 1, Stamp(frame * 33_333_333 + late));
        }
        assert!(
            even.jitter() < std::time::Duration::from_micros(50),
            "{:?}",
            even.jitter()
        );
        let settled = uneven.jitter().as_secs_f64();
        assert!((settled - 0.010).abs() < 0.0005, "{settled}");
    }
}
