//! Webhooks: what happens in a server, told to other programs over HTTP.
//!
//! Each event that an endpoint wants becomes a row of the store's outbox, so it survives a restart, and is posted as a
//! CloudEvents 1.0 document in a Standard Webhooks envelope until the endpoint takes it or [`Retry`] gives up; then it
//! stays in the dead letters for a while. At least once, and in order where nothing has to be tried again.
//!
//! Where a post may go to is checked on the address that is connected to ([`Rules`]), since whoever may add an endpoint
//! must not thereby reach what only this machine can.

mod address;
mod client;
mod counts;
mod courier;
mod delivery;
mod envelope;
mod hook;
mod publish;
mod retry;
mod sign;
mod url;
mod writer;

pub use address::{InvalidNetwork, Network, Rules};
pub use client::{Client, SendError};
pub use counts::{Counts, Stats};
pub use courier::Courier;
pub use delivery::{Backlog, Delivery, DeliveryId, Due, InvalidDeliveryId, Outgoing};
pub use hook::{Hook, HookId, HookPatch, InvalidHookId, MintedHook, NewHook};
pub use publish::{Decision, Fallback, PublishHook, PublishKeyError, PublishQuestion};
pub use retry::Retry;
pub use sign::SigningKey;
pub use url::{InvalidUrl, Url};
pub use writer::Writer;
