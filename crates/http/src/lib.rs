//! The HTTP kit and the public front.
//!
//! The kit: [`Problem`] (RFC 9457 errors), bounded [request bodies](body), an accept loop with limits ([`server`]),
//! time stamps as JSON carries them. The front: [WHEP](whep) resources over a [`whep::Sessions`] trait, the
//! [public JSON and its events](public) over a [`public::Channels`] trait, the [pages]; [`Front`] puts them into one
//! router, and [`admin`] makes the operator's.
//!
//! This crate knows no media, no store and no transport: the binary implements the traits.

#![forbid(unsafe_code)]

pub mod admin;
mod bearer;
pub mod body;
mod connection;
pub mod cors;
mod fallback;
mod front;
mod guard;
pub mod health;
pub mod pages;
pub mod playback;
pub mod problem;
pub mod public;
pub mod server;
mod timestamp;
pub mod whep;

pub use bearer::Bearer;
pub use connection::{Connection, subscriber};
pub use fallback::with_fallbacks;
pub use front::Front;
pub use problem::Problem;
pub use timestamp::{InvalidTimestamp, Timestamp};
