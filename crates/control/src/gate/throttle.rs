use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;
use zongzi_http::subscriber;

/// Wrong keys in one [`WINDOW`] after which an address is not listened to until that window ends. An encoder that retries
/// a mistyped key every few seconds stays below it, so a whole venue behind one address is not locked out by one of them.
const GUESSES_MAX: u32 = 20;
/// How long guesses are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered, some 400 KiB of them. When there are more, the one whose window ends first is forgotten.
const ADDRESSES_MAX: usize = 4_096;

/// Who has shown wrong keys lately.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    guesses: HashMap<IpAddr, Guesses>,
}

#[derive(Debug)]
struct Guesses {
    since: Instant,
    count: u32,
}

impl Throttle {
    /// For how long `peer` is not listened to, if it is not.
    pub(crate) fn refused_for(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let guesses = self.guesses.get(&subscriber(peer))?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(guesses.since))?;
        (guesses.count >= GUESSES_MAX && !left.is_zero()).then_some(left)
    }

    /// Notes a wrong key. Loopback is not counted: there a proxy speaks for everyone.
    pub(crate) fn wrong(&mut self, peer: IpAddr, now: Instant) {
        let source = subscriber(peer);
        if source.is_loopback() {
            return;
        }
        if !self.guesses.contains_key(&source) && self.guesses.len() >= ADDRESSES_MAX {
            self.forget_one();
        }
        let guesses = self.guesses.entry(source).or_insert(Guesses {
            since: now,
            count: 0,
        });
        if now.saturating_duration_since(guesses.since) >= WINDOW {
            *guesses = Guesses {
                since: now,
                count: 0,
            };
        }
        guesses.count = guesses.count.saturating_add(1);
    }

    fn forget_one(&mut self) {
        let oldest = self.guesses.iter().min_by_key(|(_, guesses)| guesses.since);
        if let Some(source) = oldest.map(|(source, _)| *source) {
            self.guesses.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn who_guesses_on_is_not_listened_to_until_the_window_ends() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        for guess in 0..GUESSES_MAX {
            assert_eq!(throttle.refused_for(ip(1), start), None, "guess {guess}");
            throttle.wrong(ip(1), start + Duration::from_secs(u64::from(guess)));
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(
            throttle.refused_for(ip(1), later),
            Some(Duration::from_secs(40))
        );
        assert_eq!(
            throttle.refused_for(ip(2), later),
            None,
            "others are not held to it"
        );
        assert_eq!(throttle.refused_for(ip(1), start + WINDOW), None);
        throttle.wrong(ip(1), start + WINDOW);
        assert_eq!(
            throttle.refused_for(ip(1), start + WINDOW),
            None,
            "a new window starts at 1"
        );
    }

    #[test]
    fn the_table_forgets_the_oldest_address_first() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        for _ in 0..GUESSES_MAX {
            throttle.wrong(ip(0), start);
        }
        for number in 1..=4_096 {
            assert!(throttle.refused_for(ip(0), start).is_some(), "{number}");
            throttle.wrong(ip(number), start + Duration::from_secs(1));
        }
        assert_eq!(throttle.guesses.len(), ADDRESSES_MAX);
        assert_eq!(throttle.refused_for(ip(0), start), None);
    }

    #[test]
    fn loopback_and_its_proxies_are_not_throttled() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        for _ in 0..100 {
            throttle.wrong("::ffff:127.0.0.1".parse().unwrap(), start);
        }
        assert_eq!(
            throttle.refused_for(Ipv4Addr::LOCALHOST.into(), start),
            None
        );
    }
}
