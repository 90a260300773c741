#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::{Body, Cursor, FourCc, PACKET_CODED_FRAMES, PACKET_SEQUENCE_START, enhanced_header};

/// An audio tag body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) coding: Coding,
    pub(super) body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Aac,
    Opus,
    Mp3,
    Other(&'static str),
}

/// `None` when the body carries neither configuration nor media, or is cut short.
pub(super) fn parse(body: Bytes) -> Option<Tag> {
    let mut cursor = Cursor { rest: body };
    let first = cursor.byte()?;
    match first >> 4 {
        FORMAT_ENHANCED => enhanced(cursor, first & 0x0f),
        format => legacy(cursor, format),
    }
}

/// FLV §E.4.2: sound format; for AAC the packet type. Rate, size and channels in the first byte are wrong in most
/// streams, and for AAC meaningless.
fn legacy(mut cursor: Cursor, format: u8) -> Option<Tag> {
    let coding = match format {
        0 | 3 => Coding::Other("PCM"),
        1 => Coding::Other("ADPCM"),
        2 | 14 => Coding::Mp3,
        4..=6 => Coding::Other("Nellymoser"),
        7 | 8 => Coding::Other("G.711"),
        10 => Coding::Aac,
        11 => Coding::Other("Speex"),
        _ => Coding::Other("an unknown audio codec"),
    };
    let body = match coding {
        Coding::Aac => match cursor.byte()? {
            AAC_SEQUENCE_HEADER => Body::Config(cursor.rest),
            _ => coded(cursor.rest),
        },
        Coding::Opus | Coding::Mp3 | Coding::Other(_) => coded(cursor.rest),
    };
    Some(Tag { coding, body })
}

/// E-RTMP, "ExAudioTagHeader".
fn enhanced(mut cursor: Cursor, first_type: u8) -> Option<Tag> {
    let (packet_type, four_cc) = enhanced_header(&mut cursor, first_type, PACKET_MULTITRACK)?;
    let body = match packet_type {
        PACKET_SEQUENCE_START => Body::Config(cursor.rest),
        PACKET_CODED_FRAMES => coded(cursor.rest),
        _ => return None,
    };
    Some(Tag {
        coding: coding(four_cc),
        body,
    })
}

fn coded(payload: Bytes) -> Body {
    Body::Coded {
        composition_ms: 0,
        payload,
    }
}

fn coding(four_cc: FourCc) -> Coding {
    match &four_cc {
        b"mp4a" => Coding::Aac,
        b"Opus" => Coding::Opus,
        b".mp3" => Coding::Mp3,
        b"ac-3" => Coding::Other("AC-3"),
        b"ec-3" => Coding::Other("E-AC-3"),
        b"fLaC" => Coding::Other("FLAC"),
        _ => Coding::Other("an unknown audio codec"),
    }
}

/// SoundFormat.ExHeader.
const FORMAT_ENHANCED: u8 = 9;
const AAC_SEQUENCE_HEADER: u8 = 0;
const PACKET_MULTITRACK: u8 = 5;
