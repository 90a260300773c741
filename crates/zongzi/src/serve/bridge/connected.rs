use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use zongzi_control::session::{Id, Link, Query, Role, Session, Sessions, State};
use zongzi_media::ChannelName;
use zongzi_relay::SessionId;
use zongzi_relay::hub::{self, HostStatus, Hub, Status};
use zongzi_relay::shard::{BroadcastId, Entry, Figures, Roster};

/// Hosts and viewers, as the control plane asks for them.
#[derive(Debug)]
pub(crate) struct Connected {
    hub: Hub,
    roster: Roster,
}

impl Connected {
    pub(crate) fn new(hub: Hub, roster: Roster) -> Self {
        Self { hub, roster }
    }

    /// All hosts that are there, few enough to be put in order each time.
    fn hosts(&self) -> Vec<Session> {
        let live = self.hub.live().into_iter();
        live.filter_map(|status| host_session(&status)).collect()
    }

    fn viewers(&self, query: &Query) -> Vec<Session> {
        let mut channels = Channels::new(&self.hub);
        let broadcast = match &query.channel {
            // Neither host nor viewer has asked for it: nobody is there.
            Some(channel) => match self.hub.status(channel) {
                Some(status) => Some(status.broadcast),
                None => return Vec::new(),
            },
            None => None,
        };
        let after = query.after.map(|id| SessionId(id.0));
        let page = self.roster.page(broadcast, after, query.limit);
        let page = page.iter();
        page.filter_map(|entry| channels.session(entry)).collect()
    }
}

impl Sessions for Connected {
    fn page(&self, query: &Query) -> Vec<Session> {
        let wants = |kind| query.kind.is_none_or(|wanted| wanted == kind);
        let mut page = if wants(Role::Host) {
            self.hosts()
        } else {
            Vec::new()
        };
        page.retain(|session| {
            let here = query.channel.as_ref();
            here.is_none_or(|channel| *channel == session.channel)
                && query.after.is_none_or(|after| session.id > after)
        });
        if wants(Role::Viewer) {
            page.extend(self.viewers(query));
        }
        page.sort_by_key(|session| session.id);
        page.truncate(query.limit);
        page
    }

    fn one(&self, id: Id) -> Option<Session> {
        match self.roster.session(SessionId(id.0)) {
            Some(entry) => Channels::new(&self.hub).session(&entry),
            None => self.hosts().into_iter().find(|session| session.id == id),
        }
    }

    fn kick(&self, id: Id) -> Option<Session> {
        let session = self.one(id)?;
        match session.kind {
            Role::Host => {
                self.hub.kick_host(SessionId(id.0))?;
            }
            Role::Viewer => {
                self.roster.kick(SessionId(id.0))?;
            }
        }
        Some(session)
    }
}

/// The channels of broadcasts, each looked up once.
struct Channels<'a> {
    hub: &'a Hub,
    known: BTreeMap<BroadcastId, Option<(ChannelName, bool)>>,
}

impl<'a> Channels<'a> {
    fn new(hub: &'a Hub) -> Self {
        Self {
            hub,
            known: BTreeMap::new(),
        }
    }

    /// `None`: its channel's place in the hub is gone, and it ends within seconds.
    fn session(&mut self, entry: &Entry) -> Option<Session> {
        let known = self.known.entry(entry.broadcast).or_insert_with(|| {
            let channel = self.hub.channel(entry.broadcast)?;
            let status = self.hub.status(&channel)?;
            Some((channel, status.state != hub::State::Waiting))
        });
        let (channel, live) = known.clone()?;
        Some(viewer_session(entry, channel, live))
    }
}

fn host_session(status: &Status) -> Option<Session> {
    let host = status.host.as_ref();
    let HostStatus {
        id,
        since,
        key_id,
        protocol,
        peer,
        client,
        ..
    } = host.filter(|_| status.state == hub::State::Live)?;
    Some(Session {
        id: Id(id.0),
        kind: Role::Host,
        channel: status.channel.clone(),
        state: State::Publishing,
        protocol,
        peer: Some(plain(*peer)),
        client: client.clone(),
        key: Some(key_id.clone()),
        since: (*since).into(),
        bytes: status.traffic.host_bytes,
        link: None,
    })
}

fn viewer_session(entry: &Entry, channel: ChannelName, live: bool) -> Session {
    let age = Instant::now().saturating_duration_since(entry.created);
    let since = SystemTime::now()
        .checked_sub(age)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let figures = entry.figures.as_ref();
    Session {
        id: Id(entry.id.0),
        kind: Role::Viewer,
        channel,
        state: match figures {
            None => State::Connecting,
            Some(_) if live => State::Watching,
            Some(_) => State::Waiting,
        },
        protocol: "whep",
        peer: figures.map(|figures| plain(figures.peer)),
        client: None,
        key: None,
        since: since.into(),
        bytes: figures.map_or(0, |figures| figures.bytes),
        link: figures.map(link),
    }
}

fn link(figures: &Figures) -> Link {
    Link {
        packets: figures.packets,
        retransmitted: figures.retransmitted,
        lost: figures.lost,
        loss: figures.fraction_lost.map(|lost| f64::from(lost) / 256.0),
        round_trip_ms: figures
            .round_trip
            .map(|time| (time.as_secs_f64() * 10_000.0).round() / 10.0),
    }
}

/// IPv4 as such, also where a dual-stack socket took it.
fn plain(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
