//! Finds HE-AAC that its configuration keeps silent about.
//!
//! With implicit signalling (ISO/IEC 14496-3 §1.6.5.3) the configuration says AAC-LC at half the real rate, and a
//! decoder of LC plays the stream without an error: dull, because the upper half of the band is missing, and with
//! parametric stereo in mono. Only the frames tell: the data of spectral band replication are a fill element
//! (§4.4.2.7) with extension_type EXT_SBR_DATA or EXT_SBR_DATA_CRC.
//!
//! To reach that element one would have to decode the whole frame. But it is the last one (§4.5.2.8.2.2: right after
//! its channel element; hosts send one), so it must end exactly where the END element begins; and END is the last thing
//! before the zero bits that fill the last byte. So each length that a fill element can have is tried backwards from
//! the end. By accident that fits in 1 to 2 frames of 100; in HE-AAC it fits always.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::hash::{DefaultHasher, Hash, Hasher};

/// Looks at the first frames of a track.
#[derive(Debug, Clone, Default)]
pub struct Detector {
    /// Hashes of the different frames seen. The same frame again (silence) proves nothing more.
    seen: Vec<u64>,
    fits: usize,
    verdict: Verdict,
}

/// What the frames say so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Too few different frames.
    #[default]
    Undecided,
    /// Plain AAC-LC.
    LowComplexity,
    /// HE-AAC, version 1 or 2.
    HighEfficiency,
}

impl Detector {
    /// Takes the next raw_data_block. Once decided, the answer stays and frames cost nothing.
    pub fn push(&mut self, raw_data_block: &[u8]) -> Verdict {
        if self.verdict == Verdict::Undecided {
            let mut hasher = DefaultHasher::new();
            raw_data_block.hash(&mut hasher);
            let hash = hasher.finish();
            if !self.seen.contains(&hash) {
                self.seen.push(hash);
                self.fits = self.fits.saturating_add(has_sbr(raw_data_block).into());
                self.decide();
            }
        }
        self.verdict
    }

    fn decide(&mut self) {
        let misfits = self.seen.len().saturating_sub(self.fits);
        if self.fits >= FITS {
            self.verdict = Verdict::HighEfficiency;
        } else if misfits > FRAMES.saturating_sub(FITS) {
            self.verdict = Verdict::LowComplexity;
        }
    }
}

/// Different frames that are looked at, at most.
const FRAMES: usize = 16;
/// How many of them must look like HE-AAC: four of five.
const FITS: usize = 13;

/// Whether a fill element with SBR data can end where the frame ends.
fn has_sbr(block: &[u8]) -> bool {
    let Some(end) = end_element(block) else {
        return false;
    };
    // Encoders at a constant bit rate may put fill elements of mere padding behind it.
    let mut ends = vec![end];
    for _ in 0..PADDINGS_MAX {
        let mut before = Vec::new();
        for end in ends {
            for fill in fills_before(block, end) {
                match fill.extension_type {
                    Some(EXT_SBR_DATA | EXT_SBR_DATA_CRC) => return true,
                    None | Some(EXT_FILL | EXT_FILL_DATA) => before.push(fill.start),
                    Some(_) => {}
                }
            }
        }
        ends = before;
        ends.truncate(ENDS_MAX);
    }
    false
}

struct Fill {
    /// Its first bit.
    start: usize,
    /// `None` when it is empty.
    extension_type: Option<u32>,
}

/// Every fill element that can end at bit `end`.
fn fills_before(block: &[u8], end: usize) -> impl Iterator<Item = Fill> {
    let plain = (0..15_u32).map(|count| (count, count, 7));
    let escaped = (0..=255_u32).map(|escape| (14_u32.saturating_add(escape), 15 << 8 | escape, 15));
    plain
        .chain(escaped)
        .filter_map(move |(count, code, header_bits)| {
            let payload_bits = usize::try_from(count).ok()?.checked_mul(8)?;
            let payload = end.checked_sub(payload_bits)?;
            let start = payload.checked_sub(header_bits)?;
            let code_bits = header_bits.checked_sub(3)?;
            let code_start = start.checked_add(3)?;
            if bits(block, start, 3)? != ID_FIL || bits(block, code_start, code_bits)? != code {
                return None;
            }
            let extension_type = if count == 0 {
                None
            } else {
                Some(bits(block, payload, 4)?)
            };
            Some(Fill {
                start,
                extension_type,
            })
        })
}

/// The first bit of the END element: three ones, the last bits that are not padding.
fn end_element(block: &[u8]) -> Option<usize> {
    let last = block.iter().rposition(|byte| *byte != 0)?;
    let padding = usize::try_from(block.get(last)?.trailing_zeros()).ok()?;
    let end = last
        .checked_add(1)?
        .checked_mul(8)?
        .checked_sub(padding)?
        .checked_sub(3)?;
    (bits(block, end, 3)? == ID_END).then_some(end)
}

/// `count` bits from bit `start` on, as a number.
fn bits(block: &[u8], start: usize, count: usize) -> Option<u32> {
    let mut value = 0;
    for position in start..start.checked_add(count)? {
        let byte = block.get(position >> 3)?;
        value = value << 1 | u32::from(byte >> (7 - (position & 7)) & 1);
    }
    Some(value)
}

/// ISO/IEC 14496-3 table 4.85.
const ID_FIL: u32 = 6;
const ID_END: u32 = 7;
/// ISO/IEC 14496-3 table 4.121.
const EXT_FILL: u32 = 0;
const EXT_FILL_DATA: u32 = 1;
const EXT_SBR_DATA: u32 = 13;
const EXT_SBR_DATA_CRC: u32 = 14;
/// Fill elements stepped over, and places kept, while looking for the SBR data behind padding.
const PADDINGS_MAX: usize = 3;
const ENDS_MAX: usize = 4;
