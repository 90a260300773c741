#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

/// The type of a NAL unit: the low five bits of its first byte (ITU-T H.264 table 7-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NalType(pub u8);

impl NalType {
    /// Coded slice of a picture that is no IDR picture.
    pub const SLICE: Self = Self(1);
    /// Slice data partition A.
    pub const PARTITION_A: Self = Self(2);
    /// Coded slice of an IDR picture.
    pub const IDR: Self = Self(5);
    /// Supplemental enhancement information.
    pub const SEI: Self = Self(6);
    /// Sequence parameter set.
    pub const SPS: Self = Self(7);
    /// Picture parameter set.
    pub const PPS: Self = Self(8);
    /// Access unit delimiter.
    pub const DELIMITER: Self = Self(9);
    /// End of sequence.
    pub const END_OF_SEQUENCE: Self = Self(10);
    /// End of stream.
    pub const END_OF_STREAM: Self = Self(11);
    /// Filler data.
    pub const FILLER: Self = Self(12);

    /// Whether it begins with a slice header (ITU-T H.264 §7.3.3).
    pub fn has_slice_header(self) -> bool {
        matches!(self, Self::SLICE | Self::PARTITION_A | Self::IDR)
    }

    /// Whether it carries picture data.
    pub fn is_slice(self) -> bool {
        (1..=5).contains(&self.0)
    }
}

/// One NAL unit, header byte included, without start code or length. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NalUnit(Bytes);

impl NalUnit {
    /// Wraps the bytes of one NAL unit; `None` if there are none.
    pub fn new(bytes: Bytes) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// Its type.
    pub fn nal_type(&self) -> NalType {
        NalType(self.header() & 0x1f)
    }

    /// Its first byte: forbidden zero bit, nal_ref_idc, type.
    pub fn header(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Whether other pictures may refer to it (nal_ref_idc is not 0).
    pub fn is_reference(&self) -> bool {
        self.header() & 0x60 != 0
    }

    /// What is behind the header byte, at most `bytes_max` of it, without emulation prevention bytes (§7.4.1.1).
    pub fn rbsp(&self, bytes_max: usize) -> Vec<u8> {
        let body = self.0.get(1..).unwrap_or_default();
        let body = body.get(..bytes_max).unwrap_or(body);
        let mut out = Vec::with_capacity(body.len());
        let mut zeros = 0_u8;
        for &byte in body {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 {
                zeros.saturating_add(1)
            } else {
                0
            };
            out.push(byte);
        }
        out
    }

    /// All its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// The NAL units of a frame whose units have lengths in front (ISO/IEC 14496-15 §5.3.3).
///
/// Sharing the frame's memory. Units of length 0 are passed over; at a length that points past the end the iteration
/// ends and [`NalUnits::is_broken`] is true.
#[derive(Debug, Clone)]
pub struct NalUnits {
    rest: Bytes,
    length_size: usize,
    broken: bool,
}

impl NalUnits {
    /// The units of `payload`; `length_size` is 1, 2 or 4, from [`super::Config::length_size`].
    pub fn new(payload: Bytes, length_size: u8) -> Self {
        Self {
            rest: payload,
            length_size: usize::from(length_size.clamp(1, 4)),
            broken: false,
        }
    }

    /// Whether the frame ended in the middle of a unit or of a length.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

impl Iterator for NalUnits {
    type Item = NalUnit;

    fn next(&mut self) -> Option<NalUnit> {
        while !self.rest.is_empty() {
            let length = self.rest.get(..self.length_size).map(|bytes| {
                bytes
                    .iter()
                    .fold(0_usize, |length, byte| length << 8 | usize::from(*byte))
            });
            let end = length.and_then(|length| length.checked_add(self.length_size));
            let Some(end) = end.filter(|end| *end <= self.rest.len()) else {
                self.broken = true;
                self.rest.clear();
                return None;
            };
            let mut unit = self.rest.split_to(end);
            if let Some(unit) = NalUnit::new(unit.split_off(self.length_size)) {
                return Some(unit);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(payload: &'static [u8], length_size: u8) -> (Vec<u8>, bool) {
        let mut units = NalUnits::new(Bytes::from_static(payload), length_size);
        let types = units.by_ref().map(|unit| unit.nal_type().0).collect();
        (types, units.is_broken())
    }

    #[test]
    fn units_behind_lengths_of_every_size() {
        assert_eq!(
            types(&[0, 0, 0, 2, 0x67, 1, 0, 0, 0, 1, 0x68], 4),
            (vec![7, 8], false)
        );
        assert_eq!(
            types(&[0, 1, 0x65, 0, 0, 0, 1, 0x41], 2),
            (vec![5, 1], false)
        );
        assert_eq!(types(&[1, 0x65], 1), (vec![5], false));
    }

    #[test]
    fn emulation_prevention_is_taken_out_of_no_more_than_is_asked_for() {
        let unit = NalUnit::new(Bytes::from_static(&[0x67, 0, 0, 3, 0, 0, 3, 1, 3])).unwrap();
        assert_eq!(unit.rbsp(100), [0, 0, 0, 0, 1, 3]);
        assert_eq!(unit.rbsp(4), [0, 0, 0]);
        let header = NalUnit::new(Bytes::from_static(&[0x67])).unwrap();
        assert_eq!(header.rbsp(4), []);
    }

    #[test]
    fn a_frame_cut_short_says_so() {
        assert_eq!(types(&[0, 0, 0, 2, 0x67], 4), (vec![], true));
        assert_eq!(types(&[0, 0, 0, 1, 0x67, 0, 0], 4), (vec![7], true));
        assert_eq!(types(&[0xff, 0xff, 0xff, 0xff, 0x67], 4), (vec![], true));
    }
}
