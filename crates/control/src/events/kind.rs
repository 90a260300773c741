use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of events there are, by the names that webhooks and event streams carry.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(as = EventKind)]
#[non_exhaustive]
pub enum Kind {
    /// A channel went live.
    #[serde(rename = "broadcast.started")]
    BroadcastStarted,
    /// The host is gone and is waited for.
    #[serde(rename = "broadcast.interrupted")]
    BroadcastInterrupted,
    /// The host is back in time.
    #[serde(rename = "broadcast.resumed")]
    BroadcastResumed,
    /// The broadcast is over.
    #[serde(rename = "broadcast.ended")]
    BroadcastEnded,
    /// A host was turned away.
    #[serde(rename = "publish.rejected")]
    PublishRejected,
    /// Viewers miss something of what the host sends.
    #[serde(rename = "advisory.raised")]
    AdvisoryRaised,
    /// They no longer do.
    #[serde(rename = "advisory.cleared")]
    AdvisoryCleared,
    /// More viewers than ever before in this broadcast.
    #[serde(rename = "viewers.peak")]
    ViewersPeak,
    /// A stream key was made.
    #[serde(rename = "key.created")]
    KeyCreated,
    /// A stream key opens nothing any more.
    #[serde(rename = "key.revoked")]
    KeyRevoked,
    /// An operator ended somebody's session.
    #[serde(rename = "session.kicked")]
    SessionKicked,
}

/// The text names no [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such event; the events are {}", Kind::ALL.map(Kind::as_str).join(", "))]
pub struct InvalidKind;

impl Kind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::BroadcastStarted,
        Self::BroadcastInterrupted,
        Self::BroadcastResumed,
        Self::BroadcastEnded,
        Self::PublishRejected,
        Self::AdvisoryRaised,
        Self::AdvisoryCleared,
        Self::ViewersPeak,
        Self::KeyCreated,
        Self::KeyRevoked,
        Self::SessionKicked,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BroadcastStarted => "broadcast.started",
            Self::BroadcastInterrupted => "broadcast.interrupted",
            Self::BroadcastResumed => "broadcast.resumed",
            Self::BroadcastEnded => "broadcast.ended",
            Self::PublishRejected => "publish.rejected",
            Self::AdvisoryRaised => "advisory.raised",
            Self::AdvisoryCleared => "advisory.cleared",
            Self::ViewersPeak => "viewers.peak",
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::SessionKicked => "session.kicked",
        }
    }
}

impl FromStr for Kind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == text).ok_or(InvalidKind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
