//! Sockets, and where they may lead.

pub(crate) mod reach;
pub(crate) mod socket;

pub(crate) use reach::Reach;
pub(crate) use socket::{Receiver, Socket};
