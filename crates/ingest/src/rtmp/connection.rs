use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::Instrument as _;
use zongzi_media::Kind;
use zongzi_rtmp::server::{Event, PublishRequest as Asked, Session};

use super::{Close, Counters, Settings, socket, words};
use crate::{
    Arrival, ArrivalWatch, Finish, KeyCheck, KeyRefusal, Media, Protocol, Publication, Publish,
    PublishRequest, StreamKey,
};

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Shared<K, P> {
    pub(super) settings: Settings,
    pub(super) keys: Arc<K>,
    pub(super) publish: Arc<P>,
    pub(super) counters: Arc<Counters>,
    pub(super) watch: Option<Arc<dyn ArrivalWatch>>,
}

/// One host's connection.
pub(super) struct Connection<K, P> {
    shared: Arc<Shared<K, P>>,
    peer: SocketAddr,
    stopped: watch::Receiver<bool>,
}

impl<K: KeyCheck, P: Publish> Connection<K, P> {
    pub(super) fn new(
        shared: Arc<Shared<K, P>>,
        peer: SocketAddr,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            shared,
            peer,
            stopped,
        }
    }

    /// Serves the connection to its end, and counts and logs how it ended.
    pub(super) async fn serve(self, stream: TcpStream) {
        let span = tracing::info_span!(
            "host",
            peer = %self.peer,
            protocol = Protocol::Rtmp.as_str(),
            channel = tracing::field::Empty,
        );
        async {
            tracing::debug!("connected");
            let mut arrival = Arrival::new(Protocol::Rtmp.as_str());
            let reason = self.run(stream, &mut arrival).await;
            if arrival.keyframe.is_none() {
                arrival.closed = Some(reason.as_str());
                self.tell(&arrival);
            }
            self.shared.counters.count_closed(reason);
            tracing::debug!(reason = reason.as_str(), "closed");
        }
        .instrument(span)
        .await;
    }

    fn tell(&self, arrival: &Arrival) {
        if let Some(watch) = &self.shared.watch {
            watch.arrived(arrival.clone());
        }
    }

    async fn run(&self, mut stream: TcpStream, arrival: &mut Arrival) -> Close {
        let mut seed = [0; 32];
        if aws_lc_rs::rand::fill(&mut seed).is_err() || socket::prepare(&stream).is_err() {
            return Close::Gone;
        }
        let mut session = Session::new(self.shared.settings.limits.clone(), seed);
        let reason = self.talk(&mut stream, &mut session, arrival).await;
        // The last word to the host, where there is one.
        let Settings {
            write_timeout,
            linger,
            ..
        } = self.shared.settings;
        match socket::flush(&mut stream, &mut session, write_timeout).await {
            Ok(()) if reason == Close::Orderly => socket::await_close(stream, linger).await,
            Ok(()) => socket::close(stream, linger).await,
            Err(_) => {}
        }
        reason
    }

    async fn talk(
        &self,
        stream: &mut TcpStream,
        session: &mut Session,
        arrival: &mut Arrival,
    ) -> Close {
        let mut input = Input::new(PREAUTH_BUFFER_BYTES);
        let mut stopped = self.stopped.clone();
        let admission = timeout(
            self.shared.settings.publish_deadline,
            self.admit(stream, session, &mut input, arrival),
        );
        let admitted = tokio::select! {
            admitted = admission => admitted.unwrap_or(Err(Close::Deadline)),
            _ = stopped.wait_for(|stopped| *stopped) => Err(Close::Shutdown),
        };
        match admitted {
            Ok(publication) => {
                input.enlarge(BUFFER_BYTES);
                let reason = self
                    .publish(stream, session, &mut input, publication, arrival)
                    .await;
                tracing::info!(reason = reason.as_str(), "host left");
                reason
            }
            Err(reason) => reason,
        }
    }

    /// From the first byte to `NetStream.Publish.Start`.
    async fn admit(
        &self,
        stream: &mut TcpStream,
        session: &mut Session,
        input: &mut Input,
        arrival: &mut Arrival,
    ) -> Result<P::Publication, Close> {
        let asked = self.asked(stream, session, input).await?;
        arrival.asked = Some(Instant::now());
        let key = StreamKey::new(asked.stream.expose().to_owned());
        let refused = |(reason, words): (Close, String), session: &mut Session| {
            tracing::info!(reason = reason.as_str(), said = %words, "publish refused");
            session.refuse_publish(&words);
            reason
        };
        let checked = match key {
            Some(key) => self.shared.keys.check(key, self.peer.ip()).await,
            None if asked.stream.expose().is_empty() => Err(KeyRefusal::Missing),
            None => Err(KeyRefusal::Unknown),
        };
        arrival.checked = Some(Instant::now());
        let admitted = checked.map_err(|refusal| refused(words::key_refused(&refusal), session))?;
        tracing::Span::current().record("channel", admitted.channel.as_str());
        arrival.channel = Some(admitted.channel.clone());
        let request = PublishRequest {
            channel: admitted.channel,
            key_id: admitted.key_id,
            protocol: Protocol::Rtmp,
            peer: self.peer,
            client: asked.client,
        };
        let publication = self
            .shared
            .publish
            .begin(request)
            .await
            .map_err(|refusal| refused(words::publish_refused(&refusal), session))?;
        session.accept_publish();
        socket::flush(stream, session, self.shared.settings.write_timeout).await?;
        self.shared.counters.count_published();
        arrival.granted = Some(Instant::now());
        tracing::debug!("publish accepted");
        Ok(publication)
    }

    /// Handshake and commands up to `publish`.
    async fn asked(
        &self,
        stream: &mut TcpStream,
        session: &mut Session,
        input: &mut Input,
    ) -> Result<Asked, Close> {
        loop {
            input.advance(session)?;
            socket::flush(stream, session, self.shared.settings.write_timeout).await?;
            if let Some(Event::Publish(asked)) = session.poll_event() {
                return Ok(asked);
            }
            if input.is_empty() && self.read(stream, input).await.is_none() {
                return Err(Close::Gone);
            }
        }
    }

    /// From `NetStream.Publish.Start` to the end.
    async fn publish(
        &self,
        stream: &mut TcpStream,
        session: &mut Session,
        input: &mut Input,
        mut publication: P::Publication,
        arrival: &mut Arrival,
    ) -> Close {
        let mut stopped = self.stopped.clone();
        let mut described = false;
        let mut pictures = None;
        loop {
            if let Err(reason) = input.advance(session) {
                publication.finish(Finish::Lost);
                return reason;
            }
            if let Err(reason) =
                socket::flush(stream, session, self.shared.settings.write_timeout).await
            {
                publication.finish(Finish::Lost);
                return reason;
            }
            while let Some(event) = session.poll_event() {
                let mut first_keyframe = false;
                let media = match event {
                    Event::Track(track) => {
                        if track.codec.kind() == Kind::Video {
                            pictures = Some(track.id);
                        }
                        Media::Track(track)
                    }
                    Event::Frame(frame) => {
                        first_keyframe = arrival.keyframe.is_none()
                            && frame.keyframe
                            && pictures == Some(frame.track);
                        Media::Frame(frame)
                    }
                    Event::Unpublish => {
                        publication.finish(Finish::Orderly);
                        return Close::Orderly;
                    }
                    Event::Metadata(metadata) => {
                        // gstreamer repeats it ten times a second.
                        if !std::mem::replace(&mut described, true) {
                            tracing::debug!(?metadata, "host describes its stream");
                        }
                        continue;
                    }
                    _ => continue,
                };
                if let Err(end) = publication.send(media).await {
                    return told(session, end);
                }
                if first_keyframe {
                    arrival.keyframe = Some(Instant::now());
                    self.tell(arrival);
                }
            }
            if !input.is_empty() {
                continue;
            }
            tokio::select! {
                biased;
                end = publication.ended() => return told(session, end),
                _ = stopped.wait_for(|stopped| *stopped) => {
                    // The host will look for us again: its viewers keep the broadcast's grace time.
                    publication.finish(Finish::Lost);
                    return told(session, crate::End::Shutdown);
                }
                read = timeout(self.shared.settings.idle_timeout, self.read(stream, input)) => {
                    let lost = match read {
                        Ok(Some(())) => continue,
                        Ok(None) => Close::Lost,
                        Err(_) => {
                            session.end("nothing was received for too long");
                            Close::Idle
                        }
                    };
                    publication.finish(Finish::Lost);
                    return lost;
                }
            }
        }
    }

    /// Cancel-safe. `None` when the connection has ended or is broken.
    async fn read(&self, stream: &mut TcpStream, input: &mut Input) -> Option<()> {
        let bytes = stream.read(&mut input.buffer).await.unwrap_or(0);
        input.start = 0;
        input.end = bytes;
        self.shared.counters.count_received(bytes);
        (bytes > 0).then_some(())
    }
}

/// Tells the host that its publication was ended by the server.
fn told(session: &mut Session, end: crate::End) -> Close {
    let (reason, words) = words::ended(end);
    session.end(words);
    reason
}

/// What was read from the socket and not yet taken by the session.
struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn new(bytes: usize) -> Self {
        Self {
            buffer: vec![0; bytes],
            start: 0,
            end: 0,
        }
    }

    fn enlarge(&mut self, bytes: usize) {
        self.buffer.resize(bytes, 0);
    }

    fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Gives the session what it takes. A host who publishes hears what it did wrong.
    fn advance(&mut self, session: &mut Session) -> Result<(), Close> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        match session.input(unread) {
            Ok(used) => {
                self.start = self.start.saturating_add(used);
                Ok(())
            }
            Err(error) => {
                tracing::debug!(%error, "host broke the protocol or a limit");
                session.end(&error.to_string());
                Err(if error.is_limit() {
                    Close::Limit
                } else {
                    Close::Protocol
                })
            }
        }
    }
}

/// Read buffer of a connection that has not published yet, in bytes: its handshake fits.
const PREAUTH_BUFFER_BYTES: usize = 4 << 10;
/// Read buffer of a host, in bytes: some 50 ms at 10 Mb/s.
const BUFFER_BYTES: usize = 64 << 10;
