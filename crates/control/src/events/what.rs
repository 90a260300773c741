use std::net::IpAddr;

use serde::{Serialize, Serializer};
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use super::Kind;
use crate::KeyId;
use crate::broadcast::BroadcastId;
use crate::channel::name_as_text;
use crate::session::{self, Role};

/// What happened. As JSON: an object of the fields of its variant; [`What::kind`] goes beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum What {
    /// [`Kind::BroadcastStarted`].
    BroadcastStarted {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// Which broadcast.
        broadcast: BroadcastId,
        /// Who sends; `None` if it is gone already.
        host: Option<Host>,
    },
    /// [`Kind::BroadcastInterrupted`].
    BroadcastInterrupted {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// Which broadcast.
        broadcast: BroadcastId,
    },
    /// [`Kind::BroadcastResumed`].
    BroadcastResumed {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// Which broadcast.
        broadcast: BroadcastId,
        /// Who sends; `None` if it is gone already.
        host: Option<Host>,
    },
    /// [`Kind::BroadcastEnded`].
    BroadcastEnded {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// Which broadcast.
        broadcast: BroadcastId,
        /// A stable word: `host_finished`, `host_lost`, `key_revoked`, `kicked`, `shutdown`, `unknown`.
        reason: &'static str,
        /// When it started.
        started: Timestamp,
        /// The most viewers at a time.
        viewers_peak: u64,
    },
    /// [`Kind::PublishRejected`].
    PublishRejected {
        /// The channel that the key opened, if it opened one.
        #[serde(serialize_with = "maybe_name_as_text")]
        channel: Option<ChannelName>,
        /// A stable word: `bad_key`, `throttled`, `keys_unavailable`, `busy`, `takeover_storm`, `broadcasts_full`,
        /// `channels_full`, `stopping`, `channel_unavailable`, `denied`.
        reason: &'static str,
        /// Where the host came from.
        peer: IpAddr,
        /// Rejections since the last event of this kind that got none of their own, because there were too many.
        suppressed: u64,
    },
    /// [`Kind::AdvisoryRaised`].
    AdvisoryRaised {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// In which broadcast.
        broadcast: BroadcastId,
        /// A stable word for it.
        advisory: &'static str,
        /// What it means, for people.
        words: String,
        /// What to do, for people.
        hint: String,
    },
    /// [`Kind::AdvisoryCleared`].
    AdvisoryCleared {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// In which broadcast.
        broadcast: BroadcastId,
        /// The word that it was raised with.
        advisory: &'static str,
    },
    /// [`Kind::ViewersPeak`].
    ViewersPeak {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// In which broadcast.
        broadcast: BroadcastId,
        /// How many at a time.
        viewers: u64,
    },
    /// [`Kind::KeyCreated`].
    KeyCreated {
        /// The channel that it opens.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// Its public id.
        key: KeyId,
    },
    /// [`Kind::KeyRevoked`].
    KeyRevoked {
        /// The channel that it opened.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// Its public id.
        key: KeyId,
    },
    /// [`Kind::SessionKicked`].
    SessionKicked {
        /// On which channel.
        #[serde(serialize_with = "name_as_text")]
        channel: ChannelName,
        /// The session's public id.
        session: session::Id,
        /// Whose it was.
        role: Role,
    },
}

impl What {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::BroadcastStarted { .. } => Kind::BroadcastStarted,
            Self::BroadcastInterrupted { .. } => Kind::BroadcastInterrupted,
            Self::BroadcastResumed { .. } => Kind::BroadcastResumed,
            Self::BroadcastEnded { .. } => Kind::BroadcastEnded,
            Self::PublishRejected { .. } => Kind::PublishRejected,
            Self::AdvisoryRaised { .. } => Kind::AdvisoryRaised,
            Self::AdvisoryCleared { .. } => Kind::AdvisoryCleared,
            Self::ViewersPeak { .. } => Kind::ViewersPeak,
            Self::KeyCreated { .. } => Kind::KeyCreated,
            Self::KeyRevoked { .. } => Kind::KeyRevoked,
            Self::SessionKicked { .. } => Kind::SessionKicked,
        }
    }

    /// The channel that it is about, if it is about one.
    pub fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::PublishRejected { channel, .. } => channel.as_ref(),
            Self::BroadcastStarted { channel, .. }
            | Self::BroadcastInterrupted { channel, .. }
            | Self::BroadcastResumed { channel, .. }
            | Self::BroadcastEnded { channel, .. }
            | Self::AdvisoryRaised { channel, .. }
            | Self::AdvisoryCleared { channel, .. }
            | Self::ViewersPeak { channel, .. }
            | Self::KeyCreated { channel, .. }
            | Self::KeyRevoked { channel, .. }
            | Self::SessionKicked { channel, .. } => Some(channel),
        }
    }
}

/// Who sends a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Public id of its stream key.
    pub key: String,
    /// What it speaks, such as `rtmp`.
    pub protocol: &'static str,
    /// Where it comes from.
    pub peer: IpAddr,
    /// What it calls itself, at most 128 bytes.
    pub client: Option<String>,
}

fn maybe_name_as_text<S: Serializer>(
    name: &Option<ChannelName>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => name_as_text(name, serializer),
        None => serializer.serialize_none(),
    }
}
