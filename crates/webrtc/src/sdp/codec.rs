#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

/// An offered codec that we can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// H.264 (RFC 6184).
    H264(H264),
    /// Opus (RFC 7587).
    Opus(Opus),
}

/// An offered form of H.264.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct H264 {
    /// Its payload type.
    pub payload_type: u8,
    /// Its parameters as offered; to be echoed. Empty when there are none.
    pub fmtp: String,
    /// 0 single NAL units only, 1 with STAP-A and FU-A (RFC 6184 §6).
    pub packetization_mode: u8,
    /// Profile, constraints and level; `None` when not named or not 6 hex digits.
    pub profile_level_id: Option<[u8; 3]>,
    /// Payload type of its retransmissions (RFC 4588).
    pub rtx: Option<u8>,
    /// The offer asks for `nack` on it.
    pub nack: bool,
}

impl H264 {
    /// Constrained baseline, which every browser decodes.
    pub(super) const fn is_constrained_baseline(&self) -> bool {
        matches!(self.profile_level_id, Some([0x42, constraints, _]) if constraints & 0x40 != 0)
    }
}

/// The offered form of Opus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opus {
    /// Its payload type.
    pub payload_type: u8,
    /// Its parameters as offered. Empty when there are none.
    pub fmtp: String,
}

/// What the lines of one m-section say of its payload types.
#[derive(Debug, Default)]
pub(super) struct Formats<'a> {
    /// In the order of the m-line.
    order: Vec<u8>,
    maps: BTreeMap<u8, &'a str>,
    parameters: BTreeMap<u8, &'a str>,
    /// Payload types with `a=rtcp-fb:… nack`; `None` stands for `*`.
    nack: Vec<Option<u8>>,
}

impl<'a> Formats<'a> {
    pub(super) fn new(order: impl Iterator<Item = &'a str>) -> Self {
        Self {
            order: order.filter_map(payload_type).take(FORMATS_MAX).collect(),
            ..Self::default()
        }
    }

    /// Takes an attribute if it is about a payload type.
    pub(super) fn take(&mut self, name: &str, value: &'a str) {
        let Some((format, rest)) = value.split_once(' ') else {
            return;
        };
        let known = payload_type(format);
        match (name, known) {
            ("rtpmap", Some(format)) => {
                self.maps.insert(format, rest.trim());
            }
            ("fmtp", Some(format)) => {
                self.parameters.insert(format, rest.trim());
            }
            ("rtcp-fb", _)
                if rest.trim() == "nack"
                    && (known.is_some() || format == "*")
                    && self.nack.len() < FORMATS_MAX =>
            {
                self.nack.push(known);
            }
            _ => {}
        }
    }

    /// The codecs we can send, in the order of the m-line.
    pub(super) fn codecs(&self) -> Vec<Codec> {
        self.order
            .iter()
            .filter_map(|format| self.codec(*format))
            .collect()
    }

    fn codec(&self, format: u8) -> Option<Codec> {
        let mut map = self.maps.get(&format)?.split('/');
        let (name, clock, channels) = (map.next()?, map.next()?, map.next());
        let fmtp = self.parameters.get(&format).copied().unwrap_or("");
        if name.eq_ignore_ascii_case("H264") && clock == "90000" {
            return Some(Codec::H264(H264 {
                payload_type: format,
                fmtp: fmtp.to_owned(),
                packetization_mode: parameter(fmtp, "packetization-mode")
                    .and_then(|mode| mode.parse().ok())
                    .unwrap_or(0),
                profile_level_id: parameter(fmtp, "profile-level-id").and_then(hex3),
                rtx: self.rtx_of(format),
                nack: self.nack.iter().any(|of| of.is_none_or(|of| of == format)),
            }));
        }
        // RFC 7587 §7: always 48000/2, whatever is sent.
        if name.eq_ignore_ascii_case("opus") && clock == "48000" && channels == Some("2") {
            return Some(Codec::Opus(Opus {
                payload_type: format,
                fmtp: fmtp.to_owned(),
            }));
        }
        None
    }

    fn rtx_of(&self, format: u8) -> Option<u8> {
        self.order.iter().copied().find(|rtx| {
            self.maps
                .get(rtx)
                .is_some_and(|map| map.eq_ignore_ascii_case("rtx/90000"))
                && self
                    .parameters
                    .get(rtx)
                    .and_then(|parameters| parameter(parameters, "apt"))
                    .and_then(payload_type)
                    == Some(format)
        })
    }
}

/// A dynamic or static RTP payload type: a number up to 127.
fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|format| *format < 128)
}

/// The value of `key` in `key=value;key=value`; keys in any case.
fn parameter<'a>(fmtp: &'a str, key: &str) -> Option<&'a str> {
    fmtp.split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(key))
        .map(|(_, value)| value.trim())
}

fn hex3(text: &str) -> Option<[u8; 3]> {
    let digits = text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let value = u32::from_str_radix(text, 16).ok().filter(|_| digits)?;
    let [_, a, b, c] = value.to_be_bytes();
    Some([a, b, c])
}

/// There are no more payload types than this.
const FORMATS_MAX: usize = 128;
