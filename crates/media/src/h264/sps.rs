#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use crate::bits::BitReader;

/// What a sequence parameter set says of the pictures (ITU-T H.264 §7.3.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sps {
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
}

impl Sps {
    /// Parses a NAL unit of type 7; `None` if it is another, cut short or beyond the standard's bounds.
    pub fn parse(unit: &Bytes) -> Option<Self> {
        let (header, body) = unit.split_first()?;
        if header & 0x1f != 7 {
            return None;
        }
        // A sequence parameter set that needs more than this for what we read is not one.
        let rbsp = unescape(body.get(..body.len().min(MAX_BYTES))?);
        let mut reader = BitReader::new(&rbsp);
        let profile = u8::try_from(reader.bits(8)?).ok()?;
        let constraints = u8::try_from(reader.bits(8)?).ok()?;
        let level = u8::try_from(reader.bits(8)?).ok()?;
        at_most(reader.ue()?, 31)?;
        let (mut chroma_format, mut bit_depth) = (1, 8);
        if HIGH_PROFILES.contains(&profile) {
            chroma_format = at_most(reader.ue()?, 3)?;
            if chroma_format == 3 {
                reader.bit()?;
            }
            bit_depth = at_most(reader.ue()?, 6)?.checked_add(8)?;
            at_most(reader.ue()?, 6)?;
            reader.bit()?;
            if reader.bit()? {
                skip_scaling_matrix(&mut reader, if chroma_format == 3 { 12 } else { 8 })?;
            }
        }
        at_most(reader.ue()?, 12)?;
        skip_picture_order(&mut reader)?;
        at_most(reader.ue()?, 16)?;
        reader.bit()?;
        let width_mbs = at_most(reader.ue()?, MAX_MBS)?.checked_add(1)?;
        let height_units = at_most(reader.ue()?, MAX_MBS)?.checked_add(1)?;
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
            profile,
            constraints,
            level,
            chroma_format: u8::try_from(chroma_format).ok()?,
            bit_depth: u8::try_from(bit_depth).ok()?,
            width,
            height,
            progressive,
        })
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

fn at_most(value: u32, most: u32) -> Option<u32> {
    (value <= most).then_some(value)
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

fn skip_picture_order(reader: &mut BitReader<'_>) -> Option<()> {
    match at_most(reader.ue()?, 2)? {
        0 => {
            at_most(reader.ue()?, 12)?;
        }
        1 => {
            reader.bit()?;
            reader.se()?;
            reader.se()?;
            for _ in 0..at_most(reader.ue()?, 255)? {
                reader.se()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Takes out emulation prevention bytes (§7.4.1.1).
fn unescape(body: &[u8]) -> Vec<u8> {
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

const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// Level 6.2 allows 139,264 macroblocks; one side can have at most sqrt(8 times that).
const MAX_MBS: u32 = 1_055;
const MAX_BYTES: usize = 1_024;

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
        for len in 0..10 {
            assert_eq!(Sps::parse(&unit.slice(..len)), None, "{len} bytes");
        }
    }
}
