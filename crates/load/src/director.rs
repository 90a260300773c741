//! Who comes when and leaves when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper::{Method, StatusCode, Uri};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;

use crate::clock::Stamp;
use crate::engine::{Command, Parting};
use crate::ice::Credentials;
use crate::net::{Reach, Socket};
use crate::viewer::dtls::Identity;
use crate::viewer::full::{Full, Offer};
use crate::viewer::record::Kind;
use crate::viewer::{Light, Link, Record, Viewer};
use crate::whep::{Answer, http, offer};

/// Receive buffer of a viewer: a keyframe and the frames of half a second, as the kernel accounts them.
const SOCKET_BYTES: usize = 1 << 20;
/// Different error texts remembered.
const ERRORS_MAX: usize = 20;
/// Wait after a 503 that names none.
const RETRY_DEFAULT: Duration = Duration::from_secs(1);
/// Wait when an engine has too many commands to take one more.
const ENGINE_BUSY: Duration = Duration::from_millis(1);

/// Where viewers go and what they are.
#[derive(Debug)]
pub(crate) struct Gate {
    /// WHEP URL with `{channel}` in it.
    pub(crate) template: String,
    /// Names of the channels.
    pub(crate) channels: Vec<String>,
    /// Playback token.
    pub(crate) token: Option<String>,
    pub(crate) reach: Reach,
    pub(crate) identity: Identity,
    pub(crate) coalesce: bool,
    pub(crate) retries: u32,
    /// Percent that a slow viewer's link loses.
    pub(crate) slow_loss: f64,
    /// What it carries; 0 is no limit.
    pub(crate) slow_kbps: u64,
    pub(crate) seed: u64,
    pub(crate) engines: Vec<SyncSender<Command>>,
    pub(crate) tally: Tally,
}

/// What is counted of joins.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    next: AtomicU64,
    /// POSTs that were answered 201.
    pub(crate) answered: AtomicU64,
    /// 503 answers.
    pub(crate) told_to_wait: AtomicU64,
    /// Viewers who gave up before they had an answer.
    pub(crate) failed: AtomicU64,
    /// DELETEs that did not succeed.
    pub(crate) undeleted: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    /// Notes what went wrong.
    pub(crate) fn error(&self, text: &str) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < ERRORS_MAX || errors.contains_key(text) {
            *errors.entry(text.to_owned()).or_default() += 1;
        }
    }

    /// What went wrong, and how often.
    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.clone()
    }
}

/// A viewer who got in.
#[derive(Debug)]
pub(crate) struct Seat {
    id: u64,
    engine: usize,
    /// What to DELETE.
    session: Option<Uri>,
    /// UDP port.
    pub(crate) port: u16,
}

impl Seat {
    /// It will go with DTLS's goodbye, not with a DELETE: as when the page that knew the session is gone.
    pub(crate) fn forget_session(&mut self) {
        self.session = None;
    }
}

impl Gate {
    /// Lets one viewer in. Fails when the server won't have it or can't be understood.
    pub(crate) async fn join(&self, channel: usize, kind: Kind, sampled: bool) -> Option<Seat> {
        let id = self.tally.next.fetch_add(1, Ordering::Relaxed);
        match self.try_join(id, channel, kind, sampled).await {
            Ok(seat) => {
                self.tally.answered.fetch_add(1, Ordering::Relaxed);
                Some(seat)
            }
            Err(error) => {
                self.tally.failed.fetch_add(1, Ordering::Relaxed);
                self.tally.error(&format!("join: {error:#}"));
                None
            }
        }
    }

    /// Lets it go: with DELETE, or without a word.
    pub(crate) async fn leave(&self, seat: Seat, silently: bool) {
        let how = match &seat.session {
            _ if silently => Parting::Silently,
            Some(_) => Parting::Deleted,
            None => Parting::Goodbye,
        };
        let (left, gone) = oneshot::channel();
        let id = seat.id;
        self.tell(seat.engine, Command::Leave { id, how, left })
            .await;
        // An engine with a thousand viewers is in the middle of a round: until it has heard of the leave, the server's
        // answer to the DELETE would look as if the server had ended the session.
        let _dropped = gone.await;
        let Some(session) = seat.session.filter(|_| !silently) else {
            return;
        };
        if let Err(error) = self.delete(&session).await {
            self.tally.undeleted.fetch_add(1, Ordering::Relaxed);
            self.tally.error(&format!("leave: {error:#}"));
        }
    }

    async fn delete(&self, session: &Uri) -> Result<()> {
        let to = http::resolve(session).await?;
        if !self.reach.permits(to.ip()) {
            bail!("the session is at {to}, which was not given: --allow ADDRESS permits it");
        }
        let token = self.token.as_deref();
        let reply = http::request(to, Method::DELETE, session, token, None).await?;
        if !reply.status.is_success() {
            bail!("DELETE: {}", reply.status);
        }
        Ok(())
    }

    async fn try_join(&self, id: u64, channel: usize, kind: Kind, sampled: bool) -> Result<Seat> {
        let name = self.channels.get(channel).context("no such channel")?;
        let url: Uri = self.template.replace("{channel}", name).parse()?;
        let to = http::resolve(&url).await?;
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_add(id));
        let word = |random: &mut StdRng, length: usize| -> String {
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            (0..length)
                .map(|_| char::from(letters[random.random_range(0..letters.len())]))
                .collect()
        };
        let (our_ufrag, our_password) = (word(&mut random, 4), word(&mut random, 24));
        let full = sampled.then(Offer::new).transpose()?;
        let sdp = match &full {
            Some(offer) => offer.sdp.clone(),
            None => offer::chromium(
                &our_ufrag,
                &our_password,
                &self.identity.fingerprint,
                random.random(),
            ),
        };
        // The clock of a viewer starts with the POST that is answered: waiting for a place is counted apart.
        let mut tries = 0;
        let (posted, reply) = loop {
            let posted = Stamp::now();
            let token = self.token.as_deref();
            let reply = http::request(to, Method::POST, &url, token, Some(sdp.clone())).await?;
            if reply.status != StatusCode::SERVICE_UNAVAILABLE || tries >= self.retries {
                break (posted, reply);
            }
            tries += 1;
            self.tally.told_to_wait.fetch_add(1, Ordering::Relaxed);
            let wait = reply.retry_after().unwrap_or(RETRY_DEFAULT);
            tokio::time::sleep(wait.mul_f64(random.random_range(0.5..1.5))).await;
        };
        if reply.status != StatusCode::CREATED {
            let first_line = reply.body.lines().next().unwrap_or_default();
            let told: String = first_line.chars().take(200).collect();
            bail!("POST: {} {told}", reply.status);
        }
        let answered = Stamp::now();
        let answer = Answer::parse(&reply.body)?;
        let peer = self.reach.choose(&answer.candidates)?;
        let socket = Socket::connected(peer, self.coalesce, SOCKET_BYTES).context("no socket")?;
        let port = socket.local()?.port();
        let record = Record::new(id, channel, kind, sampled, posted, answered);
        let viewer = if let Some(offer) = full {
            let slow = kind == Kind::Slow;
            let link = slow.then(|| Link::new(self.slow_loss, self.slow_kbps, random.random()));
            let full = Full::new(record, socket, peer, offer, &reply.body, answer, link)?;
            Viewer::Full(Box::new(full))
        } else {
            let credentials = Credentials {
                our_ufrag,
                our_password,
                their_ufrag: answer.ufrag.clone(),
                their_password: answer.password.clone(),
            };
            let (identity, seed) = (&self.identity, random.random());
            let light = Light::new(record, socket, peer, answer, credentials, identity, seed);
            Viewer::Light(Box::new(light))
        };
        let engine = usize::try_from(id).unwrap_or(0) % self.engines.len().max(1);
        self.tell(engine, Command::Join(viewer)).await;
        Ok(Seat {
            id,
            engine,
            session: reply.location(&url),
            port,
        })
    }

    async fn tell(&self, engine: usize, command: Command) {
        let Some(sender) = self.engines.get(engine) else {
            return;
        };
        let mut command = command;
        loop {
            match sender.try_send(command) {
                Ok(()) => return,
                Err(std::sync::mpsc::TrySendError::Full(back)) => command = back,
                Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return,
            }
            tokio::time::sleep(ENGINE_BUSY).await;
        }
    }
}

/// Shared by all that let viewers in.
pub(crate) type SharedGate = Arc<Gate>;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What the kernel needs to hand over a connection that is there.
    const NOBODY_COMES: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn nobody_is_deleted_before_his_engine_has_let_him_go() {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = server.local_addr().expect("an address");
        let (sender, commands) = sync_channel(1);
        let gate = Gate {
            template: format!("http://{address}/whep/{{channel}}"),
            channels: vec!["demo".to_owned()],
            token: None,
            reach: Reach::default(),
            identity: Identity::new().expect("an identity"),
            coalesce: false,
            retries: 0,
            slow_loss: 0.0,
            slow_kbps: 0,
            seed: 1,
            engines: vec![sender],
            tally: Tally::default(),
        };
        let seat = Seat {
            id: 7,
            engine: 0,
            session: Some(
                format!("http://{address}/whep/demo/1")
                    .parse()
                    .expect("a URL"),
            ),
            port: 9,
        };
        let leave = tokio::spawn(async move {
            gate.leave(seat, false).await;
            gate.tally.undeleted.load(Ordering::Relaxed)
        });
        let early = tokio::time::timeout(NOBODY_COMES, server.accept()).await;
        assert!(early.is_err(), "a DELETE though the engine still reads");
        let Ok(Command::Leave { id: 7, left, .. }) = commands.try_recv() else {
            panic!("the engine was not told");
        };
        drop(left);
        let (mut connection, _) = server.accept().await.expect("the DELETE");
        let mut head = [0; 6];
        connection.read_exact(&mut head).await.expect("a request");
        assert_eq!(&head, b"DELETE");
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        connection.write_all(reply).await.expect("an answer");
        assert_eq!(leave.await.expect("no panic"), 0);
    }
}
