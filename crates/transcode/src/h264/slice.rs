#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zongzi_media::bits::BitReader;
use zongzi_media::h264::{NalType, NalUnit, PictureOrder, SliceType, Sps};

use super::parameters::{ParameterSets, Picture};

/// A slice's header (ITU-T H.264 §7.3.3) as far as the marking of references, of a picture that is a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SliceHeader {
    pub(crate) slice_type: SliceType,
    /// nal_ref_idc is not 0: later pictures may refer to it.
    pub(crate) is_reference: bool,
    pub(super) idr: bool,
    pub(super) frame_num: u32,
    /// MaxFrameNum of its sequence.
    pub(super) frame_num_max: u32,
    /// Reference frames that its sequence keeps.
    pub(super) reference_frames: usize,
    /// num_ref_idx_l0_active; 0 in I slices.
    pub(super) references: usize,
    /// ref_pic_list_modification of list 0.
    pub(super) modifications: Vec<Modification>,
    pub(super) marking: Marking,
}

/// One modification_of_pic_nums_idc and its operand (§7.4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modification {
    Subtract(u32),
    Add(u32),
    LongTerm(u32),
}

/// dec_ref_pic_marking (§7.4.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marking {
    /// The oldest goes when there are too many; also where the picture is no reference.
    SlidingWindow,
    /// IDR with long_term_reference_flag.
    LongTermIdr,
    Commands(Vec<Command>),
}

/// One memory_management_control_operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    ForgetShort { difference: u32 },
    ForgetLong { number: u32 },
    MakeLong { difference: u32, index: u32 },
    LimitLong { indices: u32 },
    ForgetAll,
    CurrentIsLong { index: u32 },
}

impl SliceHeader {
    /// Reads the header of a slice; `None` for other NAL units, for fields, and for what is broken or refers to
    /// unknown parameter sets.
    pub(crate) fn read(unit: &NalUnit, sets: &ParameterSets) -> Option<Self> {
        if !unit.nal_type().has_slice_header() {
            return None;
        }
        let rbsp = unit.rbsp(BYTES_MAX);
        let reader = &mut BitReader::new(&rbsp);
        reader.ue()?;
        let slice_type = SliceType::of_code(reader.ue()?)?;
        let (picture, sequence) = sets.of(reader.ue()?)?;
        if sequence.separate_planes {
            reader.skip(2)?;
        }
        let frame_num = reader.bits(sequence.frame_num_bits)?;
        if !sequence.progressive && reader.bit()? {
            return None;
        }
        let idr = unit.nal_type() == NalType::IDR;
        if idr {
            reader.ue()?;
        }
        skip_picture_order(reader, picture, sequence)?;
        if picture.redundant_count {
            reader.ue()?;
        }
        if slice_type == SliceType::B {
            reader.bit()?;
        }
        let references = read_reference_counts(reader, slice_type, picture)?;
        let mut modifications = Vec::new();
        for list in 0..lists(slice_type) {
            let read = read_modifications(reader)?;
            if list == 0 {
                modifications = read;
            }
        }
        let explicit_weights = match slice_type {
            SliceType::P | SliceType::Sp => picture.weighted,
            SliceType::B => picture.weighted_bipred_explicit,
            SliceType::I | SliceType::Si => false,
        };
        if explicit_weights {
            skip_weights(reader, references, lists(slice_type), sequence.has_chroma())?;
        }
        let is_reference = unit.is_reference();
        let marking = match (is_reference, idr) {
            (false, _) => Marking::SlidingWindow,
            (true, true) => {
                reader.bit()?;
                if reader.bit()? {
                    Marking::LongTermIdr
                } else {
                    Marking::SlidingWindow
                }
            }
            (true, false) if reader.bit()? => Marking::Commands(read_commands(reader)?),
            (true, false) => Marking::SlidingWindow,
        };
        Some(Self {
            slice_type,
            is_reference,
            idr,
            frame_num,
            frame_num_max: 1_u32.checked_shl(sequence.frame_num_bits)?,
            reference_frames: usize::from(sequence.reference_frames),
            references: references[0],
            modifications,
            marking,
        })
    }
}

/// Reference lists that a slice has.
fn lists(slice_type: SliceType) -> usize {
    match slice_type {
        SliceType::I | SliceType::Si => 0,
        SliceType::P | SliceType::Sp => 1,
        SliceType::B => 2,
    }
}

fn skip_picture_order(reader: &mut BitReader<'_>, picture: &Picture, sequence: &Sps) -> Option<()> {
    match sequence.picture_order {
        PictureOrder::Lsb(bits) => {
            reader.bits(bits)?;
            if picture.bottom_field_order {
                reader.se()?;
            }
        }
        PictureOrder::Deltas(true) => {
            reader.se()?;
            if picture.bottom_field_order {
                reader.se()?;
            }
        }
        PictureOrder::Deltas(false) | PictureOrder::AsDecoded => {}
    }
    Some(())
}

/// Active references of list 0 and list 1.
fn read_reference_counts(
    reader: &mut BitReader<'_>,
    slice_type: SliceType,
    picture: &Picture,
) -> Option<[usize; 2]> {
    let mut counts = [0, 0];
    let lists = lists(slice_type);
    for (count, default) in counts.iter_mut().zip(picture.references).take(lists) {
        *count = default;
    }
    if lists > 0 && reader.bit()? {
        for count in counts.iter_mut().take(lists) {
            *count = usize::try_from(reader.ue_at_most(31)?.checked_add(1)?).ok()?;
        }
    }
    Some(counts)
}

/// §7.3.3.1.
fn read_modifications(reader: &mut BitReader<'_>) -> Option<Vec<Modification>> {
    let mut modifications = Vec::new();
    if reader.bit()? {
        for _ in 0..=MODIFICATIONS_MAX {
            let kind = reader.ue()?;
            if kind == 3 {
                return Some(modifications);
            }
            let operand = reader.ue()?;
            modifications.push(match kind {
                0 => Modification::Subtract(operand.checked_add(1)?),
                1 => Modification::Add(operand.checked_add(1)?),
                2 => Modification::LongTerm(operand),
                _ => return None,
            });
        }
        return None;
    }
    Some(modifications)
}

/// pred_weight_table (§7.3.3.2).
fn skip_weights(
    reader: &mut BitReader<'_>,
    references: [usize; 2],
    lists: usize,
    chroma: bool,
) -> Option<()> {
    reader.ue()?;
    if chroma {
        reader.ue()?;
    }
    for count in references.into_iter().take(lists) {
        for _ in 0..count {
            let luma = if reader.bit()? { 2 } else { 0 };
            for _ in 0..luma {
                reader.se()?;
            }
            let chroma = if chroma && reader.bit()? { 4 } else { 0 };
            for _ in 0..chroma {
                reader.se()?;
            }
        }
    }
    Some(())
}

fn read_commands(reader: &mut BitReader<'_>) -> Option<Vec<Command>> {
    let mut commands = Vec::new();
    for _ in 0..=COMMANDS_MAX {
        let command = match reader.ue()? {
            0 => return Some(commands),
            1 => Command::ForgetShort {
                difference: reader.ue()?.checked_add(1)?,
            },
            2 => Command::ForgetLong {
                number: reader.ue()?,
            },
            3 => Command::MakeLong {
                difference: reader.ue()?.checked_add(1)?,
                index: reader.ue()?,
            },
            4 => Command::LimitLong {
                indices: reader.ue()?,
            },
            5 => Command::ForgetAll,
            6 => Command::CurrentIsLong {
                index: reader.ue()?,
            },
            _ => return None,
        };
        commands.push(command);
    }
    None
}

/// One for each possible reference and the end (§7.4.3.1).
const MODIFICATIONS_MAX: usize = 33;
/// Every reference forgotten and made long-term, and a few more (§7.4.3.3 gives no number).
const COMMANDS_MAX: usize = 64;
/// Headers with full tables of weights need about 600 bytes.
const BYTES_MAX: usize = 1_024;
