use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where a request came from and which of the server's addresses it reached. [`crate::server`] puts it into the
/// extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The other side. Behind a proxy this is the proxy.
    pub peer: SocketAddr,
    /// The server's side.
    pub local: SocketAddr,
}

impl Connection {
    /// Both ends as the kernel gave them, with IPv4 written as IPv4 also where a dual-stack socket took it.
    pub fn new(peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            peer: plain(peer),
            local: plain(local),
        }
    }

    /// Whether the request never left the machine.
    pub fn is_loopback(&self) -> bool {
        self.peer.ip().is_loopback()
    }
}

/// As whom an address is counted where each may have only so much: IPv4 by itself, IPv6 by its /64 network, since that is
/// the least that one subscriber has. Loopback stays what it is.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (!0 << 64)))
        }
        address => address,
    }
}

fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(IpAddr::V4(v4), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_plain_ipv4() {
        let connection = Connection::new(
            "[::ffff:127.0.0.1]:50000".parse().unwrap(),
            "[::ffff:192.0.2.1]:8080".parse().unwrap(),
        );
        assert_eq!(connection.peer, "127.0.0.1:50000".parse().unwrap());
        assert_eq!(connection.local, "192.0.2.1:8080".parse().unwrap());
        assert!(connection.is_loopback());
    }
}
