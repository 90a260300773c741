//! RTMP as a sans-IO core: handshake, chunks, AMF0, session, FLV tags; server side and client side.
//!
//! Bytes of one TCP connection go in, bytes to send and events come out. There is no socket, no clock and no source
//! of randomness in here: the shell ([`server::Session`] or [`client::Session`] in its hands) keeps the deadlines and
//! passes 32 random bytes for the handshake. Nothing is buffered beyond [`Limits`], and nothing of media is parsed
//! before [`server::Session::accept_publish`].
//!
//! Sources: Adobe's "Real Time Messaging Protocol (RTMP) specification 1.0" (cited as RTMP §…), "AMF 0"
//! (amf0-file-format-specification), "Adobe Flash Video File Format Specification 10.1" (FLV §…) and Veovera's
//! "Enhanced RTMP v2" (E-RTMP). What encoders really send differs in places; the code says where.

#![forbid(unsafe_code)]

pub mod amf0;
mod chunk;
pub mod client;
mod clock;
mod command;
mod control;
mod error;
pub mod flv;
mod handshake;
mod limits;
mod message;
pub mod server;

pub use error::Error;
pub use handshake::Handshake;
pub use limits::Limits;
