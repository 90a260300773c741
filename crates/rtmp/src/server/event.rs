use std::fmt;

use zongzi_media::{Frame, Track};

use crate::amf0::Value;

/// What a host did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// It asks to publish. Answer with [`super::Session::accept_publish`] or [`super::Session::refuse_publish`]; until
    /// then the session takes no more input.
    Publish(PublishRequest),
    /// A track begins or changes its configuration.
    Track(Track),
    /// A frame of a track that was announced.
    Frame(Frame),
    /// What it says of its stream; some encoders say it ten times a second.
    Metadata(Metadata),
    /// It ended its stream in order. The session is over.
    Unpublish,
}

/// Who wants to publish what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRequest {
    /// The application, `live` in `rtmp://host/live`: without what follows a `?`, and not checked.
    pub app: String,
    /// The stream key.
    pub stream: StreamName,
    /// `flashVer` of connect: what the encoder calls itself, at most 128 bytes. gstreamer's rtmpsink has none.
    pub client: Option<String>,
}

/// The name in `publish`: a stream key, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamName(String);

impl PublishRequest {
    /// What `connect` and `publish` said, without what follows a `?` in either. Where the stream has no name, the last
    /// part of the application's path is the key: encoders with one field for the whole URL put it there.
    pub(super) fn new(app: &str, name: &str, client: Option<String>) -> Self {
        let (app, name) = match (before_query(app), before_query(name)) {
            (app, "") => app.rsplit_once('/').unwrap_or((app, "")),
            named => named,
        };
        Self {
            app: app.to_owned(),
            stream: StreamName(name.to_owned()),
            client,
        }
    }
}

impl StreamName {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamName(…)")
    }
}

fn before_query(text: &str) -> &str {
    text.split_once('?').map_or(text, |(before, _)| before)
}

/// What is of use in `onMetaData`. Nothing in it is to be relied upon: encoders leave it out and get it wrong.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// `encoder` (OBS, ffmpeg) or `metadatacreator` (gstreamer), at most 128 bytes.
    pub encoder: Option<String>,
    /// Width of the picture.
    pub width: Option<f64>,
    /// Height of the picture.
    pub height: Option<f64>,
    /// Pictures a second.
    pub frame_rate: Option<f64>,
    /// Video bit rate in kb/s.
    pub video_kbps: Option<f64>,
    /// Audio bit rate in kb/s.
    pub audio_kbps: Option<f64>,
}

impl Metadata {
    pub(super) fn new(values: &Value) -> Self {
        let number = |name| values.property(name).and_then(Value::as_number);
        let text = |name| values.property(name).and_then(Value::as_str);
        Self {
            encoder: text("encoder")
                .or_else(|| text("metadatacreator"))
                .map(bounded),
            width: number("width"),
            height: number("height"),
            frame_rate: number("framerate"),
            video_kbps: number("videodatarate"),
            audio_kbps: number("audiodatarate"),
        }
    }
}

/// The text, cut to [`NAME_BYTES_MAX`] bytes at the end of a character.
pub(super) fn bounded(text: &str) -> String {
    let mut bytes = 0_usize;
    text.chars()
        .take_while(|character| {
            bytes = bytes.saturating_add(character.len_utf8());
            bytes <= NAME_BYTES_MAX
        })
        .collect()
}

/// Longest name of an encoder that is kept, in bytes.
const NAME_BYTES_MAX: usize = 128;
