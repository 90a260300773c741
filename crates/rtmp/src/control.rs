#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::chunk::{ChunkStreamId, Reader, Writer};
use crate::message::{
    ABORT, ACKNOWLEDGEMENT, Message, SET_CHUNK_SIZE, SET_PEER_BANDWIDTH, USER_CONTROL,
    WINDOW_ACKNOWLEDGEMENT_SIZE,
};
use crate::{Error, Limits};

/// The chunk stream in both directions with the protocol control messages (RTMP §5.4) handled: what both the server
/// and the client stand on.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) writer: Writer,
    reader: Reader,
    /// Bytes received after the handshake, modulo 2^32: that is what an Acknowledgement carries.
    received: u32,
    acknowledged: u32,
    /// The peer wants an Acknowledgement after this many bytes.
    window: u32,
    messages: u64,
}

impl Link {
    pub(crate) fn new(writer: Writer, limits: Limits) -> Self {
        Self {
            writer,
            reader: Reader::new(limits),
            received: 0,
            acknowledged: 0,
            window: WINDOW_BYTES,
            messages: 0,
        }
    }

    /// Takes bytes off the front of `input` up to the end of the first message that is not a control message, or that
    /// was one and had to be answered (`None` then, with input left).
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            let before = input.len();
            let message = self.reader.read(input)?;
            self.messages = self.messages.saturating_add(u64::from(message.is_some()));
            let used = before.saturating_sub(input.len());
            self.acknowledge(u32::try_from(used).unwrap_or(u32::MAX));
            match message {
                Some(message) if message.type_id <= SET_PEER_BANDWIDTH => {
                    self.control(&message)?;
                    if self.writer.pending() > 0 {
                        return Ok(None);
                    }
                }
                other => return Ok(other),
            }
        }
    }

    /// Whole messages received, control messages included.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Announces our chunk size and uses it.
    pub(crate) fn announce_chunk_size(&mut self, size: u32) {
        self.send_control(SET_CHUNK_SIZE, &size.to_be_bytes());
        self.writer
            .set_chunk_size(usize::try_from(size).unwrap_or(usize::MAX));
    }

    /// Asks the peer to acknowledge every [`WINDOW_BYTES`], and allows it as many on the way.
    pub(crate) fn announce_window(&mut self) {
        self.send_control(WINDOW_ACKNOWLEDGEMENT_SIZE, &WINDOW_BYTES.to_be_bytes());
        let [a, b, c, d] = WINDOW_BYTES.to_be_bytes();
        self.send_control(SET_PEER_BANDWIDTH, &[a, b, c, d, LIMIT_DYNAMIC]);
    }

    /// User control event Stream Begin (RTMP §7.1.7).
    pub(crate) fn announce_stream_begin(&mut self, stream_id: u32) {
        self.send_user_control(STREAM_BEGIN, stream_id.to_be_bytes());
    }

    fn control(&mut self, message: &Message) -> Result<(), Error> {
        let truncated = || Error::ControlTruncated(message.type_id);
        let payload = message.payload.as_ref();
        let number = |payload: &[u8]| payload.first_chunk().copied().map(u32::from_be_bytes);
        match message.type_id {
            SET_CHUNK_SIZE => self
                .reader
                .set_chunk_size(number(payload).ok_or_else(truncated)?)?,
            ABORT => self.reader.abort(number(payload).ok_or_else(truncated)?),
            WINDOW_ACKNOWLEDGEMENT_SIZE => {
                // A window of a few bytes would have every read answered.
                self.window = number(payload).ok_or_else(truncated)?.max(WINDOW_BYTES_MIN);
            }
            USER_CONTROL => {
                let (event, data) = payload.split_first_chunk().ok_or_else(truncated)?;
                if u16::from_be_bytes(*event) == PING_REQUEST {
                    let time = *data.first_chunk().ok_or_else(truncated)?;
                    self.send_user_control(PING_RESPONSE, time);
                }
            }
            // The peer's acknowledgements and bandwidth limits change nothing here: TCP does that work.
            _ => {}
        }
        Ok(())
    }

    /// RTMP §5.4.3.
    fn acknowledge(&mut self, bytes: u32) {
        self.received = self.received.wrapping_add(bytes);
        if self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            self.send_control(ACKNOWLEDGEMENT, &self.received.to_be_bytes());
        }
    }

    fn send_user_control(&mut self, event: u16, data: [u8; 4]) {
        let ([a, b], [c, d, e, f]) = (event.to_be_bytes(), data);
        self.send_control(USER_CONTROL, &[a, b, c, d, e, f]);
    }

    fn send_control(&mut self, type_id: u8, payload: &[u8]) {
        self.writer
            .message(ChunkStreamId::CONTROL, type_id, 0, 0, payload);
    }
}

/// Acknowledgement window of both directions until the peer says otherwise, in bytes: what FMS, nginx and SRS use.
const WINDOW_BYTES: u32 = 2_500_000;
const WINDOW_BYTES_MIN: u32 = 1_024;
/// Limit type of Set Peer Bandwidth (RTMP §5.4.5).
const LIMIT_DYNAMIC: u8 = 2;
// User control events (RTMP §7.1.7).
const STREAM_BEGIN: u16 = 0;
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;
