//! A few threads, each the owner of its viewers: sockets in, packets out.

mod message;

pub use message::{BroadcastId, FromHub, ShardId};
