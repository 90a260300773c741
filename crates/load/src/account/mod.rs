//! Bookkeeping at RTP level: what arrived, when, in what order, and what did not.
//!
//! Pure: packets and stamps in, figures out. No clock, no socket.

pub(crate) mod delays;
pub(crate) mod frames;
pub(crate) mod matching;
pub(crate) mod sequence;
pub(crate) mod sound;

pub(crate) use delays::Delays;
pub(crate) use frames::Assembler;
pub(crate) use sequence::Sequence;
pub(crate) use sound::Sound;
