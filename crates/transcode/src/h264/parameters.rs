#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

use bytes::Bytes;
use zongzi_media::bits::BitReader;
use zongzi_media::h264::{NalType, NalUnit};

use super::unescape;

/// The parameter sets of a stream by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParameterSets {
    /// At most 32.
    sequence: BTreeMap<u32, Sequence>,
    /// At most 256.
    picture: BTreeMap<u32, Picture>,
}

/// Of a sequence parameter set (ITU-T H.264 §7.3.2.1.1), what slice headers and references depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Bits of frame_num: 4 to 16.
    pub(super) frame_num_bits: u32,
    pub(super) picture_order: PictureOrder,
    /// Reference frames that are kept, 0 to 16.
    pub(super) reference_frames: usize,
    /// Slices have a colour_plane_id.
    pub(super) separate_planes: bool,
    /// There is chroma in the same slices.
    pub(super) chroma: bool,
    pub(super) frames_only: bool,
    /// As the stream says it.
    pub(crate) colour: Option<Colour>,
}

/// pic_order_cnt_type and what it puts into slice headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PictureOrder {
    /// Type 0: bits of pic_order_cnt_lsb.
    Lsb(u32),
    /// Type 1: whether deltas are in the slice headers.
    Deltas(bool),
    /// Type 2: output order is decoding order.
    AsDecoded,
}

/// The meaning of the samples (ITU-T H.264 §E.2.1), to be passed on to who encodes them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) full_range: bool,
    /// colour_primaries, transfer_characteristics, matrix_coefficients; 2 is "unspecified".
    pub(crate) primaries: u8,
    pub(crate) transfer: u8,
    pub(crate) matrix: u8,
}

/// Of a picture parameter set (§7.3.2.2), what slice headers depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    sequence: u32,
    pub(super) bottom_field_order: bool,
    /// num_ref_idx_l0 and l1_default_active, 1 to 32.
    pub(super) references: [usize; 2],
    pub(super) weighted: bool,
    pub(super) weighted_bipred_explicit: bool,
    pub(super) redundant_count: bool,
}

impl ParameterSets {
    /// Takes a parameter set, replacing the one of its number; other NAL units, and broken ones, are passed over.
    pub(crate) fn take(&mut self, unit: &NalUnit) {
        let Some(body) = unit.bytes().get(1..) else {
            return;
        };
        let rbsp = unescape(body, BYTES_MAX);
        let mut reader = BitReader::new(&rbsp);
        match unit.nal_type() {
            NalType::SPS => {
                if let Some((id, sequence)) = Sequence::read(&mut reader) {
                    self.sequence.insert(id, sequence);
                }
            }
            NalType::PPS => {
                if let Some((id, picture)) = Picture::read(&mut reader) {
                    self.picture.insert(id, picture);
                }
            }
            _ => {}
        }
    }

    /// Takes all of a configuration record.
    pub(crate) fn take_all<'a>(&mut self, units: impl Iterator<Item = &'a Bytes>) {
        units
            .filter_map(|bytes| NalUnit::new(bytes.clone()))
            .for_each(|unit| self.take(&unit));
    }

    /// The picture parameter set of this number, and the sequence parameter set that it belongs to.
    pub(super) fn of(&self, picture: u32) -> Option<(&Picture, &Sequence)> {
        let picture = self.picture.get(&picture)?;
        Some((picture, self.sequence.get(&picture.sequence)?))
    }

    /// The colour description of the first sequence parameter set.
    pub(crate) fn colour(&self) -> Option<Colour> {
        self.sequence.values().next()?.colour
    }
}

impl Sequence {
    fn read(reader: &mut BitReader<'_>) -> Option<(u32, Self)> {
        let profile = reader.bits(8)?;
        reader.skip(16)?;
        let id = at_most(reader.ue()?, 31)?;
        let mut chroma_format = 1;
        let mut separate_planes = false;
        if HIGH_PROFILES.contains(&profile) {
            chroma_format = at_most(reader.ue()?, 3)?;
            if chroma_format == 3 {
                separate_planes = reader.bit()?;
            }
            at_most(reader.ue()?, 6)?;
            at_most(reader.ue()?, 6)?;
            reader.bit()?;
            if reader.bit()? {
                skip_scaling_matrix(reader, if chroma_format == 3 { 12 } else { 8 })?;
            }
        }
        let frame_num_bits = at_most(reader.ue()?, 12)?.checked_add(4)?;
        let picture_order = match reader.ue()? {
            0 => PictureOrder::Lsb(at_most(reader.ue()?, 12)?.checked_add(4)?),
            1 => {
                let always_zero = reader.bit()?;
                reader.se()?;
                reader.se()?;
                for _ in 0..at_most(reader.ue()?, 255)? {
                    reader.se()?;
                }
                PictureOrder::Deltas(!always_zero)
            }
            2 => PictureOrder::AsDecoded,
            _ => return None,
        };
        let reference_frames = usize::try_from(at_most(reader.ue()?, 16)?).ok()?;
        reader.bit()?;
        reader.ue()?;
        reader.ue()?;
        let frames_only = reader.bit()?;
        if !frames_only {
            reader.bit()?;
        }
        reader.bit()?;
        if reader.bit()? {
            for _ in 0..4 {
                reader.ue()?;
            }
        }
        let colour = if reader.bit()? {
            read_colour(reader)
        } else {
            None
        };
        let sequence = Self {
            frame_num_bits,
            picture_order,
            reference_frames,
            separate_planes,
            chroma: chroma_format != 0 && !separate_planes,
            frames_only,
            colour,
        };
        Some((id, sequence))
    }
}

impl Picture {
    fn read(reader: &mut BitReader<'_>) -> Option<(u32, Self)> {
        let id = at_most(reader.ue()?, 255)?;
        let sequence = at_most(reader.ue()?, 31)?;
        reader.bit()?;
        let bottom_field_order = reader.bit()?;
        // Slice groups (flexible macroblock order) exist in Baseline on paper only.
        at_most(reader.ue()?, 0)?;
        let mut reference = || usize::try_from(at_most(reader.ue()?, 31)?.checked_add(1)?).ok();
        let references = [reference()?, reference()?];
        let weighted = reader.bit()?;
        let weighted_bipred_explicit = reader.bits(2)? == 1;
        for _ in 0..3 {
            reader.se()?;
        }
        reader.skip(2)?;
        let redundant_count = reader.bit()?;
        let picture = Self {
            sequence,
            bottom_field_order,
            references,
            weighted,
            weighted_bipred_explicit,
            redundant_count,
        };
        Some((id, picture))
    }
}

/// The beginning of vui_parameters (§E.1.1).
fn read_colour(reader: &mut BitReader<'_>) -> Option<Colour> {
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
    Some(Colour {
        full_range,
        primaries: code()?,
        transfer: code()?,
        matrix: code()?,
    })
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
                next = next
                    .checked_add(reader.se()?)?
                    .checked_add(256)?
                    .checked_rem(256)?;
            }
        }
    }
    Some(())
}

pub(super) fn at_most(value: u32, most: u32) -> Option<u32> {
    (value <= most).then_some(value)
}

const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
const EXTENDED_SAR: u32 = 255;
/// A parameter set that needs more than this for what we read is not one.
const BYTES_MAX: usize = 1_024;
