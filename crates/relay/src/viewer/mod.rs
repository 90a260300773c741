//! One viewer's egress, sans-IO: which batches he gets, in which order, and when.
//!
//! **Hot path.** Per viewer and batch: the header's constant parts are at hand, the sequence number is patched for each
//! packet, and the payload is encrypted from the shared batch straight into the send buffer, where packets of one size
//! become one GSO message. Nothing is allocated and nothing is locked. DESIGN §4 has the budget: 0.50 ms of CPU per
//! viewer-second for 327 packets a second, so 1.5 µs a packet with the kernel's share.
//!
//! The shard is the owner and calls, in its own time: [`Egress::new`] when the keys stand, [`Egress::pump`] for new
//! video and when [`Egress::poll_timeout`] says so, [`Egress::audio`] for sound, and the feedback's methods.

mod egress;
mod history;
mod link;
mod pace;
mod stamps;
mod steps;
mod stream;
mod video;

pub(crate) use egress::{Egress, Outbox, Tally, Tick};
pub(crate) use stream::{Seeds, StreamSettings};

#[cfg(test)]
mod tests;
