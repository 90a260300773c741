#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::{Body, Cursor, FourCc, PACKET_CODED_FRAMES, PACKET_SEQUENCE_START, enhanced_header};

/// A video tag body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) coding: Coding,
    pub(super) keyframe: bool,
    pub(super) body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Avc,
    Hevc,
    Av1,
    Other(&'static str),
}

/// `None` when the body carries neither configuration nor media (an end of sequence, a command, colour metadata, a
/// second track), or is cut short.
pub(super) fn parse(body: Bytes) -> Option<Tag> {
    let mut cursor = Cursor { rest: body };
    let first = cursor.byte()?;
    if first & ENHANCED == 0 {
        legacy(cursor, first)
    } else {
        enhanced(cursor, first)
    }
}

/// FLV §E.4.3: frame type, codec id; for AVC the packet type and the composition time.
fn legacy(mut cursor: Cursor, first: u8) -> Option<Tag> {
    let frame_type = first >> 4;
    if frame_type == FRAME_COMMAND {
        return None;
    }
    let coding = match first & 0x0f {
        2 => Coding::Other("Sorenson H.263"),
        3 => Coding::Other("Screen Video"),
        4 | 5 => Coding::Other("VP6"),
        6 => Coding::Other("Screen Video 2"),
        7 => Coding::Avc,
        // Never in the specification, but Chinese encoders and players agree on these.
        12 => Coding::Hevc,
        13 => Coding::Av1,
        _ => Coding::Other("an unknown video codec"),
    };
    let body = match coding {
        Coding::Other(_) => Body::Coded {
            composition_ms: 0,
            payload: cursor.rest,
        },
        Coding::Avc | Coding::Hevc | Coding::Av1 => {
            let packet_type = cursor.byte()?;
            let composition_ms = cursor.i24()?;
            match packet_type {
                AVC_SEQUENCE_HEADER => Body::Config(cursor.rest),
                AVC_NALU => Body::Coded {
                    composition_ms,
                    payload: cursor.rest,
                },
                _ => return None,
            }
        }
    };
    Some(Tag {
        coding,
        keyframe: is_keyframe(frame_type),
        body,
    })
}

/// E-RTMP, "ExVideoTagHeader".
fn enhanced(mut cursor: Cursor, first: u8) -> Option<Tag> {
    let frame_type = first >> 4 & 0x07;
    let (packet_type, four_cc) = enhanced_header(&mut cursor, first & 0x0f, PACKET_MULTITRACK)?;
    // A command frame is a seek hint for players and carries no picture.
    if frame_type == FRAME_COMMAND {
        return None;
    }
    let coding = coding(four_cc);
    let body = match packet_type {
        PACKET_SEQUENCE_START => Body::Config(cursor.rest),
        PACKET_CODED_FRAMES => Body::Coded {
            composition_ms: match coding {
                Coding::Avc | Coding::Hevc => cursor.i24()?,
                Coding::Av1 | Coding::Other(_) => 0,
            },
            payload: cursor.rest,
        },
        PACKET_CODED_FRAMES_X => Body::Coded {
            composition_ms: 0,
            payload: cursor.rest,
        },
        _ => return None,
    };
    Some(Tag {
        coding,
        keyframe: is_keyframe(frame_type),
        body,
    })
}

fn coding(four_cc: FourCc) -> Coding {
    match &four_cc {
        b"avc1" => Coding::Avc,
        b"hvc1" => Coding::Hevc,
        b"av01" => Coding::Av1,
        b"vp08" => Coding::Other("VP8"),
        b"vp09" => Coding::Other("VP9"),
        b"vvc1" => Coding::Other("VVC"),
        _ => Coding::Other("an unknown video codec"),
    }
}

/// Key frame, or generated key frame.
fn is_keyframe(frame_type: u8) -> bool {
    matches!(frame_type, 1 | 4)
}

/// The tag is one of Enhanced RTMP.
const ENHANCED: u8 = 0x80;
const FRAME_COMMAND: u8 = 5;
const AVC_SEQUENCE_HEADER: u8 = 0;
const AVC_NALU: u8 = 1;
const PACKET_CODED_FRAMES_X: u8 = 3;
const PACKET_MULTITRACK: u8 = 6;
