use bytes::Bytes;

use crate::Limits;

/// A whole RTMP message (RTMP §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) type_id: u8,
    /// Message stream: 0 for the connection, 1 for what is published.
    pub(crate) stream_id: u32,
    /// In milliseconds, modulo 2^32.
    pub(crate) timestamp: u32,
    pub(crate) payload: Bytes,
}

/// Longest payload of a message of this type, in bytes.
pub(crate) fn payload_bytes_max(type_id: u8, limits: &Limits) -> usize {
    match type_id {
        VIDEO => limits.video_message_bytes,
        AUDIO => limits.audio_message_bytes,
        DATA_AMF0 | DATA_AMF3 => limits.data_message_bytes,
        COMMAND_AMF0 | COMMAND_AMF3 => limits.command_message_bytes,
        SET_CHUNK_SIZE..=SET_PEER_BANDWIDTH => CONTROL_BYTES_MAX,
        // Shared objects, aggregates and what nobody has defined: read over, so as long as data may be.
        _ => limits.data_message_bytes,
    }
}

// RTMP §5.4, §6.2, §7.1.
pub(crate) const SET_CHUNK_SIZE: u8 = 1;
pub(crate) const ABORT: u8 = 2;
pub(crate) const ACKNOWLEDGEMENT: u8 = 3;
pub(crate) const USER_CONTROL: u8 = 4;
pub(crate) const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
pub(crate) const SET_PEER_BANDWIDTH: u8 = 6;
pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
pub(crate) const DATA_AMF3: u8 = 15;
pub(crate) const COMMAND_AMF3: u8 = 17;
pub(crate) const DATA_AMF0: u8 = 18;
pub(crate) const COMMAND_AMF0: u8 = 20;

/// Longest protocol control message, in bytes: user control events have up to 10, some peers pad.
const CONTROL_BYTES_MAX: usize = 64;
