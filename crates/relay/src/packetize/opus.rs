use std::time::Instant;

use zongzi_media::{Frame, opus};

use super::{Batch, BatchKind, Error, PAYLOAD_MAX, rtp_time};

/// One Opus packet is one RTP payload (RFC 7587 §4.2).
///
/// # Errors
/// When it is empty or does not fit a datagram: Opus has no fragmentation.
pub fn packetize(
    frame: &Frame,
    sequence: u64,
    group: u64,
    received: Instant,
) -> Result<Batch, Error> {
    let size = frame.payload.len();
    if size == 0 {
        return Err(Error::Empty);
    }
    if size > PAYLOAD_MAX {
        return Err(Error::TooLarge(size));
    }
    let end = u32::try_from(size).unwrap_or(u32::MAX);
    Ok(Batch::new(
        BatchKind::Audio,
        sequence,
        group,
        rtp_time(frame.pts, opus::SAMPLE_RATE),
        received,
        frame.payload.as_ref().into(),
        Box::new([end]),
    ))
}
