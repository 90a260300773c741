use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connection::subscriber;

/// The connections a listener has room for, in all and for each address.
pub(super) struct Places {
    shared: Arc<Mutex<Held>>,
    max: usize,
    per_address_max: usize,
}

/// A place that a connection holds; given back when dropped.
pub(super) struct Place {
    shared: Arc<Mutex<Held>>,
    /// Whose count it stands in; none for loopback.
    source: Option<IpAddr>,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    All,
    ByAddress,
}

/// Bounded by `max`, since each entry stands for at least one held place.
#[derive(Default)]
struct Held {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

impl Places {
    pub(super) fn new(max: usize, per_address_max: usize) -> Self {
        Self {
            shared: Arc::default(),
            max,
            per_address_max,
        }
    }

    pub(super) fn take(&self, peer: IpAddr) -> Result<Place, Taken> {
        let source = source(peer);
        let mut held = lock(&self.shared);
        if held.all >= self.max {
            return Err(Taken::All);
        }
        if let Some(source) = source {
            let count = held.by_source.entry(source).or_insert(0);
            if *count >= self.per_address_max {
                // An entry of zero can only be one that was just made: the limit is zero.
                if *count == 0 {
                    held.by_source.remove(&source);
                }
                return Err(Taken::ByAddress);
            }
            *count += 1;
        }
        held.all += 1;
        drop(held);
        Ok(Place {
            shared: Arc::clone(&self.shared),
            source,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = lock(&self.shared);
        held.all -= 1;
        if let Some(source) = self.source
            && let Entry::Occupied(mut entry) = held.by_source.entry(source)
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

fn lock(shared: &Mutex<Held>) -> MutexGuard<'_, Held> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In whose count an address stands; nobody's for loopback.
fn source(peer: IpAddr) -> Option<IpAddr> {
    let subscriber = subscriber(peer);
    (!subscriber.is_loopback()).then_some(subscriber)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_can_not_take_every_place() {
        let places = Places::new(3, 2);
        let first = places.take(ip("192.0.2.1")).unwrap();
        let _second = places.take(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(places.take(ip("192.0.2.1")).err(), Some(Taken::ByAddress));
        let _third = places.take(ip("192.0.2.2")).unwrap();
        assert_eq!(places.take(ip("192.0.2.3")).err(), Some(Taken::All));
        drop(first);
        assert!(places.take(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let places = Places::new(10, 1);
        let _one = places.take(ip("2001:db8::1")).unwrap();
        assert_eq!(places.take(ip("2001:db8::2")).err(), Some(Taken::ByAddress));
        assert!(places.take(ip("2001:db8:0:1::2")).is_ok());
    }

    #[test]
    fn loopback_is_limited_in_all_only() {
        let places = Places::new(3, 1);
        let held: Vec<_> = (0..3).map(|_| places.take(ip("::1")).unwrap()).collect();
        assert_eq!(places.take(ip("127.0.0.1")).err(), Some(Taken::All));
        drop(held);
        assert!(lock(&places.shared).by_source.is_empty());
        assert_eq!(lock(&places.shared).all, 0);
    }
}
