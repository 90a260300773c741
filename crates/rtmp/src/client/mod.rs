//! The client's side of a connection: publishes a stream. The load generator and the tests stand on it.

mod session;

pub use session::{Event, Session, Settings};
