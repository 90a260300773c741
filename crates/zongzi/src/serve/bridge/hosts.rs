use std::net::IpAddr;
use std::sync::Arc;

use zongzi_control::store::Sqlite;
use zongzi_control::{KeyGate, Refusal};
use zongzi_http::public::{Advisory, HostStatus, HostTrack, Hosts, KeyRefused, Languages};
use zongzi_media::Kind;
use zongzi_relay::advice::Language;
use zongzi_relay::hub::{Hub, Raised, TrackStatus};

use super::channels::state;

/// What hosts are told of their own streams.
#[derive(Debug)]
pub(crate) struct Backstage {
    gate: Arc<KeyGate<Sqlite>>,
    hub: Hub,
}

impl Backstage {
    pub(crate) fn new(gate: Arc<KeyGate<Sqlite>>, hub: Hub) -> Self {
        Self { gate, hub }
    }
}

impl Hosts for Backstage {
    async fn host(&self, key: &str, peer: IpAddr) -> Result<HostStatus, KeyRefused> {
        let admitted = match self.gate.look(key, peer).await {
            Ok(admitted) => admitted,
            Err(Refusal::Unknown) => return Err(KeyRefused::Unknown),
            Err(Refusal::Throttled(wait)) => return Err(KeyRefused::Throttled(wait)),
            Err(_) => return Err(KeyRefused::Unavailable),
        };
        let channel = admitted.channel;
        let status = self.hub.status(&channel.name);
        let mut told = HostStatus {
            channel: channel.name.to_string(),
            title: channel.title.to_string(),
            state: state(status.as_ref()),
            since: None,
            viewers: 0,
            tracks: Vec::new(),
            advisories: Vec::new(),
        };
        if let Some(status) = status.filter(|status| status.since.is_some()) {
            told.since = status.since.map(Into::into);
            told.viewers = status.audience.viewers;
            told.tracks = status.tracks.into_iter().map(track).collect();
            told.advisories = status.advisories.into_iter().map(advisory).collect();
        }
        Ok(told)
    }
}

fn track(track: TrackStatus) -> HostTrack {
    HostTrack {
        kind: match track.kind {
            Kind::Video => "video",
            Kind::Audio => "audio",
        },
        codec: track.rfc6381.unwrap_or_else(|| track.codec.to_owned()),
        width: track.size.map(|(width, _)| width),
        height: track.size.map(|(_, height)| height),
    }
}

fn advisory(raised: Raised) -> Advisory {
    let english = raised.advisory.words(Language::English);
    let chinese = raised.advisory.words(Language::Chinese);
    Advisory {
        code: raised.advisory.code(),
        since: raised.since.into(),
        effect: Languages {
            en: english.effect,
            zh: chinese.effect,
        },
        setting: Languages {
            en: english.setting.to_owned(),
            zh: chinese.setting.to_owned(),
        },
    }
}
