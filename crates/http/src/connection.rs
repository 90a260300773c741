use std::net::{IpAddr, SocketAddr};

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
