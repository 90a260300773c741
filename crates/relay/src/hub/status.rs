use std::net::SocketAddr;
use std::time::SystemTime;

use zongzi_media::{ChannelName, Codec, Kind, Track};

use super::audience::Turnout;
use super::traffic::Traffic;
use crate::SessionId;
use crate::advice::Advisory;
use crate::playability::Reason;
use crate::rendition::Rendition;
use crate::shard::BroadcastId;

/// Where a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// No host. Viewers may be waiting for one.
    #[default]
    Waiting,
    /// A host is sending.
    Live,
    /// The host is gone; the broadcast waits for it.
    Interrupted,
}

impl State {
    /// A stable word for JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Interrupted => "interrupted",
        }
    }
}

/// All that is known of a channel's present broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Which channel.
    pub channel: ChannelName,
    /// Its place in the hub.
    pub broadcast: BroadcastId,
    /// Where it stands.
    pub state: State,
    /// When the broadcast started (an interruption within the grace time does not start a new one); `None` while
    /// waiting.
    pub since: Option<SystemTime>,
    /// The present host, or the one that is waited for.
    pub host: Option<HostStatus>,
    /// What the host sends.
    pub tracks: Vec<TrackStatus>,
    /// Which video viewers get; `None` while there is none.
    pub playing: Option<Playing>,
    /// What viewers can't play of it, and why.
    pub reasons: Vec<Reason>,
    /// What the host should know, what viewers can't play included; the oldest first.
    pub advisories: Vec<Raised>,
    /// What came in.
    pub traffic: Traffic,
    /// Its viewers.
    pub audience: Turnout,
}

/// The video that viewers get over WebRTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Playing {
    /// What it is made of.
    pub rendition: Rendition,
    /// Shown width and height in pixels, where known.
    pub size: Option<(u32, u32)>,
    /// The machine is too slow for more than every second picture.
    pub half_rate: bool,
}

/// An advisory that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// What.
    pub advisory: Advisory,
    /// Since when.
    pub since: SystemTime,
}

/// The host of a broadcast, for operators; not for the public.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStatus {
    /// Its name for operators.
    pub id: SessionId,
    /// Since when it publishes.
    pub since: SystemTime,
    /// Public id of its stream key.
    pub key_id: String,
    /// What it speaks.
    pub protocol: &'static str,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it calls itself.
    pub client: Option<String>,
}

/// A track in words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackStatus {
    /// Pictures or sound.
    pub kind: Kind,
    /// The codec's everyday name.
    pub codec: &'static str,
    /// The codec string of web APIs, where known.
    pub rfc6381: Option<String>,
    /// Shown width and height in pixels, where known.
    pub size: Option<(u32, u32)>,
}

impl TrackStatus {
    pub(super) fn of(track: &Track) -> Self {
        let size = match &track.codec {
            Codec::H264(config) => config.parsed.as_ref().map(|sps| (sps.width, sps.height)),
            _ => None,
        };
        Self {
            kind: track.codec.kind(),
            codec: track.codec.name(),
            rfc6381: track.codec.rfc6381(),
            size,
        }
    }
}
