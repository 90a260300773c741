use std::sync::Arc;

use zongzi_media::ChannelName;

use super::Status;
use super::host::Ended;
use crate::advice::Advisory;
use crate::shard::BroadcastId;

/// Something that happened to a broadcast, for hooks, public event streams and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// On which channel.
    pub channel: ChannelName,
    /// Its place in the hub.
    pub broadcast: BroadcastId,
    /// What.
    pub what: What,
    /// How the channel stands since then; with [`What::Ended`], how it stood at last.
    pub status: Arc<Status>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// `broadcast.started`: a host went live on a channel that was waiting.
    Started,
    /// `broadcast.interrupted`: the host is gone and is waited for.
    Interrupted,
    /// `broadcast.resumed`: a host is back within the grace time.
    Resumed,
    /// A second host took over from the first without a gap; the broadcast goes on.
    TakenOver,
    /// `broadcast.ended`: for good.
    Ended(EndReason),
    /// `advisory.raised`: something the host sends costs viewers something.
    AdvisoryRaised(Advisory),
    /// `advisory.cleared`: it is no longer so.
    AdvisoryCleared(Advisory),
    /// What the host sends has changed: tracks, codecs, picture size.
    TracksChanged,
    /// Viewers get another rendition of the video, or it does more or less of its work.
    RenditionChanged,
}

/// Why a broadcast ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The host said so and did not come back.
    HostFinished,
    /// The host was lost and did not come back.
    HostLost,
    /// The server ended it.
    Server(Ended),
}

impl What {
    /// The event's name, as hooks and event streams spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "broadcast.started",
            Self::Interrupted => "broadcast.interrupted",
            Self::Resumed => "broadcast.resumed",
            Self::TakenOver => "broadcast.taken_over",
            Self::Ended(_) => "broadcast.ended",
            Self::AdvisoryRaised(_) => "advisory.raised",
            Self::AdvisoryCleared(_) => "advisory.cleared",
            Self::TracksChanged => "broadcast.changed",
            Self::RenditionChanged => "broadcast.rendition_changed",
        }
    }
}

impl EndReason {
    /// A stable word for logs and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::HostFinished => "host_finished",
            Self::HostLost => "host_lost",
            Self::Server(ended) => ended.code(),
        }
    }
}
