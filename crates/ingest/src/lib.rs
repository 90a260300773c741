//! The shells of the ingest protocols: accept a host, check its key, feed the hub through a trait.
//!
//! This crate knows neither the store nor the relay: it declares what it needs of them ([`KeyCheck`], [`Publish`]) and
//! the binary wires them.

#![forbid(unsafe_code)]

mod admission;
mod arrival;
mod publish;
pub mod rtmp;

pub use admission::{Admitted, KeyCheck, KeyRefusal, StreamKey};
pub use arrival::{Arrival, ArrivalWatch};
pub use publish::{
    End, Finish, Media, Protocol, Publication, Publish, PublishRefusal, PublishRequest,
};
