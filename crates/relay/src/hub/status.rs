use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use zongzi_media::{ChannelName, Codec, Kind, Track};

use crate::playability::Reason;
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
    /// What viewers can't play of it, and why.
    pub reasons: Vec<Reason>,
    /// Viewers connected now, waiting ones included while there is no host: see [`Audience`].
    pub viewers: u64,
    /// Most viewers at a time since the broadcast started.
    pub viewers_peak: u64,
    /// Viewers who came since the channel has been in the hub.
    pub viewers_total: u64,
}

/// The host of a broadcast, for operators; not for the public.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStatus {
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

/// The viewers of one channel, counted by those who carry them (shards; later MoQ) and read by everyone.
///
/// A viewer is a session whose transport is proved and alive; its carrier calls [`Audience::enter`] and
/// [`Audience::leave`] once each. Two counters that only grow, so the live number can't drift. What each of them is sent
/// stands here, too, for whoever has to know what one more costs.
#[derive(Debug, Default)]
pub struct Audience {
    /// Bits a second for each viewer; 0: not known.
    bitrate: AtomicU64,
    entered: AtomicU64,
    left: AtomicU64,
    peak: AtomicU64,
}

impl Audience {
    /// A viewer is there.
    pub fn enter(&self) {
        self.entered.fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(self.viewers(), Ordering::Relaxed);
    }

    /// A viewer is gone.
    pub fn leave(&self) {
        self.left.fetch_add(1, Ordering::Release);
    }

    /// Viewers now.
    pub fn viewers(&self) -> u64 {
        // `left` first: a leave that is seen has its enter seen too.
        let left = self.left.load(Ordering::Acquire);
        self.entered.load(Ordering::Relaxed).saturating_sub(left)
    }

    /// Most viewers at a time since the broadcast began.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// All viewers so far.
    pub fn total(&self) -> u64 {
        self.entered.load(Ordering::Relaxed)
    }

    /// Bits a second that one viewer is sent: RTP with its headers and encryption, without UDP and IP. Before that is
    /// known, and while there is no broadcast, [`Audience::BITRATE_ASSUMED`].
    pub fn bitrate(&self) -> u64 {
        match self.bitrate.load(Ordering::Relaxed) {
            0 => Self::BITRATE_ASSUMED,
            bitrate => bitrate,
        }
    }

    /// What a viewer is taken to need before his broadcast has shown it: 720p30 at 2.5 Mb/s and sound, rounded up.
    pub const BITRATE_ASSUMED: u64 = 3_000_000;

    /// What each viewer is sent from now on, in bits a second; `None`: not known.
    pub(crate) fn sends(&self, bitrate: Option<u64>) {
        self.bitrate.store(bitrate.unwrap_or(0), Ordering::Relaxed);
    }

    /// A new broadcast begins: its peak starts at those who are there.
    pub(super) fn start_over(&self) {
        self.peak.store(self.viewers(), Ordering::Relaxed);
    }
}
