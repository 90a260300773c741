//! A few threads, each the owner of its viewers: sockets in, packets out.
//!
//! [`Shards::open`] binds the media port, one socket for each shard, and makes the queues; [`Shards::start`] starts the
//! threads. The hub reaches them through [`Links`], they reach the hub through [`Source`]; the WHEP resource enters
//! sessions into their common table. A session belongs to the shard on whose socket its first valid STUN request
//! arrives, until its end.

mod budget;
mod capacity;
mod counters;
mod dejitter;
mod departed;
mod feed;
mod flights;
mod histogram;
mod inbox;
mod join;
mod message;
mod pass;
mod roster;
mod session;
mod source;
mod start;
mod viewers;
mod worker;

#[expect(
    clippy::module_name_repetitions,
    reason = "read far from here, beside the counters of sockets and of the hub"
)]
pub use counters::ShardCounters;
pub use counters::{Closed, Times};
pub(crate) use feed::Feed;
pub use histogram::Histogram;
pub(crate) use inbox::Control;
pub use inbox::Links;
pub use join::{Join, JoinWatch};
#[expect(
    clippy::module_name_repetitions,
    reason = "the hub speaks of shards, and an `Id` says nothing there"
)]
pub use message::ShardId;
pub use message::{BroadcastId, FromHub};
pub use pass::Pass;
pub use roster::{Entry, Figures, Roster};
pub(crate) use session::{Change, Newcomer, Refused, Session, Sessions};
pub use source::Source;
pub use start::{Config, Shards};

#[cfg(test)]
mod tests;
