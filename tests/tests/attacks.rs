//! Hostile input against the real server while a real stream runs: nobody who plays by the rules notices.
//!
//! The RTMP cases are those that killed or blew up published RTMP servers.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::reading;
use zongzi_tests::rtmp::{self, Client};
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::{http, note, wait};

/// Memory that all attacks of one test together may leave behind.
const MEMORY_GROWTH_MAX: u64 = 64 * 1024 * 1024;
const SOON: Duration = Duration::from_secs(20);
/// Descriptors that come and go for other reasons.
const DESCRIPTORS_BESIDE: usize = 20;
/// Memory of a connection that says nothing, in the mean of RTMP and HTTP, in bytes; 11 to 16 KiB were measured.
const SILENT_BYTES_MAX: u64 = 24 * 1024;
/// What a connection may send before its key was found good, in bytes: the default of `rtmp.max_preauth_bytes`.
const PREAUTH_BYTES: usize = 64 * 1024;
/// Memory of one that has sent nearly all of that, in bytes. 132 KiB were measured: the buffer that
/// gathers its message grows by doubling.
const STRANGER_BYTES_MAX: u64 = 160 * 1024;
const STRANGERS: usize = 300;

#[test]
fn rtmp_killers_harm_nobody() {
    let mut scene = Scene::start(Options::default());
    let key = scene.server.key("other").key;
    for (name, attack) in KILLERS {
        let start = Instant::now();
        // The server may close at any byte; that it does is not an error of the attack.
        let outcome = attack(&scene.server, &key);
        note(&format!("{name}: {outcome:?} after {:?}", start.elapsed()));
        assert!(
            scene.server.alive(),
            "{name} killed the server:\n{}",
            scene.server.log()
        );
    }
    scene.judge();
}

#[test]
fn connections_without_end_are_bounded_and_harm_nobody() {
    let mut scene = Scene::start(Options::default().set("rtmp.publish_timeout", "3s"));
    let before = scene.server.descriptors();
    let memory = scene.server.memory_bytes();
    // A thousand silent connections to each listener; those past the limit are closed by the server.
    let mut open: Vec<TcpStream> = Vec::new();
    for address in [scene.server.ready.rtmp, scene.server.ready.http] {
        for _ in 0..1_000 {
            open.extend(TcpStream::connect_timeout(&address, SOON));
        }
    }
    // The server takes them from the kernel's queue one by one.
    wait::until("the server to take them all", SOON, || {
        (scene.server.descriptors() + DESCRIPTORS_BESIDE >= before + open.len()).then_some(())
    });
    let peak = scene.server.descriptors();
    let each = memory_each(&scene.server, memory, open.len());
    note(&format!(
        "{} connections, {before} then {peak} descriptors, {each} bytes of memory each",
        open.len()
    ));
    assert_eq!(open.len(), 2_000);
    assert!(
        peak <= before + open.len() + DESCRIPTORS_BESIDE,
        "{before} then {peak} descriptors"
    );
    assert!(each < SILENT_BYTES_MAX, "{each} bytes of memory each");
    // All of them hang on it, and a newcomer is still served.
    let start = Instant::now();
    assert_eq!(scene.server.status("demo")["state"], "live");
    let served = start.elapsed();
    assert!(
        served < Duration::from_secs(1),
        "a newcomer was served after {served:?}"
    );
    // Slow-loris: a byte now and then keeps no one in for ever.
    for _ in 0..8 {
        for stream in &mut open {
            let _ = stream.write_all(&[3]);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    wait::until(
        "the server to close them",
        SOON.saturating_sub(start.elapsed()),
        || {
            let rtmp = scene.server.ready.rtmp;
            let mut of_rtmp = open
                .iter_mut()
                .filter(|stream| stream.peer_addr().is_ok_and(|peer| peer == rtmp));
            of_rtmp.all(is_closed).then_some(())
        },
    );
    drop(open);
    wait::until("the descriptors to come back", SOON, || {
        (scene.server.descriptors() <= before + DESCRIPTORS_BESIDE).then_some(())
    });
    scene.judge();
}

#[test]
fn before_a_key_was_found_good_a_connection_holds_what_it_may_and_no_more() {
    let server = Options::default()
        .set("rtmp.publish_timeout", "60s")
        .start();
    let before = server.memory_bytes();
    // A video message that never ends, nearly as long as all that may come before a key.
    let part = rtmp::message(6, 9, 1, &[0; 4 << 20], 4_096);
    let (fits, past) = part
        .split_at_checked(PREAUTH_BYTES - 1_024)
        .expect("the message is longer");
    let mut strangers: Vec<Client> = (0..STRANGERS)
        .map(|_| {
            let mut client = Client::connect(server.ready.rtmp).expect("the server listens");
            client.shake_hands().expect("the server's handshake");
            client.send(fits).expect("it is read");
            client
        })
        .collect();
    let received = || server.metric("zongzi_ingest_received_bytes_total");
    let sent = (STRANGERS * (3_073 + fits.len())) as f64;
    wait::until("all to be read", SOON, || {
        (received() >= sent).then_some(())
    });
    let each = memory_each(&server, before, STRANGERS);
    note(&format!(
        "{each} bytes of memory for each of {STRANGERS} strangers"
    ));
    assert!(each < STRANGER_BYTES_MAX, "{each} bytes of memory each");
    let limit = || {
        let closed = "zongzi_ingest_connections_closed_total";
        server.metric_of(closed, "reason=\"limit\"")
    };
    assert_eq!(limit(), 0.0, "they were cut off within their limit");
    for stranger in &mut strangers {
        // It may close while this is written.
        let _ = stranger.send(past.get(..2_048).unwrap_or_default());
    }
    wait::until("all to be cut off", Duration::from_secs(5), || {
        (limit() == STRANGERS as f64).then_some(())
    });
}

#[test]
fn garbage_on_every_port_harms_nobody() {
    let mut scene = Scene::start(Options::default());
    let mut noise = Noise(0x5eed);
    for _ in 0..200 {
        for address in [
            scene.server.ready.rtmp,
            scene.server.ready.http,
            scene.server.ready.admin,
        ] {
            if let Ok(mut stream) = TcpStream::connect_timeout(&address, SOON) {
                let _ = stream.write_all(&noise.bytes(2_000));
            }
        }
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    for length in 0..2_000_usize {
        // Every first byte of RFC 7983, so that each protocol behind the port gets its share.
        let mut datagram = noise.bytes(length % 1_500);
        if let (Some(first), Ok(kind)) = (datagram.first_mut(), u8::try_from(length % 256)) {
            *first = kind;
        }
        let _ = socket.send_to(&datagram, scene.server.ready.media);
    }
    let big = "x".repeat(1_000_000);
    let sdp = [("content-type", "application/sdp")];
    let answer = http::try_request(scene.server.ready.http, "POST", "/whep/demo", &sdp, &big);
    note(&format!(
        "a megabyte of offer: {:?}",
        answer.map(|answer| answer.status)
    ));
    for path in [
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/watch/%00",
        "/watch/%ff",
        "//",
        "/whep/demo/%2e%2e",
    ] {
        let answer = scene.server.get(path);
        assert!(
            (400..500).contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.body
        );
    }
    scene.judge();
}

/// A server, a host, and a viewer who watches through all of it.
struct Scene {
    browser: Browser,
    host: Host,
    memory: u64,
    server: Server,
}

impl Scene {
    fn start(options: Options) -> Self {
        let server = options.start();
        server.command(&["channel", "create", "other"]);
        let host = Host::publish(
            &Clip::SMALL.file(),
            &server.rtmp_url(),
            &server.key("demo").key,
        );
        server.wait_live("demo");
        let mut browser = Browser::start();
        browser.open(&server.url("/watch/demo"));
        browser.wait_shown("pictures", SOON, |shown| shown.pictures > 60);
        let memory = server.memory_bytes();
        Self {
            browser,
            host,
            memory,
            server,
        }
    }

    /// The viewer has noticed nothing, and the server holds no more than it should.
    fn judge(&mut self) {
        let before = self.browser.shown().pictures;
        self.browser
            .wait_shown("pictures after the attack", SOON, |shown| {
                shown.pictures > before + 60
            });
        assert!(
            self.host.alive(),
            "the host was thrown out: {}",
            self.host.said()
        );
        assert!(self.server.alive(), "{}", self.server.log());
        let report = self.browser.report();
        // From the third second on: joining has its own tests.
        let steady = report.pictures.get(60..).unwrap_or_default();
        let unshown = reading::unshown(steady);
        let memory = self.server.memory_bytes();
        note(&format!(
            "{} pictures, {unshown} unshown, {:?}; memory {} then {memory}",
            steady.len(),
            report.video,
            self.memory
        ));
        assert_eq!(
            (report.backwards(), report.unreadable, report.sessions),
            (0, 0, 1)
        );
        assert_eq!(
            (
                report.video.packets_lost,
                report.audio.packets_lost,
                report.video.pli_count
            ),
            (0, 0, 0)
        );
        assert!(
            memory < self.memory + MEMORY_GROWTH_MAX,
            "memory grew from {} to {memory}",
            self.memory
        );
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

type Attack = fn(&Server, &str) -> std::io::Result<()>;

const KILLERS: [(&str, Attack); 12] = [
    ("two messages interleaved", |server, key| {
        published(
            server,
            key,
            &[
                &VIDEO_HEADER,
                &[0; 128][..],
                &AUDIO_HEADER,
                &[0xaf, 1, 0, 0],
                &[0xc6],
                &[0; 72],
            ]
            .concat(),
        )
    }),
    ("a new header in mid-message, shorter", |server, key| {
        published(
            server,
            key,
            &[
                &VIDEO_HEADER,
                &[0; 128][..],
                &rtmp::chunk_header(6, 0, 10, 9, 1),
                &[0; 10],
            ]
            .concat(),
        )
    }),
    ("Abort in mid-message", |server, key| {
        let abort = rtmp::message(2, 2, 0, &[0, 0, 0, 6], 128);
        published(
            server,
            key,
            &[&VIDEO_HEADER, &[0; 128][..], &abort, &[0xc6], &[0; 72]].concat(),
        )
    }),
    ("chunk size 0", |server, key| {
        published(server, key, &rtmp::message(2, 1, 0, &[0; 4], 128))
    }),
    ("chunk size 1", |server, key| {
        let frame = rtmp::message(6, 9, 1, &[0x27; 5_000], 1);
        published(
            server,
            key,
            &[rtmp::message(2, 1, 0, &[0, 0, 0, 1], 128), frame].concat(),
        )
    }),
    ("chunk size 0x7fffffff", |server, key| {
        published(
            server,
            key,
            &rtmp::message(2, 1, 0, &[0x7f, 0xff, 0xff, 0xff], 128),
        )
    }),
    (
        "16 MiB declared before any key, then dripped",
        |server, _| {
            let mut client = Client::connect(server.ready.rtmp)?;
            client.shake_hands()?;
            client.send(&rtmp::chunk_header(3, 0, 0x00ff_ffff, 20, 0))?;
            (0..3_000).try_for_each(|_| client.send(&[&[0; 4096][..], &[0xc3]].concat()))
        },
    ),
    (
        "twenty thousand chunk streams, each with a part of a message",
        |server, _| {
            let mut client = Client::connect(server.ready.rtmp)?;
            client.shake_hands()?;
            (64..20_064_u32).try_for_each(|id| {
                let [low, high, ..] = (id - 64).to_le_bytes();
                let header = [0x01, low, high, 0, 0, 0, 0, 0x40, 0, 9, 1, 0, 0, 0];
                client.send(&[&header[..], &[0; 4096]].concat())
            })
        },
    ),
    (
        "an object nested 100,000 times as the first connect",
        |server, _| nested_command(server, 100_000),
    ),
    (
        "an object nested 5,000 times as the first connect",
        |server, _| nested_command(server, 5_000),
    ),
    ("an object nested 100,000 times as data", |server, key| {
        published(
            server,
            key,
            &rtmp::message(
                5,
                18,
                1,
                &[rtmp::string("onMetaData"), rtmp::nested(100_000)].concat(),
                4096,
            ),
        )
    }),
    ("an array that claims 2^32 entries", |server, key| {
        let array = [
            &rtmp::string("onMetaData")[..],
            &[8, 0xff, 0xff, 0xff, 0xff],
        ]
        .concat();
        published(server, key, &rtmp::message(5, 18, 1, &array, 4096))
    }),
];

/// Headers of a video message of 200 bytes and an audio message of 4, with our chunk size lowered to 128 before.
const VIDEO_HEADER: [u8; 28] = [
    2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 128, // Set Chunk Size 128
    6, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0,
];
const AUDIO_HEADER: [u8; 12] = [4, 0, 0, 0, 0, 0, 4, 8, 1, 0, 0, 0];

/// Publishes with a good key, then sends `bytes`.
fn published(server: &Server, key: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut client = Client::connect(server.ready.rtmp)?;
    assert!(client.publish(key)?, "a good key was refused");
    client.send(bytes)?;
    client.is_closed_within(Duration::from_millis(300));
    Ok(())
}

fn nested_command(server: &Server, depth: usize) -> std::io::Result<()> {
    let mut client = Client::connect(server.ready.rtmp)?;
    client.shake_hands()?;
    client.command(
        0,
        &[
            rtmp::string("connect"),
            rtmp::number(1.0),
            rtmp::nested(depth),
        ]
        .concat(),
    )?;
    client.is_closed_within(Duration::from_millis(300));
    Ok(())
}

/// How much more memory than `before` the server has, for each of `count`.
fn memory_each(server: &Server, before: u64, count: usize) -> u64 {
    let more = server.memory_bytes().saturating_sub(before);
    more / u64::try_from(count).expect("not that many")
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream
        .set_nonblocking(true)
        .expect("a socket can be made nonblocking");
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// Bytes that look random and are the same each time (xorshift64).
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_be_bytes()[0]
        })
        .take(count)
        .collect()
    }
}
