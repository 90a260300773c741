//! Can viewers reach the media port?

use std::net::IpAddr;
use std::path::Path;

use zongzi_transport::LocalAddress;

/// What the machine's own addresses let viewers do, while `media.public_ips` is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// An address that the whole internet can use.
    Public(IpAddr),
    /// Only addresses of private networks: a village hall's network, or a machine behind NAT.
    Private(IpAddr),
    /// Addresses that exist only inside a container's network.
    Container(IpAddr),
    /// Loopback alone.
    Nowhere,
}

impl Reach {
    pub(super) fn of(addresses: &[LocalAddress], in_container: bool) -> Self {
        let mut others = addresses
            .iter()
            .filter(|address| !address.loopback)
            .map(|address| address.ip);
        let all: Vec<_> = others.by_ref().collect();
        // IPv4 decides where there is one: it is what people can type, and many viewers have nothing else, so a public
        // IPv6 address beside one behind NAT is not enough.
        let mut of_note = all.clone();
        if all.iter().any(IpAddr::is_ipv4) {
            of_note.retain(IpAddr::is_ipv4);
        }
        let public = of_note.iter().copied().find(|ip| !is_private(*ip));
        let first = public.or_else(|| of_note.first().copied());
        match (first, in_container) {
            (None, _) => Self::Nowhere,
            (Some(ip), _) if !is_private(ip) => Self::Public(ip),
            (Some(ip), true) => Self::Container(ip),
            (Some(ip), false) => Self::Private(ip),
        }
    }

    /// The machine as it is.
    pub(crate) fn here() -> Self {
        let addresses = zongzi_transport::local_addresses().unwrap_or_default();
        Self::of(
            &addresses,
            Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists(),
        )
    }

    /// An address that others can use to reach this machine, as far as it knows itself.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Public(ip) | Self::Private(ip) => Some(ip),
            Self::Container(_) | Self::Nowhere => None,
        }
    }

    /// By which addresses others reach a listener on `listener`, the best first: those that were `given`, or its own, or,
    /// where it listens on all, one of this machine's.
    pub(super) fn reached_by(self, given: &[IpAddr], listener: IpAddr) -> Vec<IpAddr> {
        let own = Some(listener.to_canonical()).filter(|ip| !ip.is_unspecified());
        match given {
            [] => own.or_else(|| self.address()).into_iter().collect(),
            given => given.to_vec(),
        }
    }

    /// Tells the operator what has to be set for viewers elsewhere.
    pub(super) fn report(self) {
        match self {
            Self::Public(_) => {}
            Self::Private(address) => tracing::info!(
                %address,
                "viewers on this network can watch; for viewers on the internet set media.public_ips to the address \
                 they reach this machine by, and forward the media port (UDP)"
            ),
            Self::Container(address) => tracing::warn!(
                %address,
                "this container's own address is all that viewers are offered, and none of them can reach it: set \
                 media.public_ips (ZONGZI__MEDIA__PUBLIC_IPS='[\"203.0.113.7\"]') to the address of the host machine, \
                 and publish the media port (UDP)"
            ),
            Self::Nowhere => tracing::warn!(
                "this machine has no address but loopback: only viewers on it can watch; if others reach it by an \
                 address that it does not know, set media.public_ips to it"
            ),
        }
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        // 100.64.0.0/10 is the carriers' own (RFC 6598).
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(ips: &[&str], in_container: bool) -> Reach {
        let address = |ip: &&str| {
            let ip: IpAddr = ip.parse().unwrap();
            LocalAddress {
                ip,
                loopback: ip.is_loopback(),
            }
        };
        Reach::of(&ips.iter().map(address).collect::<Vec<_>>(), in_container)
    }

    #[test]
    fn a_listener_on_one_address_is_reached_by_no_other() {
        let ip = |ip: &str| ip.parse::<IpAddr>().unwrap();
        let (here, nowhere) = (reach(&["192.0.2.7"], false), Reach::Nowhere);
        for any in ["0.0.0.0", "::"] {
            assert_eq!(here.reached_by(&[], ip(any)), [ip("192.0.2.7")]);
            assert!(nowhere.reached_by(&[], ip(any)).is_empty());
        }
        assert_eq!(here.reached_by(&[], ip("127.0.0.1")), [ip("127.0.0.1")]);
        let given = [ip("203.0.113.7")];
        assert_eq!(here.reached_by(&given, ip("127.0.0.1")), given);
    }

    #[test]
    fn the_widest_address_counts() {
        assert_eq!(
            reach(&["127.0.0.1", "10.0.0.5", "198.51.100.7"], false),
            Reach::Public([198, 51, 100, 7].into())
        );
        assert_eq!(
            reach(&["127.0.0.1", "fd00::1", "192.168.1.5"], false),
            Reach::Private([192, 168, 1, 5].into())
        );
        assert_eq!(
            reach(&["2001:db8::7", "192.168.1.5"], false),
            Reach::Private([192, 168, 1, 5].into()),
            "who has IPv4 alone can't watch"
        );
        let six = "2001:db8::7".parse().unwrap();
        assert_eq!(reach(&["::1", "2001:db8::7"], false), Reach::Public(six));
        assert_eq!(
            reach(&["127.0.0.1", "172.17.0.2"], true),
            Reach::Container([172, 17, 0, 2].into())
        );
        assert_eq!(reach(&["127.0.0.1", "::1"], true), Reach::Nowhere);
        assert_eq!(
            reach(&["100.64.3.4"], false),
            Reach::Private([100, 64, 3, 4].into())
        );
    }
}
