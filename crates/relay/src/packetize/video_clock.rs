//! The clock of video's RTP time.

use std::time::Duration;

/// Ticks a second (RFC 6184 §8.2.1).
pub(crate) const CLOCK_RATE: u32 = 90_000;

/// How long so many ticks take.
pub(crate) fn span(ticks: u32) -> Duration {
    Duration::from_micros(u64::from(ticks) * 100 / 9)
}

/// The ticks of such a time, modulo 2^32.
#[expect(
    clippy::cast_possible_truncation,
    reason = "RTP time counts modulo 2^32"
)]
pub(crate) fn ticks(span: Duration) -> u32 {
    (span.as_micros() * 9 / 100) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_90_000_ticks_and_a_day_more_than_fit() {
        assert_eq!(span(CLOCK_RATE), Duration::from_secs(1));
        assert_eq!(ticks(Duration::from_secs(1)), CLOCK_RATE);
        assert_eq!(span(3_000), Duration::from_micros(33_333));
        assert_eq!(span(u32::MAX).as_secs(), 47_721);
        let day = 86_400 * u64::from(CLOCK_RATE) % (1 << 32);
        assert_eq!(u64::from(ticks(Duration::from_secs(86_400))), day);
    }
}
