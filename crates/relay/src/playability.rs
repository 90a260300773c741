//! Recognises in a host's tracks what WebRTC viewers can't play, or not in full, so that it is said instead of shown as
//! a black or stuttering picture.

use zongzi_media::{Codec, Kind, h264};

/// Why a track can't be played over WebRTC, or not in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
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
    /// The video has B-frames, which viewers don't get. All other pictures they do: a third to half of them.
    ReducedFrameRate,
    /// The video has B-frames that nearly all other pictures refer to: viewers get the keyframes and little else.
    KeyframesOnly,
}

/// What viewers miss, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// There is sound, if the host sends any, but no picture.
    NoPicture,
    /// There is a picture, if the host sends one, but no sound.
    NoSound,
    /// The picture stands still for seconds at a time.
    SlideShow,
    /// The picture moves less smoothly than the host sends it.
    FewerPictures,
}

impl Reason {
    /// The stable word for public JSON, events and metric labels.
    pub fn code(self) -> &'static str {
        match self {
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::VideoCodec(_) => "video_codec",
            Self::VideoFormat => "video_format",
            Self::AudioCodec(_) => "audio_codec",
            Self::HeAac => "he_aac",
            Self::ReducedFrameRate => "reduced_frame_rate",
            Self::KeyframesOnly => "keyframes_only",
        }
    }

    /// What viewers miss.
    pub fn severity(self) -> Severity {
        match self {
            Self::Hevc | Self::Av1 | Self::VideoCodec(_) | Self::VideoFormat => Severity::NoPicture,
            Self::AudioCodec(_) | Self::HeAac => Severity::NoSound,
            Self::KeyframesOnly => Severity::SlideShow,
            Self::ReducedFrameRate => Severity::FewerPictures,
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

/// Whether two configurations decode alike, so that a host that repeats its headers changes nothing.
pub(crate) fn same_headers(one: &h264::Config, other: &h264::Config) -> bool {
    one.length_size == other.length_size && one.sps == other.sps && one.pps == other.pps
}

#[cfg(test)]
mod tests;
