//! Hub, groups, packets, shards, WHEP egress.

#![forbid(unsafe_code)]

pub mod advice;
pub mod groups;
mod host_clock;
pub mod hub;
pub mod packetize;
pub mod playability;
pub mod rendition;
mod session_id;
pub mod shard;
pub mod timeline;
mod viewer;
pub mod whep;

pub use host_clock::HostClock;
pub use session_id::SessionId;

#[cfg(test)]
mod fixture;
