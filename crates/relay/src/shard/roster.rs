//! The viewers' sessions as operators see them.
//!
//! Nobody asks a shard: once a second, on its round through its viewers, it leaves each one's [`Figures`] with the
//! session, and where somebody is just reading them it does so a second later. However often operators look, a shard
//! does no more and never waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::{Control, Links};
use super::session::{Change, Session, Sessions};
use super::{BroadcastId, Closed};
use crate::SessionId;

/// All viewers' sessions, to be listed and to be ended. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Roster {
    sessions: Arc<Sessions>,
    links: Arc<Links>,
}

/// One viewer's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name for operators.
    pub id: SessionId,
    /// What he watches, or waits for.
    pub broadcast: BroadcastId,
    /// When his offer came.
    pub created: Instant,
    /// `None` as long as his transport is not proved.
    pub figures: Option<Figures>,
}

/// How a connected viewer fares, at most a second old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Where he is.
    pub peer: SocketAddr,
    /// RTP packets sent to him, retransmissions included.
    pub packets: u64,
    /// Their bytes, without UDP and IP headers.
    pub bytes: u64,
    /// Packets sent again because he asked for them.
    pub retransmitted: u64,
    /// Packets of sound and pictures that he says did not arrive; `None` before his first report.
    pub lost: Option<u64>,
    /// Share of the pictures' packets (without pictures: the sound's) lost between his last two reports, in 1/256.
    pub fraction_lost: Option<u8>,
    /// To him and back.
    pub round_trip: Option<Duration>,
}

impl Roster {
    pub(super) fn new(sessions: Arc<Sessions>, links: Arc<Links>) -> Self {
        Self { sessions, links }
    }

    /// Sessions of one broadcast or of all in the order of their ids, from behind `after`, at most `limit`.
    pub fn page(
        &self,
        broadcast: Option<BroadcastId>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Vec<Entry> {
        let page = self.sessions.page(broadcast, after, limit);
        page.iter().map(|session| entry(session)).collect()
    }

    /// One session.
    pub fn session(&self, id: SessionId) -> Option<Entry> {
        self.sessions
            .with_id(id)
            .map(|session| entry(session.as_ref()))
    }

    /// Ends a session: its viewer is told so by a DTLS close. `None`: there is none.
    pub fn kick(&self, id: SessionId) -> Option<Entry> {
        let session = self.sessions.with_id(id)?;
        let kicked = entry(&session);
        if let Change::Tell(shard) = self.sessions.end(&session) {
            // A full queue is no harm: the shard sees the end at its next look around.
            let close = Control::Close(session.name.clone(), Closed::Server);
            let _seen_later = self.links.tell(shard, close);
        }
        Some(kicked)
    }
}

fn entry(session: &Session) -> Entry {
    Entry {
        id: session.id,
        broadcast: session.broadcast,
        created: session.created,
        figures: session.figures(),
    }
}
