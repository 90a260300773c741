//! Control messages (`cmsg(3)`) as bytes: the segment size of a GSO send and our own address of a datagram.
//!
//! Written and read by hand, as Linux with glibc lays them out, so that no unsafe code is needed:
//!
//! | bytes | what |
//! |---|---|
//! | one word | length of header and data |
//! | 4 | level |
//! | 4 | type |
//! | n | data, padded to a whole word |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::Family;

/// The control bytes of one message.
#[derive(Clone)]
#[repr(C, align(8))]
pub(crate) struct Control {
    bytes: [u8; CONTROL_BYTES],
    len: usize,
}

impl Control {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CONTROL_BYTES],
            len: 0,
        }
    }

    /// For a message that is cut into datagrams of `segment` bytes (`None`: a single datagram) and leaves from `local`.
    pub(crate) fn outgoing(family: Family, segment: Option<u16>, local: Option<IpAddr>) -> Self {
        let mut control = Self::new();
        if let Some(segment) = segment {
            control.push(libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
        }
        match (family, local) {
            (Family::V4, Some(IpAddr::V4(ip))) => {
                // struct in_pktinfo: interface index (0: any), the source, the header's destination (unused).
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&ip.octets());
                control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            (Family::V6, Some(ip)) => {
                // struct in6_pktinfo: the source, interface index (0: any).
                let mut info = [0; 20];
                info[..16].copy_from_slice(&mapped(ip).octets());
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            (Family::V4, Some(IpAddr::V6(_))) | (_, None) => {}
        }
        control
    }

    /// The address that the datagram was sent to, of a received message.
    pub(crate) fn local(&self) -> Option<IpAddr> {
        let mut rest = self.bytes.get(..self.len)?;
        while rest.len() >= HEADER_BYTES {
            let length = usize::from_ne_bytes(rest.get(..WORD)?.try_into().ok()?);
            let level = i32::from_ne_bytes(rest.get(WORD..WORD + 4)?.try_into().ok()?);
            let kind = i32::from_ne_bytes(rest.get(WORD + 4..WORD + 8)?.try_into().ok()?);
            let data = rest.get(HEADER_BYTES..length)?;
            if level == libc::IPPROTO_IP && kind == libc::IP_PKTINFO {
                let octets: [u8; 4] = data.get(8..12)?.try_into().ok()?;
                return Some(IpAddr::V4(Ipv4Addr::from(octets)));
            }
            if level == libc::IPPROTO_IPV6 && kind == libc::IPV6_PKTINFO {
                let octets: [u8; 16] = data.get(..16)?.try_into().ok()?;
                return Some(Ipv6Addr::from(octets).to_canonical());
            }
            rest = rest.get(length.next_multiple_of(WORD)..)?;
        }
        None
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; CONTROL_BYTES] {
        &mut self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// After the kernel wrote `len` bytes.
    pub(crate) fn set_len(&mut self, len: usize) {
        self.len = len.min(CONTROL_BYTES);
    }

    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let length = HEADER_BYTES + data.len();
        let end = self.len + length.next_multiple_of(WORD);
        let Some(slot) = self.bytes.get_mut(self.len..end) else {
            debug_assert!(false, "CONTROL_BYTES is too small");
            return;
        };
        slot.fill(0);
        slot[..WORD].copy_from_slice(&length.to_ne_bytes());
        slot[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
        slot[WORD + 4..WORD + 8].copy_from_slice(&kind.to_ne_bytes());
        slot[HEADER_BYTES..length].copy_from_slice(data);
        self.len = end;
    }
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

const WORD: usize = size_of::<usize>();
const HEADER_BYTES: usize = WORD + 8;
/// Room for a segment size (24 bytes) and an IPv6 packet info (40 bytes).
pub(crate) const CONTROL_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_address_is_read_back_as_written() {
        // An outgoing IPv6 packet info has the shape of an incoming one.
        for text in ["127.0.0.2", "2001:db8::1"] {
            let ip: IpAddr = text.parse().unwrap();
            let control = Control::outgoing(Family::V6, Some(1200), Some(ip));
            assert_eq!(control.len(), 64);
            assert_eq!(control.local(), Some(ip));
        }
        assert_eq!(Control::outgoing(Family::V6, Some(9), None).local(), None);
    }

    #[test]
    fn nonsense_in_the_control_bytes_ends_the_search() {
        let mut control = Control::outgoing(Family::V6, None, Some([127, 0, 0, 1].into()));
        control.bytes[0] = 255;
        assert_eq!(control.local(), None);
        control.bytes[0] = 0;
        assert_eq!(control.local(), None);
    }
}
