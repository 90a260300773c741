//! Pictures in the order in which they are shown.
//!
//! A stream without B pictures passes untouched: every picture, the same bytes, in the instant it comes. From the first
//! B slice on, what WebRTC decoders cannot take is left out (RTP.md 50), and what stays is sent when its time has come.
//!
//! **Why pictures wait.** An encoder with B pictures sends a P picture before the B pictures that are shown before it:
//! with OBS 133 ms early. Sound comes in time. Sent on at once, the picture would run ahead of the sound by as much,
//! unevenly. So it waits, as in a decoder that reorders, until the host's decode times have reached its presentation
//! time. The first picture of all does not wait.

use std::collections::VecDeque;

use zongzi_media::h264::{NalUnit, SliceType, slice_type};
use zongzi_media::{Frame, MediaTime};

use crate::playability::Reason;
use crate::rendition::{Fate, InOrderRendition};

/// One H.264 track on its way to viewers. It begins with a keyframe.
#[derive(Debug, Default)]
pub(super) struct Order {
    rendition: Option<Box<dyn InOrderRendition>>,
    /// Pictures so far; no further than [`PICTURES_JUDGED`].
    seen: usize,
    /// It has had B pictures. It stays so: an encoder that uses them now and then would otherwise change between two
    /// ways of timing.
    reorders: bool,
    /// Known to come in order, until a B slice shows otherwise.
    in_order: bool,
    waiting: VecDeque<Picture>,
    /// Decode time of the newest picture.
    reached: Option<MediaTime>,
    /// Presentation time of the newest picture that has passed.
    passed: Option<MediaTime>,
    census: Census,
}

/// An access unit, taken apart.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) frame: Frame,
    pub(super) units: Vec<NalUnit>,
}

impl Order {
    /// For a new configuration or a new host: nothing of what was before holds. Pictures that wait are void.
    pub(super) fn new(rendition: Box<dyn InOrderRendition>) -> Self {
        Self {
            rendition: Some(rendition),
            ..Self::default()
        }
    }

    /// Takes the next picture in decoding order. Then [`Order::pop`] is asked until it has nothing more. `false`: it is
    /// left out.
    pub(super) fn push(&mut self, picture: Picture) -> bool {
        let fate = self
            .rendition
            .as_mut()
            .map_or(Fate::Kept, |rendition| rendition.push(&picture.frame));
        self.seen = (self.seen + 1).min(PICTURES_JUDGED);
        let starts_in_order = self.seen == 1 && picture.frame.pts == picture.frame.dts;
        self.in_order |= starts_in_order || self.seen >= PICTURES_JUDGED;
        self.reorders |= picture
            .units
            .iter()
            .any(|unit| slice_type(unit) == Some(SliceType::B));
        self.reached = Some(picture.frame.dts);
        if self.reorders {
            self.census.count(fate);
            let later = self.passed.is_none_or(|passed| passed < picture.frame.pts);
            if fate != Fate::Kept || !later {
                return false;
            }
        }
        self.passed = Some(picture.frame.pts);
        self.waiting.push_back(picture);
        true
    }

    /// The next picture whose time has come.
    pub(super) fn pop(&mut self) -> Option<Picture> {
        let next = self.waiting.front()?;
        let due = !self.reorders
            || self.waiting.len() > WAITING_MAX
            || self.reached.is_none_or(|reached| next.frame.pts <= reached);
        if due { self.waiting.pop_front() } else { None }
    }

    /// It has had B pictures.
    pub(super) fn reorders(&self) -> bool {
        self.reorders
    }

    /// It has had B pictures, or begins as a stream that has.
    pub(super) fn may_reorder(&self) -> bool {
        self.verdict() != Some(Ok(()))
    }

    /// Presentation time of the first picture that waits for its time.
    pub(super) fn waits_for(&self) -> Option<MediaTime> {
        self.waiting.front().map(|picture| picture.frame.pts)
    }

    /// Whether viewers get all pictures, or why they don't; `None`: not known yet.
    pub(super) fn verdict(&self) -> Option<Result<(), Reason>> {
        if self.reorders {
            return Some(Err(self.census.reason()));
        }
        self.in_order.then_some(Ok(()))
    }
}

/// Counts what becomes of pictures, to tell fewer pictures from a slide show.
#[derive(Debug, Default)]
struct Census {
    pictures: u32,
    kept: u32,
    orphans: u32,
    slide_show: bool,
}

impl Census {
    fn count(&mut self, fate: Fate) {
        self.pictures += 1;
        self.kept += u32::from(fate == Fate::Kept);
        self.orphans += u32::from(fate == Fate::Orphan);
        // What is said to people changes only when it is clear, and once a window at most.
        if self.orphans > self.kept {
            self.slide_show = true;
        } else if self.pictures == WINDOW && self.orphans == 0 {
            self.slide_show = false;
        }
        if self.pictures == WINDOW {
            *self = Self {
                slide_show: self.slide_show,
                ..Self::default()
            };
        }
    }

    fn reason(&self) -> Reason {
        if self.slide_show {
            Reason::KeyframesOnly
        } else {
            Reason::ReducedFrameRate
        }
    }
}

/// Pictures after which a stream that shifts presentation times, and had no B slice, counts as one without: x264
/// decides over its lookahead whether to use B-frames, and the first are there by the third picture unless the scene
/// is cut up.
const PICTURES_JUDGED: usize = 8;
/// Pictures that wait for their time: as many as a decoder may hold back (ITU-T H.264 §A.3.1). A host whose times lie
/// further ahead is not waited for.
const WAITING_MAX: usize = 16;
/// Pictures that are counted before it is said anew what viewers get: 1 s at 30 a second.
const WINDOW: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, InOrder, Picture as Kind, picture, units};

    fn order() -> Order {
        Order::new(Box::<InOrder>::default())
    }

    /// Pushes a picture and gives the times of those that pass, in milliseconds.
    fn push(order: &mut Order, frame: Frame) -> Vec<i64> {
        let units = units(&frame);
        order.push(Picture { frame, units });
        std::iter::from_fn(|| order.pop())
            .map(|picture| picture.frame.pts.micros_since(MediaTime::ZERO) / 1_000)
            .collect()
    }

    /// A picture decoded at `dts` and shown at `pts`, in milliseconds.
    fn at(dts: i64, pts: i64, kind: Kind) -> Frame {
        let mut frame = picture(dts * 1_000, kind, 50);
        frame.pts = MediaTime::from_millis(pts);
        frame
    }

    #[test]
    fn the_first_picture_passes_at_once_and_later_ones_when_their_time_has_come() {
        let mut order = order();
        let (idr, p, b) = (Kind::Idr, Kind::P, Kind::B);
        for (frame, passed) in [
            (at(0, 66, idr), vec![66]),
            (at(33, 166, p), vec![166]),
            (at(66, 133, b), vec![]),
            (at(100, 100, b), vec![]),
            (at(133, 266, p), vec![]),
            (at(166, 233, b), vec![]),
            (at(200, 200, b), vec![]),
            (at(233, 366, p), vec![]),
            (at(266, 333, b), vec![266]),
            (at(300, 466, idr), vec![]),
            (at(366, 533, p), vec![366]),
            (at(466, 500, b), vec![466]),
        ] {
            assert_eq!(push(&mut order, frame.clone()), passed, "{:?}", frame.dts);
        }
    }

    #[test]
    fn a_stream_without_b_pictures_passes_as_it_comes() {
        for shift in [0, 66] {
            let mut order = order();
            for number in 0..100 {
                let kind = if number == 0 { Kind::Idr } else { Kind::P };
                let frame = at(number * 33, number * 33 + shift, kind);
                assert_eq!(push(&mut order, frame), [number * 33 + shift]);
                let known = shift == 0 || number >= 7;
                assert_eq!(order.verdict(), known.then_some(Ok(())), "{number}");
            }
        }
    }

    #[test]
    fn untouched_obs_is_recognised_by_its_third_picture() {
        let mut order = order();
        let mut verdicts = Vec::new();
        for frame in fixture::pictures(fixture::OBS_STOCK) {
            push(&mut order, frame);
            verdicts.push(order.verdict());
        }
        assert_eq!(verdicts[..2], [None, None]);
        let reduced = Some(Err(Reason::ReducedFrameRate));
        assert!(verdicts[2..].iter().all(|verdict| *verdict == reduced));
    }

    #[test]
    fn pictures_that_miss_what_they_refer_to_make_a_slide_show_until_none_does() {
        let mut order = order();
        push(&mut order, at(-1, -1, Kind::B));
        let mut reason = |orphan, time| {
            let kind = if orphan { Kind::Orphan } else { Kind::P };
            push(&mut order, at(time, time, kind));
            order.verdict().unwrap().unwrap_err()
        };
        assert_eq!(reason(false, 0), Reason::ReducedFrameRate);
        let mut frames = (1..).map(|number| number * 33);
        let mut run = |orphan, frames_to_come| {
            let times = frames.by_ref().take(frames_to_come);
            times.map(|time| reason(orphan, time)).last().unwrap()
        };
        assert_eq!(run(true, 2), Reason::KeyframesOnly);
        // To the end of this window, and through one without orphans.
        assert_eq!(run(false, 26 + 29), Reason::KeyframesOnly);
        assert_eq!(run(false, 1), Reason::ReducedFrameRate);
    }

    #[test]
    fn times_far_ahead_are_not_waited_for() {
        let mut order = order();
        push(&mut order, at(0, 0, Kind::B));
        let passed: usize = (0..100)
            .map(|number| push(&mut order, at(number, 1_000_000 + number, Kind::P)).len())
            .sum();
        assert_eq!(passed, 100 - WAITING_MAX);
        // A step back after them never shows.
        assert!(push(&mut order, at(101, 50, Kind::P)).is_empty());
    }
}
