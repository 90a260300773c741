//! SDP: reading a viewer's offer, writing our answer, and the fragments of trickle ICE (RFC 8866, RFC 8829, RFC 8840).
//!
//! Only what a WHEP server needs is read, by a bounded line parser of our own; the answer is formatted by hand, in the
//! order that browsers were measured to accept (RTP.md rules 53, 54, 69, 73).

mod answer;
mod codec;
mod fragment;
mod lines;
mod offer;

pub use answer::{Answer, Negotiated, Stream};
pub use codec::{Codec, H264, Opus};
pub use fragment::Fragment;
pub use offer::{Direction, Kind, Media, Offer, Setup};

/// Why an offer can't be answered. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bigger than [`Offer::BYTES_MAX`], or too many lines or m-sections.
    #[error("SDP too large: {0}")]
    TooLarge(&'static str),
    /// Not SDP.
    #[error("malformed SDP at line {line}: {what}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What was expected.
        what: &'static str,
    },
    /// A WebRTC peer must say this.
    #[error("SDP lacks {0}")]
    Missing(&'static str),
    /// Something is there that we can't do.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Nothing that is offered can be sent.
    #[error("no codec in common: {0}")]
    NoCommonCodec(&'static str),
}

#[cfg(test)]
mod tests;
