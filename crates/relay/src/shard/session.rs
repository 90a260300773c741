use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zongzi_transport::{TableFull, UfragTable};
use zongzi_webrtc::ice::Credentials;
use zongzi_webrtc::peer::Peer;
use zongzi_webrtc::sdp::{Kind, Stream};
use zongzi_webrtc::stun;

use super::budget::Budget;
use super::counters::ShardCounters;
use super::departed::Departed;
use super::viewers::Steps;
use super::{BroadcastId, Closed, Figures, Join, JoinWatch, Pass, ShardId};
use crate::SessionId;
use crate::hub::Audience;
use crate::viewer::Seeds;

/// All sessions of the media port, whoever owns them: by their name in URLs and by ICE fragment.
///
/// Taken when a session begins, changes or ends, and for STUN requests from unknown addresses; never for media.
#[derive(Debug)]
pub(crate) struct Sessions {
    entered: Mutex<Entered>,
    by_ufrag: UfragTable<Arc<Session>>,
    sessions_max: usize,
    /// Where shards say what they could carry.
    shards: Vec<Arc<ShardCounters>>,
}

#[derive(Debug)]
struct Entered {
    by_name: BTreeMap<String, Arc<Session>>,
    by_id: BTreeMap<SessionId, Arc<Session>>,
    departed: Departed,
    budget: Budget,
}

/// Why no session can be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many sessions as there may be.
    Sessions,
    /// All that may be sent is promised.
    Bitrate,
    /// The shards have no time for more.
    Busy,
    /// As many sessions as this broadcast may have.
    Broadcast(u64),
}

/// One viewer's session, from the answer to the end.
#[derive(Debug)]
pub(crate) struct Session {
    /// 128 random bits in hexadecimal: knowing it is the right to change and end the session (RFC 9725 §4.2).
    pub(crate) name: String,
    /// Names it to operators.
    pub(crate) id: SessionId,
    /// What he watches.
    pub(crate) broadcast: BroadcastId,
    /// When the offer came.
    pub(crate) created: Instant,
    /// What let him in, where something was asked for or shown.
    pub(crate) pass: Option<Pass>,
    answered: Instant,
    watch: Option<Arc<dyn JoinWatch>>,
    tag: (Kind, String),
    state: Mutex<State>,
    over: AtomicBool,
    /// What its shard last noted.
    figures: Mutex<Option<Figures>>,
}

#[derive(Debug)]
struct State {
    /// Which fragments of ours lead here, the newest last.
    ufrags: Vec<String>,
    /// The viewer's own fragment: another one asks for an ICE restart.
    remote_ufrag: String,
    owner: Owner,
}

#[derive(Debug)]
enum Owner {
    /// No address has been heard yet.
    Nobody(Box<Newcomer>),
    Shard(ShardId),
}

/// A session that waits for its first datagram, whole.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) peer: Peer,
    pub(crate) video: Option<(Stream, Seeds)>,
    /// Where the video's retransmissions begin.
    pub(crate) retransmission: Seeds,
    pub(crate) audio: Option<(Stream, Seeds)>,
    /// Kind and mid of the m-section that stands for the transport.
    pub(crate) tag: (Kind, String),
    /// The ICE fragment of the viewer's offer.
    pub(crate) remote_ufrag: String,
}

/// What a shard learns when it asks for a session that a datagram named.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is the shard's from now on.
    Taken(Box<Newcomer>),
    /// It has this owner already.
    Owned(ShardId),
}

/// Which shard is to be told about a change.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nobody: it is done.
    Done,
    /// This one.
    Tell(ShardId),
}

impl Sessions {
    /// For as many sessions, and for as many bits a second to all of them together (0: no limit), on these shards.
    pub(crate) fn new(
        sessions_max: usize,
        bitrate_max: u64,
        shards: Vec<Arc<ShardCounters>>,
    ) -> Self {
        Self {
            entered: Mutex::new(Entered {
                by_name: BTreeMap::new(),
                by_id: BTreeMap::new(),
                departed: Departed::default(),
                budget: Budget::new(bitrate_max),
            }),
            by_ufrag: UfragTable::new(sessions_max.saturating_mul(UFRAGS_MAX)),
            sessions_max,
            shards,
        }
    }

    /// Whether there is room for one more session of those who watch with `audience`.
    pub(crate) fn admits(&self, audience: &Audience) -> Result<(), Refused> {
        self.room(&lock(&self.entered), audience)
    }

    /// Enters a new session of those who watch with `audience`, if they are less than `most`.
    pub(crate) fn insert(
        &self,
        session: Session,
        ufrag: &str,
        audience: &Arc<Audience>,
        most: Option<u64>,
    ) -> Result<(), Refused> {
        let mut entered = lock(&self.entered);
        self.room(&entered, audience)?;
        if let Some(most) = most
            && entered.budget.sessions(session.broadcast) >= most
        {
            return Err(Refused::Broadcast(most));
        }
        let session = Arc::new(session);
        self.by_ufrag
            .insert(ufrag, Arc::clone(&session))
            .map_err(|TableFull| Refused::Sessions)?;
        entered.budget.enter(session.broadcast, audience);
        entered.by_id.insert(session.id, Arc::clone(&session));
        entered.by_name.insert(session.name.clone(), session);
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Session>> {
        lock(&self.entered).by_name.get(name).cloned()
    }

    /// The session that operators know by this id.
    pub(crate) fn with_id(&self, id: SessionId) -> Option<Arc<Session>> {
        lock(&self.entered).by_id.get(&id).cloned()
    }

    /// Sessions of one broadcast or of all in the order of their ids, from behind `after`, at most `limit`. The table is
    /// held for [`WALK_MAX`] entries at a time.
    pub(crate) fn page(
        &self,
        broadcast: Option<BroadcastId>,
        mut after: Option<SessionId>,
        limit: usize,
    ) -> Vec<Arc<Session>> {
        let mut page = Vec::new();
        loop {
            let entered = lock(&self.entered);
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let walk = entered.by_id.range((from, Bound::Unbounded)).take(WALK_MAX);
            let mut walked = 0;
            for (id, session) in walk {
                if page.len() >= limit {
                    return page;
                }
                walked += 1;
                after = Some(*id);
                if broadcast.is_none_or(|broadcast| broadcast == session.broadcast) {
                    page.push(Arc::clone(session));
                }
            }
            if walked < WALK_MAX {
                return page;
            }
        }
    }

    /// The session that a STUN request from an unknown address is for.
    pub(crate) fn named_in(&self, request: &[u8]) -> Option<Arc<Session>> {
        self.by_ufrag
            .owner(request, |request| Some(stun::username(request)?.0))
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.entered).by_name.len()
    }

    /// Bits a second that the sessions are to be sent, all together.
    pub(crate) fn reserved_bitrate(&self) -> u64 {
        lock(&self.entered).budget.reserved()
    }

    /// Gives a session new credentials for an ICE restart, and forgets those before the present ones: so does the viewer's
    /// agent ([`Peer::restart_ice`]). `None`: the session is over.
    pub(crate) fn restart(
        &self,
        session: &Arc<Session>,
        remote_ufrag: String,
        credentials: &Credentials,
    ) -> Option<Change> {
        let mut state = lock(&session.state);
        if session.is_over() {
            return None;
        }
        while state.ufrags.len() >= UFRAGS_MAX {
            self.by_ufrag.remove(&state.ufrags.remove(0));
        }
        // The table has room for as many of each session.
        let entered = self
            .by_ufrag
            .insert(&credentials.ufrag, Arc::clone(session));
        entered.ok()?;
        state.ufrags.push(credentials.ufrag.clone());
        state.remote_ufrag = remote_ufrag;
        Some(match &mut state.owner {
            Owner::Nobody(newcomer) => {
                newcomer.peer.restart_ice(credentials.clone());
                Change::Done
            }
            Owner::Shard(shard) => Change::Tell(*shard),
        })
    }

    /// What a session is of, or was whose viewer has closed DTLS a moment ago.
    pub(crate) fn broadcast(&self, name: &str) -> Option<BroadcastId> {
        let entered = lock(&self.entered);
        let session = entered.by_name.get(name);
        session
            .map(|session| session.broadcast)
            .or_else(|| entered.departed.broadcast(name))
    }

    /// Whether a viewer of this session has closed DTLS a moment ago. Says so once.
    pub(crate) fn departed(&self, name: &str) -> bool {
        lock(&self.entered).departed.forget(name)
    }

    /// [`Sessions::end`] for a viewer who has closed DTLS: his DELETE may be on its way.
    pub(crate) fn depart(&self, session: &Session) {
        let mut entered = lock(&self.entered);
        if entered.by_name.contains_key(&session.name) {
            let name = session.name.clone();
            entered.departed.note(name, session.broadcast);
        }
        drop(entered);
        self.end(session);
    }

    /// Takes a session out of all tables. Its owner, if any, is to be told, unless it is he who ends it.
    pub(crate) fn end(&self, session: &Session) -> Change {
        session.over.store(true, Ordering::Release);
        let mut entered = lock(&self.entered);
        if entered.by_name.remove(&session.name).is_some() {
            entered.by_id.remove(&session.id);
            entered.budget.leave(session.broadcast);
        }
        drop(entered);
        let state = lock(&session.state);
        for ufrag in &state.ufrags {
            self.by_ufrag.remove(ufrag);
        }
        match &state.owner {
            Owner::Nobody(_) => Change::Done,
            Owner::Shard(shard) => Change::Tell(*shard),
        }
    }

    /// The sessions of a broadcast that have no pass.
    pub(crate) fn without_pass(&self, broadcast: BroadcastId) -> Vec<Arc<Session>> {
        lock(&self.entered)
            .by_name
            .values()
            .filter(|session| session.broadcast == broadcast && session.pass.is_none())
            .cloned()
            .collect()
    }

    /// Ends sessions that no datagram has come for in `patience`. Returns how many.
    pub(crate) fn expire(&self, now: Instant, patience: Duration) -> usize {
        let old = |session: &&Arc<Session>| {
            now.saturating_duration_since(session.created) > patience && session.is_unclaimed()
        };
        let expired: Vec<_> = lock(&self.entered)
            .by_name
            .values()
            .filter(old)
            .cloned()
            .collect();
        expired.iter().for_each(|session| {
            self.end(session);
            session.tell(&Steps::default(), None, Some(Closed::NeverConnected));
        });
        expired.len()
    }

    fn room(&self, entered: &Entered, audience: &Audience) -> Result<(), Refused> {
        if entered.by_name.len() >= self.sessions_max {
            return Err(Refused::Sessions);
        }
        if !entered.budget.admits(audience) {
            return Err(Refused::Bitrate);
        }
        // Those who are in would pay for one more with pictures.
        let capacity = self.capacity();
        if capacity.is_some_and(|capacity| entered.budget.with(audience) > capacity) {
            return Err(Refused::Busy);
        }
        Ok(())
    }

    /// Bits a second that all shards together could carry; `None` while one of them has time to spare: who comes next is
    /// as likely to be its.
    fn capacity(&self) -> Option<u64> {
        let mut shards = self.shards.iter().map(|shard| shard.capacity.load(Relaxed));
        shards.try_fold(0_u64, |sum, capacity| {
            (capacity > 0).then(|| sum.saturating_add(capacity))
        })
    }
}

impl Session {
    pub(crate) fn new(
        name: String,
        broadcast: BroadcastId,
        created: Instant,
        pass: Option<Pass>,
        newcomer: Newcomer,
    ) -> Self {
        let ufrag = newcomer.peer.ice().credentials().ufrag.clone();
        Self {
            name,
            id: SessionId::random(),
            broadcast,
            created,
            pass,
            answered: Instant::now(),
            watch: None,
            tag: newcomer.tag.clone(),
            state: Mutex::new(State {
                ufrags: vec![ufrag],
                remote_ufrag: newcomer.remote_ufrag.clone(),
                owner: Owner::Nobody(Box::new(newcomer)),
            }),
            over: AtomicBool::new(false),
            figures: Mutex::default(),
        }
    }

    /// With somebody who wants to see how its viewer gets in.
    pub(crate) fn watched(mut self, watch: Option<Arc<dyn JoinWatch>>) -> Self {
        self.watch = watch;
        self
    }

    /// Tells whoever wants to see it how the viewer got in, or did not.
    pub(super) fn tell(&self, steps: &Steps, media: Option<Instant>, closed: Option<Closed>) {
        if let Some(watch) = &self.watch {
            watch.joined(Join {
                broadcast: self.broadcast,
                asked: self.created,
                answered: self.answered,
                reached: steps.reached,
                keyed: steps.keyed,
                media,
                waited: steps.waited,
                closed,
            });
        }
    }

    /// Makes the shard its owner, if it has none.
    pub(crate) fn claim(&self, shard: ShardId) -> Claim {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut state.owner, Owner::Shard(shard)) {
            Owner::Nobody(newcomer) => Claim::Taken(newcomer),
            Owner::Shard(owner) => {
                state.owner = Owner::Shard(owner);
                Claim::Owned(owner)
            }
        }
    }

    /// Kind and mid of the m-section that stands for the transport.
    pub(crate) fn tag(&self) -> &(Kind, String) {
        &self.tag
    }

    /// Whether the viewer's fragment is another than before.
    pub(crate) fn is_restart(&self, remote_ufrag: &str) -> bool {
        lock(&self.state).remote_ufrag != remote_ufrag
    }

    /// The newest fragment of ours: what tells one ICE state from another.
    pub(crate) fn etag(&self) -> String {
        lock(&self.state).ufrags.last().cloned().unwrap_or_default()
    }

    /// Whether it was ended: its owner may not know yet.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether what let the viewer in is over by `now`.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        let ends = self.pass.as_ref().and_then(|pass| pass.ends);
        ends.is_some_and(|at| at <= now)
    }

    /// How the viewer fares, as his shard last noted it.
    pub(crate) fn figures(&self) -> Option<Figures> {
        *lock(&self.figures)
    }

    /// His shard notes how he fares. It never waits: while somebody reads, the next note will do.
    pub(crate) fn note(&self, figures: Figures) {
        if let Ok(mut place) = self.figures.try_lock() {
            *place = Some(figures);
        }
    }

    fn is_unclaimed(&self) -> bool {
        matches!(lock(&self.state).owner, Owner::Nobody(_))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entries walked over while the table is held: 10 µs.
const WALK_MAX: usize = 256;
/// Fragments of ours that lead to one session: a viewer whose ICE restarts still sends to the one before.
const UFRAGS_MAX: usize = 2;
