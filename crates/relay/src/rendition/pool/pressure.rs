use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::rendition::Effort;

/// Whether the machine has time to make all sound as well as it can. Shared by all threads: each frame tells how long it
/// waited for one.
#[derive(Debug)]
pub(super) struct Pressure {
    started: Instant,
    /// Milliseconds after `started`.
    eased_until: AtomicU64,
}

impl Pressure {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            eased_until: AtomicU64::new(0),
        }
    }

    /// With what effort a frame that waited so long is worked on at `now`.
    pub(super) fn effort(&self, waited: Duration, now: Instant) -> Effort {
        let now = now.saturating_duration_since(self.started);
        if waited > EASED_BY {
            let until = millis(now + EASED_FOR);
            self.eased_until.fetch_max(until, Ordering::Relaxed);
        }
        if millis(now) < self.eased_until.load(Ordering::Relaxed) {
            Effort::Least
        } else {
            Effort::Full
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A frame that had to wait this long would have been the third in line at 48 kHz.
const EASED_BY: Duration = Duration::from_millis(40);
/// So long after the last such frame all are made with the least effort.
const EASED_FOR: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_wait_make_everyone_take_less_effort_for_two_seconds() {
        let start = Instant::now();
        let pressure = Pressure::new(start);
        let told = |at, waited| {
            let waited = Duration::from_millis(waited);
            pressure.effort(waited, start + Duration::from_millis(at))
        };
        assert_eq!(told(0, 0), Effort::Full);
        assert_eq!(told(10, 40), Effort::Full);
        assert_eq!(told(20, 41), Effort::Least);
        assert_eq!(told(1_500, 0), Effort::Least);
        assert_eq!(told(1_600, 50), Effort::Least);
        assert_eq!(told(3_599, 0), Effort::Least);
        assert_eq!(told(3_600, 0), Effort::Full);
    }
}
