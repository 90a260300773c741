//! The one media port: all WebRTC media of the process goes through one UDP port, whoever speaks on it.
//!
//! [`MediaPort::bind`] opens one socket for each shard on the same port; the kernel keeps the datagrams of one
//! 4-tuple on one socket. A shard owns its [`MediaSocket`], reads it in batches ([`Inbound`]), tells the protocols
//! apart ([`Class`]), and sends through a [`Sender`] that gathers datagrams of many viewers into GSO messages and hands
//! them to the kernel by one `sendmmsg`. Whose a STUN request is, is looked up in the shared [`UfragTable`]. Between
//! datagrams the shard sleeps in [`MediaSocket::wait`], from which its [`Waker`] wakes it.
//!
//! This crate knows no WebRTC: reading a STUN USERNAME is a function it is given. Linux only. All unsafe code of the
//! network is in its `sys` module.

#![deny(unsafe_code)]

mod address;
mod class;
mod control;
mod inbound;
mod interfaces;
mod port;
mod sender;
mod socket;
mod sys;
mod ufrag;
mod wake;

pub use address::Path;
pub use class::Class;
pub use inbound::{Datagram, Inbound};
pub use interfaces::{LocalAddress, local_addresses};
pub use port::{BindError, MediaPort, Options};
pub use sender::Sender;
pub use socket::{MediaSocket, Ready, SocketCounters};
pub use ufrag::{TableFull, UfragTable};
pub use wake::Waker;

#[cfg(test)]
mod tests;
