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
const FRAMES: usize = 24;
/// How many of them must look like HE-AAC: three of four (an encoder's first two or three frames have no SBR data).
const FITS: usize = 18;

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
        let bit = byte.rotate_left(u32::try_from(position & 7).ok()?) >> 7;
        value = value << 1 | u32::from(bit);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, HE_V1, HE_V2, OBS_LC};

    fn verdict(frames: &[&[u8]]) -> Verdict {
        let mut detector = Detector::default();
        frames
            .iter()
            .fold(Verdict::Undecided, |_, frame| detector.push(frame))
    }

    #[test]
    fn high_efficiency_is_seen_in_both_versions() {
        for file in [HE_V1, HE_V2] {
            assert_eq!(verdict(&fixture::frames(file)), Verdict::HighEfficiency);
        }
    }

    #[test]
    fn the_data_are_found_behind_padding_too() {
        // Three in each end in fill elements of padding.
        for (file, fits) in [(HE_V1, 24), (HE_V2, 24)] {
            let frames = fixture::frames(file);
            assert_eq!(frames.iter().filter(|frame| has_sbr(frame)).count(), fits);
        }
    }

    #[test]
    fn low_complexity_is_cleared() {
        assert_eq!(verdict(&fixture::frames(OBS_LC)), Verdict::LowComplexity);
    }

    #[test]
    fn silence_decides_nothing() {
        let silence = fixture::frames(OBS_LC)[2];
        assert_eq!(verdict(&[silence; 1_000]), Verdict::Undecided);
        let he = fixture::frames(HE_V1)[5];
        assert_eq!(verdict(&[he; 1_000]), Verdict::Undecided);
    }

    #[test]
    fn chance_does_not_look_like_high_efficiency() {
        // Random frames that end as frames do.
        let mut state = 1_u64;
        let mut fits = 0;
        for _ in 0..10_000 {
            let mut frame: Vec<u8> = (0..300)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    state.to_be_bytes()[0]
                })
                .collect();
            frame.push(0b0111_0000);
            fits += usize::from(has_sbr(&frame));
        }
        assert!(fits < 400, "{fits} of 10,000");
    }

    #[test]
    fn stumps_are_no_trouble() {
        for frame in [&[][..], &[0], &[0, 0, 0], &[0xff], &[0xdc], &[7], &[0xe0]] {
            assert!(!has_sbr(frame), "{frame:?}");
        }
    }
}
