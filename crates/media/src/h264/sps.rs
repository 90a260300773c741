#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::{NalType, NalUnit};
use crate::bits::BitReader;

/// What a sequence parameter set says of the pictures, and what slice headers and references depend on (ITU-T H.264
/// §7.3.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sps {
    /// Its number, 0 to 31.
    pub id: u32,
    /// profile_idc: 66 Baseline, 77 Main, 100 High …
    pub profile: u8,
    /// The byte of constraint_set flags.
    pub constraints: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// chroma_format_idc: 1 is 4:2:0.
    pub chroma_format: u8,
    /// Bits of a luma sample.
    pub bit_depth: u8,
    /// Shown width in luma samples, cropping taken off.
    pub width: u32,
    /// Shown height in luma samples, cropping taken off.
    pub height: u32,
    /// Pictures are frames only (not fields).
    pub progressive: bool,
    /// Slices have a colour_plane_id, since each plane is coded alone.
    pub separate_planes: bool,
    /// Bits of frame_num: 4 to 16.
    pub frame_num_bits: u32,
    /// How slice headers tell the order in which pictures are shown.
    pub picture_order: PictureOrder,
    /// Reference frames that are kept, 0 to 16.
    pub reference_frames: u8,
    /// The meaning of the samples, where it is said.
    pub colour: Option<Colour>,
}

/// pic_order_cnt_type and what it puts into slice headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureOrder {
    /// Type 0: bits of pic_order_cnt_lsb, 4 to 16.
    Lsb(u32),
    /// Type 1: whether deltas are in the slice headers.
    Deltas(bool),
    /// Type 2: output order is decoding order.
    AsDecoded,
}

/// The meaning of the samples (ITU-T H.264 §E.2.1); 2 is "unspecified".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Samples use all values, not those of video alone.
    pub full_range: bool,
    /// colour_primaries.
    pub primaries: u8,
    /// transfer_characteristics.
    pub transfer: u8,
    /// matrix_coefficients.
    pub matrix: u8,
}

impl Sps {
    /// Parses a NAL unit of type 7; `None` if it is another, cut short or beyond the standard's bounds.
    pub fn parse(unit: &Bytes) -> Option<Self> {
        let unit = NalUnit::new(unit.clone())?;
        if unit.nal_type() != NalType::SPS {
            return None;
        }
        let rbsp = unit.rbsp(BYTES_MAX);
        let reader = &mut BitReader::new(&rbsp);
        let profile = u8::try_from(reader.bits(8)?).ok()?;
        let constraints = u8::try_from(reader.bits(8)?).ok()?;
        let level = u8::try_from(reader.bits(8)?).ok()?;
        let id = reader.ue_at_most(31)?;
        let (mut chroma_format, mut separate_planes, mut bit_depth) = (1, false, 8);
        if HIGH_PROFILES.contains(&profile) {
            chroma_format = reader.ue_at_most(3)?;
            if chroma_format == 3 {
                separate_planes = reader.bit()?;
            }
            bit_depth = reader.ue_at_most(6)?.checked_add(8)?;
            reader.ue_at_most(6)?;
            reader.bit()?;
            if reader.bit()? {
                skip_scaling_matrix(reader, if chroma_format == 3 { 12 } else { 8 })?;
            }
        }
        let frame_num_bits = reader.ue_at_most(12)?.checked_add(4)?;
        let picture_order = PictureOrder::read(reader)?;
        let reference_frames = u8::try_from(reader.ue_at_most(16)?).ok()?;
        reader.bit()?;
        let width_mbs = reader.ue_at_most(MBS_MAX)?.checked_add(1)?;
        let height_units = reader.ue_at_most(MBS_MAX)?.checked_add(1)?;
        let progressive = reader.bit()?;
        if !progressive {
            reader.bit()?;
        }
        reader.bit()?;
        let (mut crop_x, mut crop_y) = (0_u32, 0_u32);
        let frame_factor = if progressive { 1 } else { 2 };
        if reader.bit()? {
            let (left, right) = (reader.ue()?, reader.ue()?);
            let (top, bottom) = (reader.ue()?, reader.ue()?);
            let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
            let unit_y = if chroma_format == 1 { 2_u32 } else { 1 }.checked_mul(frame_factor)?;
            crop_x = left.checked_add(right)?.checked_mul(unit_x)?;
            crop_y = top.checked_add(bottom)?.checked_mul(unit_y)?;
        }
        let width = width_mbs.checked_mul(16)?.checked_sub(crop_x)?;
        let height = height_units
            .checked_mul(16)?
            .checked_mul(frame_factor)?
            .checked_sub(crop_y)?;
        if width == 0 || height == 0 {
            return None;
        }
        Some(Self {
            id,
            profile,
            constraints,
            level,
            chroma_format: u8::try_from(chroma_format).ok()?,
            bit_depth: u8::try_from(bit_depth).ok()?,
            width,
            height,
            progressive,
            separate_planes,
            frame_num_bits,
            picture_order,
            reference_frames,
            colour: Colour::read(reader),
        })
    }

    /// Whether there is chroma in the slices of luma.
    pub fn has_chroma(&self) -> bool {
        self.chroma_format != 0 && !self.separate_planes
    }

    /// The profile's name, where it has a common one.
    pub fn profile_name(&self) -> &'static str {
        match self.profile {
            66 if self.constraints & 0x40 != 0 => "Constrained Baseline",
            66 => "Baseline",
            77 => "Main",
            88 => "Extended",
            100 => "High",
            110 => "High 10",
            122 => "High 4:2:2",
            244 => "High 4:4:4",
            _ => "other",
        }
    }
}

impl PictureOrder {
    fn read(reader: &mut BitReader<'_>) -> Option<Self> {
        match reader.ue()? {
            0 => Some(Self::Lsb(reader.ue_at_most(12)?.checked_add(4)?)),
            1 => {
                let always_zero = reader.bit()?;
                reader.se()?;
                reader.se()?;
                for _ in 0..reader.ue_at_most(255)? {
                    reader.se()?;
                }
                Some(Self::Deltas(!always_zero))
            }
            2 => Some(Self::AsDecoded),
            _ => None,
        }
    }
}

impl Colour {
    /// The beginning of vui_parameters (§E.1.1), where there are any.
    fn read(reader: &mut BitReader<'_>) -> Option<Self> {
        if !reader.bit()? {
            return None;
        }
        if reader.bit()? && reader.bits(8)? == EXTENDED_SAR {
            reader.skip(32)?;
        }
        if reader.bit()? {
            reader.bit()?;
        }
        if !reader.bit()? {
            return None;
        }
        reader.skip(3)?;
        let full_range = reader.bit()?;
        let described = reader.bit()?;
        let mut code = || {
            if described {
                u8::try_from(reader.bits(8)?).ok()
            } else {
                Some(2)
            }
        };
        Some(Self {
            full_range,
            primaries: code()?,
            transfer: code()?,
            matrix: code()?,
        })
    }
}

/// §7.3.2.1.1.1.
fn skip_scaling_matrix(reader: &mut BitReader<'_>, lists: usize) -> Option<()> {
    for list in 0..lists {
        if reader.bit()? {
            let mut next = 8_i32;
            for _ in 0..if list < 6 { 16 } else { 64 } {
                if next == 0 {
                    break;
                }
                // The list goes on with its last value once a scale of 0 was read.
                next = next
                    .checked_add(reader.se()?)?
                    .checked_add(256)?
                    .checked_rem(256)?;
            }
        }
    }
    Some(())
}

const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// Level 6.2 allows 139,264 macroblocks; one side can have at most sqrt(8 times that).
const MBS_MAX: u32 = 1_055;
const EXTENDED_SAR: u32 = 255;
/// A sequence parameter set that needs more than this for what we read is not one.
const BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_cropping() {
        // x264 1920x1080 High 4.0 (1088 coded lines, 8 cropped), with its VUI.
        let unit = Bytes::from_static(&[
            0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00,
            0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58,
        ]);
        let sps = Sps::parse(&unit).unwrap();
        assert_eq!(
            (sps.width, sps.height, sps.profile_name()),
            (1_920, 1_080, "High")
        );
        assert_eq!(
            (sps.bit_depth, sps.chroma_format, sps.progressive),
            (8, 1, true)
        );
        assert_eq!(
            (sps.id, sps.frame_num_bits, sps.picture_order),
            (0, 4, PictureOrder::Lsb(6))
        );
        assert_eq!((sps.reference_frames, sps.colour), (4, None));
        for len in 0..10 {
            assert_eq!(Sps::parse(&unit.slice(..len)), None, "{len} bytes");
        }
    }

    #[test]
    fn colour_is_read_where_it_is_said() {
        // 16x16 Baseline up to the cropping, then a VUI: no aspect ratio, no overscan, PAL video of full range, described
        // as BT.709 but for its matrix, which is BT.601's.
        let mut bits = "01000010 11000000 00001010 1 1 011 010 0 1 1 1 1 0".to_owned();
        bits.push_str(" 1 0 0 1 001 1 1 00000001 00000001 00000110 1");
        let bits: String = bits.replace(' ', "");
        let mut unit = vec![0x67];
        unit.extend(bits.as_bytes().chunks(8).map(|byte| {
            let value = byte
                .iter()
                .fold(0, |value, bit| value << 1 | u8::from(*bit == b'1'));
            value << (8 - byte.len())
        }));
        let sps = Sps::parse(&unit.into()).unwrap();
        assert_eq!((sps.width, sps.height), (16, 16));
        assert_eq!(sps.picture_order, PictureOrder::AsDecoded);
        assert_eq!(sps.reference_frames, 1);
        let colour = Colour {
            full_range: true,
            primaries: 1,
            transfer: 1,
            matrix: 6,
        };
        assert_eq!(sps.colour, Some(colour));
    }
}
