//! The nouns of Zongzi: what a stream is made of, whichever protocol carried it.
//!
//! A **channel** (named by a [`ChannelName`]) is the durable thing that a host owns; a *broadcast* is one live run of
//! it. A broadcast has [`Track`]s (video, audio), each described by a [`Codec`] with its configuration. Media comes as
//! [`Frame`]s on a track, stamped in [`MediaTime`]; a keyframe and everything that follows it up to the next keyframe
//! is a [`Group`].
//!
//! This crate parses only what the nouns need (codec configuration, NAL unit headers, slice types). It knows no
//! protocol, no clock, no socket, and nothing of viewers.

#![forbid(unsafe_code)]

pub mod aac;
pub mod bits;
mod frame;
mod group;
pub mod h264;
mod name;
pub mod opus;
mod time;
mod track;

pub use frame::Frame;
pub use group::Group;
pub use name::{ChannelName, InvalidChannelName};
pub use time::MediaTime;
pub use track::{Codec, Kind, Track, TrackId};
