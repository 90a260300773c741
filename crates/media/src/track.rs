use crate::{aac, h264, opus};

/// Names a track within one broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u16);

impl TrackId {
    /// The first video track of a host; protocols without track numbers use it.
    pub const VIDEO: Self = Self(0);
    /// The first audio track of a host; protocols without track numbers use it.
    pub const AUDIO: Self = Self(1);
}

/// What a track is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// A track of a broadcast: its name and how it is coded. A new `Track` with the same id replaces the configuration
/// from the next frame on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Its name within the broadcast.
    pub id: TrackId,
    /// How its frames are coded.
    pub codec: Codec,
}

/// How the frames of a track are coded, with the configuration that a decoder needs.
///
/// Codecs that Zongzi recognises but cannot yet play are here too, so that hosts and viewers can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// H.264 / AVC (ISO/IEC 14496-10).
    H264(h264::Config),
    /// H.265 / HEVC; recognised only.
    Hevc,
    /// AV1; recognised only.
    Av1,
    /// AAC (ISO/IEC 14496-3).
    Aac(aac::Config),
    /// Opus (RFC 6716).
    Opus(opus::Config),
    /// MP3; recognised only.
    Mp3,
    /// A video codec that is neither of these, by the name its protocol gives it.
    OtherVideo(&'static str),
    /// An audio codec that is neither of these, by the name its protocol gives it.
    OtherAudio(&'static str),
}

impl Codec {
    /// Pictures or sound.
    pub fn kind(&self) -> Kind {
        match self {
            Self::H264(_) | Self::Hevc | Self::Av1 | Self::OtherVideo(_) => Kind::Video,
            Self::Aac(_) | Self::Opus(_) | Self::Mp3 | Self::OtherAudio(_) => Kind::Audio,
        }
    }

    /// The codec's everyday name, for people: `H.264`, `AAC` …
    pub fn name(&self) -> &'static str {
        match self {
            Self::H264(_) => "H.264",
            Self::Hevc => "HEVC",
            Self::Av1 => "AV1",
            Self::Aac(_) => "AAC",
            Self::Opus(_) => "Opus",
            Self::Mp3 => "MP3",
            Self::OtherVideo(name) | Self::OtherAudio(name) => name,
        }
    }

    /// The codec string that web APIs use (RFC 6381 §3.3), where the configuration gives one: `avc1.64001f`,
    /// `mp4a.40.2`, `opus`.
    pub fn rfc6381(&self) -> Option<String> {
        match self {
            Self::H264(config) => Some(config.rfc6381()),
            Self::Aac(config) => Some(config.rfc6381()),
            Self::Opus(_) => Some("opus".to_owned()),
            _ => None,
        }
    }
}
