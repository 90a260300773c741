//! Renditions: tracks made from tracks, for viewers who cannot take the original.
//!
//! [`AacToOpus`] turns the AAC of an RTMP host into the Opus that WebRTC wants. WebRTC takes no B pictures either:
//! [`reencode::Reencoder`] decodes and encodes again without them, and [`ip::Rendition`] leaves them out where there is
//! no CPU for that. Everything here is a plain call on coded frames: no thread, no clock, no runtime. Whoever calls
//! decides on which thread, or in which process, the work is done.
//!
//! The C libraries behind it (libopus, OpenH264) are spoken to in the module `ffi` alone, the only one with unsafe code.

#![deny(unsafe_code)]

mod aac_to_opus;
mod ffi;
#[cfg(test)]
mod fixture;
mod h264;
pub mod he_aac;
pub mod ip;
pub mod reencode;
pub mod worker;

pub use aac_to_opus::{AacToOpus, Effort, Stats, Unplayable};
