/// How much of the peer's bytes a session will hold or look at. All are checked before anything is allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest video message, in bytes. 4 MiB is a keyframe of a second at 32 Mb/s.
    pub video_message_bytes: usize,
    /// Longest audio message, in bytes. 256 KiB is a second of PCM in stereo at 48 kHz, with room.
    pub audio_message_bytes: usize,
    /// Longest data message (`onMetaData`), in bytes; encoders send some hundred.
    pub data_message_bytes: usize,
    /// Longest command, in bytes; the longest `connect` seen has 191.
    pub command_message_bytes: usize,
    /// Memory of all messages that are not yet whole, in bytes, over all chunk streams of a connection.
    pub buffered_bytes: usize,
    /// Chunk streams of a connection; encoders use up to five.
    pub chunk_streams: usize,
    /// Bytes after the handshake and before a publish was accepted; encoders need about 600.
    pub preauth_bytes: usize,
    /// Messages before a publish was accepted; encoders need about 7.
    pub preauth_messages: usize,
}

impl Limits {
    /// With fewer [`Limits::preauth_bytes`] than this an encoder with long names could not publish.
    pub const PREAUTH_BYTES_MIN: usize = 2 << 10;
    /// With fewer [`Limits::preauth_messages`] than this an encoder that asks more than others could not publish.
    pub const PREAUTH_MESSAGES_MIN: usize = 16;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            video_message_bytes: 4 << 20,
            audio_message_bytes: 256 << 10,
            data_message_bytes: 64 << 10,
            command_message_bytes: 16 << 10,
            buffered_bytes: 8 << 20,
            chunk_streams: 64,
            preauth_bytes: 64 << 10,
            preauth_messages: 64,
        }
    }
}
