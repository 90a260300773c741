//! Hosts: channels that are published over RTMP from a file.

pub(crate) mod clip;
pub(crate) mod log;
mod publish;

pub(crate) use clip::Clip;
pub(crate) use publish::{Address, Figures, Hosts};
