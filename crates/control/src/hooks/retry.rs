use std::time::Duration;

use crate::random;

/// When a post that failed is tried again: each wait is four times the one before, a fifth more or less by chance, so that
/// a receiver that comes back is not met by everything at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first wait.
    pub first: Duration,
    /// Posts in all, the first one included.
    pub attempts: u32,
}

/// The longest wait, also where the receiver asks for a longer one.
const WAIT_MAX: Duration = Duration::from_secs(12 * 3_600);
/// How much longer each wait is than the one before.
const FACTOR: u32 = 4;

impl Retry {
    /// How long to wait after `made` posts, at least `asked`; `None`: it is given up.
    pub(super) fn after(&self, made: u32, asked: Option<Duration>) -> Option<Duration> {
        let [chance] = random::bytes::<1>();
        self.after_by_chance(made, asked, chance)
    }

    fn after_by_chance(&self, made: u32, asked: Option<Duration>, chance: u8) -> Option<Duration> {
        if made >= self.attempts {
            return None;
        }
        let grown = FACTOR.saturating_pow(made.saturating_sub(1));
        let wait = self.first.saturating_mul(grown).min(WAIT_MAX);
        // 0.8 to 1.2 of it.
        let wait = wait.saturating_mul(800 + u32::from(chance) * 400 / 255) / 1_000;
        Some(wait.max(asked.unwrap_or_default().min(WAIT_MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_end() {
        let retry = Retry {
            first: Duration::from_secs(5),
            attempts: 10,
        };
        let waits: Vec<_> = (1..=10)
            .map(|made| Some(retry.after_by_chance(made, None, 127)?.as_secs()))
            .collect();
        let expected = [4, 19, 79, 319, 1_278, 5_115, 20_463, 43_164, 43_164];
        for (wait, expected) in waits.iter().zip(expected) {
            let wait = wait.unwrap();
            assert!(wait.abs_diff(expected) <= 1 + expected / 250, "{waits:?}");
        }
        assert_eq!(waits[9], None);
        let total: u64 = waits.iter().flatten().sum();
        assert!((28..34).contains(&(total / 3_600)), "{total} s in all");
    }

    #[test]
    fn chance_spreads_them_and_the_receiver_may_ask_for_more() {
        let retry = Retry {
            first: Duration::from_secs(10),
            attempts: 3,
        };
        let wait = |asked, chance| retry.after_by_chance(1, asked, chance).unwrap();
        assert_eq!(wait(None, 0), Duration::from_secs(8));
        assert_eq!(wait(None, 255), Duration::from_secs(12));
        let minute = Duration::from_secs(60);
        assert_eq!(wait(Some(minute), 0), minute);
        assert_eq!(wait(Some(Duration::MAX), 0), WAIT_MAX);
    }
}
