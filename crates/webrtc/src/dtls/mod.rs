//! DTLS 1.2 as server, for the keys of SRTP (RFC 6347, RFC 5764).
//!
//! The engine is the crate dimpl, pinned to DTLS 1.2 (DEPENDENCIES: its 1.2 server prefers AES-GCM). It hides behind
//! [`Server`], so that another one can take its place. The engine draws its random bytes from the operating system;
//! everything else here is a function of the bytes and times passed in.

mod certificate;
mod fingerprint;
mod server;

pub use certificate::{Certificate, CertificateError};
pub use fingerprint::{Fingerprint, Hash};
#[cfg(debug_assertions)]
pub use server::Tap;
pub use server::{Context, Error, Event, Server};
