#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// The fields of an RTP header (RFC 3550 §5.1) that are in the clear in SRTP too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// Bytes of the header with its CSRCs and extension.
    pub(crate) length: usize,
    /// The padding bit.
    pub(crate) padding: bool,
}

impl Header {
    /// Reads the header at the start of `packet`; `None` if it is no RTP version 2 packet or cut short.
    ///
    /// The extension's content need not be there, only its length: headers are read from datagrams cut to size.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        if first >> 6 != 2 {
            return None;
        }
        let second = *packet.get(1)?;
        let word = |at: usize| -> Option<u32> {
            Some(u32::from_be_bytes(
                packet.get(at..at.checked_add(4)?)?.try_into().ok()?,
            ))
        };
        let mut length = usize::from(first & 0x0f).checked_mul(4)?.checked_add(12)?;
        if first & 0x10 != 0 {
            let words = usize::try_from(word(length)? & 0xffff).ok()?;
            length = length.checked_add(4)?.checked_add(words.checked_mul(4)?)?;
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?),
            timestamp: word(4)?,
            ssrc: word(8)?,
            length,
            padding: first & 0x20 != 0,
        })
    }
}

/// What a datagram on a WebRTC port is, by its first byte (RFC 7983 §7) and, for RTCP, its second (RFC 5761 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Datagram {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
    Other,
}

impl Datagram {
    /// Tells them apart.
    pub(crate) fn of(datagram: &[u8]) -> Self {
        match (datagram.first(), datagram.get(1)) {
            (Some(0..=3), _) => Self::Stun,
            (Some(20..=63), _) => Self::Dtls,
            (Some(128..=191), Some(192..=223)) => Self::Rtcp,
            (Some(128..=191), Some(_)) => Self::Rtp,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_extension_is_read_from_a_cut_datagram() {
        let mut packet = vec![0x90, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        packet.extend([0xbe, 0xde, 0, 2, 0x10]);
        let header = Header::parse(&packet).expect("a header");
        assert_eq!(header.length, 12 + 4 + 8);
        assert!(header.marker);
        assert_eq!(
            (
                header.payload_type,
                header.sequence,
                header.timestamp,
                header.ssrc
            ),
            (0x60, 0x1234, 9, 7)
        );
    }

    #[test]
    fn what_is_no_rtp_is_refused() {
        assert_eq!(Header::parse(&[]), None);
        assert_eq!(Header::parse(&[0x80; 11]), None);
        assert_eq!(Header::parse(&[0x40; 12]), None);
        assert_eq!(Header::parse(&[0x90; 13]), None);
    }

    #[test]
    fn datagrams_are_told_apart_by_their_first_bytes() {
        let of = |bytes: &[u8]| Datagram::of(bytes);
        assert_eq!(of(&[0, 1]), Datagram::Stun);
        assert_eq!(of(&[22, 254]), Datagram::Dtls);
        assert_eq!(of(&[0x80, 200]), Datagram::Rtcp);
        assert_eq!(of(&[0x90, 0x80 | 96]), Datagram::Rtp);
        assert_eq!(of(&[]), Datagram::Other);
    }
}
