#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;
use zongzi_media::{Codec, Frame, MediaTime, Track, TrackId, aac, h264, opus};

use super::{Body, audio, video};

/// Turns the tag bodies of one stream into tracks and frames.
///
/// Tags that are cut short, carry nothing, or are coded media before its configuration give neither. A codec that
/// can't be played gives its track and frames too: it is for others to say so.
#[derive(Debug, Default)]
pub struct Demuxer {
    video: Option<Codec>,
    audio: Option<Codec>,
}

/// What one tag gave: a track's first or changed configuration, a frame, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demuxed {
    /// Comes before the frame.
    pub track: Option<Track>,
    /// Shares the tag body's memory.
    pub frame: Option<Frame>,
}

impl Demuxer {
    /// Takes a video tag body with its timestamp in milliseconds.
    pub fn video(&mut self, dts_ms: i64, body: Bytes) -> Demuxed {
        let Some(tag) = video::parse(body) else {
            return Demuxed::default();
        };
        let (codec, coded) = match tag.body {
            // Some encoders end a stream with an empty sequence header.
            Body::Config(raw) if raw.is_empty() => return Demuxed::default(),
            Body::Config(raw) => (Some(video_codec(tag.coding, &raw)), None),
            Body::Coded {
                composition_ms,
                payload,
            } => (
                self_describing_video(tag.coding),
                Some((composition_ms, payload)),
            ),
        };
        let id = TrackId::VIDEO;
        Demuxed {
            track: changed(&mut self.video, codec, id),
            frame: coded
                .filter(|(_, payload)| self.video.is_some() && !payload.is_empty())
                .map(|(composition_ms, payload)| Frame {
                    track: id,
                    dts: MediaTime::from_millis(dts_ms),
                    pts: MediaTime::from_millis(dts_ms.saturating_add(i64::from(composition_ms))),
                    keyframe: tag.keyframe,
                    payload,
                }),
        }
    }

    /// Takes an audio tag body with its timestamp in milliseconds.
    pub fn audio(&mut self, time_ms: i64, body: Bytes) -> Demuxed {
        let Some(tag) = audio::parse(body) else {
            return Demuxed::default();
        };
        let (codec, payload) = match tag.body {
            Body::Config(raw) if raw.is_empty() => return Demuxed::default(),
            Body::Config(raw) => (Some(audio_codec(tag.coding, &raw)), None),
            Body::Coded { payload, .. } => (self_describing_audio(tag.coding), Some(payload)),
        };
        let id = TrackId::AUDIO;
        Demuxed {
            track: changed(&mut self.audio, codec, id),
            frame: payload
                .filter(|payload| self.audio.is_some() && !payload.is_empty())
                .map(|payload| Frame {
                    track: id,
                    dts: MediaTime::from_millis(time_ms),
                    pts: MediaTime::from_millis(time_ms),
                    keyframe: true,
                    payload,
                }),
        }
    }
}

/// Remembers the codec; a track if it is not the one from before.
fn changed(current: &mut Option<Codec>, codec: Option<Codec>, id: TrackId) -> Option<Track> {
    let codec = codec.filter(|codec| current.as_ref() != Some(codec))?;
    *current = Some(codec.clone());
    Some(Track { id, codec })
}

fn video_codec(coding: video::Coding, raw: &Bytes) -> Codec {
    match coding {
        video::Coding::Avc => h264::Config::parse(raw).map_or(
            Codec::OtherVideo("H.264 with an unreadable configuration"),
            Codec::H264,
        ),
        video::Coding::Hevc => Codec::Hevc,
        video::Coding::Av1 => Codec::Av1,
        video::Coding::Other(name) => Codec::OtherVideo(name),
    }
}

/// The codec, where coded media alone says it.
fn self_describing_video(coding: video::Coding) -> Option<Codec> {
    match coding {
        video::Coding::Avc => None,
        video::Coding::Hevc => Some(Codec::Hevc),
        video::Coding::Av1 => Some(Codec::Av1),
        video::Coding::Other(name) => Some(Codec::OtherVideo(name)),
    }
}

fn audio_codec(coding: audio::Coding, raw: &Bytes) -> Codec {
    match coding {
        audio::Coding::Aac => aac::Config::parse(raw).map_or(
            Codec::OtherAudio("AAC with an unreadable configuration"),
            Codec::Aac,
        ),
        audio::Coding::Opus => opus_codec(raw),
        audio::Coding::Mp3 => Codec::Mp3,
        audio::Coding::Other(name) => Codec::OtherAudio(name),
    }
}

fn self_describing_audio(coding: audio::Coding) -> Option<Codec> {
    match coding {
        audio::Coding::Aac | audio::Coding::Opus => None,
        audio::Coding::Mp3 => Some(Codec::Mp3),
        audio::Coding::Other(name) => Some(Codec::OtherAudio(name)),
    }
}

/// Opus' configuration is an identification header (RFC 7845 §5.1): magic (8), version, channels, …
fn opus_codec(raw: &[u8]) -> Codec {
    match raw {
        [
            b'O',
            b'p',
            b'u',
            b's',
            b'H',
            b'e',
            b'a',
            b'd',
            _version,
            channels @ 1..=2,
            ..,
        ] => Codec::Opus(opus::Config {
            channels: *channels,
        }),
        _ => Codec::OtherAudio("Opus with more than two channels"),
    }
}
