use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use zongzi_transport::{Path, Sender};
use zongzi_webrtc::ice;
use zongzi_webrtc::peer::Peer;
use zongzi_webrtc::{sdp, srtp};

use crate::hub::Visit;

use super::Session;
use super::flights::Flights;
use super::session::Newcomer;
use crate::viewer::{Egress, Outbox, Seeds, StreamSettings};

/// One shard's viewers, by number and by address.
#[derive(Debug, Default)]
pub(super) struct Viewers {
    places: Vec<Option<Box<Viewer>>>,
    free: Vec<ViewerKey>,
    by_address: HashMap<SocketAddr, ViewerKey>,
    by_name: HashMap<String, ViewerKey>,
}

/// Names a viewer within his shard; used again after his end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ViewerKey(pub(super) usize);

/// A session that a shard owns.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) session: Arc<Session>,
    pub(super) peer: Peer,
    /// What he is sent, from the moment the keys stand.
    pub(super) egress: Option<Egress>,
    /// Where to.
    pub(super) path: Option<Path>,
    /// Where he is counted, as long as this is held.
    pub(super) visit: Option<Visit>,
    /// He is on the list of those who are not at live.
    pub(super) catching_up: bool,
    /// How far his join has come.
    pub(super) join: Steps,
    pub(super) flights: Flights,
    /// What the egress is made of.
    streams: Option<Streams>,
    addresses: Vec<SocketAddr>,
}

/// When the steps of a join were done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Steps {
    /// The first connectivity check was valid.
    pub(super) reached: Option<Instant>,
    /// The keys stood.
    pub(super) keyed: Option<Instant>,
    /// There was no picture yet when they did: what follows is the host's time, not ours.
    pub(super) waited: bool,
    /// The first media packet went.
    pub(super) done: bool,
}

#[derive(Debug)]
struct Streams {
    video: Option<(sdp::Stream, Seeds)>,
    retransmission: Seeds,
    audio: Option<(sdp::Stream, Seeds)>,
}

/// One viewer's way out: the shard's sender, with his path.
pub(super) struct Out<'a> {
    pub(super) sender: &'a mut Sender,
    pub(super) path: Path,
}

impl Outbox for Out<'_> {
    fn datagram(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> bool) -> bool {
        self.sender.datagram(&self.path, len, fill)
    }
}

impl Viewers {
    pub(super) fn insert(&mut self, session: Arc<Session>, newcomer: Newcomer) -> ViewerKey {
        let name = session.name.clone();
        let viewer = Box::new(Viewer {
            session,
            peer: newcomer.peer,
            egress: None,
            path: None,
            visit: None,
            catching_up: false,
            join: Steps::default(),
            flights: Flights::default(),
            streams: Some(Streams {
                video: newcomer.video,
                retransmission: newcomer.retransmission,
                audio: newcomer.audio,
            }),
            addresses: Vec::new(),
        });
        let key = self.free.pop().unwrap_or(ViewerKey(self.places.len()));
        match self.places.get_mut(key.0) {
            Some(place) => *place = Some(viewer),
            None => self.places.push(Some(viewer)),
        }
        self.by_name.insert(name, key);
        key
    }

    pub(super) fn remove(&mut self, key: ViewerKey) -> Option<Box<Viewer>> {
        let viewer = self.places.get_mut(key.0)?.take()?;
        self.free.push(key);
        self.by_name.remove(&viewer.session.name);
        for address in &viewer.addresses {
            if self.by_address.get(address) == Some(&key) {
                self.by_address.remove(address);
            }
        }
        Some(viewer)
    }

    pub(super) fn viewer(&mut self, key: ViewerKey) -> Option<&mut Viewer> {
        self.places.get_mut(key.0)?.as_deref_mut()
    }

    pub(super) fn get(&self, key: ViewerKey) -> Option<&Viewer> {
        self.places.get(key.0)?.as_deref()
    }

    pub(super) fn at(&self, address: SocketAddr) -> Option<ViewerKey> {
        self.by_address.get(&address).copied()
    }

    pub(super) fn named(&self, name: &str) -> Option<ViewerKey> {
        self.by_name.get(name).copied()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = ViewerKey> + use<> {
        (0..self.places.len()).map(ViewerKey)
    }

    /// The viewer sent a valid check from this address: datagrams from there are his.
    pub(super) fn learn(&mut self, key: ViewerKey, address: SocketAddr) {
        let Some(viewer) = self.places.get_mut(key.0).and_then(Option::as_deref_mut) else {
            return;
        };
        if self.by_address.get(&address) == Some(&key) {
            return;
        }
        if viewer.addresses.len() >= ice::Lite::CHECKED_MAX {
            let oldest = viewer.addresses.remove(0);
            if self.by_address.get(&oldest) == Some(&key) {
                self.by_address.remove(&oldest);
            }
        }
        viewer.addresses.push(address);
        self.by_address.insert(address, key);
    }
}

impl Viewer {
    /// Leaves with the session how he fares, for operators.
    pub(super) fn note(&self) {
        if let (Some(egress), Some(path)) = (&self.egress, self.path) {
            self.session.note(egress.figures(path.remote));
        }
    }

    /// The keys stand.
    pub(super) fn connect(&mut self, now: Instant, srtp: Box<srtp::Sender>) {
        let Some(streams) = self.streams.take() else {
            return;
        };
        let settings = |(stream, seeds): (sdp::Stream, _)| {
            let settings = StreamSettings {
                ssrc: stream.ssrc,
                payload_type: stream.payload_type,
                extensions: stream.extensions,
                reordered_extensions: stream.reordered_extensions,
            };
            (settings, seeds)
        };
        let rtx = streams.video.as_ref().and_then(|(stream, _)| {
            let (payload_type, ssrc) = stream.rtx?;
            let settings = StreamSettings {
                ssrc,
                payload_type,
                extensions: stream.extensions,
                reordered_extensions: stream.reordered_extensions,
            };
            Some((settings, streams.retransmission))
        });
        self.egress = Some(Egress::new(
            now,
            srtp,
            streams.video.map(settings),
            rtx,
            streams.audio.map(settings),
            self.flights.round_trip(),
        ));
    }
}
