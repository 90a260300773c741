//! Broadcasts as the history and the API show them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use crate::channel::name_as_text;

/// A broadcast's public name, made from its start and its channel, so that whoever knows these two knows it, and the
/// order of names is the order of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::module_name_repetitions,
    reason = "read far from here, beside the ids of keys and sessions"
)]
pub struct BroadcastId(String);

/// The text is not a [`BroadcastId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a broadcast's id begins with brd_, as the list of broadcasts shows it")]
pub struct InvalidBroadcastId;

impl BroadcastId {
    const START: &'static str = "brd_";
    /// Digits of the start: milliseconds since 1970 until the year 9999.
    const DIGITS: usize = 15;

    /// The name of the broadcast that started on `channel` at `started`.
    pub fn new(channel: &ChannelName, started: Timestamp) -> Self {
        Self(format!(
            "{}{:0digits$}_{channel}",
            Self::START,
            started.unix_ms(),
            digits = Self::DIGITS
        ))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BroadcastId {
    type Err = InvalidBroadcastId;

    fn from_str(text: &str) -> Result<Self, InvalidBroadcastId> {
        let rest = text.strip_prefix(Self::START).ok_or(InvalidBroadcastId)?;
        let (digits, channel) = rest.split_once('_').ok_or(InvalidBroadcastId)?;
        let counts = digits.len() == Self::DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        if counts && channel.parse::<ChannelName>().is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidBroadcastId)
        }
    }
}

impl fmt::Display for BroadcastId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for BroadcastId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// One live run of a channel: from its host's coming to the end of the grace time after its last.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Broadcast {
    /// Its public name.
    #[schema(value_type = String, pattern = "^brd_[0-9]{15}_[a-z0-9][a-z0-9_-]{0,63}$")]
    pub id: BroadcastId,
    /// On which channel.
    #[schema(value_type = String)]
    #[serde(serialize_with = "name_as_text")]
    pub channel: ChannelName,
    /// Where it stands.
    pub state: State,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// When it ended; null while it has not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// Why it ended; null while it has not.
    pub reason: Option<EndReason>,
    /// Its newest host.
    pub host: Option<Host>,
    /// What its host sends, or sent at last.
    pub tracks: Vec<Track>,
    /// What the host should have known: what it cost viewers, and which setting changes it.
    pub advisories: Vec<Advisory>,
    /// How often its host was gone and came back or was waited for in vain.
    pub interruptions: u32,
    /// Bytes of media that came in.
    pub bytes: u64,
    /// Pictures that came in.
    pub video_frames: u64,
    /// Frames of sound that came in.
    pub audio_frames: u64,
    /// Bits of media a second, over the whole of it; null before the first second is over.
    pub average_bitrate_bps: Option<u64>,
    /// Most viewers at a time.
    pub viewers_peak: u64,
    /// Different viewers.
    pub viewers_unique: u64,
    /// How it is at this moment; null when it has ended.
    pub now: Option<Present>,
}

/// Where a broadcast stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BroadcastState)]
pub enum State {
    /// A host is sending.
    Live,
    /// The host is gone and is waited for.
    Interrupted,
    /// It is over.
    Ended,
}

/// Why a broadcast ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// The host said so and did not come back.
    HostFinished,
    /// The host was lost and did not come back.
    HostLost,
    /// Its stream key was revoked.
    KeyRevoked,
    /// An operator ended it, or its channel was deleted.
    Kicked,
    /// The server was stopped in good order.
    Shutdown,
    /// The server died. When it ended is known to ten seconds.
    ServerLost,
}

impl EndReason {
    const ALL: [Self; 6] = [
        Self::HostFinished,
        Self::HostLost,
        Self::KeyRevoked,
        Self::Kicked,
        Self::Shutdown,
        Self::ServerLost,
    ];

    /// Its name in JSON, logs and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostFinished => "host_finished",
            Self::HostLost => "host_lost",
            Self::KeyRevoked => "key_revoked",
            Self::Kicked => "kicked",
            Self::Shutdown => "shutdown",
            Self::ServerLost => "server_lost",
        }
    }

    /// The reason of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// The host of a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// What it speaks: `rtmp`.
    pub protocol: String,
    /// What it calls itself, such as RTMP's `flashVer`.
    pub client: Option<String>,
    /// The id of its stream key.
    pub key: String,
}

/// What a host sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Track {
    /// `video` or `audio`.
    pub kind: String,
    /// The codec's everyday name.
    pub codec: String,
    /// The codec string of web APIs, where known.
    pub rfc6381: Option<String>,
    /// Shown width in pixels, of pictures whose size is known.
    pub width: Option<u32>,
    /// Shown height in pixels.
    pub height: Option<u32>,
}

/// Something that a host should know of what it sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Advisory {
    /// For programs.
    pub code: String,
    /// Since when it holds, or when it first held.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What viewers have of it.
    pub effect: Languages,
    /// Which setting changes it.
    pub setting: Languages,
    /// Whether it holds at this moment.
    pub active: bool,
}

/// A text in each language there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Languages {
    /// English.
    pub en: String,
    /// Chinese, simplified.
    pub zh: String,
}

/// A broadcast that has not ended, at this moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Present {
    /// Viewers.
    pub viewers: u64,
    /// Bits of media a second, over the last five seconds.
    pub bitrate_bps: u64,
    /// Pictures a second, over the last five seconds.
    pub frames_per_second: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_were_written_and_sort_by_time() {
        let channel: ChannelName = "a_b-c".parse().unwrap();
        let id = BroadcastId::new(&channel, Timestamp::from_unix_ms(1_763_913_627_123));
        assert_eq!(id.as_str(), "brd_001763913627123_a_b-c");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        let first: ChannelName = "a".parse().unwrap();
        assert!(BroadcastId::new(&first, Timestamp::MAX) > id);
        for bad in [
            "",
            "brd_",
            "brd_1_a",
            "brd_001763913627123_",
            "brd_001763913627123_A",
            "key_001763913627123_a",
            "brd_00176391362712x_a",
        ] {
            assert_eq!(bad.parse::<BroadcastId>(), Err(InvalidBroadcastId), "{bad}");
        }
    }

    #[test]
    fn reasons_have_the_name_in_the_store_that_they_have_in_json() {
        for reason in EndReason::ALL {
            assert_eq!(
                serde_json::to_value(reason).unwrap(),
                serde_json::json!(reason.as_str())
            );
            assert_eq!(EndReason::named(reason.as_str()), Some(reason));
        }
    }
}
