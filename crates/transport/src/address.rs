use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Both ends of a datagram's way: where the peer is, and which of our addresses it speaks to.
///
/// Addresses are canonical: an IPv4 peer on the dual-stack socket has an IPv4 address here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The peer.
    pub remote: SocketAddr,
    /// Our own address: what the peer sent to, and what the answer leaves from. `None` lets the kernel choose.
    pub local: Option<IpAddr>,
}

/// An address in the shape that the socket's family wants.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

/// Which kind of socket it is: an IPv6 one also carries IPv4, by mapped addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }

    pub(crate) fn empty(self) -> Name {
        match self {
            Self::V4 => Name::V4(sockaddr_v4(Ipv4Addr::UNSPECIFIED, 0)),
            Self::V6 => Name::V6(sockaddr_v6(Ipv6Addr::UNSPECIFIED, 0, 0)),
        }
    }
}

impl Name {
    /// `None` when an IPv4 socket is to speak to an IPv6 peer.
    pub(crate) fn new(address: SocketAddr, family: Family) -> Option<Self> {
        match (family, address) {
            (Family::V4, SocketAddr::V4(v4)) => Some(Self::V4(sockaddr_v4(*v4.ip(), v4.port()))),
            (Family::V4, SocketAddr::V6(_)) => None,
            (Family::V6, SocketAddr::V4(v4)) => Some(Self::V6(sockaddr_v6(
                v4.ip().to_ipv6_mapped(),
                v4.port(),
                0,
            ))),
            (Family::V6, SocketAddr::V6(v6)) => {
                Some(Self::V6(sockaddr_v6(*v6.ip(), v6.port(), v6.scope_id())))
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::V4(name) => SocketAddr::V4(SocketAddrV4::new(
                Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)),
                u16::from_be(name.sin_port),
            )),
            Self::V6(name) => {
                let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
                let port = u16::from_be(name.sin6_port);
                match ip.to_ipv4_mapped() {
                    Some(v4) => SocketAddr::V4(SocketAddrV4::new(v4, port)),
                    None => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, name.sin6_scope_id)),
                }
            }
        }
    }
}

fn sockaddr_v4(ip: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: AF_INET,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(ip).to_be(),
        },
        sin_zero: [0; 8],
    }
}

fn sockaddr_v6(ip: Ipv6Addr, port: u16, scope: u32) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: AF_INET6,
        sin6_port: port.to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr {
            s6_addr: ip.octets(),
        },
        sin6_scope_id: scope,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "address families are small positive numbers"
)]
const AF_INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;
#[expect(
    clippy::cast_possible_truncation,
    reason = "address families are small positive numbers"
)]
const AF_INET6: libc::sa_family_t = libc::AF_INET6 as libc::sa_family_t;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_peer_of_the_dual_stack_socket_keeps_its_plain_address() {
        for text in ["192.0.2.7:50001", "[2001:db8::9]:443"] {
            let address: SocketAddr = text.parse().unwrap();
            let name = Name::new(address, Family::V6).unwrap();
            assert_eq!(name.address(), address);
        }
        let v6: SocketAddr = "[::1]:1".parse().unwrap();
        assert!(Name::new(v6, Family::V4).is_none());
    }
}
