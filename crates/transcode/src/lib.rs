//! Renditions: tracks made from tracks, for viewers who cannot take the original.
//!
//! [`AacToOpus`] turns the AAC of an RTMP host into the Opus that WebRTC wants. Everything here is a plain call on
//! coded frames: no thread, no clock, no runtime. Whoever calls decides on which thread the work is done.
//!
//! The C library behind it (libopus) is spoken to in the module `ffi` alone, the only one with unsafe code.

#![deny(unsafe_code)]

mod aac_to_opus;
mod ffi;
#[cfg(test)]
mod fixture;
pub mod he_aac;

pub use aac_to_opus::{AacToOpus, Stats, Unplayable};
