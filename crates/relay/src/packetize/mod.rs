//! One frame becomes one [`Batch`] of RTP payloads, once, for all viewers.

mod batch;

pub use batch::{Batch, BatchKind};
