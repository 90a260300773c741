#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, TryGetError};
use zongzi_media::MediaTime;

use super::framing::{BODY_BYTES_MAX, Broken};
use crate::reencode::{Counts, Hint, Level};

/// From the server to the child.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// The stream's AVCDecoderConfigurationRecord. First of all, and again when it changes.
    Configure {
        /// The record as the host sent it.
        record: Bytes,
        /// What is known of the source; only the first counts.
        hint: Hint,
    },
    /// The next access unit.
    Picture {
        /// Encode what comes of it; `false` while the cached group is caught up with.
        encode: bool,
        /// Decoding can start here.
        keyframe: bool,
        /// How much later than in real time the oldest unanswered request is; at most 71 minutes can be said.
        late: Duration,
        /// Time of decoding.
        dts: MediaTime,
        /// Time of presentation.
        pts: MediaTime,
        /// NAL units as in [`zongzi_media::Frame::payload`].
        payload: Bytes,
    },
    /// Viewers have the pictures up to this time of presentation: none of them is to be made.
    Shown(MediaTime),
    /// A viewer needs a keyframe.
    Keyframe,
    /// There is a gap: give out what is held back.
    Finish,
}

/// From the child to the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The AVCDecoderConfigurationRecord of the pictures from here on.
    Config(Bytes),
    /// A picture, to be decoded and shown at `time`.
    Picture {
        /// Decoding can start here.
        keyframe: bool,
        /// Time of presentation.
        time: MediaTime,
        /// NAL units behind lengths of 4 bytes.
        payload: Bytes,
    },
    /// One request is done.
    Done {
        /// How much of the work is done now.
        level: Level,
        /// What happened so far.
        counts: Counts,
    },
    /// The child has given up and ends.
    Failed {
        /// What to do about it.
        failure: Failure,
        /// Why, for the log.
        text: String,
    },
}

/// What a failure of the child means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The stream cannot be decoded here: another child would refuse it too.
    Refused,
    /// The machine is too slow.
    TooSlow,
    /// It broke down: another child may do better.
    Broken,
}

impl Request {
    /// Appends the message to `out`. A picture too large for a message is sent without its bytes, and so is broken at
    /// the child.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Configure { record, hint } => message(out, CONFIGURE, |body| {
                body.put_u32(hint.bits_per_second);
                body.put_f32(hint.pictures_per_second);
                body.put_slice(record);
            }),
            Self::Picture {
                encode,
                keyframe,
                late,
                dts,
                pts,
                payload,
            } => {
                message(out, PICTURE, |body| {
                    body.put_u8(u8::from(*encode) | u8::from(*keyframe) << 1);
                    body.put_u32(u32::try_from(late.as_micros()).unwrap_or(u32::MAX));
                    body.put_i64(dts.as_micros());
                    body.put_i64(pts.as_micros());
                    body.put_slice(bounded(payload));
                });
            }
            Self::Shown(time) => message(out, SHOWN, |body| body.put_i64(time.as_micros())),
            Self::Keyframe => message(out, KEYFRAME, |_| {}),
            Self::Finish => message(out, FINISH, |_| {}),
        }
    }

    /// Reads a message that [`Framing`](super::Framing) found.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn read(kind: u8, mut body: Bytes) -> Result<Self, Broken> {
        let malformed = |TryGetError { .. }| Broken::Body(kind);
        match kind {
            CONFIGURE => {
                let hint = Hint {
                    bits_per_second: body.try_get_u32().map_err(malformed)?,
                    pictures_per_second: body.try_get_f32().map_err(malformed)?,
                };
                Ok(Self::Configure { record: body, hint })
            }
            PICTURE => {
                let flags = body.try_get_u8().map_err(malformed)?;
                Ok(Self::Picture {
                    encode: flags & 1 != 0,
                    keyframe: flags & 2 != 0,
                    late: Duration::from_micros(body.try_get_u32().map_err(malformed)?.into()),
                    dts: MediaTime::from_micros(body.try_get_i64().map_err(malformed)?),
                    pts: MediaTime::from_micros(body.try_get_i64().map_err(malformed)?),
                    payload: body,
                })
            }
            SHOWN => {
                let time = body.try_get_i64().map_err(malformed)?;
                Ok(Self::Shown(MediaTime::from_micros(time)))
            }
            KEYFRAME => Ok(Self::Keyframe),
            FINISH => Ok(Self::Finish),
            other => Err(Broken::Kind(other)),
        }
    }
}

impl Reply {
    /// Appends the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Config(record) => message(out, CONFIG, |body| body.put_slice(record)),
            Self::Picture {
                keyframe,
                time,
                payload,
            } => message(out, MADE, |body| {
                body.put_u8((*keyframe).into());
                body.put_i64(time.as_micros());
                body.put_slice(bounded(payload));
            }),
            Self::Done { level, counts } => message(out, DONE, |body| {
                body.put_u8(match level {
                    Level::Full => 0,
                    Level::HalfSize => 1,
                    Level::HalfRate => 2,
                });
                let Counts {
                    decoded,
                    broken,
                    encoded,
                    keyframes,
                    skipped,
                } = *counts;
                for count in [decoded, broken, encoded, keyframes, skipped] {
                    body.put_u64(count);
                }
            }),
            Self::Failed { failure, text } => message(out, FAILED, |body| {
                body.put_u8(match failure {
                    Failure::Refused => 0,
                    Failure::TooSlow => 1,
                    Failure::Broken => 2,
                });
                body.put_slice(text.as_bytes());
            }),
        }
    }

    /// Reads a message that [`Framing`](super::Framing) found.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn read(kind: u8, mut body: Bytes) -> Result<Self, Broken> {
        let malformed = |TryGetError { .. }| Broken::Body(kind);
        match kind {
            CONFIG => Ok(Self::Config(body)),
            MADE => Ok(Self::Picture {
                keyframe: body.try_get_u8().map_err(malformed)? != 0,
                time: MediaTime::from_micros(body.try_get_i64().map_err(malformed)?),
                payload: body,
            }),
            DONE => {
                let level = match body.try_get_u8().map_err(malformed)? {
                    0 => Level::Full,
                    1 => Level::HalfSize,
                    2 => Level::HalfRate,
                    _ => return Err(Broken::Body(kind)),
                };
                let mut count = || body.try_get_u64().map_err(malformed);
                let counts = Counts {
                    decoded: count()?,
                    broken: count()?,
                    encoded: count()?,
                    keyframes: count()?,
                    skipped: count()?,
                };
                Ok(Self::Done { level, counts })
            }
            FAILED => {
                let failure = match body.try_get_u8().map_err(malformed)? {
                    0 => Failure::Refused,
                    1 => Failure::TooSlow,
                    2 => Failure::Broken,
                    _ => return Err(Broken::Body(kind)),
                };
                let text = body
                    .get(..body.len().min(TEXT_BYTES_MAX))
                    .unwrap_or_default();
                Ok(Self::Failed {
                    failure,
                    text: String::from_utf8_lossy(text).into_owned(),
                })
            }
            other => Err(Broken::Kind(other)),
        }
    }
}

fn message(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    out.put_u8(kind);
    // Every body is bounded far below.
    out.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(&body);
}

fn bounded(payload: &Bytes) -> &[u8] {
    if payload.len() > BODY_BYTES_MAX.saturating_sub(FIELD_BYTES_MAX) {
        &[]
    } else {
        payload
    }
}

const CONFIGURE: u8 = 1;
const PICTURE: u8 = 2;
const KEYFRAME: u8 = 3;
const FINISH: u8 = 4;
const SHOWN: u8 = 5;
const CONFIG: u8 = 65;
const MADE: u8 = 66;
const DONE: u8 = 67;
const FAILED: u8 = 68;
/// Room for a message's own fields.
const FIELD_BYTES_MAX: usize = 64;
/// A broken child shall not write books into the log.
const TEXT_BYTES_MAX: usize = 200;
