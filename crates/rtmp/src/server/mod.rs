//! The server's side of a connection, for hosts who publish.

mod event;
mod session;
#[cfg(test)]
mod tests;

pub use event::{Event, Metadata, PublishRequest, StreamName};
pub use session::Session;
