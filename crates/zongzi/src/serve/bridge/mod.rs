//! The seams between the crates that do not know each other, joined.

mod authority;
mod channels;
mod connected;
mod entrance;
mod history;
mod hosts;
#[cfg(debug_assertions)]
mod key_log;
mod keys;
mod news;
mod publish;
mod rejections;
mod renditions;
mod viewers;

pub(super) use authority::Authority;
pub(super) use channels::{Catalog, Programme};
pub(super) use connected::Connected;
pub(super) use entrance::Entrance;
pub(super) use history::{History, open as open_history};
pub(super) use hosts::Backstage;
pub(super) use keys::Door;
pub(super) use news::News;
pub(super) use publish::Stage;
pub(super) use rejections::Rejections;
pub(super) use renditions::Transcoders;
pub(super) use viewers::Viewers;
