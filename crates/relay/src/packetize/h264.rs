//! H.264 access units into RTP payloads: RFC 6184, non-interleaved mode (`packetization-mode=1`).
//!
//! What leaves: picture data (NAL unit types 1 to 5) and, in front of every IDR picture, the parameter sets. Access unit
//! delimiters, filler, end marks and supplemental enhancement information are left out: no decoder needs them to
//! decode (ITU-T H.264 §7.4.1.2.3, Annex D), browsers ignore them, and a small unit in front of a big one costs a
//! datagram and a send call for each viewer.
//!
//! **The shape for GSO.** One send call takes packets of one size, the last one shorter. So:
//! - the parameter sets of a keyframe are payloads of their own ([`Batch::lead`]), which a shard may send twice
//!   (RTP.md 53);
//! - a NAL unit that fits no packet is cut into FU-A fragments of equal size, one run; the frame's last fragment, a few
//!   bytes shorter, is padded to that size (RFC 3550 §5.1), so that a packet of sound can ride as the run's short end;
//! - neighbouring NAL units that fit one packet together travel as one STAP-A.
//!
//! A picture of one slice is thus one run, and one of n large slices n runs: fragments of two NAL units may not share a
//! packet (RFC 6184 §5.8).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::Instant;

use bytes::Bytes;
use zongzi_media::Frame;
use zongzi_media::h264::{Config, NalType, NalUnit};

use super::video_clock::CLOCK_RATE;
use super::{Batch, BatchKind, Error, PAYLOAD_MAX, rtp_time};

/// Packetizes one H.264 track. Remembers the parameter sets in force.
#[derive(Debug, Default)]
pub struct Packetizer {
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
    /// Scratch: one entry per packet of the frame in work.
    plan: Vec<Packet>,
}

/// One packet to be written: a run of whole NAL units, or a piece of one.
#[derive(Debug, Clone, Copy)]
enum Packet {
    /// Unit `first` alone (`count` 1) or `count` units as a STAP-A, from `first` on.
    Whole { first: usize, count: usize },
    /// Bytes `start..end` of the unit, its header byte not counted.
    Piece {
        unit: usize,
        start: usize,
        end: usize,
    },
}

impl Packetizer {
    /// A packetizer for a track with this configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            sps: config.sps.clone(),
            pps: config.pps.clone(),
            plan: Vec::new(),
        }
    }

    /// Makes the packets of one access unit, whose NAL units are `units` and whose times are on the broadcast's
    /// timeline. Parameter sets in the access unit replace those in force; every IDR picture gets them in front.
    ///
    /// # Errors
    /// When there is no picture in it, or it or its parameter sets are too large.
    pub fn packetize(
        &mut self,
        frame: &Frame,
        units: &[NalUnit],
        sequence: u64,
        group: u64,
        received: Instant,
    ) -> Result<Batch, Error> {
        self.take_parameter_sets(units);
        let keyframe = is_idr(units);
        let mut sending = Vec::with_capacity(units.len().saturating_add(2));
        if keyframe {
            sending.extend(self.sps.iter().chain(&self.pps));
        }
        let sets = sending.len();
        let sets_bytes = total(&sending);
        if sets_bytes > PARAMETER_SETS_BYTES_MAX {
            return Err(Error::ParameterSets(sets_bytes));
        }
        sending.extend(
            units
                .iter()
                .filter(|unit| unit.nal_type().is_slice())
                .map(NalUnit::bytes),
        );
        if sending.len() == sets {
            return Err(Error::NoPicture);
        }
        let bytes = total(&sending);
        if bytes > FRAME_BYTES_MAX {
            return Err(Error::TooLarge(bytes));
        }
        self.plan.clear();
        plan(&sending, 0, sets, &mut self.plan);
        let lead = self.plan.len();
        plan(&sending, sets, sending.len(), &mut self.plan);
        let padding = padding(&self.plan);
        let (data, ends) = write(&sending, &self.plan, padding);
        let batch = Batch::new(
            BatchKind::Video { keyframe },
            sequence,
            group,
            rtp_time(frame.pts, CLOCK_RATE),
            received,
            data,
            ends,
        );
        Ok(batch.with_lead(lead).with_padding(padding))
    }

    fn take_parameter_sets(&mut self, units: &[NalUnit]) {
        for (kind, kept) in [(NalType::SPS, &mut self.sps), (NalType::PPS, &mut self.pps)] {
            let mut in_band = units
                .iter()
                .filter(|unit| unit.nal_type() == kind)
                .peekable();
            if in_band.peek().is_some() {
                // The copies let the frame's memory go.
                *kept = in_band
                    .map(|unit| Bytes::copy_from_slice(unit.bytes()))
                    .collect();
            }
        }
    }
}

/// Whether a decoder can start with this access unit: it is an IDR picture. Hosts mark other pictures as keyframes too
/// (open groups, recovery points), which browsers don't start from.
pub fn is_idr(units: &[NalUnit]) -> bool {
    units.iter().any(|unit| unit.nal_type() == NalType::IDR)
}

fn total(units: &[&Bytes]) -> usize {
    units
        .iter()
        .fold(0, |sum, unit| sum.saturating_add(unit.len()))
}

/// Cuts units `from..to` into packets.
fn plan(units: &[&Bytes], from: usize, to: usize, packets: &mut Vec<Packet>) {
    let mut first = from;
    while let Some(unit) = units.get(first).filter(|_| first < to) {
        if unit.len() > PAYLOAD_MAX {
            plan_pieces(first, unit.len(), packets);
            first = first.saturating_add(1);
            continue;
        }
        let mut count = 1_usize;
        let mut size = STAP_HEADER
            .saturating_add(STAP_LENGTH)
            .saturating_add(unit.len());
        for next in units.get(first.saturating_add(1)..to).unwrap_or_default() {
            size = size.saturating_add(STAP_LENGTH).saturating_add(next.len());
            if size > PAYLOAD_MAX {
                break;
            }
            count = count.saturating_add(1);
        }
        packets.push(Packet::Whole { first, count });
        first = first.saturating_add(count);
    }
}

/// Equal pieces of one unit, the last one shorter by less than the number of pieces.
fn plan_pieces(unit: usize, len: usize, packets: &mut Vec<Packet>) {
    // The header byte travels in the fragments' own two bytes (RFC 6184 §5.8).
    let body = len.saturating_sub(1);
    let count = body.div_ceil(PAYLOAD_MAX - FU_HEADER).max(1);
    let piece = body.div_ceil(count);
    let mut start = 0_usize;
    while start < body {
        let end = start.saturating_add(piece).min(body);
        packets.push(Packet::Piece { unit, start, end });
        start = end;
    }
}

/// What the last packet lacks to the size of the fragments before it. More than one byte can count is left alone: only
/// pictures of a quarter of a megabyte have so many fragments.
fn padding(packets: &[Packet]) -> u8 {
    match packets {
        [
            ..,
            Packet::Piece {
                unit: first,
                start,
                end,
            },
            Packet::Piece {
                unit: last,
                start: from,
                end: to,
            },
        ] if first == last => {
            let lacks = end
                .saturating_sub(*start)
                .saturating_sub(to.saturating_sub(*from));
            u8::try_from(lacks).unwrap_or(0)
        }
        _ => 0,
    }
}

fn write(units: &[&Bytes], packets: &[Packet], padding: u8) -> (Box<[u8]>, Box<[u32]>) {
    let size = packets.iter().fold(usize::from(padding), |sum, packet| {
        sum.saturating_add(size(units, *packet))
    });
    let mut data = Vec::with_capacity(size);
    let mut ends = Vec::with_capacity(packets.len());
    for packet in packets {
        match *packet {
            Packet::Whole { first, count: 1 } => {
                data.extend_from_slice(units.get(first).map_or(&[], |unit| unit.as_ref()));
            }
            Packet::Whole { first, count } => {
                write_aggregate(run(units, first, count), &mut data);
            }
            Packet::Piece { unit, start, end } => {
                if let Some((header, body)) = units.get(unit).and_then(|unit| unit.split_first()) {
                    data.push(header & 0xe0 | FU_A);
                    let begins = if start == 0 { FU_START } else { 0 };
                    let finishes = if end == body.len() { FU_END } else { 0 };
                    data.push(begins | finishes | header & 0x1f);
                    data.extend_from_slice(body.get(start..end).unwrap_or_default());
                }
            }
        }
        ends.push(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }
    if let (Some(end), 1..) = (ends.last_mut(), padding) {
        data.resize(
            data.len()
                .saturating_add(usize::from(padding))
                .saturating_sub(1),
            0,
        );
        data.push(padding);
        *end = u32::try_from(data.len()).unwrap_or(u32::MAX);
    }
    debug_assert_eq!(
        data.len(),
        size,
        "the frame's one allocation was measured wrong"
    );
    (data.into_boxed_slice(), ends.into_boxed_slice())
}

fn size(units: &[&Bytes], packet: Packet) -> usize {
    match packet {
        Packet::Whole { first, count } => {
            let bytes = total(run(units, first, count));
            if count == 1 {
                bytes
            } else {
                bytes
                    .saturating_add(STAP_HEADER)
                    .saturating_add(count.saturating_mul(STAP_LENGTH))
            }
        }
        Packet::Piece { start, end, .. } => end.saturating_sub(start).saturating_add(FU_HEADER),
    }
}

fn run<'a, 'b>(units: &'a [&'b Bytes], first: usize, count: usize) -> &'a [&'b Bytes] {
    units
        .get(first..first.saturating_add(count))
        .unwrap_or_default()
}

/// RFC 6184 §5.7.1: the aggregate's F bit is set if any unit's is, its NRI is the highest.
fn write_aggregate(units: &[&Bytes], data: &mut Vec<u8>) {
    let headers = || units.iter().filter_map(|unit| unit.first());
    let forbidden = headers().fold(0, |bits, header| bits | header & 0x80);
    let importance = headers().map(|header| header & 0x60).max().unwrap_or(0);
    data.push(forbidden | importance | STAP_A);
    for unit in units {
        // Every unit of an aggregate is at most PAYLOAD_MAX long.
        data.extend_from_slice(&u16::try_from(unit.len()).unwrap_or(u16::MAX).to_be_bytes());
        data.extend_from_slice(unit);
    }
}

/// RFC 6184 §5.2.
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// FU header bits (RFC 6184 §5.8).
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// FU indicator and FU header, in bytes.
const FU_HEADER: usize = 2;
/// The STAP-A's own header, and the length in front of each of its units, in bytes.
const STAP_HEADER: usize = 1;
const STAP_LENGTH: usize = 2;
/// Parameter sets in front of each keyframe: real ones have 30 to 100 bytes; without a bound a tiny frame could make a
/// storm of packets.
pub const PARAMETER_SETS_BYTES_MAX: usize = 8 << 10;
/// One access unit: 4K at the highest quality stays below.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests;
