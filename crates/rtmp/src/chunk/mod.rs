//! The chunk stream (RTMP §5.3): messages cut into chunks and interleaved.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::{ChunkStreamId, Writer};

/// Chunk size of either side until it says otherwise, in bytes (RTMP §5.4.1).
const DEFAULT_CHUNK_SIZE: usize = 128;
/// In the 24-bit timestamp field: the timestamp is in the four bytes after the header (RTMP §5.3.1.3).
const EXTENDED_TIMESTAMP: u32 = 0xff_ffff;
