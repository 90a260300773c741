#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;

use bytes::Bytes;

use super::event::{Event, Metadata, PublishRequest, bounded};
use crate::amf0::{self, Value};
use crate::chunk::{ChunkStreamId, Writer};
use crate::clock::Clock;
use crate::command::{self, Command};
use crate::control::Link;
use crate::flv::{Demuxed, Demuxer};
use crate::handshake;
use crate::message::{AUDIO, COMMAND_AMF0, COMMAND_AMF3, DATA_AMF0, DATA_AMF3, Message, VIDEO};
use crate::{Error, Limits};

/// One connection of a host, as the server sees it.
///
/// After each call with `&mut self`, drain [`Session::poll_output`] and [`Session::poll_event`]. An [`Error`] ends the
/// session: send what is left of the output, then close.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    link: Link,
    state: State,
    clock: Clock,
    demuxer: Demuxer,
    events: VecDeque<Event>,
    /// What came after the handshake and before a publish was accepted.
    preauth_bytes: usize,
}

#[derive(Debug)]
enum State {
    Handshake(handshake::Server),
    /// The handshake is done, `connect` is awaited.
    Connecting,
    Connected(Connected),
    /// An [`Event::Publish`] is out.
    Asking {
        stream_id: u32,
    },
    Publishing {
        stream_id: u32,
    },
    /// Ended by either side: further input is read over.
    Ended,
}

#[derive(Debug)]
struct Connected {
    app: String,
    client: Option<String>,
}

impl Session {
    /// A session whose handshake random bytes come from `seed`, which must be random and new for each session.
    pub fn new(limits: Limits, seed: [u8; 32]) -> Self {
        Self {
            link: Link::new(Writer::new(), limits.clone()),
            limits,
            state: State::Handshake(handshake::Server::new(seed)),
            clock: Clock::default(),
            demuxer: Demuxer::default(),
            events: VecDeque::new(),
            preauth_bytes: 0,
        }
    }

    /// Takes bytes from the host and says how many it took: it stops after a message that gave an event or an answer,
    /// so that what it holds stays bounded, and takes none while a publish is undecided. Call it again with the rest
    /// when output and events are drained.
    ///
    /// # Errors
    /// When the host breaks the protocol or a limit.
    pub fn input(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut rest = bytes;
        while !rest.is_empty() && self.is_quiet() {
            match &mut self.state {
                State::Handshake(handshake) => {
                    if handshake.read(&mut rest, &mut self.link.writer)? {
                        self.state = State::Connecting;
                    }
                }
                State::Asking { .. } => break,
                State::Ended => rest = &[],
                State::Connecting | State::Connected(_) | State::Publishing { .. } => {
                    let message = self.read_message(&mut rest)?;
                    if let Some(message) = message {
                        self.handle(message)?;
                    }
                }
            }
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// Bytes to send, all that there are; `None` until the next call that makes some.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.link.writer.take()
    }

    /// The next event; `None` until the next [`Session::input`].
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Lets the host publish: it hears `NetStream.Publish.Start`. Does nothing unless it has asked.
    pub fn accept_publish(&mut self) {
        let State::Asking { stream_id } = self.state else {
            return;
        };
        self.link.announce_stream_begin(stream_id);
        self.send_status(
            stream_id,
            "status",
            "NetStream.Publish.Start",
            "publishing has begun",
        );
        self.state = State::Publishing { stream_id };
    }

    /// Tells the host in words why it may not publish, and ends the session. Does nothing unless it has asked.
    ///
    /// OBS and ffmpeg show the description of this code.
    pub fn refuse_publish(&mut self, description: &str) {
        if let State::Asking { stream_id } = self.state {
            self.send_status(stream_id, "error", "NetStream.Publish.BadName", description);
            self.state = State::Ended;
        }
    }

    /// Tells a host who publishes in words why that ends, and ends the session.
    pub fn end(&mut self, description: &str) {
        if let State::Publishing { stream_id } = self.state {
            self.send_status(
                stream_id,
                "error",
                "NetStream.Publish.Rejected",
                description,
            );
        }
        self.state = State::Ended;
    }

    /// A publish was accepted and has not ended.
    pub fn is_publishing(&self) -> bool {
        matches!(self.state, State::Publishing { .. })
    }

    /// Nothing waits to be drained.
    fn is_quiet(&self) -> bool {
        self.events.is_empty() && self.link.writer.pending() == 0
    }

    fn read_message(&mut self, rest: &mut &[u8]) -> Result<Option<Message>, Error> {
        if self.is_publishing() {
            return self.link.read(rest);
        }
        let before = rest.len();
        let message = self.link.read(rest)?;
        let used = before.saturating_sub(rest.len());
        self.preauth_bytes = self.preauth_bytes.saturating_add(used);
        if self.preauth_bytes > self.limits.preauth_bytes {
            return Err(Error::PreauthBytes(self.limits.preauth_bytes));
        }
        if self.link.messages() > u64::try_from(self.limits.preauth_messages).unwrap_or(u64::MAX) {
            return Err(Error::PreauthMessages(self.limits.preauth_messages));
        }
        Ok(message)
    }

    fn handle(&mut self, message: Message) -> Result<(), Error> {
        match message.type_id {
            COMMAND_AMF0 | COMMAND_AMF3 => self.command(&message),
            VIDEO if self.is_publishing() => {
                let time = self.clock.unwrap(message.timestamp);
                let demuxed = self.demuxer.video(time, message.payload);
                self.media(demuxed);
                Ok(())
            }
            AUDIO if self.is_publishing() => {
                let time = self.clock.unwrap(message.timestamp);
                let demuxed = self.demuxer.audio(time, message.payload);
                self.media(demuxed);
                Ok(())
            }
            DATA_AMF0 | DATA_AMF3 if self.is_publishing() => self.data(&message),
            // Shared objects, aggregates, media before publishing: nothing an encoder sends.
            _ => Ok(()),
        }
    }

    fn media(&mut self, Demuxed { track, frame }: Demuxed) {
        self.events.extend(track.map(Event::Track));
        self.events.extend(frame.map(Event::Frame));
    }

    /// `@setDataFrame`, `onMetaData`, and the values; or `onMetaData` at once.
    fn data(&mut self, message: &Message) -> Result<(), Error> {
        let values = amf0::decode(command::amf0_part(message))?;
        let values = match values.as_slice() {
            [Value::String(first), rest @ ..] if first == "@setDataFrame" => rest,
            all => all,
        };
        if let [Value::String(name), values, ..] = values
            && name == "onMetaData"
        {
            self.events
                .push_back(Event::Metadata(Metadata::new(values)));
        }
        Ok(())
    }

    fn command(&mut self, message: &Message) -> Result<(), Error> {
        let command = Command::parse(message)?;
        match (command.name.as_str(), &self.state) {
            ("connect", State::Connecting) => self.connect(&command),
            (_, State::Connecting) => {
                return Err(Error::Command("the first command is not connect"));
            }
            ("connect", _) => return Err(Error::Command("a second connect")),
            ("createStream", _) => self.answer(&command, Value::Number(PUBLISH_STREAM)),
            ("publish", State::Connected(connected)) => {
                let client = connected.client.clone();
                let request = PublishRequest::new(&connected.app, command.text(0), client);
                self.state = State::Asking {
                    stream_id: message.stream_id,
                };
                self.events.push_back(Event::Publish(request));
            }
            ("publish", _) => return Err(Error::Command("a second publish")),
            ("FCUnpublish" | "deleteStream" | "closeStream", State::Publishing { stream_id }) => {
                let stream_id = *stream_id;
                self.send_status(
                    stream_id,
                    "status",
                    "NetStream.Unpublish.Success",
                    "publishing has ended",
                );
                self.state = State::Ended;
                self.events.push_back(Event::Unpublish);
            }
            ("play" | "play2", _) => self.send_status(
                message.stream_id,
                "error",
                "NetStream.Play.StreamNotFound",
                "this server takes streams over RTMP and does not play them",
            ),
            // releaseStream, FCPublish, _checkbw and what else may come: fine, without a result.
            _ => self.answer(&command, Value::Undefined),
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command) {
        self.link.announce_window();
        self.link.announce_chunk_size(CHUNK_SIZE);
        let mut information = command::information(
            "status",
            "NetConnection.Connect.Success",
            "connection succeeded",
        );
        information.push(("objectEncoding".to_owned(), Value::Number(0.0)));
        // E-RTMP, "Enhancing NetConnection connect Command": who asks for codecs is told those that reach viewers.
        if command.object.property("fourCcList").is_some() {
            let playable = PLAYABLE_FOUR_CC.map(Value::from).to_vec();
            information.push(("fourCcList".to_owned(), Value::StrictArray(playable)));
        }
        let properties = vec![
            ("fmsVer".to_owned(), Value::from("FMS/3,5,1,1")),
            ("capabilities".to_owned(), Value::Number(31.0)),
        ];
        let payload = command::encode(
            "_result",
            command.transaction,
            &[Value::Object(properties), Value::Object(information)],
        );
        self.send_command(0, &payload);
        let text = |name| command.object.property(name).and_then(Value::as_str);
        self.state = State::Connected(Connected {
            app: text("app").unwrap_or_default().to_owned(),
            client: text("flashVer").map(bounded),
        });
    }

    /// `_result`, unless the command asked for none. gstreamer numbers some commands 0.
    fn answer(&mut self, command: &Command, result: Value) {
        if command.transaction != 0.0 {
            let payload = command::encode("_result", command.transaction, &[Value::Null, result]);
            self.send_command(0, &payload);
        }
    }

    fn send_status(&mut self, stream_id: u32, level: &str, code: &str, description: &str) {
        let information = Value::Object(command::information(level, code, description));
        let payload = command::encode("onStatus", 0.0, &[Value::Null, information]);
        self.send_command(stream_id, &payload);
    }

    fn send_command(&mut self, stream_id: u32, payload: &[u8]) {
        self.link
            .writer
            .message(ChunkStreamId::COMMAND, COMMAND_AMF0, stream_id, 0, payload);
    }
}

/// Chunk size of what the server sends, in bytes: an answer is one chunk.
const CHUNK_SIZE: u32 = 4_096;
/// The one stream that createStream gives out.
const PUBLISH_STREAM: f64 = 1.0;
/// Codecs that viewers can be shown.
const PLAYABLE_FOUR_CC: [&str; 3] = ["avc1", "mp4a", "Opus"];
