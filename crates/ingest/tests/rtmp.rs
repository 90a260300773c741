//! The RTMP server over loopback, with our own client core and with raw sockets, a fake key store and a fake hub.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use zongzi_ingest::rtmp::{Close, Counters, Server, Settings};
use zongzi_ingest::{
    Admitted, End, Finish, KeyCheck, KeyRefusal, Media, Publication, Publish, PublishRefusal,
    PublishRequest, StreamKey,
};
use zongzi_rtmp::client::{self, Event};
use zongzi_rtmp::flv::file::{Kind, Tag};

/// Knows the key `good`; `slow` never gets an answer.
struct Keys;

impl KeyCheck for Keys {
    async fn check(&self, key: StreamKey, _peer: IpAddr) -> Result<Admitted, KeyRefusal> {
        match key.expose() {
            "good" => Ok(Admitted {
                channel: "demo".parse().expect("a channel name"),
                key_id: "1".to_owned(),
            }),
            "slow" => std::future::pending().await,
            "often" => Err(KeyRefusal::Throttled(Duration::from_secs(7))),
            "panic" => unreachable!("the store has a bug"),
            _ => Err(KeyRefusal::Unknown),
        }
    }
}

/// Notes what happens; a new publication ends the one before it, as the hub does.
struct Hub {
    notes: mpsc::Sender<String>,
    current: Mutex<watch::Sender<Option<End>>>,
    refusal: Option<PublishRefusal>,
}

struct Live {
    notes: mpsc::Sender<String>,
    end: watch::Receiver<Option<End>>,
}

impl Publish for Hub {
    type Publication = Live;

    async fn begin(&self, request: PublishRequest) -> Result<Live, PublishRefusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let (sender, end) = watch::channel(None);
        let old = std::mem::replace(&mut *self.current.lock().expect("no panics"), sender);
        old.send_replace(Some(End::TakenOver));
        note(
            &self.notes,
            format!("begin {} {:?}", request.channel, request.client),
        )
        .await;
        Ok(Live {
            notes: self.notes.clone(),
            end,
        })
    }
}

impl Publication for Live {
    async fn send(&mut self, media: Media) -> Result<(), End> {
        let what = match media {
            Media::Track(track) => track.codec.name().to_owned(),
            Media::Frame(frame) => format!("frame {}", frame.dts.as_millis()),
        };
        note(&self.notes, what).await;
        Ok(())
    }

    async fn ended(&mut self) -> End {
        match self.end.wait_for(Option::is_some).await.map(|end| *end) {
            Ok(Some(end)) => end,
            _ => std::future::pending().await,
        }
    }

    fn finish(self, how: Finish) {
        // The channel is longer than what any test notes.
        let _noted = self.notes.try_send(format!("finish {how:?}"));
    }
}

async fn note(notes: &mpsc::Sender<String>, what: String) {
    notes.send(what).await.expect("the test listens");
}

/// A running server and what its hub notes.
struct Bench {
    address: SocketAddr,
    counters: Arc<Counters>,
    hub: Arc<Hub>,
    notes: mpsc::Receiver<String>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Bench {
    async fn start(settings: Settings) -> Self {
        Self::start_with(settings, None).await
    }

    async fn start_with(settings: Settings, refusal: Option<PublishRefusal>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let (sender, notes) = mpsc::channel(1_000);
        let hub = Arc::new(Hub {
            notes: sender,
            current: Mutex::new(watch::channel(None).0),
            refusal,
        });
        let server = Server::new(settings, Arc::new(Keys), Arc::clone(&hub));
        let counters = server.counters();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            server.run(listener, stopped).await;
        });
        Self {
            address,
            counters,
            hub,
            notes,
            stop,
            task,
        }
    }

    async fn noted(&mut self) -> String {
        soon(self.notes.recv()).await.expect("the hub lives")
    }

    /// Stops the server and waits for all connections.
    async fn stop(self) -> Arc<Counters> {
        drop(self.stop);
        soon(self.task).await.expect("no panic");
        assert_eq!(self.counters.open(), 0);
        self.counters
    }
}

/// A host on our own client core.
struct Host {
    stream: TcpStream,
    session: client::Session,
}

impl Host {
    async fn connect(bench: &Bench, key: &str) -> Self {
        let settings = client::Settings::new("localhost", "live", key);
        Self {
            stream: soon(TcpStream::connect(bench.address))
                .await
                .expect("a listener"),
            session: client::Session::new(settings, [1; 32]),
        }
    }

    /// The next event, or `None` when the server has closed.
    async fn event(&mut self) -> Option<Event> {
        loop {
            self.flush().await;
            if let Some(event) = self.session.poll_event() {
                return Some(event);
            }
            let mut buffer = [0; 4_096];
            let bytes = soon(self.stream.read(&mut buffer)).await.expect("no reset");
            if bytes == 0 {
                return None;
            }
            self.session
                .input(&buffer[..bytes])
                .expect("the server keeps the rules");
        }
    }

    async fn flush(&mut self) {
        while let Some(bytes) = self.session.poll_output() {
            soon(self.stream.write_all(&bytes))
                .await
                .expect("the server reads");
        }
    }

    async fn send(&mut self, timestamp_ms: u32, body: &'static [u8]) {
        self.session.send(&Tag {
            kind: Kind::Audio,
            timestamp_ms,
            body: body.into(),
        });
        self.flush().await;
    }

    async fn publishing(bench: &mut Bench) -> Self {
        let mut host = Self::connect(bench, "good").await;
        assert_eq!(host.event().await, Some(Event::Publishing));
        assert!(bench.noted().await.starts_with("begin demo"));
        host
    }

    async fn refused(&mut self) -> String {
        let event = self.event().await;
        let Some(Event::Refused { description, .. }) = event else {
            unreachable!("{event:?} in place of a refusal");
        };
        description
    }
}

/// No test waits longer for anything than this.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}

/// Reads to the end that the server makes of a connection, whichever way it closes.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(count @ 1..) = soon(stream.read(&mut buffer)).await {
        bytes.extend_from_slice(&buffer[..count]);
    }
    bytes
}

fn short() -> Settings {
    Settings {
        publish_deadline: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(300),
        linger: Duration::from_millis(100),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_host_with_a_good_key_is_handed_on_to_its_orderly_end() {
    let mut bench = Bench::start(Settings::default()).await;
    let mut host = Host::connect(&bench, "good").await;
    assert_eq!(host.event().await, Some(Event::Publishing));
    assert_eq!(
        bench.noted().await,
        "begin demo Some(\"FMLE/3.0 (compatible; FMSc/1.0)\")"
    );
    host.send(0, b"\xaf\0\x11\x90").await;
    host.send(20, b"\xaf\x01sound").await;
    host.session.send(&Tag {
        kind: Kind::Data,
        timestamp_ms: 20,
        body: b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09"
            .as_slice()
            .into(),
    });
    host.send(40, b"\xaf\x01more").await;
    assert_eq!(bench.noted().await, "AAC");
    assert_eq!(bench.noted().await, "frame 20");
    assert_eq!(bench.noted().await, "frame 40");
    host.session.unpublish();
    assert_eq!(host.event().await, Some(Event::Unpublished));
    assert_eq!(host.event().await, None);
    assert_eq!(bench.noted().await, "finish Orderly");
    drop(host);
    let counters = bench.stop().await;
    assert_eq!((counters.opened(), counters.published()), (1, 1));
    assert_eq!(counters.closed(Close::Orderly), 1);
    assert!(counters.received_bytes() > 3_073);
}

#[tokio::test]
async fn a_wrong_key_is_refused_in_words_before_publish_start_and_counted() {
    let bench = Bench::start(Settings::default()).await;
    for (key, words) in [
        ("wrong", "unknown or revoked"),
        ("often", "try again in 7 s"),
        ("", "no stream key came"),
    ] {
        let mut host = Host::connect(&bench, key).await;
        let description = host.refused().await;
        assert!(description.contains(words), "{description}");
        assert_eq!(host.event().await, None, "then it is closed");
    }
    let counters = bench.stop().await;
    assert_eq!(counters.closed(Close::BadKey), 1);
    assert_eq!(counters.closed(Close::NoKey), 1);
    assert_eq!(counters.closed(Close::Throttled), 1);
    assert_eq!(counters.published(), 0);
}

#[tokio::test]
async fn a_good_key_may_still_be_refused() {
    let refusal = PublishRefusal::Busy("demo".parse().expect("a channel name"));
    let bench = Bench::start_with(Settings::default(), Some(refusal)).await;
    let mut host = Host::connect(&bench, "good").await;
    assert!(host.refused().await.contains("already live"));
    drop(host);
    assert_eq!(bench.stop().await.closed(Close::Refused), 1);
}

#[tokio::test]
async fn a_host_that_was_taken_over_hears_it_while_it_is_sending() {
    let mut bench = Bench::start(Settings::default()).await;
    let mut first = Host::publishing(&mut bench).await;
    first.send(0, b"\xaf\0\x11\x90").await;
    assert_eq!(bench.noted().await, "AAC");
    let asked = Instant::now();
    let _second = Host::publishing(&mut bench).await;
    // Unread input when the server closes must not swallow its last word.
    first.send(20, b"\xaf\x01x").await;
    assert!(first.refused().await.contains("taken"));
    assert_eq!(first.event().await, None);
    assert!(asked.elapsed() < Duration::from_secs(1));
    drop(first);
    let counters = bench.stop().await;
    assert_eq!(counters.closed(Close::TakenOver), 1);
    assert_eq!(counters.closed(Close::Shutdown), 1);
}

#[tokio::test]
async fn a_revoked_key_ends_its_host_while_it_is_silent() {
    let mut bench = Bench::start(Settings::default()).await;
    let mut host = Host::publishing(&mut bench).await;
    let hub = Arc::clone(&bench.hub);
    hub.current
        .lock()
        .expect("no panics")
        .send_replace(Some(End::KeyRevoked));
    assert!(host.refused().await.contains("revoked"));
    drop(host);
    assert_eq!(bench.stop().await.closed(Close::KeyRevoked), 1);
}

#[tokio::test]
async fn a_host_that_vanishes_or_falls_silent_is_lost() {
    let mut bench = Bench::start(short()).await;
    let host = Host::publishing(&mut bench).await;
    drop(host);
    assert_eq!(bench.noted().await, "finish Lost");
    let mut silent = Host::publishing(&mut bench).await;
    assert_eq!(bench.noted().await, "finish Lost");
    assert!(silent.refused().await.contains("nothing was received"));
    drop(silent);
    let counters = bench.stop().await;
    assert_eq!(
        (counters.closed(Close::Lost), counters.closed(Close::Idle)),
        (1, 1)
    );
}

#[tokio::test]
async fn who_drips_bytes_is_closed_at_the_deadline() {
    let bench = Bench::start(short()).await;
    let mut stream = TcpStream::connect(bench.address).await.expect("a listener");
    let began = Instant::now();
    let mut every = tokio::time::interval(Duration::from_millis(10));
    // C0, then C1 a byte at a time: never idle, never done.
    while stream.write_all(&[3]).await.is_ok() {
        every.tick().await;
        assert!(began.elapsed() < Duration::from_secs(10), "held for long");
    }
    drop(stream);
    assert_eq!(bench.stop().await.closed(Close::Deadline), 1);
}

#[tokio::test]
async fn a_key_check_that_hangs_is_under_the_deadline_too() {
    let bench = Bench::start(short()).await;
    let mut host = Host::connect(&bench, "slow").await;
    assert_eq!(host.event().await, None);
    drop(host);
    assert_eq!(bench.stop().await.closed(Close::Deadline), 1);
}

#[tokio::test]
async fn garbage_closes_and_a_running_stream_is_unharmed() {
    let mut bench = Bench::start(Settings {
        linger: Duration::from_millis(100),
        ..Settings::default()
    })
    .await;
    let mut host = Host::publishing(&mut bench).await;
    host.send(0, b"\xaf\0\x11\x90").await;
    for first in [b'G', 3, 6] {
        let mut garbage = vec![0xa5; 100_000];
        garbage[0] = first;
        let mut stream = TcpStream::connect(bench.address).await.expect("a listener");
        let _may_be_cut = stream.write_all(&garbage).await;
        read_to_end(&mut stream).await;
    }
    host.send(20, b"\xaf\x01x").await;
    assert_eq!(bench.noted().await, "AAC");
    assert_eq!(bench.noted().await, "frame 20");
    drop(host);
    assert_eq!(bench.noted().await, "finish Lost");
    let counters = bench.stop().await;
    assert_eq!(counters.closed(Close::Protocol), 3);
}

#[tokio::test]
async fn a_host_that_goes_past_a_limit_hears_which() {
    let mut bench = Bench::start(short()).await;
    let mut host = Host::publishing(&mut bench).await;
    // A video message of 16 MiB less a byte.
    let header = [6, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0];
    soon(host.stream.write_all(&header))
        .await
        .expect("the server reads");
    let words = host.refused().await;
    assert!(
        words.contains("16777215") && words.contains("4194304"),
        "{words}"
    );
    assert_eq!(bench.noted().await, "finish Lost");
    drop(host);
    assert_eq!(bench.stop().await.closed(Close::Limit), 1);
}

#[tokio::test]
async fn nested_amf0_as_first_connect_is_a_limit() {
    let bench = Bench::start(short()).await;
    let mut stream = TcpStream::connect(bench.address).await.expect("a listener");
    let mut bytes = vec![0; 3_073];
    bytes[0] = 3;
    let nested = [
        b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0".as_slice(),
        &b"\x03\0\x01a".repeat(40),
    ]
    .concat();
    let length = u8::try_from(nested.len()).expect("short");
    bytes.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 4, 0]);
    bytes.extend([3, 0, 0, 0, 0, 0, length, 20, 0, 0, 0, 0]);
    bytes.extend(nested);
    stream.write_all(&bytes).await.expect("the server reads");
    assert_eq!(
        read_to_end(&mut stream).await.len(),
        3_073,
        "the handshake and no more"
    );
    drop(stream);
    assert_eq!(bench.stop().await.closed(Close::Limit), 1);
}

#[tokio::test]
async fn two_hundred_connections_are_served_and_the_next_is_closed_unheard() {
    let bench = Bench::start(Settings {
        connections: 200,
        ..Settings::default()
    })
    .await;
    let mut streams = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(bench.address).await.expect("a listener");
        let mut hello = vec![0; 1_537];
        hello[0] = 3;
        stream.write_all(&hello).await.expect("the server reads");
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut answer = [0; 3_073];
        soon(stream.read_exact(&mut answer))
            .await
            .expect("the server's handshake");
    }
    let mut late = TcpStream::connect(bench.address).await.expect("a listener");
    assert!(read_to_end(&mut late).await.is_empty());
    assert_eq!(
        (bench.counters.open(), bench.counters.closed(Close::Full)),
        (200, 1)
    );
    drop(streams);
    let counters = bench.stop().await;
    assert_eq!(
        counters.closed(Close::Gone) + counters.closed(Close::Shutdown),
        200
    );
}

#[tokio::test]
async fn a_stopping_server_tells_its_hosts() {
    let mut bench = Bench::start(Settings::default()).await;
    let mut host = Host::publishing(&mut bench).await;
    let stop = tokio::spawn(bench.stop());
    assert!(host.refused().await.contains("stopping"));
    assert_eq!(host.event().await, None);
    drop(host);
    let counters = soon(stop).await.expect("no panic");
    assert_eq!(counters.closed(Close::Shutdown), 1);
}

#[tokio::test]
async fn a_panic_ends_one_connection_and_is_counted() {
    let mut bench = Bench::start(Settings::default()).await;
    let mut broken = Host::connect(&bench, "panic").await;
    assert_eq!(broken.event().await, None);
    let host = Host::publishing(&mut bench).await;
    drop((broken, host));
    assert_eq!(bench.noted().await, "finish Lost");
    assert_eq!(bench.stop().await.closed(Close::Panic), 1);
}
