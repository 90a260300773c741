//! Hub, groups, packets, shards, WHEP egress.

#![forbid(unsafe_code)]

pub mod advice;
pub mod groups;
pub mod hub;
pub mod packetize;
pub mod playability;
pub mod rendition;
pub mod shard;
pub mod timeline;
mod viewer;
pub mod whep;

#[cfg(test)]
mod fixture;
