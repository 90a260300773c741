//! RTCP: reading compound and reduced-size packets (RFC 3550 §6, RFC 4585 §6, RFC 5506), writing sender reports.
//!
//! Reading borrows: a packet's lists (report blocks, lost packets, keyframe requests) are iterators over the datagram,
//! so that nothing is allocated and the work is bounded by its length.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::Duration;

use crate::rtp::{RtpTime, SeqNo, Ssrc};

/// An NTP timestamp: seconds since 1900 in the upper, fractions in the lower 32 bits (RFC 3550 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Of a sender that has no notion of time: its report ties its stream to no other (RFC 3550 §6.4.1).
    pub const UNKNOWN: Self = Self(0);

    /// From the time that passed since 1970-01-01 UTC. Wraps in 2036, as NTP does.
    #[must_use]
    pub fn from_unix(since_epoch: Duration) -> Self {
        const SECONDS_1900_TO_1970: u64 = 2_208_988_800;
        let seconds = since_epoch.as_secs().wrapping_add(SECONDS_1900_TO_1970) << 32;
        let fraction = (u64::from(since_epoch.subsec_nanos()) << 32)
            .checked_div(1_000_000_000)
            .unwrap_or(0);
        Self(seconds | fraction)
    }

    /// The middle 32 bits: seconds modulo 2^16 and 1/65536 of a second, as report blocks carry them.
    #[must_use]
    pub const fn compact(self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "cutting the upper 16 bits is the definition"
        )]
        let middle = (self.0 >> 16) as u32;
        middle
    }
}

/// One RTCP packet of a datagram.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// A sender report (type 200).
    SenderReport {
        /// Whose.
        ssrc: Ssrc,
        /// When it was sent.
        ntp: NtpTime,
        /// The same moment on the stream's clock.
        rtp_time: RtpTime,
        /// Packets sent so far, modulo 2^32.
        packets: u32,
        /// Payload bytes sent so far, modulo 2^32.
        bytes: u32,
        /// What the sender receives itself.
        reports: Reports<'a>,
    },
    /// A receiver report (type 201).
    ReceiverReport {
        /// Who reports.
        ssrc: Ssrc,
        /// On what.
        reports: Reports<'a>,
    },
    /// A goodbye (type 203).
    Bye {
        /// The streams that end.
        sources: Sources<'a>,
    },
    /// A generic NACK: packets asked for again (205/1, RFC 4585 §6.2.1).
    Nack {
        /// The stream that lost packets.
        media: Ssrc,
        /// Which.
        pairs: NackPairs<'a>,
    },
    /// A picture loss indication: a keyframe is asked for (206/1, RFC 4585 §6.3.1).
    Pli {
        /// The stream.
        media: Ssrc,
    },
    /// A full intra request: a keyframe is asked for (206/4, RFC 5104 §4.3.1).
    Fir {
        /// The streams.
        sources: FirSources<'a>,
    },
    /// Anything else, well-formed (source descriptions, REMB, transport feedback, extended reports).
    Other {
        /// The packet type.
        packet_type: u8,
        /// The count or feedback format, 0 to 31.
        format: u8,
    },
}

/// The packets of a decrypted RTCP datagram, compound or reduced-size, until the first malformed one.
///
/// # Examples
/// ```
/// use zongzi_webrtc::rtcp::{Packet, packets};
///
/// let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9];
/// assert!(matches!(packets(&pli).next(), Some(Packet::Pli { media }) if media.0 == 9));
/// ```
pub fn packets(datagram: &[u8]) -> Packets<'_> {
    Packets { rest: datagram }
}

/// See [`packets`].
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        // Whatever does not parse ends the datagram: lengths after it can't be trusted.
        let (packet, rest) = split(self.rest).unwrap_or((None, &[]));
        self.rest = if packet.is_some() { rest } else { &[] };
        packet
    }
}

fn split(bytes: &[u8]) -> Option<(Option<Packet<'_>>, &[u8])> {
    let ([first, packet_type, l0, l1], _) = bytes.split_first_chunk::<4>()?;
    if first >> 6 != 2 {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([*l0, *l1]))
        .checked_add(1)?
        .checked_mul(4)?;
    let (packet, rest) = bytes.split_at_checked(length)?;
    let mut body = packet.get(4..)?;
    if first & 0x20 != 0 {
        // RFC 3550 §6.4.1: padding only on the last packet, its last byte counts it.
        let padding = usize::from(*body.last()?);
        body = body.get(..body.len().checked_sub(padding)?)?;
    }
    Some((parse(*packet_type, first & 0x1f, body), rest))
}

fn parse(packet_type: u8, format: u8, body: &[u8]) -> Option<Packet<'_>> {
    match (packet_type, format) {
        (SENDER_REPORT, count) => {
            let (ssrc, rest) = word(body)?;
            let (ntp_high, rest) = word(rest)?;
            let (ntp_low, rest) = word(rest)?;
            let (rtp_time, rest) = word(rest)?;
            let (packets, rest) = word(rest)?;
            let (bytes, rest) = word(rest)?;
            Some(Packet::SenderReport {
                ssrc: Ssrc(ssrc),
                ntp: NtpTime((u64::from(ntp_high) << 32) | u64::from(ntp_low)),
                rtp_time: RtpTime(rtp_time),
                packets,
                bytes,
                reports: Reports::new(rest, count)?,
            })
        }
        (RECEIVER_REPORT, count) => {
            let (ssrc, rest) = word(body)?;
            Some(Packet::ReceiverReport {
                ssrc: Ssrc(ssrc),
                reports: Reports::new(rest, count)?,
            })
        }
        (BYE, count) => Some(Packet::Bye {
            sources: Sources(body.get(..usize::from(count).checked_mul(4)?)?),
        }),
        (TRANSPORT_FEEDBACK, 1) => {
            let (_, media, items) = feedback(body)?;
            Some(Packet::Nack {
                media,
                pairs: NackPairs(items),
            })
        }
        (PAYLOAD_FEEDBACK, 1) => {
            let (_, media, _) = feedback(body)?;
            Some(Packet::Pli { media })
        }
        (PAYLOAD_FEEDBACK, 4) => {
            let (_, _, items) = feedback(body)?;
            Some(Packet::Fir {
                sources: FirSources(items),
            })
        }
        (packet_type, format) => Some(Packet::Other {
            packet_type,
            format,
        }),
    }
}

fn feedback(body: &[u8]) -> Option<(Ssrc, Ssrc, &[u8])> {
    let (sender, rest) = word(body)?;
    let (media, rest) = word(rest)?;
    Some((Ssrc(sender), Ssrc(media), rest))
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// How one stream arrives at its receiver (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The stream.
    pub ssrc: Ssrc,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start; duplicates count against it, so it may be negative.
    pub lost: i32,
    /// Highest sequence number received, with its count of roll-overs in the upper 16 bits.
    pub highest_sequence: u32,
    /// Spread of the transit times, in ticks of the stream's clock.
    pub jitter: u32,
    /// [`NtpTime::compact`] of the last sender report that arrived; 0 for none.
    pub last_report: u32,
    /// How long ago that was, in 1/65536 of a second.
    pub since_last_report: u32,
}

impl Report {
    /// The round trip, if a sender report had arrived (RFC 3550 §6.4.1, "delay since last SR").
    ///
    /// `received` is when this report came, on the clock that the sender reports were written by. `None` also when
    /// the figures contradict each other.
    #[must_use]
    pub fn round_trip(&self, received: NtpTime) -> Option<Duration> {
        if self.last_report == 0 {
            return None;
        }
        let ticks = received
            .compact()
            .wrapping_sub(self.last_report)
            .wrapping_sub(self.since_last_report);
        // Half the range: more is a negative value, from a receiver whose clock runs fast.
        if ticks >= 1 << 31 {
            return None;
        }
        let nanos = u64::from(ticks).checked_mul(1_000_000_000)? >> 16;
        Some(Duration::from_nanos(nanos))
    }

    fn parse(block: &[u8; REPORT_BYTES]) -> Option<Self> {
        let (ssrc, rest) = word(block)?;
        let ([fraction_lost, l0, l1, l2], rest) = rest.split_first_chunk::<4>()?;
        let (highest_sequence, rest) = word(rest)?;
        let (jitter, rest) = word(rest)?;
        let (last_report, rest) = word(rest)?;
        let (since_last_report, _) = word(rest)?;
        Some(Self {
            ssrc: Ssrc(ssrc),
            fraction_lost: *fraction_lost,
            // 24 bits with a sign: shifted up and down again.
            lost: i32::from_be_bytes([*l0, *l1, *l2, 0]) >> 8,
            highest_sequence,
            jitter,
            last_report,
            since_last_report,
        })
    }
}

/// The report blocks of a packet, at most 31.
#[derive(Debug, Clone, Copy)]
pub struct Reports<'a>(&'a [[u8; REPORT_BYTES]]);

impl<'a> Reports<'a> {
    fn new(bytes: &'a [u8], count: u8) -> Option<Self> {
        let (blocks, _) = bytes.as_chunks::<REPORT_BYTES>();
        Some(Self(blocks.get(..usize::from(count))?))
    }

    /// The blocks in order.
    pub fn iter(&self) -> impl Iterator<Item = Report> + 'a {
        self.0.iter().filter_map(Report::parse)
    }
}

/// The streams that a goodbye names, at most 31.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a>(&'a [u8]);

impl<'a> Sources<'a> {
    /// The streams in order.
    pub fn iter(&self) -> impl Iterator<Item = Ssrc> + 'a {
        let (words, _) = self.0.as_chunks::<4>();
        words.iter().map(|word| Ssrc(u32::from_be_bytes(*word)))
    }
}

/// The streams that a full intra request names.
#[derive(Debug, Clone, Copy)]
pub struct FirSources<'a>(&'a [u8]);

impl<'a> FirSources<'a> {
    /// Stream and command number: a repeated number is the same request sent again (RFC 5104 §4.3.1.1).
    pub fn iter(&self) -> impl Iterator<Item = (Ssrc, u8)> + 'a {
        let (entries, _) = self.0.as_chunks::<8>();
        entries.iter().map(|[s0, s1, s2, s3, command, ..]| {
            (Ssrc(u32::from_be_bytes([*s0, *s1, *s2, *s3])), *command)
        })
    }
}

/// A lost packet and a bit for each of the 16 after it (RFC 4585 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NackPair {
    /// A lost packet.
    pub first: SeqNo,
    /// Bit *n* (from the lowest) set: packet `first + 1 + n` is lost as well.
    pub following: u16,
}

impl NackPair {
    /// The lost packets, 1 to 17, in ascending order.
    pub fn sequences(self) -> impl Iterator<Item = SeqNo> {
        let following = (0..16u16)
            .filter(move |bit| self.following & (1 << bit) != 0)
            .map(move |bit| self.first.plus(bit.saturating_add(1)));
        std::iter::once(self.first).chain(following)
    }
}

/// The lost packets that one NACK names: at most a quarter as many pairs as the datagram has bytes, 17 packets each.
#[derive(Debug, Clone, Copy)]
pub struct NackPairs<'a>(&'a [u8]);

impl<'a> NackPairs<'a> {
    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = NackPair> + 'a {
        let (pairs, _) = self.0.as_chunks::<4>();
        pairs.iter().map(|[p0, p1, b0, b1]| NackPair {
            first: SeqNo(u16::from_be_bytes([*p0, *p1])),
            following: u16::from_be_bytes([*b0, *b1]),
        })
    }
}

/// What a sender report says of one stream we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The stream.
    pub ssrc: Ssrc,
    /// Now.
    pub ntp: NtpTime,
    /// Now, on the stream's clock (not the timestamp of the packet sent last).
    pub rtp_time: RtpTime,
    /// Packets sent so far, modulo 2^32.
    pub packets: u32,
    /// Payload bytes sent so far, modulo 2^32.
    pub bytes: u32,
}

/// Appends a sender report without report blocks (RFC 3550 §6.4.1): 28 bytes.
pub fn write_sender_report(info: &SenderInfo, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x80, SENDER_REPORT, 0, 6]);
    out.extend_from_slice(&info.ssrc.0.to_be_bytes());
    out.extend_from_slice(&info.ntp.0.to_be_bytes());
    out.extend_from_slice(&info.rtp_time.0.to_be_bytes());
    out.extend_from_slice(&info.packets.to_be_bytes());
    out.extend_from_slice(&info.bytes.to_be_bytes());
}

/// Appends a source description with the canonical name (RFC 3550 §6.5.1), which every compound packet has to carry.
/// Names are cut at 255 bytes.
pub fn write_cname(ssrc: Ssrc, cname: &str, out: &mut Vec<u8>) {
    const CNAME: u8 = 1;
    let name = cname.as_bytes();
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let name = name.get(..usize::from(length)).unwrap_or(name);
    // The item list ends with at least one zero byte and is padded with zeros to a word.
    let chunk = name.len().saturating_add(4 + 2 + 1).next_multiple_of(4);
    let padding = chunk.saturating_sub(4 + 2).saturating_sub(name.len());
    out.extend_from_slice(&[0x81, SOURCE_DESCRIPTION]);
    out.extend_from_slice(&u16::try_from(chunk / 4).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&ssrc.0.to_be_bytes());
    out.extend_from_slice(&[CNAME, length]);
    out.extend_from_slice(name);
    out.resize(out.len().saturating_add(padding), 0);
}

/// Appends a goodbye for the given streams, the first 31 of them (RFC 3550 §6.6).
pub fn write_bye(sources: &[Ssrc], out: &mut Vec<u8>) {
    const SOURCES_MAX: u8 = 31;
    let count = u8::try_from(sources.len())
        .unwrap_or(SOURCES_MAX)
        .min(SOURCES_MAX);
    out.extend_from_slice(&[0x80 | count, BYE, 0, count]);
    for ssrc in sources.iter().take(usize::from(count)) {
        out.extend_from_slice(&ssrc.0.to_be_bytes());
    }
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const REPORT_BYTES: usize = 24;

#[cfg(test)]
mod tests;
