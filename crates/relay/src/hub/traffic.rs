use std::sync::atomic::{AtomicU64, Ordering};

/// What came in, counted by the broadcast's owner and read by everyone.
#[derive(Debug, Default)]
pub(super) struct Counter {
    bytes: AtomicU64,
    video_frames: AtomicU64,
    audio_frames: AtomicU64,
    host_bytes: AtomicU64,
}

/// What came in from the hosts of one broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes of media since the broadcast started.
    pub bytes: u64,
    /// Pictures since then.
    pub video_frames: u64,
    /// Frames of sound since then.
    pub audio_frames: u64,
    /// Bytes of media from the present host.
    pub host_bytes: u64,
}

impl Counter {
    /// More has come. Its owner alone writes: a load and a store each.
    pub(super) fn add(&self, bytes: u64, video_frames: u64, audio_frames: u64) {
        for (counter, more) in [
            (&self.bytes, bytes),
            (&self.host_bytes, bytes),
            (&self.video_frames, video_frames),
            (&self.audio_frames, audio_frames),
        ] {
            let sum = counter.load(Ordering::Relaxed).wrapping_add(more);
            counter.store(sum, Ordering::Relaxed);
        }
    }

    /// A broadcast starts.
    pub(super) fn start_over(&self) {
        for counter in [&self.bytes, &self.video_frames, &self.audio_frames] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// A host begins.
    pub(super) fn host_arrived(&self) {
        self.host_bytes.store(0, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Traffic {
        Traffic {
            bytes: self.bytes.load(Ordering::Relaxed),
            video_frames: self.video_frames.load(Ordering::Relaxed),
            audio_frames: self.audio_frames.load(Ordering::Relaxed),
            host_bytes: self.host_bytes.load(Ordering::Relaxed),
        }
    }
}
