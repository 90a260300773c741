use std::time::Duration;

use crate::{Frame, MediaTime};

/// A keyframe and the frames that follow it, in decode order: the smallest run of a video track that can be decoded on
/// its own.
///
/// Frames of other tracks that arrived in between are not part of it. Bounding a group is its owner's task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    sequence: u64,
    frames: Vec<Frame>,
    bytes: usize,
}

impl Group {
    /// A group that starts with `keyframe`; `sequence` counts the groups of its track.
    pub fn new(sequence: u64, keyframe: Frame) -> Self {
        let bytes = keyframe.payload.len();
        Self {
            sequence,
            frames: vec![keyframe],
            bytes,
        }
    }

    /// Adds the next frame in decode order.
    pub fn push(&mut self, frame: Frame) {
        self.bytes = self.bytes.saturating_add(frame.payload.len());
        self.frames.push(frame);
    }

    /// Its number among the groups of its track.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The frames, keyframe first.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Sum of the payloads, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Decode time of the keyframe.
    pub fn start(&self) -> MediaTime {
        self.frames
            .first()
            .map_or(MediaTime::ZERO, |frame| frame.dts)
    }

    /// From the keyframe's decode time to the newest frame's.
    pub fn span(&self) -> Duration {
        self.frames.last().map_or(Duration::ZERO, |frame| {
            frame.dts.saturating_since(self.start())
        })
    }
}
