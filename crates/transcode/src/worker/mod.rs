//! The re-encode in a process of its own.
//!
//! OpenH264 is C++ fed with strangers' bytes. So the server runs [`reencode::Reencoder`](crate::reencode::Reencoder) in
//! a child process, one a stream, with limits on memory and none of the server's descriptors: should it crash, one
//! rendition is missing until the next child has caught up with the cached group, and nothing else has happened.
//!
//! The two speak over the child's standard input and output, in messages:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | kind |
//! | 4 | length of the body, big-endian, at most [`BODY_BYTES_MAX`] |
//! | … | body |
//!
//! [`Request`]s go to the child, [`Reply`]s come back; [`Framing`] finds messages in what was read; [`serve`] is all
//! that the child does. The parent counts: every request is answered with any number of [`Reply::Config`] and
//! [`Reply::Picture`] and then one [`Reply::Done`], so what is not done yet is the queue, and how long its oldest
//! member has waited is what [`Request::Picture`] reports as `late`. The child itself has no clock.

mod framing;
mod message;
mod serve;
#[cfg(test)]
mod tests;

pub use framing::{BODY_BYTES_MAX, Broken, Framing};
pub use message::{Failure, Reply, Request};
pub use serve::serve;
