//! What the renditions must know of H.264 beyond [`zongzi_media::h264`]: parameter sets and slice headers as far as
//! reference pictures go, and which pictures a picture may refer to.

mod parameters;
mod references;
mod slice;

pub(crate) use parameters::{Colour, ParameterSets};
pub(crate) use references::References;
pub(crate) use slice::SliceHeader;

/// Takes out emulation prevention bytes (ITU-T H.264 §7.4.1.1) of at most `limit` bytes.
fn unescape(body: &[u8], limit: usize) -> Vec<u8> {
    let body = body.get(..limit).unwrap_or(body);
    let mut out = Vec::with_capacity(body.len());
    let mut zeros = 0_u8;
    for &byte in body {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 {
            zeros.saturating_add(1)
        } else {
            0
        };
        out.push(byte);
    }
    out
}
