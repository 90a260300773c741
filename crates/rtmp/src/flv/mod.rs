//! FLV tag bodies, which are the payloads of RTMP's audio and video messages: legacy (FLV §E.4.2, §E.4.3) and Enhanced
//! RTMP.

mod audio;
mod demuxer;
pub mod file;
#[cfg(test)]
mod tests;
mod video;

pub use demuxer::{Demuxed, Demuxer};

use bytes::Bytes;

/// What a tag body carries.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// The codec's configuration record.
    Config(Bytes),
    /// Coded media, and how long after decoding it is shown.
    Coded { composition_ms: i32, payload: Bytes },
}

/// A codec named by Enhanced RTMP's four characters.
type FourCc = [u8; 4];

/// Reads a tag body from the front. Every part handed out shares the message's memory.
struct Cursor {
    rest: Bytes,
}

impl Cursor {
    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.rest.first_chunk()?;
        self.skip(N)?;
        Some(array)
    }

    /// A signed number of 24 bits, big-endian.
    fn i24(&mut self) -> Option<i32> {
        let [a, b, c] = self.array()?;
        Some(i32::from_be_bytes([a, b, c, 0]) >> 8)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        (bytes <= self.rest.len()).then(|| bytes::Buf::advance(&mut self.rest, bytes))
    }
}

/// What follows the first byte of an Enhanced RTMP tag, up to the media (E-RTMP, "ExVideoTagHeader",
/// "ExAudioTagHeader"): modifiers are read over, of several tracks only track 0 is kept. `None` when there is nothing
/// for us in it, or it is cut short.
///
/// `multitrack` is the packet type that announces several tracks.
fn enhanced_header(cursor: &mut Cursor, first_type: u8, multitrack: u8) -> Option<(u8, FourCc)> {
    let mut packet_type = first_type;
    // Each modifier takes at least two bytes off the message, which bounds the loop.
    while packet_type == PACKET_MOD_EX {
        let mut size = usize::from(cursor.byte()?).saturating_add(1);
        if size == 256 {
            size = usize::from(u16::from_be_bytes(cursor.array()?)).saturating_add(1);
        }
        cursor.skip(size)?;
        packet_type = cursor.byte()? & 0x0f;
    }
    if packet_type != multitrack {
        return Some((packet_type, cursor.array()?));
    }
    let kind_and_type = cursor.byte()?;
    if kind_and_type >> 4 != MULTITRACK_ONE {
        return None;
    }
    let four_cc = cursor.array()?;
    let track = cursor.byte()?;
    (track == 0).then_some((kind_and_type & 0x0f, four_cc))
}

// Packet types that mean the same in video and audio.
const PACKET_SEQUENCE_START: u8 = 0;
const PACKET_CODED_FRAMES: u8 = 1;
const PACKET_MOD_EX: u8 = 7;
/// AvMultitrackType.OneTrack.
const MULTITRACK_ONE: u8 = 0;
