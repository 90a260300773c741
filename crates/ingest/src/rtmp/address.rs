use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts open connections by address. As many entries as connections at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    addresses: Addresses,
    counted: Option<IpAddr>,
}

impl Addresses {
    /// A place for a connection from `peer`; `None` if that address has `limit` already.
    pub(super) fn place(&self, peer: IpAddr, limit: usize) -> Option<Place> {
        let counted = counted(peer);
        if let Some(address) = counted {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(address).or_insert(0);
            if *count >= limit {
                return None;
            }
            *count += 1;
        }
        Some(Place {
            addresses: self.clone(),
            counted,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.counted else {
            return;
        };
        let mut open = self
            .addresses
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

/// What stands for one stranger: an IPv4 address, or an IPv6 /64, which everyone has for himself. `None` for loopback.
fn counted(peer: IpAddr) -> Option<IpAddr> {
    match peer.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
        }
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stranger_is_an_ipv4_address_or_an_ipv6_64() {
        let addresses = Addresses::default();
        let place = |text: &str| addresses.place(text.parse().unwrap(), 2);
        let first = place("192.0.2.1").unwrap();
        let _second = place("::ffff:192.0.2.1").unwrap();
        assert!(place("192.0.2.1").is_none());
        assert!(place("192.0.2.2").is_some());
        drop(first);
        assert!(place("192.0.2.1").is_some());

        let _third = place("2001:db8::1").unwrap();
        let _fourth = place("2001:db8::2").unwrap();
        assert!(place("2001:db8::3").is_none());
        assert!(place("2001:db8:0:1::3").is_some());
    }

    #[test]
    fn loopback_is_not_counted_and_nothing_is_left_behind() {
        let addresses = Addresses::default();
        let places: Vec<_> = (0..100)
            .map(|_| addresses.place("::1".parse().unwrap(), 2).unwrap())
            .collect();
        let other = addresses.place("192.0.2.1".parse().unwrap(), 2).unwrap();
        assert_eq!(addresses.0.lock().unwrap().len(), 1);
        drop((places, other));
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
