//! RTP packets: headers with one-byte extensions (RFC 3550 §5.1, RFC 8285 §4.2) and sequence arithmetic.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// Bytes of the fixed header, without contributing sources and extensions.
pub const HEADER_BYTES: usize = 12;

/// Bytes of the largest header that [`Header::write`] makes.
pub const HEADER_BYTES_MAX: usize = HEADER_BYTES + Extensions::BYTES_MAX;

/// URI of the header extension that names the m-section (RFC 8843 §15).
pub const URI_MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// URI of the header extension that bounds the receiver's playout delay.
pub const URI_PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// An RTP sequence number; counts modulo 2^16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// The number `count` packets later.
    #[must_use]
    pub const fn plus(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The 48-bit packet index (roll-over counter and sequence number) nearest to `reference` that ends in this
    /// number (RFC 3711 §3.3.1).
    ///
    /// `None` when that index would be negative or beyond 48 bits.
    #[must_use]
    pub fn index_near(self, reference: u64) -> Option<u64> {
        const CYCLE: u64 = 1 << 16;
        let base = reference & !(CYCLE.wrapping_sub(1));
        [base.checked_sub(CYCLE), Some(base), base.checked_add(CYCLE)]
            .into_iter()
            .flatten()
            .filter_map(|base| base.checked_add(u64::from(self.0)))
            .filter(|index| *index <= INDEX_MAX)
            .min_by_key(|index| index.abs_diff(reference))
    }
}

/// The largest packet index: 32 bits of roll-over counter and 16 of sequence number (RFC 3711 §3.3.1).
pub const INDEX_MAX: u64 = (1 << 48) - 1;

/// A synchronization source: names one RTP stream of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ssrc(pub u32);

/// An RTP timestamp in ticks of the payload's clock; counts modulo 2^32.
#[expect(
    clippy::module_name_repetitions,
    reason = "the field's word; `Time` alone would be any time"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// The time `ticks` later.
    #[must_use]
    pub const fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }
}

/// What an RTP header says, without its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The payload ends in padding, whose last byte counts it (RFC 3550 §5.1).
    pub padding: bool,
    /// The last packet of a video frame; the first after a silence for audio.
    pub marker: bool,
    /// The payload type, 0 to 127; the bit above is cut off in writing.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: SeqNo,
    /// The timestamp.
    pub timestamp: RtpTime,
    /// The stream.
    pub ssrc: Ssrc,
}

impl Header {
    /// Writes the header and the ready extension block into `out` and says how many bytes it took.
    #[inline]
    pub fn write(&self, extensions: &Extensions, out: &mut [u8; HEADER_BYTES_MAX]) -> usize {
        let block = extensions.as_bytes();
        let [b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3, rest @ ..] = out;
        *b0 = 0x80 | (u8::from(self.padding) << 5) | (u8::from(!block.is_empty()) << 4);
        *b1 = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        [*s0, *s1] = self.sequence.0.to_be_bytes();
        [*t0, *t1, *t2, *t3] = self.timestamp.0.to_be_bytes();
        [*c0, *c1, *c2, *c3] = self.ssrc.0.to_be_bytes();
        for (to, from) in rest.iter_mut().zip(block) {
            *to = *from;
        }
        HEADER_BYTES.saturating_add(block.len())
    }
}

/// A block of one-byte header extensions (RFC 8285 §4.2), made once for a stream and written in front of each packet.
///
/// ```text
/// 0xBE 0xDE | length in words (16) | id (4) length-1 (4) data … | … | padding to a word
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions {
    bytes: [u8; Self::BYTES_MAX],
    used: u8,
}

impl Extensions {
    /// Bytes of the largest block. Room for a mid of 16 bytes (what one element can hold), a playout delay, and the
    /// block's own header.
    pub const BYTES_MAX: usize = 28;

    /// No extensions: the header has no block at all.
    pub const NONE: Self = Self {
        bytes: [0; Self::BYTES_MAX],
        used: 0,
    };

    /// A block of the given elements, in order: `(id, data)`.
    ///
    /// # Errors
    /// When an id is not 1 to 14, data is not 1 to 16 bytes, or the block would exceed [`Extensions::BYTES_MAX`].
    pub fn new(elements: &[(u8, &[u8])]) -> Result<Self, ExtensionsError> {
        let mut block = Self::NONE;
        if elements.is_empty() {
            return Ok(block);
        }
        let mut used = 4usize;
        for (id, data) in elements {
            if !(1..=14).contains(id) {
                return Err(ExtensionsError::Id(*id));
            }
            let length = u8::try_from(data.len())
                .ok()
                .and_then(|len| len.checked_sub(1))
                .filter(|len| *len < 16)
                .ok_or(ExtensionsError::Length(data.len()))?;
            let end = used.saturating_add(1).saturating_add(data.len());
            let room = block
                .bytes
                .get_mut(used..end)
                .ok_or(ExtensionsError::Full)?;
            if let [head, body @ ..] = room {
                *head = (id << 4) | length;
                body.copy_from_slice(data);
            }
            used = end;
        }
        let padded = used.next_multiple_of(4);
        let words = u8::try_from(padded / 4).map_or(0, |all| all.saturating_sub(1));
        let [a, b, high, low, ..] = &mut block.bytes;
        [*a, *b, *high, *low] = [0xBE, 0xDE, 0, words];
        block.used = u8::try_from(padded).unwrap_or(0);
        Ok(block)
    }

    /// The block as it stands on the wire, a multiple of 4 bytes; empty when there are no extensions.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.used)).unwrap_or(&[])
    }
}

/// Why a block of header extensions can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionsError {
    /// One-byte elements have the ids 1 to 14.
    #[error("extension id {0} does not fit a one-byte element (1 to 14)")]
    Id(u8),
    /// One-byte elements hold 1 to 16 bytes.
    #[error("{0} bytes do not fit a one-byte element (1 to 16)")]
    Length(usize),
    /// The block holds [`Extensions::BYTES_MAX`] bytes.
    #[error("the extension block is full")]
    Full,
}

/// The playout-delay extension's 3 bytes: bounds on the receiver's delay, in steps of 10 ms, 0 to 4095 each.
///
/// `0, 0` is the low-latency path of Chromium: decode on arrival, show at once.
#[must_use]
pub fn playout_delay(min_10ms: u16, max_10ms: u16) -> [u8; 3] {
    let [_, a, b, c] =
        ((u32::from(min_10ms & 0xfff) << 12) | u32::from(max_10ms & 0xfff)).to_be_bytes();
    [a, b, c]
}

/// A received RTP packet, its parts borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// All of the header on the wire: fixed part, contributing sources, extensions.
    pub header_bytes: &'a [u8],
    /// The payload, padding taken off (in an encrypted packet: ciphertext and tag, with the padding).
    pub payload: &'a [u8],
    profile: u16,
    elements: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet as it comes out of SRTP. `None` when it is not RTP version 2 or shorter than it says.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut packet = Self::parse_protected(bytes)?;
        if packet.header.padding {
            // RFC 3550 §5.1: the last byte counts the padding, itself included.
            let padding = usize::from(*packet.payload.last()?);
            let end = packet.payload.len().checked_sub(padding)?;
            packet.payload = packet.payload.get(..end).filter(|_| padding > 0)?;
        }
        Some(packet)
    }

    /// Reads the header of a packet whose payload is still encrypted: padding is not looked at.
    #[must_use]
    pub fn parse_protected(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if b0 >> 6 != 2 {
            return None;
        }
        let sources = usize::from(b0 & 0x0f).checked_mul(4)?;
        let (_, mut rest) = rest.split_at_checked(sources)?;
        let (mut profile, mut elements) = (0, &[][..]);
        if b0 & 0x10 != 0 {
            let ([p0, p1, l0, l1], after) = rest.split_first_chunk::<4>()?;
            let length = usize::from(u16::from_be_bytes([*l0, *l1])).checked_mul(4)?;
            profile = u16::from_be_bytes([*p0, *p1]);
            (elements, rest) = after.split_at_checked(length)?;
        }
        let header_bytes = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
        Some(Self {
            header: Header {
                padding: b0 & 0x20 != 0,
                marker: b1 & 0x80 != 0,
                payload_type: b1 & 0x7f,
                sequence: SeqNo(u16::from_be_bytes([s0, s1])),
                timestamp: RtpTime(u32::from_be_bytes([t0, t1, t2, t3])),
                ssrc: Ssrc(u32::from_be_bytes([c0, c1, c2, c3])),
            },
            header_bytes,
            payload: rest,
            profile,
            elements,
        })
    }

    /// The data of the one-byte extension element `id`, if the packet has it (RFC 8285 §4.2).
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        if self.profile != 0xBEDE {
            return None;
        }
        let mut rest = self.elements;
        loop {
            let (head, after) = rest.split_first()?;
            match head >> 4 {
                // A byte of padding; the low bits must be 0, else the element is to be skipped all the same.
                0 => rest = after,
                // "stop here": nothing after it is looked at.
                15 => return None,
                found => {
                    let length = usize::from(head & 0x0f).saturating_add(1);
                    let (data, after) = after.split_at_checked(length)?;
                    if found == id {
                        return Some(data);
                    }
                    rest = after;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            padding: false,
            marker: true,
            payload_type: 102,
            sequence: SeqNo(0xfffe),
            timestamp: RtpTime(0x0102_0304),
            ssrc: Ssrc(0xdead_beef),
        }
    }

    #[test]
    fn a_written_header_is_read_back_with_its_extensions() {
        let extensions =
            Extensions::new(&[(5, &playout_delay(0, 0)), (4, b"0")]).expect("they fit");
        let mut bytes = [0; HEADER_BYTES_MAX];
        let length = header().write(&extensions, &mut bytes);
        // Fixed part, block header, 4 + 2 bytes of elements, 2 of padding.
        assert_eq!(length, 12 + 4 + 8);
        assert_eq!(bytes[..4], [0x90, 0x80 | 102, 0xff, 0xfe]);
        assert_eq!(
            bytes[12..24],
            [0xBE, 0xDE, 0, 2, 0x52, 0, 0, 0, 0x40, b'0', 0, 0]
        );

        let mut packet = bytes[..length].to_vec();
        packet.extend_from_slice(b"payload");
        let read = Packet::parse(&packet).expect("it is RTP");
        assert_eq!(read.header, header());
        assert_eq!(read.payload, b"payload");
        assert_eq!(read.extension(5), Some(&[0, 0, 0][..]));
        assert_eq!(read.extension(4), Some(&b"0"[..]));
        assert_eq!(read.extension(1), None);
    }

    #[test]
    fn a_header_without_extensions_is_twelve_bytes() {
        let mut bytes = [0; HEADER_BYTES_MAX];
        assert_eq!(header().write(&Extensions::NONE, &mut bytes), 12);
        assert_eq!(bytes[0], 0x80);
    }

    #[test]
    fn extensions_that_do_not_fit_are_refused() {
        assert_eq!(Extensions::new(&[(15, b"x")]), Err(ExtensionsError::Id(15)));
        assert_eq!(
            Extensions::new(&[(1, b"")]),
            Err(ExtensionsError::Length(0))
        );
        let long = [0; 17];
        assert_eq!(
            Extensions::new(&[(1, &long)]),
            Err(ExtensionsError::Length(17))
        );
        let wide = [0; 16];
        assert_eq!(
            Extensions::new(&[(1, &wide), (2, &wide)]),
            Err(ExtensionsError::Full)
        );
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let mut padded = vec![0xA0, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 7, 7, 3];
        assert_eq!(Packet::parse(&padded).expect("3 of padding").payload, b"");
        padded[14] = 4;
        assert!(
            Packet::parse(&padded).is_none(),
            "more padding than payload"
        );
        padded[14] = 0;
        assert!(Packet::parse(&padded).is_none(), "padding counts itself");
        padded[0] = 0x8f;
        assert!(Packet::parse(&padded).is_none(), "15 sources, no room");
        padded[0] = 0x90;
        assert!(Packet::parse(&padded).is_none(), "extension without room");
        assert!(Packet::parse(&padded[..11]).is_none());
        padded[0] = 0x40;
        assert!(Packet::parse(&padded).is_none(), "version 1");
    }

    #[test]
    fn the_index_nearest_to_the_reference_is_taken_across_roll_overs() {
        let check = |sequence, reference, expected| {
            assert_eq!(SeqNo(sequence).index_near(reference), expected);
        };
        check(5, 3, Some(5));
        check(0, 0xffff, Some(0x1_0000));
        check(0xffff, 0x1_0000, Some(0xffff));
        check(0xffff, 0, Some(0xffff));
        check(0x1234, 0x5_1234, Some(0x5_1234));
        check(0, INDEX_MAX, Some(INDEX_MAX - 0xffff));
    }
}
