//! One frame becomes one [`Batch`] of RTP payloads, once, for all viewers.

mod batch;
pub mod h264;
mod opus;
pub(crate) mod video_clock;

pub use batch::{Batch, BatchKind};
pub use opus::packetize as opus;

use zongzi_media::MediaTime;

/// Why a frame makes no packets. The frame is the host's fault; those after it may be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No bytes.
    #[error("empty frame")]
    Empty,
    /// An access unit without slices.
    #[error("access unit without a picture")]
    NoPicture,
    /// More bytes than can be sent.
    #[error("frame of {0} bytes is too large")]
    TooLarge(usize),
    /// Absurdly large parameter sets.
    #[error("parameter sets of {0} bytes are too large")]
    ParameterSets(usize),
}

/// The timestamp of an RTP packet: ticks since the timeline's zero, modulo 2^32 (RFC 3550 §5.1).
pub(crate) fn rtp_time(time: MediaTime, clock_rate: u32) -> u32 {
    let wrapped = time.to_ticks(clock_rate) & i64::from(u32::MAX);
    u32::try_from(wrapped).unwrap_or(0)
}

/// The largest datagram sent, in bytes: passes every path that WebRTC works on (RFC 8831 §5 takes the same figure).
const DATAGRAM_MAX: usize = 1_200;
/// RTP header without CSRCs (RFC 3550 §5.1).
const RTP_HEADER: usize = 12;
/// Header extensions `mid` and `playout-delay` in the one-byte form, padded (RFC 8285 §4.2): 4 + 2 + 4, rounded up.
const RTP_EXTENSIONS: usize = 12;
/// AES-GCM's tag (RFC 7714 §5).
const TAG: usize = 16;
/// The original sequence number in front of a retransmitted payload (RFC 4588 §4).
const RTX_HEADER: usize = 2;
/// The largest RTP payload, in bytes: with everything around it a retransmission still fits 1,200 bytes.
pub const PAYLOAD_MAX: usize = DATAGRAM_MAX - RTP_HEADER - RTP_EXTENSIONS - TAG - RTX_HEADER;
