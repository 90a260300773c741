use std::fmt;
use std::time::Duration;

/// A point on a media timeline, in whole microseconds.
///
/// Signed, because presentation times of a host's first frames may lie before its zero. Arithmetic saturates: times
/// come from the network, and an absurd one must not take the process down.
///
/// Both RTMP's milliseconds and RTP's clock ticks convert to microseconds and back without loss (rounding to the
/// nearest, at clock rates up to 500 kHz).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The start of the timeline.
    pub const ZERO: Self = Self(0);

    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// From ticks of a clock of `clock_rate` Hz, rounded to the nearest microsecond.
    ///
    /// A clock rate of 0 gives [`MediaTime::ZERO`].
    pub fn from_ticks(ticks: i64, clock_rate: u32) -> Self {
        Self(scale(ticks, 1_000_000, i64::from(clock_rate)))
    }

    /// In microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// In whole milliseconds, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// In ticks of a clock of `clock_rate` Hz, rounded to the nearest tick.
    pub fn to_ticks(self, clock_rate: u32) -> i64 {
        scale(self.0, i64::from(clock_rate), 1_000_000)
    }

    /// This time plus `span`, saturating.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }

    /// This time minus `span`, saturating.
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// This time moved by `micros` (which may be negative), saturating.
    #[must_use]
    pub const fn shifted(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this time; negative if `earlier` is later. Saturates.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The span from `earlier` to this time; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.micros_since(earlier)).unwrap_or(0))
    }
}

impl fmt::Debug for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// `value * numerator / denominator`, rounded to the nearest, saturating; 0 when the denominator is 0.
fn scale(value: i64, numerator: i64, denominator: i64) -> i64 {
    if denominator == 0 {
        return 0;
    }
    let (value, numerator, denominator) = (
        i128::from(value),
        i128::from(numerator),
        i128::from(denominator),
    );
    let scaled = (value * numerator + denominator / 2).div_euclid(denominator);
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_frame_at_thirty_per_second_is_three_thousand_ticks() {
        assert_eq!(MediaTime::from_micros(33_333).to_ticks(90_000), 3_000);
        assert_eq!(MediaTime::from_ticks(3_000, 90_000).as_micros(), 33_333);
        assert_eq!(MediaTime::from_millis(-40).to_ticks(90_000), -3_600);
    }

    #[test]
    fn absurd_times_saturate() {
        let end = MediaTime::from_micros(i64::MAX);
        assert_eq!(end.saturating_add(Duration::MAX), end);
        assert_eq!(
            MediaTime::from_millis(i64::MIN)
                .saturating_sub(Duration::MAX)
                .as_micros(),
            i64::MIN
        );
        assert_eq!(MediaTime::ZERO.saturating_since(end), Duration::ZERO);
        assert_eq!(MediaTime::from_ticks(5, 0), MediaTime::ZERO);
    }

    proptest! {
        #[test]
        fn ticks_survive_the_way_through_microseconds(ticks in -1_i64 << 40..1 << 40, rate in prop::sample::select(vec![8_000_u32, 44_100, 48_000, 90_000])) {
            prop_assert_eq!(MediaTime::from_ticks(ticks, rate).to_ticks(rate), ticks);
        }
    }
}
