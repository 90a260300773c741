use std::net::{IpAddr, SocketAddr};

use zongzi_transport::{LocalAddress, local_addresses};

/// Where viewers can reach the media port.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Where it listens.
    listen: SocketAddr,
    /// Set by the operator: behind NAT or in Docker only he knows.
    public_ips: Vec<IpAddr>,
}

impl Reach {
    /// For the media port at `listen` (with the real port). `public_ips`: `media.public_ips`, empty when not set.
    pub fn new(listen: SocketAddr, public_ips: Vec<IpAddr>) -> Self {
        Self { listen, public_ips }
    }

    /// The candidates for a viewer whose request came to our address `asked_at`.
    ///
    /// The operator's addresses alone, if there are any. Else the machine's own; the one that was asked first, since
    /// the viewer has just reached it. Loopback only where the request came over loopback.
    pub fn candidates(&self, asked_at: Option<SocketAddr>) -> Vec<SocketAddr> {
        let local = local_addresses().unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine's addresses are not known; set media.public_ips");
            Vec::new()
        });
        self.choose(&local, asked_at.map(|address| address.ip().to_canonical()))
    }

    /// Whether a viewer from outside has a chance: an address that is not loopback.
    pub fn reaches_out(&self) -> bool {
        let candidates = self.candidates(None);
        candidates
            .iter()
            .any(|candidate| !candidate.ip().is_loopback())
    }

    fn choose(&self, local: &[LocalAddress], asked_at: Option<IpAddr>) -> Vec<SocketAddr> {
        let port = self.listen.port();
        let mut ips: Vec<IpAddr> = if self.public_ips.is_empty() {
            let over_loopback = asked_at.is_some_and(|ip| ip.is_loopback());
            let usable = local
                .iter()
                .filter(|address| !address.loopback || over_loopback);
            usable
                .map(|address| address.ip)
                .filter(|ip| self.hears(*ip))
                .collect()
        } else {
            self.public_ips.clone()
        };
        // The one that works for sure goes first. A loopback address other than 127.0.0.1 is on no interface's list.
        if let Some(asked) = asked_at.filter(|ip| self.public_ips.is_empty() && self.hears(*ip)) {
            ips.retain(|ip| *ip != asked);
            if !asked.is_unspecified() {
                ips.insert(0, asked);
            }
        }
        ips.truncate(CANDIDATES_MAX);
        ips.into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect()
    }

    /// Whether the media port can be reached at this address of the machine.
    fn hears(&self, ip: IpAddr) -> bool {
        match self.listen.ip() {
            IpAddr::V4(listen) if listen.is_unspecified() => ip.is_ipv4(),
            IpAddr::V6(listen) if listen.is_unspecified() => true,
            listen => listen.to_canonical() == ip,
        }
    }
}

/// Each candidate makes a browser send checks; a machine with more addresses has one of them asked.
const CANDIDATES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, public: &[&str], asked: Option<&str>, expected: &[&str]) {
        let ip = |text: &&str| -> IpAddr { text.parse().unwrap() };
        let local = ["127.0.0.1", "::1", "192.0.2.5", "2001:db8::5"].map(|text| LocalAddress {
            ip: ip(&text),
            loopback: ip(&text).is_loopback(),
        });
        let reach = Reach::new(listen.parse().unwrap(), public.iter().map(ip).collect());
        let chosen = reach.choose(&local, asked.map(|text| ip(&text)));
        let chosen: Vec<IpAddr> = chosen.iter().map(SocketAddr::ip).collect();
        assert_eq!(
            chosen,
            expected.iter().map(ip).collect::<Vec<_>>(),
            "{listen} {asked:?}"
        );
    }

    #[test]
    fn a_viewer_gets_the_addresses_that_he_can_reach() {
        check("[::]:1", &[], None, &["192.0.2.5", "2001:db8::5"]);
        check(
            "[::]:1",
            &[],
            Some("2001:db8::5"),
            &["2001:db8::5", "192.0.2.5"],
        );
        check("0.0.0.0:1", &[], Some("192.0.2.5"), &["192.0.2.5"]);
        check(
            "[::]:1",
            &[],
            Some("::1"),
            &["::1", "127.0.0.1", "192.0.2.5", "2001:db8::5"],
        );
        check(
            "[::]:1",
            &[],
            Some("127.0.0.9"),
            &["127.0.0.9", "127.0.0.1", "::1", "192.0.2.5", "2001:db8::5"],
        );
        check(
            "[::]:1",
            &["203.0.113.4"],
            Some("127.0.0.1"),
            &["203.0.113.4"],
        );
        check("127.0.0.1:1", &[], Some("127.0.0.1"), &["127.0.0.1"]);
        check("192.0.2.5:1", &[], Some("127.0.0.1"), &["192.0.2.5"]);
    }
}
