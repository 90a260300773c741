#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::{BufMut, Bytes, BytesMut};

use super::{DEFAULT_CHUNK_SIZE, EXTENDED_TIMESTAMP};

/// Cuts messages into chunks. Every message gets a full header (type 0), its further chunks type 3.
#[derive(Debug)]
pub(crate) struct Writer {
    chunk_size: usize,
    out: BytesMut,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE,
            out: BytesMut::new(),
        }
    }

    /// Appends bytes that are no chunk: the handshake.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Chunk size of the messages after this, in bytes. The caller has told the peer.
    pub(crate) fn set_chunk_size(&mut self, size: usize) {
        self.chunk_size = size.max(1);
    }

    /// Appends a message. Its payload is shorter than 16 MiB (the header's field has 24 bits): what is longer is
    /// cut off.
    pub(crate) fn message(
        &mut self,
        chunk_stream: ChunkStreamId,
        type_id: u8,
        stream_id: u32,
        timestamp: u32,
        payload: &[u8],
    ) {
        let payload = payload.get(..PAYLOAD_BYTES_MAX).unwrap_or(payload);
        let length = u32::try_from(payload.len()).unwrap_or(0);
        let extended = timestamp >= EXTENDED_TIMESTAMP;
        self.out.put_u8(chunk_stream.0);
        self.out
            .put_uint(u64::from(timestamp.min(EXTENDED_TIMESTAMP)), 3);
        self.out.put_uint(u64::from(length), 3);
        self.out.put_u8(type_id);
        self.out.put_u32_le(stream_id);
        if extended {
            self.out.put_u32(timestamp);
        }
        for (index, chunk) in payload.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                self.out.put_u8(3 << 6 | chunk_stream.0);
                if extended {
                    self.out.put_u32(timestamp);
                }
            }
            self.out.extend_from_slice(chunk);
        }
    }

    /// What was written since the last call.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        (!self.out.is_empty()).then(|| self.out.split().freeze())
    }

    /// Bytes written and not taken.
    pub(crate) fn pending(&self) -> usize {
        self.out.len()
    }
}

/// A chunk stream id of the one-byte form, 2 to 63.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkStreamId(u8);

impl ChunkStreamId {
    /// Protocol control messages (RTMP §5.4).
    pub(crate) const CONTROL: Self = Self(2);
    /// Commands of the connection.
    pub(crate) const COMMAND: Self = Self(3);
    /// Commands and data of the published stream, and its audio, as librtmp and ffmpeg do it.
    pub(crate) const AUDIO: Self = Self(4);
    /// The published stream's video.
    pub(crate) const VIDEO: Self = Self(6);
}

/// Longest payload that a chunk header can announce, in bytes.
const PAYLOAD_BYTES_MAX: usize = 0xff_ffff;
