//! The seams between the crates that do not know each other, joined.

mod channels;
mod keys;
mod publish;
mod renditions;
mod viewers;

pub(super) use channels::{Catalog, Programme};
pub(super) use keys::Door;
pub(super) use publish::Stage;
pub(super) use renditions::Transcoders;
pub(super) use viewers::Viewers;
