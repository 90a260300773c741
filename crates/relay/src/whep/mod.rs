//! WHEP sessions (draft-ietf-wish-whep): offers become answers, and sessions change and end. What HTTP makes of it is
//! its owner's task.

mod candidates;
mod error;

pub use candidates::Reach;
pub use error::Error;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use zongzi_webrtc::dtls::{Certificate, Context};
use zongzi_webrtc::ice::Credentials;
use zongzi_webrtc::peer::Peer;
use zongzi_webrtc::rtp::Ssrc;
use zongzi_webrtc::sdp::{self, Fragment, Offer};

use crate::hub::Audience;
use crate::shard::{
    BroadcastId, Change, Closed, Control, JoinWatch, Links, Newcomer, Pass, Session, Sessions,
    Shards,
};
use crate::viewer::Seeds;

/// The WHEP resource: makes, changes and ends viewers' sessions on the shards.
#[derive(Debug)]
pub struct Whep {
    context: Context,
    links: Arc<Links>,
    sessions: Arc<Sessions>,
    reach: Reach,
    watch: Option<Arc<dyn JoinWatch>>,
}

/// A new session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Names the session in its URL: 128 random bits in hexadecimal. Whoever knows it may change and end the session.
    pub session_id: String,
    /// The answer, `application/sdp`.
    pub sdp: String,
    /// The entity tag of the session's ICE state, without quotes (RFC 9725 §4.3.1).
    pub etag: String,
}

/// What became of a PATCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// Nothing to say: 204. (Candidates of the viewer don't matter to ICE-lite.)
    Noted,
    /// ICE restarts: 200 with this fragment and this entity tag.
    Restarted {
        /// Our new credentials and candidates, `application/trickle-ice-sdpfrag`.
        fragment: String,
        /// The new entity tag, without quotes.
        etag: String,
    },
}

impl Whep {
    /// Sessions on `shards`, with this certificate.
    ///
    /// # Errors
    /// When the DTLS engine refuses the certificate.
    pub fn new(shards: &Shards, certificate: Certificate, reach: Reach) -> Result<Self, Error> {
        let context = Context::new(certificate).map_err(Error::Engine)?;
        Ok(Self {
            context,
            links: shards.links(),
            sessions: shards.table(),
            reach,
            watch: None,
        })
    }

    /// Has the keys of each session told to `tap`, in debug builds alone.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn tapped(mut self, tap: zongzi_webrtc::dtls::Tap) -> Self {
        self.context = self.context.tapped(tap);
        self
    }

    /// Has each viewer's way in told to `watch`.
    #[must_use]
    pub fn watched(mut self, watch: Option<Arc<dyn JoinWatch>>) -> Self {
        self.watch = watch;
        self
    }

    /// Answers an offer: the session stands, and waits for the viewer's ICE and DTLS. The broadcast need not have a
    /// host yet. `audience` is where its viewers are counted: it says what one more will be sent. `most` is how many
    /// sessions the broadcast may have. `asked_at` is the address of ours that the request came to, if known: it tells
    /// whether loopback candidates are of use. `pass` is what let the viewer in, if his channel asked for something or he
    /// showed something.
    ///
    /// # Errors
    /// When the offer can't be answered, or there are as many sessions as there may be.
    pub fn create(
        &self,
        broadcast: BroadcastId,
        audience: &Arc<Audience>,
        offer: &str,
        most: Option<u64>,
        asked_at: Option<SocketAddr>,
        pass: Option<Pass>,
        now: Instant,
    ) -> Result<Answer, Error> {
        self.sessions.admits(audience)?;
        let offer = Offer::parse(offer)?;
        let credentials = credentials()?;
        let [video, retransmission, audio] = sources()?;
        let answer = sdp::Answer {
            credentials: credentials.clone(),
            fingerprint: self.context.certificate().fingerprint(),
            candidates: self.reach.candidates(asked_at),
            session_id: u64::from_be_bytes(random()?) >> 1,
            cname: "zongzi".to_owned(),
            video: Some(video),
            video_rtx: retransmission,
            audio: Some(audio),
        };
        let negotiated = answer.write(&offer)?;
        let video = negotiated
            .video
            .map(|stream| Ok::<_, Error>((stream, seeds()?)));
        let audio = negotiated
            .audio
            .map(|stream| Ok::<_, Error>((stream, seeds()?)));
        let newcomer = Newcomer {
            peer: Peer::new(
                self.context.clone(),
                credentials.clone(),
                offer.fingerprint,
                now,
            ),
            video: video.transpose()?,
            retransmission: seeds()?,
            audio: audio.transpose()?,
            tag: negotiated.tag,
            remote_ufrag: offer.credentials.ufrag,
        };
        let session_id = hex(&random::<16>()?);
        let session = Session::new(session_id.clone(), broadcast, now, pass, newcomer)
            .watched(self.watch.clone());
        self.sessions
            .insert(session, &credentials.ufrag, audience, most)?;
        Ok(Answer {
            session_id,
            sdp: negotiated.sdp,
            etag: credentials.ufrag,
        })
    }

    /// Changes a session by a fragment of SDP (RFC 8840). New credentials of the viewer ask for an ICE restart; all else
    /// is noted.
    ///
    /// # Errors
    /// No such session, no such fragment, or a shard that has too much to do.
    pub fn patch(
        &self,
        session_id: &str,
        fragment: &str,
        asked_at: Option<SocketAddr>,
    ) -> Result<Patched, Error> {
        let session = self.sessions.find(session_id).ok_or(Error::NoSession)?;
        let fragment = Fragment::parse(fragment)?;
        let remote = fragment.credentials.map(|credentials| credentials.ufrag);
        let Some(remote) = remote.filter(|ufrag| session.is_restart(ufrag)) else {
            return Ok(Patched::Noted);
        };
        let credentials = credentials()?;
        let change = self
            .sessions
            .restart(&session, remote, &credentials)
            .ok_or(Error::NoSession)?;
        if let Change::Tell(shard) = change {
            let restart = Control::IceRestart(session.name.clone(), credentials.clone());
            if !self.links.tell(shard, restart) {
                return Err(Error::Busy);
            }
        }
        let (kind, mid) = session.tag();
        Ok(Patched::Restarted {
            fragment: Fragment::write_restart(
                &credentials,
                &self.reach.candidates(asked_at),
                *kind,
                mid,
            ),
            etag: credentials.ufrag,
        })
    }

    /// The entity tag of a session's ICE state, without quotes.
    ///
    /// # Errors
    /// No such session.
    pub fn etag(&self, session_id: &str) -> Result<String, Error> {
        let session = self.sessions.find(session_id).ok_or(Error::NoSession)?;
        Ok(session.etag())
    }

    /// What a session watches.
    ///
    /// # Errors
    /// No such session.
    pub fn broadcast(&self, session_id: &str) -> Result<BroadcastId, Error> {
        self.sessions.broadcast(session_id).ok_or(Error::NoSession)
    }

    /// Ends a session. One that its viewer has just ended by closing DTLS is ended as he wished.
    ///
    /// # Errors
    /// No such session.
    pub fn delete(&self, session_id: &str) -> Result<(), Error> {
        match self.sessions.find(session_id) {
            Some(session) => self.end(&session),
            None if self.sessions.departed(session_id) => {}
            None => return Err(Error::NoSession),
        }
        Ok(())
    }

    /// Ends the sessions of a broadcast that have no pass: its channel asks for one from now on. Says how many they were.
    pub fn end_without_pass(&self, broadcast: BroadcastId) -> usize {
        let sessions = self.sessions.without_pass(broadcast);
        for session in &sessions {
            self.end(session);
        }
        sessions.len()
    }

    fn end(&self, session: &Session) {
        if let Change::Tell(shard) = self.sessions.end(session) {
            // A full queue is no harm: the shard sees the end at its next look around.
            let _seen_later = self
                .links
                .tell(shard, Control::Close(session.name.clone(), Closed::Left));
        }
    }

    /// The certificate's context, shared with other protocols of the media port.
    pub fn context(&self) -> &Context {
        &self.context
    }
}

fn credentials() -> Result<Credentials, Error> {
    Ok(Credentials::from_random(&random()?))
}

/// Three different sources (RFC 3550 §8).
fn sources() -> Result<[Ssrc; 3], Error> {
    let first = u32::from_be_bytes(random()?);
    Ok([0, 1, 2].map(|offset| Ssrc(first.wrapping_add(offset))))
}

fn seeds() -> Result<Seeds, Error> {
    let [a, b, timestamp @ ..] = random::<6>()?;
    Ok(Seeds {
        sequence: u16::from_be_bytes([a, b]),
        timestamp: u32::from_be_bytes(timestamp),
    })
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_unspecified| Error::NoRandom)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}
