#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::NalUnit;
use crate::bits::BitReader;

/// How a slice predicts (ITU-T H.264 table 7-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SliceType {
    /// From earlier decoded pictures.
    P,
    /// From two pictures, as a rule one of them shown later: the kind that WebRTC decoders cannot order.
    B,
    /// From nothing but itself.
    I,
    /// Switching P.
    Sp,
    /// Switching I.
    Si,
}

/// The slice type in a slice's header (ITU-T H.264 §7.3.3); `None` for NAL units that are no slices, and for broken
/// ones.
pub fn slice_type(unit: &NalUnit) -> Option<SliceType> {
    if !unit.nal_type().has_slice_header() {
        return None;
    }
    // Both codes are short: an emulation prevention byte needs 22 zero bits in front of it, which no valid
    // first_mb_in_slice has.
    let mut reader = BitReader::new(unit.bytes().get(1..)?);
    reader.ue()?;
    SliceType::of_code(reader.ue()?)
}

impl SliceType {
    /// By its number in a slice header.
    pub fn of_code(code: u32) -> Option<Self> {
        match code {
            0 | 5 => Some(Self::P),
            1 | 6 => Some(Self::B),
            2 | 7 => Some(Self::I),
            3 | 8 => Some(Self::Sp),
            4 | 9 => Some(Self::Si),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn of(bytes: &'static [u8]) -> Option<SliceType> {
        slice_type(&NalUnit::new(Bytes::from_static(bytes))?)
    }

    #[test]
    fn slice_types_of_real_headers() {
        // first_mb_in_slice 0 ("1"), then slice_type 7 ("0001000"), 5 ("00110"), 6 ("00111").
        assert_eq!(of(&[0x65, 0b1000_1000, 0x80]), Some(SliceType::I));
        assert_eq!(of(&[0x41, 0b1001_1010, 0x80]), Some(SliceType::P));
        assert_eq!(of(&[0x01, 0b1001_1110, 0x80]), Some(SliceType::B));
    }

    #[test]
    fn no_slices_and_stumps_have_none() {
        assert_eq!(of(&[0x67, 0x88]), None);
        assert_eq!(of(&[0x41]), None);
        assert_eq!(of(&[0x41, 0, 0, 0, 0, 0]), None);
    }
}
