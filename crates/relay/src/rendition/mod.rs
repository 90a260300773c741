//! Tracks made from tracks: the seam to the codecs, and the threads they run on.
//!
//! The relay names no codec library. Whoever wires the process gives the hub a [`Renditions`].
//!
//! **Sound** is made while a viewer needs it: the hub starts a rendition with the first and stops it with the last.
//! Work is done on a small fixed number of threads ([`Pool`]); each rendition has a short queue of its own, and one
//! that can't keep up loses its own input, counted. Nothing of it is on the way of the source's frames.
//!
//! **Pictures without B-frames** are picked from what is there ([`InOrderRendition`]): headers are read, nothing is
//! decoded, so it is a plain call in the broadcast's own task. Where they are encoded again ([`VideoRendition`]) the
//! relay knows only how to start that, and gets the pictures back when they are made: where and on what it runs is the
//! implementer's.

mod pool;

pub(crate) use pool::{Handle, Made};
pub use pool::{Pool, PoolCounts, QUEUE_FRAMES_MAX};

use std::fmt;

use zongzi_media::{Frame, MediaTime, aac, h264};

use crate::playability::Reason;

/// Where a video comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rendition {
    /// The host's own pictures, untouched.
    Source,
    /// The host's own pictures but for those that need reordering.
    InOrder,
    /// All pictures, encoded again.
    Reencoded,
}

impl Rendition {
    /// A stable word for JSON and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::InOrder => "without_b_frames",
            Self::Reencoded => "reencoded",
        }
    }

    /// Whether the host's encoder makes B-frames, and so sends the sound of a picture after it.
    pub fn is_of_b_frames(self) -> bool {
        self != Self::Source
    }
}

/// Makes Opus frames from another codec's frames. Called on one thread at a time.
#[expect(
    clippy::module_name_repetitions,
    reason = "implemented far from here, where the bare word says nothing"
)]
pub trait AudioRendition: Send {
    /// Takes the next source frame (its times are on the broadcast's timeline) and appends to `out` what is ready:
    /// Opus packets, 48 kHz, each where the one before ended, with times on the same timeline. The `track` of what comes out is ignored.
    /// The effort may change with each frame, and is not to be heard where it does.
    ///
    /// # Errors
    /// [`RenditionError::Frame`]: this frame was lost, go on. [`RenditionError::Unplayable`]: no frame of this track
    /// will ever work.
    fn push(
        &mut self,
        frame: &Frame,
        effort: Effort,
        out: &mut Vec<Frame>,
    ) -> Result<(), RenditionError>;

    /// The source has a gap: what is buffered inside belongs to the past.
    fn restart(&mut self);
}

/// How much is done for the sound of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// As well as it can be made.
    #[default]
    Full,
    /// As cheaply: the machine has no time for all.
    Least,
}

/// Picks the pictures of an H.264 track that a decoder can show in the order in which they come, with nothing but them.
/// Called in the broadcast's own task for every picture: it may not take longer than reading headers does.
#[expect(
    clippy::module_name_repetitions,
    reason = "implemented far from here, where the bare word says nothing"
)]
pub trait InOrderRendition: Send {
    /// Looks at the next access unit in decoding order; the first one is a keyframe. Those that are kept have ascending
    /// presentation times.
    fn push(&mut self, frame: &Frame) -> Fate;
}

/// What becomes of a picture in an [`InOrderRendition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Kept,
    /// It is a B picture and goes.
    B,
    /// It refers to something that is left out, and goes with it.
    Orphan,
}

/// Encodes a video track again without B-frames, somewhere else. Dropping it ends that.
#[expect(
    clippy::module_name_repetitions,
    reason = "implemented far from here, where the bare word says nothing"
)]
pub trait VideoRendition: Send {
    /// Hands over the next source frame in decoding order, without waiting. From the `cached` group, with which it is
    /// caught up, nothing is made. What can't be taken ends the rendition: it then delivers [`VideoMade::GaveWay`].
    ///
    /// `shown` is the presentation time of the newest picture that viewers have from elsewhere. Once it has caught up it
    /// answers `true`, and makes every picture that is later than the `shown` of the first such call, and none before.
    fn push(&mut self, frame: Frame, cached: bool, shown: Option<MediaTime>) -> bool;

    /// Viewers have lost pictures: the next one shall be a keyframe, as soon as the encoder may make another one.
    fn request_keyframe(&mut self);
}

/// What comes of a [`VideoRendition`].
#[derive(Debug)]
pub enum VideoMade {
    /// The configuration of the frames from here on; directly before a keyframe.
    Config(h264::Config),
    /// A picture with its presentation time on the broadcast's timeline, NAL units behind lengths of 4 bytes.
    Frame(Frame),
    /// From here on it does so much.
    Work(Work),
    /// It has ended by itself.
    GaveWay(GiveWay),
}

/// How much a video rendition makes: less where the machine is too slow for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Work {
    /// Every picture in its own size.
    #[default]
    Full,
    /// Every picture at half the width and height.
    HalfSize,
    /// Every second picture, at half the width and height.
    HalfRate,
}

/// Why a video rendition ended, or did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveWay {
    /// As many run as may.
    NoPlace,
    /// The machine can't keep up.
    TooSlow,
    /// This stream can't be decoded.
    Refused,
    /// It broke down.
    Broken,
}

/// What is known of a source's rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Bits a second.
    pub bits_per_second: u32,
    /// Pictures a second.
    pub pictures_per_second: f32,
}

/// Takes what a [`VideoRendition`] made, without waiting, and answers whether it did; if not, the rendition is over.
pub type DeliverVideo = Box<dyn Fn(VideoMade) -> bool + Send + Sync>;

/// Opens renditions.
pub trait Renditions: Send + Sync + 'static {
    /// The pictures of an H.264 track with this configuration that need no reordering.
    fn in_order(&self, config: &h264::Config) -> Box<dyn InOrderRendition>;

    /// The H.264 track with this configuration encoded again without B-frames: every picture, as it is shown, a
    /// keyframe every 2 s, at the source's rate as far as that is known.
    ///
    /// # Errors
    /// When it can't be begun now.
    fn reencode(
        &self,
        config: &h264::Config,
        rate: Option<Rate>,
        deliver: DeliverVideo,
    ) -> Result<Box<dyn VideoRendition>, GiveWay>;

    /// Called on each thread on which sound is made, before anything else: it may give way to more urgent ones.
    fn thread_begins(&self) {}

    /// Opus, 48 kHz stereo, from AAC with this configuration.
    ///
    /// # Errors
    /// When this AAC can't be decoded.
    fn opus(&self, config: &aac::Config) -> Result<Box<dyn AudioRendition>, Unplayable>;
}

/// Why a source can't be turned into what viewers play.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unplayable {
    /// Spectral band replication, seen in the configuration or in the frames.
    #[error("the audio is HE-AAC")]
    HeAac,
    /// Another kind of AAC, or a channel layout, that the decoder does not know; in its words.
    #[error("{0}")]
    Unsupported(String),
    /// The codec itself could not be opened: broken on our side.
    #[error("codec can't be opened: {0}")]
    Codec(String),
}

impl Unplayable {
    /// What viewers and hosts are told.
    pub fn reason(&self) -> Reason {
        match self {
            Self::HeAac => Reason::HeAac,
            Self::Unsupported(_) | Self::Codec(_) => Reason::AudioCodec("AAC"),
        }
    }
}

/// Why a frame made no rendition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(
    clippy::module_name_repetitions,
    reason = "implemented far from here, where the bare word says nothing"
)]
pub enum RenditionError {
    /// This frame only: broken bytes, as a rule.
    #[error("frame can't be decoded: {0}")]
    Frame(String),
    /// The track as a whole.
    #[error(transparent)]
    Unplayable(#[from] Unplayable),
}

impl fmt::Debug for dyn AudioRendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AudioRendition")
    }
}

impl fmt::Debug for dyn InOrderRendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InOrderRendition")
    }
}

impl fmt::Debug for dyn Renditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renditions")
    }
}

impl fmt::Debug for dyn VideoRendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VideoRendition")
    }
}
