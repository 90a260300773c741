//! Both kinds of viewer against a WHEP server's far end on str0m, over loopback: handshake, protection, reports and
//! accounting are checked by an engine that is not ours.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::dtls::Identity;
use super::full::{Full, Offer};
use super::record::Kind;
use super::*;
use crate::account::matching::AGREED_MIN;
use crate::clock::Stamp;
use crate::host::log::{Log, Sent};
use crate::ice::Credentials;
use crate::net::Socket;
use crate::rtp::digest;
use crate::whep::{Answer, offer};

/// Long for a busy machine; a test that goes well takes a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(20);
const PACKETS_A_FRAME: u8 = 3;

/// The far end: accepts an offer, connects, sends frames, each with its number as content.
struct Server {
    rtc: Rtc,
    socket: UdpSocket,
    video: Option<Mid>,
    connected: bool,
    sequence: u64,
    log: Arc<Log>,
    losses: Vec<u64>,
    keyframes: Vec<u64>,
}

impl Server {
    fn new() -> Self {
        str0m::crypto::from_feature_flags().install_process_default();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_nonblocking(true).expect("non-blocking");
        let config = Rtc::builder().set_ice_lite(true).set_rtp_mode(true);
        let mut rtc = config.build(Instant::now());
        let address = socket.local_addr().expect("an address");
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        Self {
            rtc,
            socket,
            video: None,
            connected: false,
            // Rolls over while the test runs.
            sequence: 65_500,
            log: Arc::default(),
            losses: Vec::new(),
            keyframes: vec![0],
        }
    }

    fn answer(&mut self, sdp: &str) -> String {
        let offer = SdpOffer::from_sdp_string(sdp).expect("an offer");
        let answer = self.rtc.sdp_api().accept_offer(offer).expect("accepted");
        answer.to_sdp_string().replace("a=recvonly", "a=sendonly")
    }

    fn turn(&mut self) {
        let local = self.socket.local_addr().expect("an address");
        let mut buffer = [0; 2048];
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            let receive = Receive {
                proto: Protocol::Udp,
                source,
                destination: local,
                contents: buffer[..length].try_into().expect("a datagram"),
            };
            let now = Instant::now();
            self.rtc
                .handle_input(Input::Receive(now, receive))
                .expect("understood");
            self.drain();
        }
        let now = Instant::now();
        self.rtc.handle_input(Input::Timeout(now)).expect("goes on");
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().expect("goes on") {
                Output::Timeout(_) => return,
                Output::Transmit(out) => {
                    let _ = self.socket.send_to(&out.contents, out.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::MediaAdded(media)) if media.kind == MediaKind::Video => {
                    self.video = Some(media.mid);
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Notes frame `index` as the host's and sends it, unless it is one that gets lost.
    fn send_frame(&mut self, index: u64, pt: Pt) {
        let keyframe = self.keyframes.contains(&index);
        let kind = if keyframe { 0x65 } else { 0x41 };
        let slices: Vec<_> = (0..PACKETS_A_FRAME)
            .map(|part| {
                let mut slice = vec![kind, part];
                slice.extend(index.to_be_bytes());
                slice.resize(900, part);
                slice
            })
            .collect();
        self.log.push(Sent {
            index,
            pts_ms: i64::try_from(index * 33).expect("small"),
            at: Stamp::now(),
            digest: digest(slices.iter().map(Vec::as_slice)),
            keyframe,
        });
        let mid = self.video.expect("video was offered");
        for (part, slice) in slices.iter().enumerate() {
            let marker = part + 1 == slices.len();
            let time = u32::try_from(4_000_000_000 + index * 33 * 90).expect("small");
            let write = RtpWrite::new(
                pt,
                self.sequence.into(),
                time,
                Instant::now(),
                slice.as_slice(),
            )
            .marker(marker);
            self.sequence += 1;
            if self.losses.contains(&index) && part == 1 {
                continue;
            }
            let mut direct = self.rtc.direct_api();
            let stream = direct.stream_tx_by_mid(mid, None).expect("a stream");
            stream.write_rtp(write);
            self.turn();
        }
    }
}

/// Connects `viewer` with `server`, sends `frames` frames, and gives what came of it.
fn watched(server: &mut Server, viewer: &mut Viewer, pt: u8, frames: u64) -> Outcome {
    let mut receiver = Receiver::default();
    let mut stats = Stats::default();
    let mut copy = VecDeque::new();
    let log = Arc::clone(&server.log);
    let until = Instant::now() + PATIENCE;
    let mut sent = 0;
    loop {
        server.turn();
        let mut context = Context {
            now: Stamp::now(),
            log: &log,
            copy: &mut copy,
            stats: &mut stats,
        };
        viewer
            .turn(&mut receiver, &mut context, &mut |_| {})
            .expect("goes on");
        if server.connected && viewer.record().keyed.is_some() && sent < frames {
            server.send_frame(sent, Pt::new_with_value(pt));
            sent += 1;
        }
        let packets = u64::from(PACKETS_A_FRAME) * frames - server.losses.len() as u64;
        if viewer.record().video.packets >= packets {
            let later = Stamp::now().plus(Duration::from_secs(1));
            return viewer.record().outcome(&copy, later, None);
        }
        assert!(Instant::now() < until, "stuck: {:?}", viewer.record());
    }
}

fn light(server: &mut Server) -> (Viewer, u8) {
    let identity = Identity::new().expect("a certificate");
    let (our_ufrag, our_password) = ("abcd".to_owned(), "0123456789abcdef01234567".to_owned());
    let sdp = offer::chromium(&our_ufrag, &our_password, &identity.fingerprint, 77);
    let answer = Answer::parse(&server.answer(&sdp)).expect("an answer");
    let peer = answer.candidates[0];
    let pt = answer.video.expect("H.264");
    let now = Stamp::now();
    let credentials = Credentials {
        our_ufrag,
        our_password,
        their_ufrag: answer.ufrag.clone(),
        their_password: answer.password.clone(),
    };
    let socket = Socket::connected(peer, false, 1 << 20).expect("a socket");
    let record = Record::new(1, 0, Kind::Normal, false, now, now);
    let light = Light::new(record, socket, peer, answer, credentials, &identity, 99);
    (Viewer::Light(Box::new(light)), pt)
}

fn full(server: &mut Server) -> (Viewer, u8) {
    let offer = Offer::new().expect("an offer");
    let sdp = server.answer(&offer.sdp);
    let answer = Answer::parse(&sdp).expect("an answer");
    let peer = answer.candidates[0];
    let pt = answer.video.expect("H.264");
    let now = Stamp::now();
    let socket = Socket::connected(peer, false, 1 << 20).expect("a socket");
    let record = Record::new(1, 0, Kind::Normal, true, now, now);
    let full = Full::new(record, socket, peer, offer, &sdp, answer, None).expect("accepted");
    (Viewer::Full(Box::new(full)), pt)
}

#[test]
fn a_light_viewer_connects_recognises_the_keyframe_and_counts_every_frame() {
    let mut server = Server::new();
    let (mut viewer, pt) = light(&mut server);
    let outcome = watched(&mut server, &mut viewer, pt, 100);
    assert!(outcome.first_keyframe.is_some());
    // The first frame was sent before its first packet arrived: it is backlog, however short.
    assert_eq!((outcome.frames_expected, outcome.frames_lost), (99, 0));
    assert_eq!((outcome.video_packets, outcome.video_lost), (300, 0));
    assert_eq!(
        (outcome.verified, outcome.corrupt, outcome.refused),
        (u64::from(AGREED_MIN), 0, 0)
    );
}

#[test]
fn a_light_viewer_who_lost_his_first_keyframe_knows_the_next() {
    let mut server = Server::new();
    server.keyframes = vec![0, 60];
    server.losses = vec![0];
    let (mut viewer, pt) = light(&mut server);
    let outcome = watched(&mut server, &mut viewer, pt, 100);
    assert!(outcome.first_keyframe.is_some());
    // Of 1 to 60, and after that no more.
    assert_eq!((outcome.verified, outcome.corrupt), (60, 0));
}

#[test]
fn a_light_viewer_tells_which_frames_were_lost() {
    let mut server = Server::new();
    server.losses = vec![40, 41, 70];
    let (mut viewer, pt) = light(&mut server);
    let outcome = watched(&mut server, &mut viewer, pt, 100);
    assert_eq!((outcome.frames_expected, outcome.frames_lost), (99, 3));
    assert_eq!(outcome.video_lost, 3);
    let hole = outcome.first_hole.expect("a hole");
    assert_eq!((hole.after_frames, hole.frames), (40, 2));
}

#[test]
fn a_full_viewer_compares_every_frame() {
    let mut server = Server::new();
    let (mut viewer, pt) = full(&mut server);
    let outcome = watched(&mut server, &mut viewer, pt, 100);
    assert_eq!((outcome.verified, outcome.corrupt), (100, 0));
    // The first frame was sent before its first packet arrived: it is backlog, however short.
    assert_eq!((outcome.frames_expected, outcome.frames_lost), (99, 0));
    assert!(outcome.first_keyframe.is_some());
}
