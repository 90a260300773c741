use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use crate::{Once, Text};

/// A channel as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Channel {
    /// Its name, which never changes.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    #[serde(serialize_with = "name_as_text")]
    pub name: ChannelName,
    /// Its title, for people; may be empty.
    #[schema(value_type = String, max_length = 200)]
    pub title: Text,
    /// Who wins when a second host comes.
    pub takeover: Takeover,
    /// Whether viewers need a playback token.
    pub private: bool,
    /// Viewers at a time, those included who wait; null: as many as the server takes. Who is in stays in when it is
    /// lowered.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    pub max_viewers: Option<NonZeroU32>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Counts its changes from 1.
    pub version: u64,
}

/// What is needed to make a channel.
#[derive(Debug, Clone)]
pub struct NewChannel {
    /// Its name.
    pub name: ChannelName,
    /// Its title.
    pub title: Text,
    /// Who wins when a second host comes.
    pub takeover: Takeover,
    /// Whether viewers need a playback token.
    pub private: bool,
    /// Viewers at a time.
    pub max_viewers: Option<NonZeroU32>,
    /// The request that is met once.
    pub once: Option<Once>,
}

/// What may be changed of a channel; `None` leaves it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelPatch {
    /// A new title.
    pub title: Option<Text>,
    /// Who wins from now on.
    pub takeover: Option<Takeover>,
    /// Whether viewers need a playback token from now on. Those who watch without one are cut off.
    pub private: Option<bool>,
    /// Viewers at a time from now on; `Some(None)`: as many as the server takes.
    pub max_viewers: Option<Option<NonZeroU32>>,
}

/// Who wins when a second host comes with a good key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Takeover {
    /// The newest: an encoder that lost its network is never locked out by its own dead connection.
    #[default]
    Newest,
    /// The first: a second host is refused as long as the first is there.
    Refuse,
}

impl Takeover {
    /// Its name in commands, JSON and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Refuse => "refuse",
        }
    }
}

/// The text is not a [`Takeover`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takeover is newest or refuse")]
pub struct InvalidTakeover;

impl FromStr for Takeover {
    type Err = InvalidTakeover;

    fn from_str(text: &str) -> Result<Self, InvalidTakeover> {
        [Self::Newest, Self::Refuse]
            .into_iter()
            .find(|takeover| takeover.as_str() == text)
            .ok_or(InvalidTakeover)
    }
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Serializes a channel's name, which knows nothing of serde itself.
pub(crate) fn name_as_text<S: Serializer>(
    name: &ChannelName,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}
