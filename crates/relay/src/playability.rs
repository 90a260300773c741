//! Recognises in a host's tracks and first frames what WebRTC viewers can't play, so that it is said instead of shown
//! as a black or smeared picture.
//!
//! **How B-frames are caught in time.** Until a verdict nothing is sent. A first picture whose presentation time equals
//! its decode time can't have pictures reordered around it, so such a stream is let through with its first frame.
//! Where the host shifts presentation (every encoder with B-frames must, and a few without do), the first
//! [`HELD_FRAMES`] frames are held back and looked at: in decode order the B slices of an untouched OBS are there by
//! the third. Every later frame is looked at too; a B slice that comes late stops the picture *before* it is sent,
//! with the last good picture standing. The verdict holds until the track's configuration changes or a host begins:
//! an encoder that uses B-frames now and then would otherwise flicker between playing and not.

use std::fmt;

use zongzi_media::h264::{self, NalUnit, SliceType, slice_type};
use zongzi_media::{Codec, Frame, Kind};

/// Why a track can't be played over WebRTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Pictures are coded out of order.
    BFrames,
    /// H.265.
    Hevc,
    /// AV1.
    Av1,
    /// Another video codec, by its protocol's name.
    VideoCodec(&'static str),
    /// H.264 that browsers don't decode: more than 8 bits a sample, or colour that is not 4:2:0.
    VideoFormat,
    /// An audio codec that is neither AAC-LC nor Opus, by name.
    AudioCodec(&'static str),
    /// AAC with spectral band replication.
    HeAac,
}

/// What viewers miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// There is sound, if the host sends any, but no picture.
    NoPicture,
    /// There is a picture, if the host sends one, but no sound.
    NoSound,
}

impl Reason {
    /// The stable word for public JSON, events and metric labels.
    pub fn code(self) -> &'static str {
        match self {
            Self::BFrames => "b_frames",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::VideoCodec(_) => "video_codec",
            Self::VideoFormat => "video_format",
            Self::AudioCodec(_) => "audio_codec",
            Self::HeAac => "he_aac",
        }
    }

    /// What viewers miss.
    pub fn severity(self) -> Severity {
        match self {
            Self::BFrames | Self::Hevc | Self::Av1 | Self::VideoCodec(_) | Self::VideoFormat => {
                Severity::NoPicture
            }
            Self::AudioCodec(_) | Self::HeAac => Severity::NoSound,
        }
    }

    /// The OBS setting that mends it, for the log.
    pub fn obs_hint(self) -> &'static str {
        match self {
            Self::BFrames => {
                "in OBS: Settings > Output > Output Mode Advanced > Streaming: with x264 write bframes=0 into \
                 'x264 Options' (or choose Tune zerolatency); with a hardware encoder set 'Max B-frames' to 0"
            }
            Self::Hevc | Self::Av1 | Self::VideoCodec(_) => {
                "in OBS: Settings > Output > Streaming > Video Encoder: choose x264 or a hardware H.264 encoder"
            }
            Self::VideoFormat => {
                "in OBS: Settings > Advanced > Color Format: choose NV12 (8-bit, 4:2:0), and Profile high, main or \
                 baseline under Settings > Output"
            }
            Self::AudioCodec(_) => {
                "in OBS: Settings > Output > Streaming > Audio Encoder: choose an AAC encoder"
            }
            Self::HeAac => {
                "in OBS: Settings > Output > Audio: choose 96 kb/s or more, and an AAC encoder that is not HE-AAC"
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BFrames => f.write_str("the video has B-frames"),
            Self::Hevc => f.write_str("the video is HEVC"),
            Self::Av1 => f.write_str("the video is AV1"),
            Self::VideoCodec(name) => write!(f, "the video codec is {name}"),
            Self::VideoFormat => f.write_str("the video is not 8-bit 4:2:0"),
            Self::AudioCodec(name) => write!(f, "the audio codec is {name}"),
            Self::HeAac => f.write_str("the audio is HE-AAC"),
        }
    }
}

/// What a track's configuration alone says; `None`: nothing against it.
pub fn of_codec(codec: &Codec) -> Option<Reason> {
    match codec {
        Codec::H264(config) => {
            let sps = config.parsed.as_ref()?;
            (sps.chroma_format != 1 || sps.bit_depth != 8).then_some(Reason::VideoFormat)
        }
        Codec::Hevc => Some(Reason::Hevc),
        Codec::Av1 => Some(Reason::Av1),
        Codec::OtherVideo(name) => Some(Reason::VideoCodec(name)),
        Codec::Aac(config) if config.explicit_sbr => Some(Reason::HeAac),
        Codec::Aac(config) if config.object_type != zongzi_media::aac::OBJECT_LC => {
            Some(Reason::AudioCodec("AAC that is not LC"))
        }
        Codec::Aac(_) | Codec::Opus(_) => None,
        Codec::Mp3 => Some(Reason::AudioCodec("MP3")),
        Codec::OtherAudio(name) => Some(Reason::AudioCodec(name)),
        other => Some(match other.kind() {
            Kind::Video => Reason::VideoCodec(other.name()),
            Kind::Audio => Reason::AudioCodec(other.name()),
        }),
    }
}

/// Judges the frames of one H.264 track, from its first keyframe on. See the module for when it decides.
#[derive(Debug, Default)]
pub struct Judge {
    seen: usize,
    verdict: Option<Result<(), Reason>>,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not known yet: keep it back, in order.
    Hold,
    /// Send what was held, then it.
    Play,
    /// Drop it, and what was held.
    Unplayable(Reason),
}

impl Judge {
    /// Looks at the next frame, in decode order; the first one is a keyframe.
    pub fn look(&mut self, frame: &Frame, units: &[NalUnit]) -> Verdict {
        if let Some(Err(reason)) = self.verdict {
            return Verdict::Unplayable(reason);
        }
        if units
            .iter()
            .any(|unit| slice_type(unit) == Some(SliceType::B))
        {
            self.verdict = Some(Err(Reason::BFrames));
            return Verdict::Unplayable(Reason::BFrames);
        }
        self.seen = self.seen.saturating_add(1);
        let in_order = self.seen == 1 && frame.pts == frame.dts;
        if self.verdict.is_none() && (in_order || self.seen >= HELD_FRAMES) {
            self.verdict = Some(Ok(()));
        }
        match self.verdict {
            Some(_) => Verdict::Play,
            None => Verdict::Hold,
        }
    }

    /// A new configuration or a new host: judge anew unless it is the same track going on.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The reason not to play, once there is one.
    pub fn reason(&self) -> Option<Reason> {
        self.verdict.and_then(Result::err)
    }
}

/// Whether two configurations decode alike, so that a host that repeats its headers changes nothing.
pub(crate) fn same_headers(one: &h264::Config, other: &h264::Config) -> bool {
    one.length_size == other.length_size && one.sps == other.sps && one.pps == other.pps
}

/// Frames held back while it is unknown whether the host reorders: 0.27 s at 30 a second, once per host. x264 decides
/// over its lookahead whether to use B-frames; the first are there by the third frame unless the scene is cut up.
pub const HELD_FRAMES: usize = 8;

#[cfg(test)]
mod tests;
