//! FLV files (FLV §E.2 to §E.4.1): the tags of a recording, to publish it again.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use crate::message::{AUDIO, DATA_AMF0, VIDEO};

/// What a tag is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An audio tag body.
    Audio,
    /// A video tag body.
    Video,
    /// AMF0 values: `onMetaData` and its object.
    Data,
}

impl Kind {
    /// FLV's tag types are RTMP's message types.
    pub(crate) fn type_id(self) -> u8 {
        match self {
            Self::Audio => AUDIO,
            Self::Video => VIDEO,
            Self::Data => DATA_AMF0,
        }
    }
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What it is for.
    pub kind: Kind,
    /// When it is decoded, in milliseconds modulo 2^32.
    pub timestamp_ms: u32,
    /// The tag body; shares the file's memory.
    pub body: Bytes,
}

/// The tags of `file` up to its end or to where it is cut short. Encrypted and unknown tags are left out. Empty if it
/// is no FLV file.
pub fn tags(file: Bytes) -> Tags {
    let body = match file.as_ref() {
        [b'F', b'L', b'V', _version, _flags, a, b, c, d, ..] => {
            let header = u32::from_be_bytes([*a, *b, *c, *d]);
            // Behind the header the size of the tag before the first: 0.
            usize::try_from(header)
                .unwrap_or(usize::MAX)
                .saturating_add(4)
        }
        _ => usize::MAX,
    };
    Tags {
        rest: file
            .get(body..)
            .map_or_else(Bytes::new, |rest| file.slice_ref(rest)),
    }
}

/// See [`tags`].
#[derive(Debug, Clone)]
pub struct Tags {
    rest: Bytes,
}

impl Iterator for Tags {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        loop {
            let &[type_id, s1, s2, s3, t1, t2, t3, t0, _, _, _] = self.rest.first_chunk()?;
            let size = u32::from_be_bytes([0, s1, s2, s3]);
            let end = usize::try_from(size).ok()?.checked_add(TAG_HEADER_BYTES)?;
            let body = self.rest.get(TAG_HEADER_BYTES..end)?;
            let body = self.rest.slice_ref(body);
            let next = end.saturating_add(4).min(self.rest.len());
            bytes::Buf::advance(&mut self.rest, next);
            let kind = match type_id {
                AUDIO => Kind::Audio,
                VIDEO => Kind::Video,
                DATA_AMF0 => Kind::Data,
                _ => continue,
            };
            return Some(Tag {
                kind,
                timestamp_ms: u32::from_be_bytes([t0, t1, t2, t3]),
                body,
            });
        }
    }
}

const TAG_HEADER_BYTES: usize = 11;
