//! Advice for hosts: what they send that costs their viewers something, and the setting that changes it.
//!
//! `Advice` is a sans-IO core, one for each broadcast. It is told of each frame as the host stamped it, with the time
//! when it came, and judges once a second what the last half minute has shown. A finding is an [`Advisory`]: raised when
//! it is clear, cleared when the contrary has been clear for a while. Nothing is found that costs nobody anything, such
//! as AAC or a timestamp that jumps once.
//!
//! A frame costs a few additions, a second a look at some short rings; memory is the same for each broadcast.

mod advisory;
mod arrival;
mod config;
mod judge;
mod pictures;
mod ring;
mod stamps;
mod verdict;
mod words;

pub use advisory::Advisory;
pub use words::{Language, Words};

pub(crate) use judge::{Advice, Situation};
pub(crate) use verdict::Change;
