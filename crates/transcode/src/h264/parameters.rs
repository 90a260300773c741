#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

use bytes::Bytes;
use zongzi_media::bits::BitReader;
use zongzi_media::h264::{Colour, NalType, NalUnit, Sps};

/// The parameter sets of a stream by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParameterSets {
    /// At most 32.
    sequence: BTreeMap<u32, Sps>,
    /// At most 256.
    picture: BTreeMap<u32, Picture>,
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
        match unit.nal_type() {
            NalType::SPS => {
                if let Some(sequence) = Sps::parse(unit.bytes()) {
                    self.sequence.insert(sequence.id, sequence);
                }
            }
            NalType::PPS => {
                let rbsp = unit.rbsp(BYTES_MAX);
                if let Some((id, picture)) = Picture::read(&mut BitReader::new(&rbsp)) {
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
    pub(super) fn of(&self, picture: u32) -> Option<(&Picture, &Sps)> {
        let picture = self.picture.get(&picture)?;
        Some((picture, self.sequence.get(&picture.sequence)?))
    }

    /// The colour description of the first sequence parameter set.
    pub(crate) fn colour(&self) -> Option<Colour> {
        self.sequence.values().next()?.colour
    }
}

impl Picture {
    fn read(reader: &mut BitReader<'_>) -> Option<(u32, Self)> {
        let id = reader.ue_at_most(255)?;
        let sequence = reader.ue_at_most(31)?;
        reader.bit()?;
        let bottom_field_order = reader.bit()?;
        // Slice groups (flexible macroblock order) exist in Baseline on paper only.
        reader.ue_at_most(0)?;
        let mut reference = || usize::try_from(reader.ue_at_most(31)?.checked_add(1)?).ok();
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

/// A parameter set that needs more than this for what we read is not one.
const BYTES_MAX: usize = 1_024;
