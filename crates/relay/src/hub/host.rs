use std::net::SocketAddr;
use std::time::Duration;

use zongzi_media::{ChannelName, Frame, Track};

/// A host that asks to go live. Its key was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Public id of its stream key.
    pub key_id: String,
    /// What it speaks: `rtmp`, …
    pub protocol: &'static str,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it calls itself, at most 128 bytes.
    pub client: Option<String>,
    /// What its channel says of a second host.
    pub takeover: Takeover,
}

/// What happens when a channel that is live gets a second host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Takeover {
    /// The newest wins: an encoder that lost its network must not be locked out by its own dead connection.
    #[default]
    Newest,
    /// The first one stays.
    Refuse,
}

/// What a publication carries, in the order the host sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// A track's configuration, at first and whenever it changes.
    Track(Track),
    /// One frame of a track announced before.
    Frame(Frame),
}

impl Media {
    /// Bytes of media it holds in memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Track(_) => 0,
            Self::Frame(frame) => frame.payload.len(),
        }
    }
}

/// Why a host may not go live now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The channel is set to keep its first host.
    #[error("channel {0} is already live and does not let a second host take over")]
    Busy(ChannelName),
    /// Two hosts have taken the channel from each other too often.
    #[error("two encoders are taking channel {channel} from each other; stop one of them and try again in {} s", .again.as_secs())]
    TakeoverStorm {
        /// Which channel.
        channel: ChannelName,
        /// When a takeover is let through again; whole seconds.
        again: Duration,
    },
    /// The limit of live broadcasts is reached.
    #[error("this server already carries {0} broadcasts, its limit")]
    Full(usize),
    /// The limit of known channels is reached by channels in use.
    #[error("this server already has {0} channels in use, its limit")]
    TooManyChannels(usize),
    /// The server is about to stop.
    #[error("the server is stopping")]
    Closed,
}

impl Refused {
    /// All words that [`Refused::code`] may give.
    pub const CODES: [&'static str; 5] = [
        "busy",
        "takeover_storm",
        "broadcasts_full",
        "channels_full",
        "stopping",
    ];

    /// A stable word for metric labels and events.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy(_) => "busy",
            Self::TakeoverStorm { .. } => "takeover_storm",
            Self::Full(_) => "broadcasts_full",
            Self::TooManyChannels(_) => "channels_full",
            Self::Closed => "stopping",
        }
    }
}

/// Why the server ends a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// Another host with a good key took the channel over.
    TakenOver,
    /// The stream key was revoked.
    KeyRevoked,
    /// An operator ended it, or the channel was deleted.
    Kicked,
    /// The server is stopping.
    Shutdown,
}

impl Ended {
    /// A stable word for logs and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::TakenOver => "taken_over",
            Self::KeyRevoked => "key_revoked",
            Self::Kicked => "kicked",
            Self::Shutdown => "shutdown",
        }
    }
}

/// How a host left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It said so.
    Orderly,
    /// The connection broke or fell silent.
    Lost,
}
