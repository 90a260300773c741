#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{DEFAULT_CHUNK_SIZE, EXTENDED_TIMESTAMP};
use crate::message::{Message, payload_bytes_max};
use crate::{Error, Limits};

/// Puts messages together from chunks.
///
/// Each chunk stream has a buffer of its own, which grows with what has arrived (never with what was announced) and
/// becomes the message's payload without another copy.
#[derive(Debug)]
pub(crate) struct Reader {
    limits: Limits,
    chunk_size: usize,
    streams: BTreeMap<u32, ChunkStream>,
    /// The chunk whose payload comes next: its stream and the bytes still missing.
    open: Option<(u32, usize)>,
    /// Capacity of all partial payloads.
    buffered: usize,
    /// The start of a header whose rest has not arrived; at most 18 bytes (3 + 11 + 4).
    carry: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: BTreeMap::new(),
            open: None,
            buffered: 0,
            carry: Vec::new(),
        }
    }

    /// Takes bytes off the front of `input` up to the end of the first message. `None` when they are used up.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        while !(input.is_empty() && self.carry.is_empty()) {
            if self.carry.is_empty() {
                let (used, message) = self.step(input)?;
                if used == 0 {
                    self.carry.extend_from_slice(input);
                    *input = &[];
                    return Ok(None);
                }
                *input = input.get(used..).unwrap_or_default();
                if message.is_some() {
                    return Ok(message);
                }
                continue;
            }
            let mut carry = std::mem::take(&mut self.carry);
            let (used, message) = self.step(&carry)?;
            carry.drain(..used);
            if used == 0 {
                let Some((&next, rest)) = input.split_first() else {
                    self.carry = carry;
                    return Ok(None);
                };
                carry.push(next);
                *input = rest;
            }
            self.carry = carry;
            if message.is_some() {
                return Ok(message);
            }
        }
        Ok(None)
    }

    /// Set Chunk Size (RTMP §5.4.1).
    pub(crate) fn set_chunk_size(&mut self, size: u32) -> Result<(), Error> {
        if !(1..=CHUNK_SIZE_MAX).contains(&size) {
            return Err(Error::ChunkSize(size));
        }
        self.chunk_size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Abort (RTMP §5.4.2): throws away what has arrived of the stream's message.
    pub(crate) fn abort(&mut self, chunk_stream: u32) {
        if let Some(stream) = self.streams.get_mut(&chunk_stream) {
            self.buffered = self.buffered.saturating_sub(stream.payload.capacity());
            stream.payload = Vec::new();
            stream.partial = false;
        }
    }

    /// Memory held for partial messages, in bytes.
    #[cfg(test)]
    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// Takes one header or one run of payload from the front of `bytes`, which are not empty. Uses no byte when a
    /// header is not whole.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, Option<Message>), Error> {
        match self.open.take() {
            Some((chunk_stream, left)) => {
                let run = bytes.get(..left).unwrap_or(bytes);
                let message = self.payload(chunk_stream, run)?;
                let left = left.saturating_sub(run.len());
                if left > 0 {
                    self.open = Some((chunk_stream, left));
                }
                Ok((run.len(), message))
            }
            None => match self.header(bytes)? {
                Some((used, chunk_stream)) => Ok((used, self.payload(chunk_stream, &[])?)),
                None => Ok((0, None)),
            },
        }
    }

    /// Reads a chunk header (RTMP §5.3.1) and opens its chunk. `None` when it is not whole.
    fn header(&mut self, bytes: &[u8]) -> Result<Option<(usize, u32)>, Error> {
        let mut cursor = Cursor { bytes, used: 0 };
        let Some((format, chunk_stream)) = basic_header(&mut cursor) else {
            return Ok(None);
        };
        let known = self.streams.get(&chunk_stream);
        // librtmp opens chunk stream 2 with type 1, so a missing header is taken as zeros there.
        if known.is_none() && format >= 2 {
            return Err(Error::NoHeader {
                format,
                chunk_stream,
            });
        }
        if known.is_none() && self.streams.len() >= self.limits.chunk_streams {
            return Err(Error::ChunkStreams(self.limits.chunk_streams));
        }
        let partial = known.is_some_and(|stream| stream.partial);
        let before = known.map(|stream| stream.header).unwrap_or_default();
        let header = if format == 3 {
            repeated_header(&mut cursor, before, partial)
        } else {
            message_header(&mut cursor, format, before)
        };
        let Some(header) = header else {
            return Ok(None);
        };
        let limit = payload_bytes_max(header.type_id, &self.limits);
        if header.length > limit {
            return Err(Error::MessageBytes {
                type_id: header.type_id,
                bytes: header.length,
                limit,
            });
        }
        if format < 3 && partial {
            // A new header in mid-message: the sender has given the old message up.
            self.abort(chunk_stream);
        }
        let stream = self.streams.entry(chunk_stream).or_default();
        stream.header = header;
        stream.partial = true;
        let missing = header.length.saturating_sub(stream.payload.len());
        let left = missing.min(self.chunk_size);
        if left > 0 {
            self.open = Some((chunk_stream, left));
        }
        Ok(Some((cursor.used, chunk_stream)))
    }

    /// Adds payload to a stream's message and hands the message out when it is whole.
    fn payload(&mut self, chunk_stream: u32, run: &[u8]) -> Result<Option<Message>, Error> {
        let Some(stream) = self.streams.get_mut(&chunk_stream) else {
            return Ok(None);
        };
        let before = stream.payload.capacity();
        stream.grow(run.len());
        let after = stream.payload.capacity();
        self.buffered = self.buffered.saturating_sub(before).saturating_add(after);
        if self.buffered > self.limits.buffered_bytes {
            return Err(Error::BufferedBytes(self.limits.buffered_bytes));
        }
        stream.payload.extend_from_slice(run);
        if !stream.partial || stream.payload.len() < stream.header.length {
            return Ok(None);
        }
        self.buffered = self.buffered.saturating_sub(after);
        stream.partial = false;
        Ok(Some(Message {
            type_id: stream.header.type_id,
            stream_id: stream.header.stream_id,
            timestamp: stream.header.timestamp,
            payload: Bytes::from(std::mem::take(&mut stream.payload)),
        }))
    }
}

#[derive(Debug, Default)]
struct ChunkStream {
    header: Header,
    /// A message has begun and is not whole.
    partial: bool,
    payload: Vec<u8>,
}

impl ChunkStream {
    /// Makes room for `more` bytes: at least twice as much as before, at most the message's length, so that a message
    /// is copied about twice at worst and ends in a buffer of just its size.
    fn grow(&mut self, more: usize) {
        let needed = self.payload.len().saturating_add(more);
        if needed > self.payload.capacity() {
            let doubled = self.payload.capacity().saturating_mul(2);
            let capacity = doubled.min(self.header.length).max(needed);
            self.payload
                .reserve_exact(capacity.saturating_sub(self.payload.len()));
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Header {
    /// Of the message, in milliseconds modulo 2^32.
    timestamp: u32,
    /// The header's own timestamp field: the time in type 0, the step in types 1 and 2.
    field: u32,
    /// The field is sent in the four extra bytes.
    extended: bool,
    length: usize,
    type_id: u8,
    stream_id: u32,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    used: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.rest().first_chunk()?;
        self.used = self.used.saturating_add(N);
        Some(array)
    }

    fn u24(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }
}

/// Header type and chunk stream id (RTMP §5.3.1.1).
fn basic_header(cursor: &mut Cursor<'_>) -> Option<(u8, u32)> {
    let [first] = cursor.array()?;
    let chunk_stream = match first & 0x3f {
        0 => {
            let [low] = cursor.array()?;
            u32::from(low).saturating_add(64)
        }
        1 => {
            let [low, high] = cursor.array()?;
            u32::from(u16::from_le_bytes([low, high])).saturating_add(64)
        }
        direct => u32::from(direct),
    };
    Some((first >> 6, chunk_stream))
}

/// Header types 0, 1 and 2 (RTMP §5.3.1.2).
fn message_header(cursor: &mut Cursor<'_>, format: u8, before: Header) -> Option<Header> {
    let mut header = before;
    header.field = cursor.u24()?;
    if format < 2 {
        header.length = usize::try_from(cursor.u24()?).unwrap_or(usize::MAX);
        [header.type_id] = cursor.array()?;
    }
    if format == 0 {
        header.stream_id = u32::from_le_bytes(cursor.array()?);
    }
    header.extended = header.field == EXTENDED_TIMESTAMP;
    if header.extended {
        header.field = u32::from_be_bytes(cursor.array()?);
    }
    header.timestamp = if format == 0 {
        header.field
    } else {
        before.timestamp.wrapping_add(header.field)
    };
    Some(header)
}

/// Header type 3 (RTMP §5.3.1.2.4): the next part of a message, or a new message with the same header and step. After
/// type 0 the step is that header's timestamp, as the specification says and as ffmpeg and SRS do it.
///
/// Where the stream uses extended timestamps, the specification repeats the four bytes here; some encoders don't. So
/// they are taken as the timestamp only if they are it. The answer may need all four: a header is not whole before.
fn repeated_header(cursor: &mut Cursor<'_>, before: Header, partial: bool) -> Option<Header> {
    let mut header = before;
    if !partial {
        header.timestamp = before.timestamp.wrapping_add(before.field);
    }
    if header.extended {
        let expected = [header.field.to_be_bytes(), header.timestamp.to_be_bytes()];
        let next = cursor.rest();
        let next = next.get(..4).unwrap_or(next);
        if expected.iter().any(|bytes| bytes.starts_with(next)) {
            cursor.array::<4>()?;
        }
    }
    Some(header)
}

/// Largest chunk size (RTMP §5.4.1: the first bit is zero).
const CHUNK_SIZE_MAX: u32 = 0x7fff_ffff;
