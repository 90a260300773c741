//! The newest group of a video track, kept so that a viewer can begin at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zongzi_media::{Frame, MediaTime};

use crate::packetize::Batch;

/// What can be kept in a [`Groups`]: a frame, or a frame's packets.
pub trait Item {
    /// The clock by which the span of a group is measured.
    type Time: Copy;

    /// A group begins here.
    fn is_keyframe(&self) -> bool;
    /// Its size, in bytes.
    fn bytes(&self) -> usize;
    /// Its time.
    fn time(&self) -> Self::Time;
    /// The span between two times; zero if `later` is earlier.
    fn span(earlier: Self::Time, later: Self::Time) -> Duration;
}

/// What a cached group may grow to. Beyond any of these the group is given up and joiners wait for the next keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From the keyframe to the newest frame. Default 25 s: what Chromium's frame buffer holds at 30 pictures a second,
    /// three times the keyframe interval of an untouched OBS.
    pub span_max: Duration,
    /// Frames of a group. Default 800: the most that Chromium's frame buffer takes (RTP.md 16).
    pub frames_max: usize,
    /// Bytes of a group. Default 32 MiB: 25 s at 10 Mb/s.
    pub bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            span_max: Duration::from_secs(25),
            frames_max: 800,
            bytes_max: 32 << 20,
        }
    }
}

/// The newest group of one video track: a keyframe and what followed it, within [`Bounds`].
#[derive(Debug)]
pub struct Groups<T> {
    bounds: Bounds,
    newest: Vec<T>,
    bytes: usize,
    overruns: u64,
}

/// What became of a pushed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the newest group.
    Cached,
    /// It broke a bound: the group was given up just now. Until the next keyframe nobody can join.
    Overrun,
    /// It is not kept: there is no keyframe before it.
    NotKept,
}

impl<T: Item> Groups<T> {
    /// An empty cache.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            newest: Vec::new(),
            bytes: 0,
            overruns: 0,
        }
    }

    /// Adds the next item in decode order. A keyframe begins a new group and lets the old one go.
    pub fn push(&mut self, item: T) -> Pushed {
        if item.is_keyframe() {
            self.clear();
        } else if self.newest.is_empty() {
            return Pushed::NotKept;
        }
        let start = self.newest.first().unwrap_or(&item).time();
        let bytes = self.bytes.saturating_add(item.bytes());
        if bytes > self.bounds.bytes_max
            || self.newest.len() >= self.bounds.frames_max
            || T::span(start, item.time()) > self.bounds.span_max
        {
            self.clear();
            self.overruns = self.overruns.saturating_add(1);
            return Pushed::Overrun;
        }
        self.bytes = bytes;
        self.newest.push(item);
        Pushed::Cached
    }

    /// Forgets everything; joiners wait for the next keyframe.
    pub fn clear(&mut self) {
        // The memory goes too: a group that ran over must not leave its room behind.
        self.newest = Vec::new();
        self.bytes = 0;
    }

    /// The newest group, keyframe first; empty when there is none to join.
    pub fn newest(&self) -> &[T] {
        &self.newest
    }

    /// Size of the newest group, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many groups were given up because they broke a bound.
    pub fn overruns(&self) -> u64 {
        self.overruns
    }
}

impl Item for Frame {
    type Time = MediaTime;

    fn is_keyframe(&self) -> bool {
        self.keyframe
    }

    fn bytes(&self) -> usize {
        self.payload.len()
    }

    fn time(&self) -> MediaTime {
        self.dts
    }

    fn span(earlier: MediaTime, later: MediaTime) -> Duration {
        later.saturating_since(earlier)
    }
}

impl Item for Arc<Batch> {
    type Time = Instant;

    fn is_keyframe(&self) -> bool {
        Batch::is_keyframe(self)
    }

    fn bytes(&self) -> usize {
        Batch::bytes(self)
    }

    fn time(&self) -> Instant {
        self.received
    }

    fn span(earlier: Instant, later: Instant) -> Duration {
        later.saturating_duration_since(earlier)
    }
}

#[cfg(test)]
mod tests;
