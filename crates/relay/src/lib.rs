//! Hub, groups, packets, shards, WHEP egress.

#![forbid(unsafe_code)]

pub mod packetize;
pub mod shard;
