//! One viewer: transport, protection, bookkeeping.

pub(crate) mod dtls;
pub(crate) mod light;
pub(crate) mod record;

pub(crate) use light::Light;
pub(crate) use record::{Context, Outcome, Record, Stats};
