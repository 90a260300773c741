//! SRTP and SRTCP (RFC 3711) with AES-GCM (RFC 7714) or AES-CM and HMAC-SHA1 (RFC 3711 §4), keyed by DTLS (RFC 5764).
//!
//! **Hot path.** [`Sender::protect`] runs once per packet and viewer: nothing is allocated, the payload is read where it
//! lies (the broadcast's shared batch) and its ciphertext written to where it leaves from, in one pass. A direction's
//! state is two ciphers (media and control); see [`Sender`] for its size.

mod cipher;
mod keys;
mod receiver;
mod replay;
mod sender;

pub use keys::{Keys, Profile, Side};
pub use receiver::Receiver;
pub use sender::Sender;

/// Why a packet was not protected or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The exported keying material has another length than the profile needs.
    #[error("keying material has {0} bytes, not what the profile needs")]
    KeyLength(usize),
    /// The output buffer is too small.
    #[error("output buffer too small: {0} bytes needed")]
    OutputTooSmall(usize),
    /// The packet is no RTP or RTCP, or too short for its profile.
    #[error("packet too short or malformed")]
    Malformed,
    /// The packet was accepted before, or is older than the replay window.
    #[error("packet replayed or too old")]
    Replayed,
    /// The authentication tag is wrong.
    #[error("authentication failed")]
    Unauthentic,
    /// All packet indices of this key are used up (RFC 3711 §9.2).
    #[error("packet indices used up")]
    Exhausted,
    /// The cryptographic library refused to work.
    #[error("cipher failed")]
    Cipher,
}

#[cfg(test)]
mod tests;
