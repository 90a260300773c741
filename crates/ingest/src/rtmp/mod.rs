//! The shell of RTMP: sockets, deadlines and limits around [`zongzi_rtmp::server::Session`].
//!
//! One task per connection. Until its key was checked a connection has a read buffer of 4 KiB, what
//! [`zongzi_rtmp::Limits`] allow before publishing, and one deadline for everything, so that sending slowly gains
//! nothing.

mod address;
mod connection;
mod counters;
mod server;
mod settings;
mod socket;
mod words;

pub use counters::{Close, Counters};
pub use server::Server;
pub use settings::Settings;
pub use zongzi_rtmp::Limits;
