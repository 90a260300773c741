//! The I/P rendition: an H.264 stream without its B pictures, at no cost but reading headers.
//!
//! WebRTC decoders cannot put pictures in order, so B pictures must go. What is left is the same bytes: with x264's
//! faster presets bit-identical pictures at a third to half of the frame rate. Where a P picture refers to a B picture
//! (slower presets keep several references) it cannot be decoded without it and goes too, and with it all that refers
//! to it: in the worst case keyframes are left. [`Rendition::push`] finds out from the headers, picture by picture: it
//! keeps the decoder's list of references (ITU-T H.264 §8.2.4 and §8.2.5) and lets a P picture pass when each of its
//! active references was let pass.

use zongzi_media::h264::{self, NalType, NalUnits, SliceType};
use zongzi_media::{Frame, MediaTime};

use crate::h264::{ParameterSets, References, SliceHeader};

/// Leaves out what a decoder without reordering cannot show.
#[derive(Debug)]
pub struct Rendition {
    length_size: u8,
    sets: ParameterSets,
    references: References,
    /// Time of the newest picture that passed.
    last: Option<MediaTime>,
    counts: Counts,
}

/// What became of the pictures so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Passed on.
    pub kept: u64,
    /// B pictures, left out.
    pub b: u64,
    /// P pictures that refer to something left out, or that could not be read: left out too. Where there are any, the
    /// rendition is a slide show and should give way to a re-encode.
    pub orphans: u64,
}

impl Rendition {
    /// Begins a stream of this configuration; a new configuration needs a new rendition.
    pub fn new(config: &h264::Config) -> Self {
        let mut sets = ParameterSets::default();
        sets.take_all(config.sps.iter().chain(&config.pps));
        Self {
            length_size: config.length_size,
            sets,
            references: References::default(),
            last: None,
            counts: Counts::default(),
        }
    }

    /// Takes the next access unit in decoding order, and gives it back if it stays: the same bytes, its time of
    /// decoding now its time of presentation.
    pub fn push(&mut self, frame: &Frame) -> Option<Frame> {
        let mut slices = Vec::new();
        for unit in NalUnits::new(frame.payload.clone(), self.length_size) {
            match unit.nal_type() {
                NalType::SPS | NalType::PPS => self.sets.take(&unit),
                kind if kind.is_slice() && slices.len() < SLICES_MAX => {
                    slices.push(SliceHeader::read(&unit, &self.sets));
                }
                _ => {}
            }
        }
        let in_order = self.last.is_none_or(|last| last < frame.pts);
        if !self.decide(&slices, in_order) {
            return None;
        }
        self.last = Some(frame.pts);
        Some(Frame {
            dts: frame.pts,
            ..frame.clone()
        })
    }

    /// What became of the pictures so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn decide(&mut self, slices: &[Option<SliceHeader>], in_order: bool) -> bool {
        let Some(Some(first)) = slices.first() else {
            self.counts.orphans += 1;
            return false;
        };
        self.references.begin(first);
        let b = slices
            .iter()
            .flatten()
            .any(|slice| slice.slice_type == SliceType::B);
        let complete = slices.iter().all(|slice| {
            slice
                .as_ref()
                .is_some_and(|slice| self.references.suffice(slice))
        });
        let kept = complete && in_order;
        self.references.end(first, kept);
        match (kept, b) {
            (true, _) => self.counts.kept += 1,
            (false, true) => self.counts.b += 1,
            (false, false) => self.counts.orphans += 1,
        }
        kept
    }
}

/// Slices of a picture that are read; more than an encoder for live streams makes. What is left unread is taken to be
/// like the others.
const SLICES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, OBS, X264_MEDIUM, X264_SLOW_BF8};

    fn counts(file: &'static [u8]) -> (u64, u64, u64) {
        let (config, frames) = fixture::video(file);
        let mut rendition = Rendition::new(&config);
        let kept: Vec<Frame> = frames
            .iter()
            .filter_map(|frame| rendition.push(frame))
            .collect();
        assert!(kept.iter().all(|frame| frame.dts == frame.pts));
        assert!(kept.is_sorted_by(|one, next| one.pts < next.pts));
        let Counts { kept, b, orphans } = rendition.counts();
        (kept, b, orphans)
    }

    #[test]
    fn only_b_pictures_are_missing_from_stock_obs() {
        // ffmpeg decoded what stays of the whole capture (154 of 451 pictures) bit-identically to the original.
        assert_eq!(counts(OBS), (22, 38, 0));
    }

    #[test]
    fn b_pictures_that_are_no_references_can_always_go() {
        assert_eq!(counts(X264_SLOW_BF8), (12, 48, 0));
    }

    #[test]
    fn p_pictures_that_refer_to_b_pictures_go_with_them() {
        // The first P picture has nothing but the keyframe to refer to.
        assert_eq!(counts(X264_MEDIUM), (2, 44, 14));
    }

    #[test]
    fn after_a_lost_picture_nothing_passes_before_the_next_keyframe() {
        let (config, frames) = fixture::video(X264_SLOW_BF8);
        // The second picture is the first P.
        let lost = 1;
        let mut rendition = Rendition::new(&config);
        let kept: Vec<usize> = (0..frames.len())
            .filter(|index| *index != lost && rendition.push(&frames[*index]).is_some())
            .collect();
        let keyframes: Vec<usize> = (0..frames.len())
            .filter(|index| frames[*index].keyframe)
            .collect();
        assert_eq!(
            kept[..2],
            keyframes[..2],
            "nothing between the first two keyframes"
        );
        assert!(kept.len() > 2);
    }

    #[test]
    fn garbage_is_left_out() {
        let (config, frames) = fixture::video(OBS);
        let mut rendition = Rendition::new(&config);
        for length in 0..frames[1].payload.len().min(64) {
            let cut = Frame {
                payload: frames[1].payload.slice(..length),
                ..frames[1].clone()
            };
            assert_eq!(rendition.push(&cut), None, "{length} bytes");
        }
        assert_eq!(rendition.counts().orphans, 64);
    }
}
