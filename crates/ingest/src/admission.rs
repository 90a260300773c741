use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use zongzi_media::ChannelName;

/// A stream key as a host sent it. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(String);

impl StreamKey {
    /// The longest text that is looked at, in bytes; a longer one is no key.
    pub const MAX_LEN: usize = 256;

    /// Wraps what the host sent; `None` if it is empty or too long.
    pub fn new(text: String) -> Option<Self> {
        (!text.is_empty() && text.len() <= Self::MAX_LEN).then_some(Self(text))
    }

    /// The secret itself, for the one who checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(…)")
    }
}

/// What a good key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The one channel that the key belongs to.
    pub channel: ChannelName,
    /// The key's public id, as `zongzi key list` shows it.
    pub key_id: String,
}

/// Why a key opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// The host sent none: its encoder's field is empty, or the key stands in another one.
    #[error("no stream key came")]
    Missing,
    /// No such key, or it was revoked: the two are not told apart to the outside.
    #[error("stream key unknown or revoked")]
    Unknown,
    /// This address has guessed too often; it may try again after the span.
    #[error("too many wrong stream keys from this address, try again in {} s", .0.as_secs())]
    Throttled(Duration),
    /// The store could not be asked.
    #[error("stream keys can't be checked right now")]
    Unavailable,
}

/// Answers whether a stream key is good. Asked once per publish, before anything is allocated for media.
pub trait KeyCheck: Send + Sync + 'static {
    /// Checks `key`, shown by a host at `peer`. A wrong key costs the guesser a delay, which this call includes.
    fn check(
        &self,
        key: StreamKey,
        peer: IpAddr,
    ) -> impl Future<Output = Result<Admitted, KeyRefusal>> + Send;
}
