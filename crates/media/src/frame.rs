use bytes::Bytes;

use crate::{MediaTime, TrackId};

/// One coded picture (an access unit) or one coded audio frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The track it belongs to.
    pub track: TrackId,
    /// When it must be decoded. Within a track it does not go backwards once the hub has put it on the broadcast's
    /// timeline; as a host sends it, anything is possible.
    pub dts: MediaTime,
    /// When it is shown or heard; differs from `dts` only where pictures are coded out of order (B-frames).
    pub pts: MediaTime,
    /// Decoding can start here. Always true for audio.
    pub keyframe: bool,
    /// The coded bytes, untouched from the host.
    ///
    /// H.264: NAL units, each behind a big-endian length of [`crate::h264::Config::length_size`] bytes
    /// (ISO/IEC 14496-15 §5.3.3). AAC: one raw_data_block without ADTS. Opus: one packet (RFC 6716 §3).
    pub payload: Bytes,
}
