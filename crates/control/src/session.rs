//! Who is connected, host or viewer: what the API shows, and the trait by which it asks.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use crate::channel::name_as_text;

/// Those who are connected at this moment. Whoever carries them implements it; each call is answered from memory and
/// never waits.
pub trait Sessions: Send + Sync + 'static {
    /// Sessions in the order of their ids.
    fn page(&self, query: &Query) -> Vec<Session>;

    /// One session.
    fn one(&self, id: Id) -> Option<Session>;

    /// Ends a session at once. `None`: there is none.
    fn kick(&self, id: Id) -> Option<Session>;
}

/// Which sessions are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Of this channel alone.
    pub channel: Option<ChannelName>,
    /// Of this kind alone.
    pub kind: Option<Role>,
    /// From behind this one.
    pub after: Option<Id>,
    /// At most so many.
    pub limit: usize,
}

/// A session's public name. Knowing it is no right to anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

/// The text is not an [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session's id is ses_ and 16 hexadecimal digits, as the list of sessions shows it")]
pub struct InvalidId;

impl Id {
    const START: &'static str = "ses_";
    const DIGITS: usize = 16;
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = text.strip_prefix(Self::START).ok_or(InvalidId)?;
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != Self::DIGITS || !digits.bytes().all(plain) {
            return Err(InvalidId);
        }
        u64::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_not_hexadecimal| InvalidId)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:016x}", Self::START, self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A host or a viewer who is connected.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Session {
    /// Its public name.
    #[schema(value_type = String, pattern = "^ses_[0-9a-f]{16}$")]
    pub id: Id,
    /// Host or viewer.
    pub kind: Role,
    /// On which channel.
    #[schema(value_type = String)]
    #[serde(serialize_with = "name_as_text")]
    pub channel: ChannelName,
    /// What it is doing.
    pub state: State,
    /// What it speaks: `rtmp`, `whep`.
    pub protocol: &'static str,
    /// Where it comes from; null before its transport is proved.
    #[schema(value_type = Option<String>)]
    pub peer: Option<SocketAddr>,
    /// What a host calls itself.
    pub client: Option<String>,
    /// The id of a host's stream key.
    pub key: Option<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Bytes of media from a host or to a viewer.
    pub bytes: u64,
    /// How a viewer's packets fare; null for hosts, and before a viewer's transport is proved.
    pub link: Option<Link>,
}

/// Who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SessionKind)]
pub enum Role {
    /// Publishes.
    Host,
    /// Watches.
    Viewer,
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SessionState)]
pub enum State {
    /// A host sends.
    Publishing,
    /// A viewer's offer was answered, his transport is not proved yet.
    Connecting,
    /// A viewer is connected, and nobody is live.
    Waiting,
    /// A viewer watches.
    Watching,
}

/// How the packets to a viewer fare, as of the last second or so.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Link {
    /// Packets sent, retransmissions included.
    pub packets: u64,
    /// Packets sent again because he asked for them.
    pub retransmitted: u64,
    /// Packets that did not arrive at first; null before his first report.
    pub lost: Option<u64>,
    /// Share of packets that did not arrive between his last two reports, 0 to 1.
    pub loss: Option<f64>,
    /// To him and back, in milliseconds.
    pub round_trip_ms: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_were_written() {
        let id = Id(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "ses_0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "ses_",
            "ses_123",
            "0123456789abcdef",
            "ses_0123456789ABCDEF",
            "ses_+123456789abcdef",
            "ses_0123456789abcdef0",
        ] {
            assert_eq!(bad.parse::<Id>(), Err(InvalidId), "{bad}");
        }
    }
}
