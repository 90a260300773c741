//! The control plane: channels, stream keys, the store that holds them, and the metrics page.
//!
//! [`Control`] is what the command line and the server work with; behind it stands a [`store::Store`], today
//! [`store::Sqlite`]. A server besides asks a [`KeyGate`] for each host and follows the store with a [`watch::Watch`],
//! so that what another process changes (the command line, while the server runs) is known within a second.
//!
//! Nothing here runs per packet, and nothing here blocks a runtime's thread: the store works on a thread of its own.

#![forbid(unsafe_code)]

mod admin_token;
pub mod api;
pub mod broadcast;
mod channel;
pub mod chronicle;
mod control;
pub mod events;
mod gate;
pub mod hooks;
mod id;
mod key;
pub mod metrics;
mod once;
pub mod playback;
mod random;
mod secret;
pub mod session;
pub mod store;
mod text;
pub mod token;
pub mod watch;

pub use admin_token::AdminToken;
pub use channel::{Channel, ChannelPatch, InvalidTakeover, NewChannel, Takeover};
pub use chronicle::Chronicle;
pub use control::Control;
pub use gate::{Admitted, GateStats, KeyGate, Refusal};
pub use key::{InvalidKeyId, Key, KeyId, Minted, StreamKey};
pub use once::Once;
pub use secret::SecretError;
pub use text::{InvalidText, Text};
