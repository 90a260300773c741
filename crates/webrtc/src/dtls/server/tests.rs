//! A handshake in virtual time against the client half of the same engine (Chromium's and str0m's are met elsewhere),
//! over a link that loses what it is told to; then what a hostile peer may send.

use super::*;
use crate::dtls::Hash;
use crate::srtp::Side;

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's first instant; time is counted from it"
    )]
    Instant::now()
}

struct Client {
    engine: Dtls,
    timeout: Instant,
    keys: Option<Keys>,
    closed: bool,
}

impl Client {
    fn tick(&mut self, now: Instant) {
        self.engine.handle_timeout(now).expect("the client lives");
    }

    fn take(&mut self, now: Instant, packet: &[u8]) {
        self.tick(now);
        self.engine.handle_packet(packet).expect("the client lives");
    }

    fn poll(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = [0; 4_096];
        let mut packets = Vec::new();
        loop {
            match self.engine.poll_output(&mut buffer) {
                Output::Packet(packet) => packets.push(packet.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = srtp_profile(profile).expect("one of ours");
                    self.keys = Some(Keys::new(profile, &material).expect("whole"));
                }
                Output::CloseNotify => self.closed = true,
                Output::Timeout(at) => {
                    self.timeout = at;
                    return packets;
                }
                _ => {}
            }
        }
    }
}

/// A client and a server with a link between them that takes 10 ms and loses datagrams by their number.
struct Pair {
    now: Instant,
    started: Instant,
    client: Client,
    server: Server,
    /// To the client; to the server. Counted over all that was sent that way.
    lost: [Vec<usize>; 2],
    sent: [usize; 2],
    keys: Option<Keys>,
    closed: bool,
}

const DELAY: Duration = Duration::from_millis(10);

impl Pair {
    fn new() -> Self {
        let now = start();
        let own = dimpl::certificate::generate_self_signed_certificate().expect("made");
        let fingerprint = Fingerprint::of(Hash::Sha256, &own.certificate);
        Self::with(now, own, fingerprint)
    }

    fn with(now: Instant, own: dimpl::DtlsCertificate, expected: Fingerprint) -> Self {
        let config = Config::builder()
            // As patient as Chromium: 50 ms, doubling.
            .flight_start_rto(Duration::from_millis(50))
            .flight_retries(10)
            .build()
            .expect("valid");
        let mut engine = Dtls::new_12(Arc::new(config), own, now);
        engine.set_active(true);
        engine.handle_timeout(now).expect("started");
        let context = Context::new(Certificate::generate().expect("made")).expect("valid");
        Self {
            now,
            started: now,
            client: Client {
                engine,
                timeout: now,
                keys: None,
                closed: false,
            },
            server: Server::new(&context, expected, now),
            lost: [Vec::new(), Vec::new()],
            sent: [0, 0],
            keys: None,
            closed: false,
        }
    }

    /// Lets both talk until nothing is under way and the handshake is over, or for 12 s. The server's error ends it.
    fn run(&mut self) -> Result<(), Error> {
        let mut link: VecDeque<(Instant, usize, Vec<u8>)> = VecDeque::new();
        // Bounded: a handshake that does not go quiet is a failure.
        for _ in 0..1_000 {
            for packet in self.client.poll() {
                self.send(1, packet, &mut link);
            }
            while let Some(packet) = self.server.poll_transmit() {
                self.send(0, packet, &mut link);
            }
            while let Some(event) = self.server.poll_event() {
                match event {
                    Event::Connected(keys) => self.keys = Some(keys),
                    Event::Closed => self.closed = true,
                }
            }
            let both = self.keys.is_some() && self.client.keys.is_some();
            let next = match link.front() {
                Some((at, ..)) => *at,
                None if both => return Ok(()),
                None => self
                    .server
                    .poll_timeout()
                    .map_or(self.client.timeout, |at| at.min(self.client.timeout)),
            };
            let next = next.min(self.client.timeout);
            let next = self.server.poll_timeout().map_or(next, |at| at.min(next));
            self.now = self.now.max(next);
            if self.elapsed() > Duration::from_secs(12) {
                return Ok(());
            }
            if self.client.timeout <= self.now {
                self.client.tick(self.now);
            }
            if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
                self.server.handle_timeout(self.now)?;
            }
            while link.front().is_some_and(|(at, ..)| *at <= self.now) {
                let Some((_, to, packet)) = link.pop_front() else {
                    break;
                };
                if to == 1 {
                    self.server.handle_datagram(self.now, &packet)?;
                } else {
                    self.client.take(self.now, &packet);
                }
            }
        }
        panic!("the handshake does not come to rest");
    }

    fn send(&mut self, to: usize, packet: Vec<u8>, link: &mut VecDeque<(Instant, usize, Vec<u8>)>) {
        let number = self.sent[to];
        self.sent[to] += 1;
        if !self.lost[to].contains(&number) {
            link.push_back((self.now + DELAY, to, packet));
        }
    }

    fn elapsed(&self) -> Duration {
        self.now - self.started
    }

    fn assert_connected(&self) {
        let (ours, theirs) = (self.keys.as_ref(), self.client.keys.as_ref());
        assert!(ours.is_some(), "the server has keys");
        assert_eq!(ours, theirs, "both exported the same");
        let keys = ours.expect("just looked");
        assert_eq!(keys.profile(), Profile::AeadAes256Gcm);
        assert!(keys.sender(Side::Server).is_ok());
    }
}

#[test]
fn both_sides_export_the_same_keys() {
    let mut pair = Pair::new();
    pair.run().expect("nothing is lost");
    pair.assert_connected();
    assert!(
        pair.elapsed() < Duration::from_millis(60),
        "{:?}",
        pair.elapsed()
    );
    assert_eq!(
        pair.server.poll_timeout(),
        None,
        "nothing to wait for any more"
    );
}

#[test]
fn one_and_two_lost_flights_of_either_side_are_repaired() {
    for (to, name) in [(0, "server"), (1, "client")] {
        // A flight here is one datagram: the first, the last, both, and one flight twice.
        for lost in [0..1, 1..2, 0..2, 1..3] {
            let mut pair = Pair::new();
            pair.lost[to] = lost.clone().collect();
            pair.run().expect("loss is no error");
            pair.assert_connected();
            assert!(
                pair.elapsed() < Duration::from_secs(1),
                "{name} {lost:?}: {:?}",
                pair.elapsed()
            );
        }
    }
}

#[test]
fn the_last_flight_is_sent_again_when_the_peers_is_repeated() {
    let mut whole = Pair::new();
    whole.run().expect("nothing is lost");
    let last = whole.sent[0] - 1;

    let mut pair = Pair::new();
    pair.lost[0] = vec![last];
    pair.run().expect("loss is no error");
    pair.assert_connected();
    assert!(pair.sent[0] > whole.sent[0], "it was repeated");
}

#[test]
fn an_answer_that_waited_here_beyond_our_flights_time_brings_keys_at_once() {
    let Pair {
        now,
        mut client,
        mut server,
        ..
    } = Pair::new();
    for hello in client.poll() {
        server.handle_datagram(now, &hello).expect("a ClientHello");
    }
    while let Some(flight) = server.poll_transmit() {
        client.take(now, &flight);
    }
    // A machine with too much to do reads it when the flight should have been sent again twice.
    let read = now + FLIGHT_RTO * 3;
    for answer in client.poll() {
        server.handle_datagram(read, &answer).expect("his answer");
    }
    while let Some(last) = server.poll_transmit() {
        client.take(now, &last);
    }
    client.poll();
    assert!(client.keys.is_some());
}

#[test]
fn another_certificate_than_the_offers_gets_no_keys() {
    let own = dimpl::certificate::generate_self_signed_certificate().expect("made");
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let now = start();
        let right = Fingerprint::of(hash, &own.certificate);
        let mut pair = Pair::with(now, own.clone(), right);
        pair.run().expect("the certificate is the one expected");
        pair.assert_connected();

        let wrong = Fingerprint::of(hash, b"another certificate");
        let mut pair = Pair::with(now, own.clone(), wrong);
        assert_eq!(pair.run(), Err(Error::FingerprintMismatch));
        assert_eq!(pair.keys, None);
        assert_eq!(pair.server.handle_datagram(now, b""), Err(Error::Ended));
    }
}

#[test]
fn a_peers_goodbye_is_heard_and_ours_is_said() {
    let mut pair = Pair::new();
    pair.run().expect("nothing is lost");
    pair.client.engine.close().expect("alive");
    pair.run().expect("a goodbye is no error");
    assert!(pair.closed);

    let mut pair = Pair::new();
    pair.run().expect("nothing is lost");
    pair.server.close();
    assert_eq!(
        pair.run(),
        Err(Error::Ended),
        "the client's reply is not heard any more"
    );
    assert!(pair.client.closed);
}

#[test]
fn a_forged_goodbye_is_not_believed() {
    let mut pair = Pair::new();
    pair.run().expect("nothing is lost");
    // close_notify in the clear, and one "encrypted" with nothing.
    let plain = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 1, 0];
    let mut sealed = vec![21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 26];
    sealed.resize(13 + 26, 7);
    for forged in [&plain[..], &sealed] {
        pair.server
            .handle_datagram(pair.now, forged)
            .expect("ignored");
    }
    pair.run().expect("nothing happened");
    assert!(!pair.closed);
}

#[test]
fn a_handshake_that_stands_still_ends_in_time() {
    let mut pair = Pair::new();
    pair.lost[0] = (0..1_000).collect();
    // The client gives up later than the server.
    let outcome = pair.run();
    assert_eq!(outcome, Err(Error::Timeout));
    assert!(
        pair.elapsed() >= Duration::from_secs(9),
        "{:?}",
        pair.elapsed()
    );
}

/// One handshake record with a fragment of a message.
fn fragment(kind: u8, total: u32, sequence: u16, offset: u32, body: &[u8], number: u64) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    let mut record = vec![22, 0xfe, 0xfd, 0, 0];
    record.extend_from_slice(&number.to_be_bytes()[2..]);
    record.extend_from_slice(&u16::try_from(body.len() + 12).expect("short").to_be_bytes());
    record.push(kind);
    record.extend_from_slice(&total.to_be_bytes()[1..]);
    record.extend_from_slice(&sequence.to_be_bytes());
    record.extend_from_slice(&offset.to_be_bytes()[1..]);
    record.extend_from_slice(&length.to_be_bytes()[1..]);
    record.extend_from_slice(body);
    record
}

/// Feeds datagrams until the server gives up, and says after how many.
fn feed(datagrams: impl Iterator<Item = Vec<u8>>) -> Option<(usize, Error)> {
    let mut pair = Pair::new();
    for (count, datagram) in datagrams.enumerate() {
        if let Err(error) = pair.server.handle_datagram(pair.now, &datagram) {
            return Some((count, error));
        }
        let mut answers = 0;
        while let Some(answer) = pair.server.poll_transmit() {
            answers += answer.len();
        }
        assert!(
            answers <= 4 * MTU_BYTES,
            "{answers} bytes of answer to one datagram"
        );
        assert!(pair.server.poll_event().is_none());
    }
    None
}

#[test]
fn hostile_fragments_end_the_association_and_nothing_else() {
    const CLIENT_HELLO: u8 = 1;
    let check = |name: &str, next: &mut dyn FnMut(u32) -> Vec<u8>| {
        let (count, _) = feed((0..20_000).map(next)).unwrap_or_else(|| panic!("{name}: endless"));
        assert!(count <= Server::HANDSHAKE_DATAGRAMS_MAX, "{name}: {count}");
    };
    let byte = |offset, number: u32| {
        fragment(
            CLIENT_HELLO,
            0x00ff_ffff,
            0,
            offset,
            b"x",
            u64::from(number),
        )
    };
    check("one byte each, in order", &mut |at| byte(at, at));
    check("one byte each, last first", &mut |at| byte(20_000 - at, at));
    check("the same byte again", &mut |at| byte(5, at));
    check("empty fragments", &mut |at| {
        fragment(CLIENT_HELLO, 1_000, 0, at % 1_000, b"", u64::from(at))
    });
    check("messages of the future", &mut |at| {
        fragment(
            CLIENT_HELLO,
            1,
            (at % 60_000) as u16,
            0,
            b"x",
            u64::from(at),
        )
    });
    check("big fragments", &mut |at| {
        fragment(
            CLIENT_HELLO,
            0x00ff_ffff,
            0,
            at * 1_100,
            &[7; 1_100],
            u64::from(at),
        )
    });
    check("early encrypted records", &mut |at| {
        let mut record = fragment(20, 12, 0, 0, &[7; 50], u64::from(at));
        record[4] = 1;
        record
    });
    check("garbage", &mut |at| {
        let mut random = u64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut bytes = vec![22, 0xfe, 0xfd];
        bytes.extend((0..at % 1_400).map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random & 0xff) as u8
        }));
        bytes
    });
}

#[test]
fn a_handshake_is_bounded_in_bytes_too() {
    let outcome = feed((0..).map(|_| vec![0xff; 16 * 1024]));
    assert_eq!(outcome, Some((4, Error::TooMuch)));
}
