//! The sessions of both sides from outside: real encoders' bytes, hostile bytes, and each other.

mod chunking;
mod client;
mod hostile;
mod session;
mod support;
