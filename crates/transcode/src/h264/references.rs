#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zongzi_media::h264::SliceType;

use super::slice::{Command, Marking, Modification, SliceHeader};

/// The frames that a decoder keeps for reference (ITU-T H.264 §8.2.5), and for each whether the rendition has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct References {
    /// At most 16, in decoding order.
    frames: Vec<Reference>,
    /// frame_num of the newest reference picture.
    last: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reference {
    frame_num: u32,
    /// LongTermFrameIdx, once it is a long-term reference.
    long: Option<u32>,
    /// The rendition kept it, so a decoder has it.
    present: bool,
}

impl References {
    /// Whether everything that this slice of a P picture may refer to is present. I slices refer to nothing; of B
    /// slices it says nothing.
    pub(crate) fn suffice(&self, slice: &SliceHeader) -> bool {
        match slice.slice_type {
            SliceType::I | SliceType::Si => true,
            SliceType::B => false,
            SliceType::P | SliceType::Sp => self
                .list(slice)
                .is_some_and(|list| list.iter().all(|entry| entry.is_some_and(|it| it.present))),
        }
    }

    /// A picture begins: frames that are missing before it (their numbers are left out) take their places.
    pub(crate) fn begin(&mut self, slice: &SliceHeader) {
        if slice.idr {
            return;
        }
        let Some(last) = self.last.filter(|last| *last != slice.frame_num) else {
            return;
        };
        // §8.2.5.2. More than the window holds need not be walked through.
        let missing = wrapping_difference(slice.frame_num, last, slice.frame_num_max)
            .saturating_sub(1)
            .min(FRAMES_MAX);
        for back in (1..=missing).rev() {
            let frame_num = wrapping_difference(slice.frame_num, back, slice.frame_num_max);
            self.slide(slice.reference_frames);
            self.frames.push(Reference {
                frame_num,
                long: None,
                present: false,
            });
        }
    }

    /// A reference picture ends: it is marked, and takes its place if the rendition kept it or not.
    pub(crate) fn end(&mut self, slice: &SliceHeader, present: bool) {
        if !slice.is_reference {
            return;
        }
        let mut current = Reference {
            frame_num: slice.frame_num,
            long: None,
            present,
        };
        if slice.idr {
            self.frames.clear();
        }
        match &slice.marking {
            Marking::SlidingWindow => self.slide(slice.reference_frames),
            Marking::LongTermIdr => current.long = Some(0),
            Marking::Commands(commands) => {
                for command in commands {
                    self.execute(*command, slice, &mut current);
                }
                // An encoder that forgets too few breaks the standard's bound, not ours.
                self.slide(slice.reference_frames);
            }
        }
        self.last = Some(current.frame_num);
        self.frames.push(current);
    }

    /// The initial list 0 of a P slice (§8.2.4.2.1), modified (§8.2.4.3). An entry without a frame is `None`.
    fn list(&self, slice: &SliceHeader) -> Option<Vec<Option<Reference>>> {
        let number = |frame: &Reference| picture_number(frame, slice);
        let mut short: Vec<_> = self
            .frames
            .iter()
            .filter(|frame| frame.long.is_none())
            .collect();
        short.sort_by_key(|frame| std::cmp::Reverse(number(frame)));
        let mut long: Vec<_> = self
            .frames
            .iter()
            .filter(|frame| frame.long.is_some())
            .collect();
        long.sort_by_key(|frame| frame.long);
        let mut list: Vec<_> = short
            .iter()
            .chain(&long)
            .map(|frame| Some(**frame))
            .collect();
        list.resize(slice.references, None);
        let mut predicted = i64::from(slice.frame_num);
        let wrap = i64::from(slice.frame_num_max);
        for (index, modification) in slice.modifications.iter().enumerate() {
            let found = match *modification {
                Modification::LongTerm(number) => long.iter().find(|it| it.long == Some(number)),
                Modification::Subtract(difference) | Modification::Add(difference) => {
                    let step = match modification {
                        Modification::Add(_) => i64::from(difference),
                        _ => i64::from(difference).checked_neg()?,
                    };
                    predicted = predicted.checked_add(step)?.checked_rem_euclid(wrap)?;
                    let wanted = if predicted > i64::from(slice.frame_num) {
                        predicted.checked_sub(wrap)?
                    } else {
                        predicted
                    };
                    short.iter().find(|frame| number(frame) == wanted)
                }
            };
            let found = found.map(|frame| **frame);
            // It moves to this place; what was here moves on.
            let mut tail = list.split_off(index.min(list.len()));
            if found.is_some() {
                tail.retain(|entry| *entry != found);
            }
            list.push(found);
            list.append(&mut tail);
            list.truncate(slice.references);
            list.resize(slice.references, None);
        }
        Some(list)
    }

    /// §8.2.5.4.
    fn execute(&mut self, command: Command, slice: &SliceHeader, current: &mut Reference) {
        let short = |difference: u32| {
            let frame_num = wrapping_difference(slice.frame_num, difference, slice.frame_num_max);
            move |frame: &Reference| frame.long.is_none() && frame.frame_num == frame_num
        };
        match command {
            Command::ForgetShort { difference } => {
                let forgotten = short(difference);
                self.frames.retain(|frame| !forgotten(frame));
            }
            Command::ForgetLong { number } => self.frames.retain(|it| it.long != Some(number)),
            Command::MakeLong { difference, index } => {
                let wanted = short(difference);
                self.frames.retain(|frame| frame.long != Some(index));
                if let Some(frame) = self.frames.iter_mut().find(|frame| wanted(frame)) {
                    frame.long = Some(index);
                }
            }
            Command::LimitLong { indices } => {
                self.frames
                    .retain(|frame| frame.long.is_none_or(|index| index < indices));
            }
            Command::ForgetAll => {
                self.frames.clear();
                // From here on it counts as frame 0 (§7.4.3).
                current.frame_num = 0;
            }
            Command::CurrentIsLong { index } => {
                self.frames.retain(|frame| frame.long != Some(index));
                current.long = Some(index);
            }
        }
    }

    /// Makes room for one more (§8.2.5.3).
    fn slide(&mut self, most: usize) {
        while self.frames.len() >= most.clamp(1, 16) {
            let oldest = self.frames.iter().position(|frame| frame.long.is_none());
            self.frames.remove(oldest.unwrap_or(0));
        }
    }
}

/// PicNum of a frame (§8.2.4.1).
fn picture_number(frame: &Reference, slice: &SliceHeader) -> i64 {
    let number = i64::from(frame.frame_num);
    if frame.frame_num > slice.frame_num {
        number.saturating_sub(i64::from(slice.frame_num_max))
    } else {
        number
    }
}

fn wrapping_difference(from: u32, less: u32, wrap: u32) -> u32 {
    let wrap = wrap.max(1);
    let less = less.checked_rem(wrap).unwrap_or(0);
    from.saturating_add(wrap)
        .saturating_sub(less)
        .checked_rem(wrap)
        .unwrap_or(0)
}

/// More missing frames than this push everything out of any window.
const FRAMES_MAX: u32 = 16;
