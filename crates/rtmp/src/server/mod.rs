//! The server's side of a connection, for hosts who publish.

mod event;
mod session;

pub use event::{Event, Metadata, PublishRequest, StreamName};
pub use session::Session;
