use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock::Stamp;

/// Video frames remembered: more than two minutes at 30 per second, so the oldest group that a server may still start
/// a viewer with is in it.
pub(crate) const FRAMES_MAX: usize = 4096;

/// One video frame that a host sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Its number among all video frames of this host, from 0, never reused.
    pub(crate) index: u64,
    /// Its presentation time in milliseconds on the host's continuous timeline.
    pub(crate) pts_ms: i64,
    /// Just before its last byte was handed to the kernel.
    pub(crate) at: Stamp,
    /// [`crate::rtp::digest`] of its slices.
    pub(crate) digest: u64,
    /// Whether it is an IDR picture.
    pub(crate) keyframe: bool,
}

/// What one host sent, written by the host, copied by the engines.
#[derive(Debug, Default)]
pub(crate) struct Log {
    frames: Mutex<VecDeque<Sent>>,
    /// One more than the newest frame's index.
    next: AtomicU64,
}

impl Log {
    /// Notes a frame. Its index must be one more than the one before.
    pub(crate) fn push(&self, sent: Sent) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if frames.len() >= FRAMES_MAX {
            frames.pop_front();
        }
        frames.push_back(sent);
        self.next.store(sent.index + 1, Ordering::Release);
    }

    /// The newest frame.
    #[cfg(test)]
    pub(crate) fn newest(&self) -> Option<Sent> {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames.back().copied()
    }

    /// Copies to the end of `into` what it does not have yet, and cuts it to [`FRAMES_MAX`]. Costs next to nothing when
    /// there is nothing new.
    pub(crate) fn copy_new(&self, into: &mut VecDeque<Sent>) {
        let next = into.back().map_or(0, |sent| sent.index + 1);
        if self.next.load(Ordering::Acquire) <= next {
            return;
        }
        {
            let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            let first = frames.front().map_or(0, |sent| sent.index);
            let skip = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
            into.extend(frames.iter().skip(skip).copied());
        }
        while into.len() > FRAMES_MAX {
            into.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(index: u64) -> Sent {
        Sent {
            index,
            pts_ms: 33,
            at: Stamp(index),
            digest: index,
            keyframe: false,
        }
    }

    #[test]
    fn a_copy_follows_the_log_and_both_stay_bounded() {
        let log = Log::default();
        let mut copy = VecDeque::new();
        for round in 0..3_u64 {
            for index in 0..3000 {
                log.push(sent(round * 3000 + index));
            }
            log.copy_new(&mut copy);
            log.copy_new(&mut copy);
            assert!(copy.len() <= FRAMES_MAX);
            assert_eq!(copy.back(), log.newest().as_ref());
            let indexes: Vec<_> = copy.iter().map(|sent| sent.index).collect();
            assert!(indexes.windows(2).all(|pair| pair[1] == pair[0] + 1));
        }
    }
}
