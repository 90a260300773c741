/// Makes RTMP's 32-bit millisecond timestamps (RTMP §5.3, "roll over") into 64-bit ones.
///
/// A step is the shorter way round, so a timestamp up to 24 days before the last one is a step back, and the
/// roll-over at 2^32 (49.7 days) is a step on. Jumps and steps back are passed on as they are: making one timeline of
/// them is the hub's work.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Option<i64>,
}

impl Clock {
    /// The timestamp on the unwrapped clock, in milliseconds.
    pub(crate) fn unwrap(&mut self, timestamp: u32) -> i64 {
        let now = match self.last {
            None => i64::from(timestamp),
            Some(last) => {
                let step = timestamp.wrapping_sub(low_bits(last)).cast_signed();
                last.saturating_add(i64::from(step))
            }
        };
        self.last = Some(now);
        now
    }
}

fn low_bits(time: i64) -> u32 {
    let [.., a, b, c, d] = time.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwrap_all(timestamps: &[u32]) -> Vec<i64> {
        let mut clock = Clock::default();
        timestamps.iter().map(|&t| clock.unwrap(t)).collect()
    }

    #[test]
    fn the_roll_over_goes_on_and_back() {
        assert_eq!(
            unwrap_all(&[u32::MAX - 10, u32::MAX, 9, u32::MAX, 30]),
            [
                4_294_967_285,
                4_294_967_295,
                4_294_967_305,
                4_294_967_295,
                4_294_967_326
            ]
        );
    }

    #[test]
    fn jumps_and_steps_back_are_passed_on() {
        assert_eq!(
            unwrap_all(&[5_000, 5_033, 0, 1_000_000_000, 999]),
            [5_000, 5_033, 0, 1_000_000_000, 999]
        );
    }

    #[test]
    fn a_step_back_before_the_start_is_negative() {
        assert_eq!(unwrap_all(&[0, u32::MAX]), [0, -1]);
    }
}
