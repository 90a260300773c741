use crate::amf0;

/// Why a connection can't go on. The other side is at fault in every case; the shell closes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte is no RTMP version that is spoken here (3).
    #[error("the peer speaks RTMP version {0}, not 3")]
    Version(u8),
    /// Set Chunk Size outside 1 to 0x7fffffff (RTMP §5.4.1).
    #[error("chunk size {0} is not in 1 to 2147483647")]
    ChunkSize(u32),
    /// A chunk header that leans on a chunk stream which was never opened.
    #[error(
        "chunk of type {format} on chunk stream {chunk_stream}, which has no header to lean on"
    )]
    NoHeader {
        /// Chunk header type, 2 or 3.
        format: u8,
        /// Chunk stream id.
        chunk_stream: u32,
    },
    /// A message announces more bytes than its type may have.
    #[error("message of type {type_id} announces {bytes} bytes, the limit is {limit}")]
    MessageBytes {
        /// RTMP message type id.
        type_id: u8,
        /// Announced payload bytes.
        bytes: usize,
        /// The limit of that type.
        limit: usize,
    },
    /// The partial messages of all chunk streams together hold too much.
    #[error("partial messages hold more than {0} bytes")]
    BufferedBytes(usize),
    /// Too many chunk streams.
    #[error("more than {0} chunk streams")]
    ChunkStreams(usize),
    /// Too much was sent before a publish was accepted.
    #[error("more than {0} bytes before publishing")]
    PreauthBytes(usize),
    /// Too many messages were sent before a publish was accepted.
    #[error("more than {0} messages before publishing")]
    PreauthMessages(usize),
    /// A protocol control message is too short for its fields (RTMP §5.4).
    #[error("control message of type {0} is cut short")]
    ControlTruncated(u8),
    /// Broken or excessive AMF0.
    #[error("bad AMF0")]
    Amf(#[from] amf0::Error),
    /// A command lacks what it needs, or comes at the wrong time.
    #[error("{0}")]
    Command(&'static str),
}

impl Error {
    /// A limit was hit, rather than a rule of the protocol broken.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::MessageBytes { .. }
                | Self::BufferedBytes(_)
                | Self::ChunkStreams(_)
                | Self::PreauthBytes(_)
                | Self::PreauthMessages(_)
                | Self::Amf(amf0::Error::Depth | amf0::Error::Values)
        )
    }
}
