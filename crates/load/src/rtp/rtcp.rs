#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// What a receiver says of one stream (RFC 3550 §6.4.1, "report block").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) ssrc: u32,
    pub(crate) fraction_lost: u8,
    pub(crate) lost: u32,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
    pub(crate) last_report: u32,
    /// In units of 1/65536 s.
    pub(crate) delay: u32,
}

/// The sender's part of a sender report (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) ssrc: u32,
    /// The middle 32 bits of its NTP timestamp, for `last_report`.
    pub(crate) ntp_middle: u32,
}

/// A compound packet: receiver report, then source description with a CNAME (RFC 3550 §6.1).
pub(crate) fn receiver_report(from: u32, blocks: &[Block]) -> Vec<u8> {
    let count = u8::try_from(blocks.len().min(31)).unwrap_or(0);
    let words = u16::from(count).saturating_mul(6).saturating_add(1);
    let mut packet = vec![0x80 | count, 201];
    packet.extend(words.to_be_bytes());
    packet.extend(from.to_be_bytes());
    for block in blocks.iter().take(usize::from(count)) {
        packet.extend(block.ssrc.to_be_bytes());
        let lost = u32::from(block.fraction_lost) << 24 | (block.lost.min(0x7f_ffff));
        packet.extend(lost.to_be_bytes());
        packet.extend(block.highest.to_be_bytes());
        packet.extend(block.jitter.to_be_bytes());
        packet.extend(block.last_report.to_be_bytes());
        packet.extend(block.delay.to_be_bytes());
    }
    // SDES: one chunk, CNAME "load", padded with zeros to a whole word.
    packet.extend([0x81, 202, 0, 3]);
    packet.extend(from.to_be_bytes());
    packet.extend([1, 4, b'l', b'o', b'a', b'd', 0, 0]);
    packet
}

/// The sender reports of a compound packet.
pub(crate) fn sender_reports(compound: &[u8]) -> Vec<Sender> {
    let mut found = Vec::new();
    let mut rest = compound;
    while let Some(&[_, kind, high, low]) = rest.first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([high, low]))
            .saturating_add(1)
            .saturating_mul(4);
        let Some((packet, after)) = rest.split_at_checked(length) else {
            break;
        };
        rest = after;
        let word = |at: usize| {
            let bytes = packet.get(at..at.saturating_add(4))?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        if kind == 200
            && let (Some(ssrc), Some(high), Some(low)) = (word(4), word(8), word(12))
        {
            found.push(Sender {
                ssrc,
                ntp_middle: high << 16 | low >> 16,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_report_has_the_layout_of_the_rfc() {
        let block = Block {
            ssrc: 0x0102_0304,
            fraction_lost: 5,
            lost: 6,
            highest: 0x0001_0007,
            jitter: 8,
            last_report: 9,
            delay: 10,
        };
        let packet = receiver_report(0x0a0b_0c0d, &[block]);
        assert_eq!(packet.len() % 4, 0);
        assert_eq!(packet[..8], [0x81, 201, 0, 7, 0x0a, 0x0b, 0x0c, 0x0d]);
        assert_eq!(packet[8..16], [1, 2, 3, 4, 5, 0, 0, 6]);
        assert_eq!(packet[32..36], [0x81, 202, 0, 3]);
        assert_eq!(packet.len(), 32 + 16);
    }

    #[test]
    fn sender_reports_are_found_among_others() {
        let mut compound = receiver_report(1, &[]);
        compound.extend([0x80, 200, 0, 6, 0, 0, 0, 7]);
        compound.extend([0, 1, 0xaa, 0xbb, 0xcc, 0xdd, 0, 0]);
        compound.extend([0; 12]);
        assert_eq!(
            sender_reports(&compound),
            [Sender {
                ssrc: 7,
                ntp_middle: 0xaabb_ccdd
            }]
        );
        assert!(sender_reports(&compound[..compound.len() - 1]).is_empty());
        assert!(sender_reports(&[0x80, 200]).is_empty());
    }
}
