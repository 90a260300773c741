//! Drives a server session, and makes RTMP bytes by hand: not with the crate's own writer, which would prove little.

use zongzi_rtmp::amf0::{self, Value};
use zongzi_rtmp::server::{Event, Session};
use zongzi_rtmp::{Error, Limits};

/// A server session with all that it gave.
pub(crate) struct Server {
    pub(crate) session: Session,
    pub(crate) events: Vec<Event>,
    pub(crate) output: Vec<u8>,
    /// What the host hears when it asks to publish.
    pub(crate) accept: bool,
}

impl Server {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            session: Session::new(limits, [7; 32]),
            events: Vec::new(),
            output: Vec::new(),
            accept: true,
        }
    }

    /// A server that has shaken hands.
    pub(crate) fn after_handshake() -> Self {
        let mut server = Self::new(Limits::default());
        server.feed(&handshake()).expect("a simple handshake");
        server.output.clear();
        server
    }

    /// A server that has accepted a publish.
    pub(crate) fn publishing() -> Self {
        let mut server = Self::after_handshake();
        server
            .feed(&connect_and_publish())
            .expect("a plain publish");
        assert!(server.session.is_publishing());
        server.events.clear();
        server.output.clear();
        server
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        loop {
            let used = self.session.input(rest);
            while let Some(output) = self.session.poll_output() {
                self.output.extend(output);
            }
            while let Some(event) = self.session.poll_event() {
                if matches!(event, Event::Publish(_)) {
                    if self.accept {
                        self.session.accept_publish();
                    } else {
                        self.session.refuse_publish("no such key");
                    }
                }
                self.events.push(event);
            }
            while let Some(output) = self.session.poll_output() {
                self.output.extend(output);
            }
            rest = &rest[used?..];
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// The payloads of all frames so far.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        let payload = |event: &Event| match event {
            Event::Frame(frame) => Some(frame.payload.to_vec()),
            _ => None,
        };
        self.events.iter().filter_map(payload).collect()
    }

    pub(crate) fn said(&self, text: &str) -> bool {
        contains(&self.output, text.as_bytes())
    }
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// C0, C1 and C2 of a simple client.
pub(crate) fn handshake() -> Vec<u8> {
    let mut bytes = vec![0; 3_073];
    bytes[0] = 3;
    bytes
}

/// A type 0 chunk header. Chunk streams up to 65,599, timestamps below 0xffffff.
pub(crate) fn header(
    chunk_stream: u32,
    timestamp: u32,
    length: usize,
    type_id: u8,
    stream: u32,
) -> Vec<u8> {
    let mut bytes = basic_header(0, chunk_stream);
    bytes.extend_from_slice(&timestamp.to_be_bytes()[1..]);
    bytes.extend_from_slice(&low_u32(length).to_be_bytes()[1..]);
    bytes.push(type_id);
    bytes.extend_from_slice(&stream.to_le_bytes());
    bytes
}

pub(crate) fn basic_header(format: u8, chunk_stream: u32) -> Vec<u8> {
    let [low, high, ..] = chunk_stream.saturating_sub(64).to_le_bytes();
    match chunk_stream {
        0..64 => vec![format << 6 | chunk_stream.to_le_bytes()[0]],
        64..320 => vec![format << 6, low],
        _ => vec![format << 6 | 1, low, high],
    }
}

fn low_u32(number: usize) -> u32 {
    u32::try_from(number).expect("tests use short messages")
}

/// A whole message in chunks of `size` bytes.
pub(crate) fn message(
    chunk_stream: u32,
    timestamp: u32,
    type_id: u8,
    stream: u32,
    payload: &[u8],
    size: usize,
) -> Vec<u8> {
    let mut bytes = header(chunk_stream, timestamp, payload.len(), type_id, stream);
    for (index, chunk) in payload.chunks(size).enumerate() {
        if index > 0 {
            bytes.extend(basic_header(3, chunk_stream));
        }
        bytes.extend(chunk);
    }
    bytes
}

pub(crate) fn command(stream: u32, values: &[Value]) -> Vec<u8> {
    let mut payload = Vec::new();
    for value in values {
        amf0::encode(value, &mut payload);
    }
    message(3, 0, 20, stream, &payload, 128)
}

pub(crate) fn connect() -> Vec<u8> {
    let object = Value::Object(vec![("app".into(), "live".into())]);
    command(0, &["connect".into(), Value::Number(1.0), object])
}

pub(crate) fn publish(key: &str) -> Vec<u8> {
    command(
        1,
        &[
            "publish".into(),
            Value::Number(5.0),
            Value::Null,
            key.into(),
            "live".into(),
        ],
    )
}

pub(crate) fn connect_and_publish() -> Vec<u8> {
    let create = command(0, &["createStream".into(), Value::Number(4.0), Value::Null]);
    [connect(), create, publish("KEY")].concat()
}

pub(crate) const AAC_CONFIG: &[u8] = b"\xaf\0\x11\x90";

/// An AAC tag body with this frame.
pub(crate) fn aac(frame: &[u8]) -> Vec<u8> {
    [b"\xaf\x01", frame].concat()
}

pub(crate) fn set_chunk_size(size: u32) -> Vec<u8> {
    message(2, 0, 1, 0, &size.to_be_bytes(), 128)
}

/// A small generator with a seed, so that a failure can be replayed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).expect("below a usize")
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("below 256")
    }
}
