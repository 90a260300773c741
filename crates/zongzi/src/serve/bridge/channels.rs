use std::sync::Arc;

use zongzi_control::Channel;
use zongzi_control::store::Sqlite;
use zongzi_control::watch::Directory;
use zongzi_http::Bearer;
use zongzi_http::playback::{Admission, Refusal};
use zongzi_http::public::{self, ChannelStatus, Unavailable, VideoStatus};
use zongzi_media::ChannelName;
use zongzi_relay::advice::Advisory;
use zongzi_relay::hub::{self, Hub, Playing, Status, Takeover};
use zongzi_relay::playability::Reason;

use super::Entrance;

/// The channels that exist, and how each stands.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    directory: Arc<Directory<Sqlite>>,
}

/// What the public may know: the store's channels with the hub's present.
#[derive(Debug)]
pub(crate) struct Programme {
    catalog: Catalog,
    hub: Hub,
    entrance: Entrance,
}

impl Catalog {
    pub(crate) fn new(directory: Arc<Directory<Sqlite>>) -> Self {
        Self { directory }
    }

    /// The channel of this name, if there is one; `Err` when the store can't be asked.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Channel>, Unavailable> {
        let Ok(name) = name.parse::<ChannelName>() else {
            return Ok(None);
        };
        self.directory.find(&name).await.map_err(|error| {
            tracing::error!(%error, channel = %name, "a channel can't be looked up");
            Unavailable
        })
    }

    /// What the channel says of a second host; `None` when there is no such channel (any more).
    pub(crate) async fn takeover(&self, name: &ChannelName) -> Option<Takeover> {
        let channel = self.find(name.as_str()).await.ok()??;
        Some(match channel.takeover {
            zongzi_control::Takeover::Newest => Takeover::Newest,
            zongzi_control::Takeover::Refuse => Takeover::Refuse,
        })
    }
}

impl Programme {
    pub(crate) fn new(catalog: Catalog, hub: Hub, entrance: Entrance) -> Self {
        Self {
            catalog,
            hub,
            entrance,
        }
    }
}

impl public::Channels for Programme {
    async fn status(&self, channel: &str) -> Result<Option<ChannelStatus>, Unavailable> {
        let Some(channel) = self.catalog.find(channel).await? else {
            return Ok(None);
        };
        let status = self.hub.status(&channel.name);
        Ok(Some(public_status(&channel, status.as_ref())))
    }

    async fn admit(&self, channel: &str, token: Option<&Bearer>) -> Result<Admission, Refusal> {
        match self.catalog.find(channel).await {
            Ok(Some(channel)) => self.entrance.admission(&channel, token).await,
            // It was there a moment ago.
            Ok(None) => Err(Refusal::Needed),
            Err(Unavailable) => Err(Refusal::Unavailable),
        }
    }
}

fn public_status(channel: &Channel, status: Option<&Status>) -> ChannelStatus {
    let state = state(status);
    let present = status.filter(|_| state != public::State::Offline);
    let codecs = present.map(|status| {
        let named = status.tracks.iter().map(|track| {
            track
                .rfc6381
                .clone()
                .unwrap_or_else(|| track.codec.to_ascii_lowercase())
        });
        named.collect()
    });
    let waiting = status.map_or(0, |status| status.audience.waiting);
    // What the last broadcast had is not told as the present one's.
    let turnout = present.map(|status| status.audience.clone());
    let turnout = turnout.unwrap_or_default();
    ChannelStatus {
        channel: channel.name.to_string(),
        title: channel.title.to_string(),
        private: channel.private,
        state,
        viewers: turnout.viewers,
        viewers_by_protocol: turnout.by_protocol,
        viewers_peak: turnout.peak,
        viewers_total: turnout.total,
        viewers_unique: turnout.unique,
        waiting,
        since: present.and_then(|status| status.since).map(Into::into),
        codecs: codecs.unwrap_or_default(),
        video: present.and_then(|status| status.playing).map(video),
        reason: present.and_then(reason),
    }
}

fn video(playing: Playing) -> VideoStatus {
    VideoStatus {
        rendition: playing.rendition.code(),
        width: playing.size.map(|(width, _)| width),
        height: playing.size.map(|(_, height)| height),
        half_rate: playing.half_rate,
    }
}

pub(super) fn state(status: Option<&Status>) -> public::State {
    match status.map(|status| status.state) {
        None | Some(hub::State::Waiting) => public::State::Offline,
        Some(hub::State::Live) => public::State::Live,
        Some(hub::State::Interrupted) => public::State::Interrupted,
    }
}

/// The one that weighs most: a missing picture before missing sound, and what viewers miss before what they wait for.
fn reason(status: &Status) -> Option<public::Reason> {
    let missing = status.reasons.iter().min_by_key(|reason| reason.severity());
    let raised = |advisory| {
        let all = &mut status.advisories.iter();
        all.any(|raised| raised.advisory == advisory)
    };
    missing
        .copied()
        .map(public_reason)
        .or_else(|| raised(Advisory::NoKeyframe).then_some(public::Reason::NoKeyframe))
        .or_else(|| raised(Advisory::UploadStalls).then_some(public::Reason::UploadStalls))
}

fn public_reason(reason: Reason) -> public::Reason {
    match reason {
        Reason::Hevc => public::Reason::Hevc,
        Reason::Av1 => public::Reason::Av1,
        Reason::HeAac => public::Reason::HeAac,
        Reason::ReducedFrameRate => public::Reason::ReducedFrameRate,
        Reason::KeyframesOnly => public::Reason::KeyframesOnly,
        Reason::AudioCodec(_) => public::Reason::AudioCodec,
        _ => public::Reason::VideoCodec,
    }
}
