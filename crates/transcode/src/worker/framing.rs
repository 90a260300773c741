#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::{Buf, Bytes, BytesMut};

/// Finds messages in a stream of bytes, however it is cut.
///
/// It holds what was pushed and not yet taken: the caller pushes what it has read, then takes messages until there is
/// none, so that this is one message and one read at most.
#[derive(Debug, Default)]
pub struct Framing {
    buffer: BytesMut,
}

/// The other side does not speak this language: it is broken, and the process is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A body longer than any message has.
    #[error("a message of {0} bytes")]
    Length(u32),
    /// A kind of message that does not exist.
    #[error("a message of kind {0}")]
    Kind(u8),
    /// A body that its kind cannot have.
    #[error("a malformed message of kind {0}")]
    Body(u8),
}

impl Framing {
    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message: its kind and its body.
    ///
    /// # Errors
    /// When its length cannot be; there is no way to go on.
    pub fn pop(&mut self) -> Result<Option<(u8, Bytes)>, Broken> {
        let Some(&[kind, a, b, c, d]) = self.buffer.first_chunk() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        let end = match usize::try_from(length) {
            Ok(length) if length <= BODY_BYTES_MAX => length.saturating_add(HEAD_BYTES),
            _ => return Err(Broken::Length(length)),
        };
        if self.buffer.len() < end {
            return Ok(None);
        }
        let mut message = self.buffer.split_to(end);
        message.advance(HEAD_BYTES);
        Ok(Some((kind, message.freeze())))
    }

    /// Whether it holds the beginning of a message.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// A coded picture is smaller than the 3.1 MB of a raw one of 1920x1080.
pub const BODY_BYTES_MAX: usize = 8 << 20;
pub(super) const HEAD_BYTES: usize = 5;
