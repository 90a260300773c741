use std::collections::BTreeMap;

use serde::Serialize;

use crate::Timestamp;

/// What everyone may know of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelStatus {
    /// Its name.
    pub channel: String,
    /// Its title, for people; empty when it has none.
    pub title: String,
    /// Whether it is shown only to those who have a playback token.
    pub private: bool,
    /// Whether a host is live on it.
    pub state: State,
    /// Viewers whose transport is proved and alive; those in the waiting room are not counted. 0 without a broadcast.
    pub viewers: u64,
    /// These by what they speak: `webrtc`. What nobody speaks has no entry.
    pub viewers_by_protocol: BTreeMap<&'static str, u64>,
    /// Most viewers at a time in the present broadcast.
    pub viewers_peak: u64,
    /// All sessions that were viewers of the present broadcast; whoever comes back counts again.
    pub viewers_total: u64,
    /// How many people those were: whom playback tokens name is counted once, everyone else by session.
    pub viewers_unique: u64,
    /// Sessions that stand and wait for a host.
    pub waiting: u64,
    /// Since when the present broadcast runs.
    pub since: Option<Timestamp>,
    /// The codecs of the present broadcast as RFC 6381 names, such as `avc1.64001f` and `mp4a.40.2`.
    pub codecs: Vec<String>,
    /// Which video viewers of the present broadcast get; null while there is none.
    pub video: Option<VideoStatus>,
    /// Why the present broadcast can't be played, or not in full. If there are several, the one that costs most.
    pub reason: Option<Reason>,
}

/// The video that viewers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VideoStatus {
    /// `source` (the host's own), `without_b_frames` (what is left of it without them), or `reencoded`.
    pub rendition: &'static str,
    /// Shown width in pixels.
    pub width: Option<u32>,
    /// Shown height in pixels.
    pub height: Option<u32>,
    /// The server is too busy for more than every second picture.
    pub half_rate: bool,
}

/// Whether a host is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No broadcast; who joins waits for the host.
    Offline,
    /// A host is live.
    Live,
    /// The host was lost a moment ago and may come back to the same broadcast.
    Interrupted,
}

/// Why a broadcast can't be played, or not in full: a code for programs, put into words by the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The video is HEVC. No picture.
    Hevc,
    /// The video is AV1. No picture.
    Av1,
    /// The video has another codec that can't be played. No picture.
    VideoCodec,
    /// The audio has a codec that can't be played. No sound.
    AudioCodec,
    /// The audio is HE-AAC. No sound.
    HeAac,
    /// The video has B-frames, which browsers don't take over WebRTC: viewers get it without them, at a third to half
    /// of the frame rate.
    ReducedFrameRate,
    /// The video has B-frames that nearly all other pictures need: viewers get little more than the keyframes.
    KeyframesOnly,
    /// No keyframe has come for long: who joins waits for a picture.
    NoKeyframe,
    /// The host's upload stops again and again: the picture freezes.
    UploadStalls,
}

impl Reason {
    /// Its code in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::VideoCodec => "video_codec",
            Self::AudioCodec => "audio_codec",
            Self::HeAac => "he_aac",
            Self::ReducedFrameRate => "reduced_frame_rate",
            Self::KeyframesOnly => "keyframes_only",
            Self::NoKeyframe => "no_keyframe",
            Self::UploadStalls => "upload_stalls",
        }
    }
}
