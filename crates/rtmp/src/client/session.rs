#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use crate::amf0::{self, Value};
use crate::chunk::{ChunkStreamId, Writer};
use crate::command::{self, Command};
use crate::control::Link;
use crate::flv::file::{Kind, Tag};
use crate::handshake::{self, Handshake};
use crate::message::{COMMAND_AMF0, DATA_AMF0, Message};
use crate::{Error, Limits};

/// What a client publishes where.
#[derive(Clone)]
pub struct Settings {
    /// The application: `live` in `rtmp://host/live`.
    pub app: String,
    /// The URL without the key: `rtmp://host:1935/live`.
    pub url: String,
    /// The stream key.
    pub key: String,
    /// What the client calls itself.
    pub flash_ver: String,
    /// Size of the chunks it sends, in bytes. OBS takes 4,096, ffmpeg 128.
    pub chunk_size: u32,
    /// Which handshake it begins.
    pub handshake: Handshake,
}

impl Settings {
    /// OBS' habits, for `rtmp://HOST/APP` and a key.
    pub fn new(host: &str, app: &str, key: &str) -> Self {
        Self {
            app: app.to_owned(),
            url: format!("rtmp://{host}/{app}"),
            key: key.to_owned(),
            flash_ver: "FMLE/3.0 (compatible; FMSc/1.0)".to_owned(),
            chunk_size: 4_096,
            handshake: Handshake::Simple,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("flash_ver", &self.flash_ver)
            .field("chunk_size", &self.chunk_size)
            .field("handshake", &self.handshake)
            .finish_non_exhaustive()
    }
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Media may be sent: the server has accepted the key.
    Publishing,
    /// The server refuses, or ends what it had accepted.
    Refused {
        /// As `NetStream.Publish.BadName`.
        code: String,
        /// In words.
        description: String,
    },
    /// The server confirms the orderly end.
    Unpublished,
}

/// One connection of a publisher.
///
/// After each call with `&mut self`, drain [`Session::poll_output`] and [`Session::poll_event`].
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    link: Link,
    state: State,
    events: VecDeque<Event>,
}

#[derive(Debug)]
enum State {
    Handshake(handshake::Client),
    /// `connect` is out.
    Connecting,
    /// `createStream` is out.
    Creating,
    /// `publish` is out.
    Asking {
        stream_id: u32,
    },
    Publishing {
        stream_id: u32,
    },
    Ended,
}

impl Session {
    /// A session that has its handshake ready to send. The handshake's random bytes come from `seed`.
    pub fn new(settings: Settings, seed: [u8; 32]) -> Self {
        let mut writer = Writer::new();
        let handshake = handshake::Client::new(settings.handshake, seed, &mut writer);
        Self {
            settings,
            link: Link::new(writer, Limits::default()),
            state: State::Handshake(handshake),
            events: VecDeque::new(),
        }
    }

    /// Takes bytes from the server, all of them.
    ///
    /// # Errors
    /// When the server breaks the protocol.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let State::Handshake(handshake) = &mut self.state {
                if handshake.read(&mut rest, &mut self.link.writer)? {
                    self.connect();
                }
            } else if let Some(message) = self.link.read(&mut rest)? {
                self.handle(&message)?;
            }
        }
        Ok(())
    }

    /// Bytes to send, all that there are.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.link.writer.take()
    }

    /// The next event; `None` until the next [`Session::input`].
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends a tag; pacing is the caller's. Data tags go as `@setDataFrame`. Does nothing unless
    /// [`Event::Publishing`] was seen.
    pub fn send(&mut self, tag: &Tag) {
        let State::Publishing { stream_id } = self.state else {
            return;
        };
        let chunk_stream = match tag.kind {
            Kind::Video => ChunkStreamId::VIDEO,
            Kind::Audio | Kind::Data => ChunkStreamId::AUDIO,
        };
        let (type_id, time) = (tag.kind.type_id(), tag.timestamp_ms);
        let writer = &mut self.link.writer;
        if tag.kind == Kind::Data {
            let mut payload = Vec::new();
            amf0::encode(&Value::from("@setDataFrame"), &mut payload);
            payload.extend_from_slice(&tag.body);
            writer.message(chunk_stream, DATA_AMF0, stream_id, time, &payload);
        } else {
            writer.message(chunk_stream, type_id, stream_id, time, &tag.body);
        }
    }

    /// Ends the stream in order, as OBS does it: `FCUnpublish`, then `deleteStream`.
    pub fn unpublish(&mut self) {
        let State::Publishing { stream_id } = self.state else {
            return;
        };
        let key = Value::from(self.settings.key.as_str());
        self.send_command(0, "FCUnpublish", 0.0, &[Value::Null, key]);
        let stream = Value::Number(f64::from(stream_id));
        self.send_command(0, "deleteStream", 0.0, &[Value::Null, stream]);
    }

    /// Media may be sent.
    pub fn is_publishing(&self) -> bool {
        matches!(self.state, State::Publishing { .. })
    }

    fn connect(&mut self) {
        self.link.announce_chunk_size(self.settings.chunk_size);
        let object = Value::Object(vec![
            ("app".to_owned(), self.settings.app.as_str().into()),
            ("type".to_owned(), "nonprivate".into()),
            (
                "flashVer".to_owned(),
                self.settings.flash_ver.as_str().into(),
            ),
            ("tcUrl".to_owned(), self.settings.url.as_str().into()),
        ]);
        self.send_command(0, "connect", CONNECT, &[object]);
        self.state = State::Connecting;
    }

    fn handle(&mut self, message: &Message) -> Result<(), Error> {
        if message.type_id != COMMAND_AMF0 {
            return Ok(());
        }
        let command = Command::parse(message)?;
        match (command.name.as_str(), &self.state) {
            ("_result", State::Connecting) if command.transaction == CONNECT => {
                let key = Value::from(self.settings.key.as_str());
                self.send_command(0, "releaseStream", 2.0, &[Value::Null, key.clone()]);
                self.send_command(0, "FCPublish", 3.0, &[Value::Null, key]);
                self.send_command(0, "createStream", CREATE_STREAM, &[Value::Null]);
                self.state = State::Creating;
            }
            ("_result", State::Creating) if command.transaction == CREATE_STREAM => {
                let stream_id = command
                    .arguments
                    .first()
                    .and_then(Value::as_number)
                    .and_then(stream_number)
                    .ok_or(Error::Command("createStream has no stream number"))?;
                let key = Value::from(self.settings.key.as_str());
                self.send_command(
                    stream_id,
                    "publish",
                    5.0,
                    &[Value::Null, key, "live".into()],
                );
                self.state = State::Asking { stream_id };
            }
            ("onStatus", _) => self.status(command.arguments.first()),
            ("_error", State::Connecting | State::Creating) => {
                self.status(command.arguments.first());
            }
            _ => {}
        }
        Ok(())
    }

    fn status(&mut self, information: Option<&Value>) {
        let text = |name| {
            let value = information.and_then(|object| object.property(name));
            value.and_then(Value::as_str).unwrap_or_default()
        };
        match (text("code"), &self.state) {
            ("NetStream.Publish.Start", State::Asking { stream_id }) => {
                self.state = State::Publishing {
                    stream_id: *stream_id,
                };
                self.events.push_back(Event::Publishing);
            }
            ("NetStream.Unpublish.Success", State::Publishing { .. }) => {
                self.state = State::Ended;
                self.events.push_back(Event::Unpublished);
            }
            (code, _) if text("level") == "error" => {
                let refused = Event::Refused {
                    code: code.to_owned(),
                    description: text("description").to_owned(),
                };
                self.state = State::Ended;
                self.events.push_back(refused);
            }
            _ => {}
        }
    }

    fn send_command(&mut self, stream_id: u32, name: &str, transaction: f64, values: &[Value]) {
        let payload = command::encode(name, transaction, values);
        self.link
            .writer
            .message(ChunkStreamId::COMMAND, COMMAND_AMF0, stream_id, 0, &payload);
    }
}

/// A message stream id out of an AMF number.
fn stream_number(number: f64) -> Option<u32> {
    (0..=STREAM_ID_MAX).find(|id| f64::from(*id) == number)
}

/// Transactions of the commands whose answers matter.
const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 4.0;
/// Servers count their streams from 1 on each connection.
const STREAM_ID_MAX: u32 = 64;
