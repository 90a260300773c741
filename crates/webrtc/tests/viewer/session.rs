use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};
use zongzi_webrtc::dtls::{Certificate, Context, Fingerprint, Hash};
use zongzi_webrtc::ice::{Credentials, Path};
use zongzi_webrtc::peer::{Event, Feedback, Peer, Reason};
use zongzi_webrtc::rtcp::{self, NtpTime, SenderInfo};
use zongzi_webrtc::rtp::{HEADER_BYTES_MAX, Header, RtpTime, SeqNo, Ssrc};
use zongzi_webrtc::sdp::{Answer, Negotiated, Offer};
use zongzi_webrtc::srtp;

use super::link::{Conditions, Link, To};

pub(crate) const VIDEO: Ssrc = Ssrc(0x1111);
const VIDEO_RTX: Ssrc = Ssrc(0x2222);
const AUDIO: Ssrc = Ssrc(0x3333);

/// str0m as the viewer, our peer as the server, a link between them, and one virtual clock.
pub(crate) struct Session {
    pub(crate) now: Instant,
    pub(crate) started: Instant,
    pub(crate) link: Link,
    pub(crate) viewer: Rtc,
    viewer_timeout: Instant,
    pub(crate) peer: Peer,
    pub(crate) negotiated: Negotiated,
    server_address: SocketAddr,
    viewer_address: SocketAddr,
    /// The viewer's address as the server sees it: that of a NAT, which may change.
    pub(crate) outer_address: SocketAddr,
    pub(crate) sender: Option<Box<srtp::Sender>>,
    pub(crate) paths: Vec<Path>,
    pub(crate) feedback: Vec<Feedback>,
    pub(crate) closed: Option<Reason>,
    pub(crate) received: Vec<RtpPacket>,
    pub(crate) viewer_connected: bool,
    answer: Answer,
    /// Datagrams the server sent, by their number, that the link loses for certain.
    pub(crate) lost: Vec<usize>,
    sent: usize,
}

impl Session {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self::expecting(conditions, seed, None)
    }

    /// `fingerprint` stands for the offer's, if given.
    pub(crate) fn expecting(
        conditions: Conditions,
        seed: u64,
        fingerprint: Option<Fingerprint>,
    ) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's first instant; time is counted from it"
        )]
        let now = Instant::now();
        let viewer_address = SocketAddr::from(([10, 0, 0, 2], 50_000));
        let server_address = SocketAddr::from(([192, 0, 2, 1], 8_444));
        let mut viewer = RtcConfig::new()
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .build(now);
        let candidate = Candidate::host(viewer_address, "udp").expect("an address");
        viewer.add_local_candidate(candidate);
        let mut change = viewer.sdp_api();
        change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = change.apply().expect("two m-sections");
        let offer = Offer::parse(&offer.to_sdp_string()).expect("str0m's offer");

        let certificate = Certificate::generate().expect("made");
        let answer = Answer {
            credentials: Credentials::from_random(&[7; Credentials::RANDOM_BYTES]),
            fingerprint: certificate.fingerprint(),
            candidates: vec![server_address],
            session_id: seed,
            cname: "zongzi".into(),
            video: Some(VIDEO),
            video_rtx: VIDEO_RTX,
            audio: Some(AUDIO),
        };
        let negotiated = answer.write(&offer).expect("H.264 and Opus are offered");
        accept(&mut viewer, pending, &negotiated);
        let context = Context::new(certificate).expect("valid");
        let fingerprint = fingerprint.unwrap_or(offer.fingerprint);
        let peer = Peer::new(context, answer.credentials.clone(), fingerprint, now);
        Self {
            now,
            started: now,
            link: Link::new(conditions, seed),
            viewer,
            viewer_timeout: now,
            peer,
            negotiated,
            server_address,
            viewer_address,
            outer_address: viewer_address,
            sender: None,
            paths: Vec::new(),
            feedback: Vec::new(),
            closed: None,
            received: Vec::new(),
            viewer_connected: false,
            answer,
            lost: Vec::new(),
            sent: 0,
        }
    }

    /// Lets time pass until the condition holds; `false` when it does not within `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        // Bounded: both sides asking to be woken again and again is a failure.
        for _ in 0..200_000 {
            self.poll_viewer();
            self.poll_server();
            if condition(self) {
                return true;
            }
            let wakes = [
                Some(self.viewer_timeout),
                self.peer.poll_timeout(),
                self.link.next_arrival(),
            ];
            let next = wakes.into_iter().flatten().min().expect("the viewer's");
            if next > end {
                self.now = end;
                return false;
            }
            self.now = self.now.max(next);
            self.deliver();
        }
        unreachable!("the session does not come to rest");
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    pub(crate) fn connect(&mut self) {
        let connected = self.run_until(Duration::from_secs(10), |s| {
            s.sender.is_some() && s.viewer_connected
        });
        assert!(
            connected,
            "no connection: {:?} {:?}",
            self.peer, self.closed
        );
    }

    /// Sends one video packet with the given index; `lost`: it never arrives.
    pub(crate) fn send_video(&mut self, index: u64, payload: &[u8], lost: bool) {
        let stream = self.negotiated.video.clone().expect("agreed");
        let header = Header {
            padding: false,
            marker: true,
            payload_type: stream.payload_type,
            sequence: SeqNo((index & 0xffff) as u16),
            timestamp: rtp_time(index),
            ssrc: stream.ssrc,
        };
        let mut head = [0; HEADER_BYTES_MAX];
        let length = header.write(&stream.extensions, &mut head);
        let mut datagram = vec![0; 1_500];
        let sender = self.sender.as_ref().expect("connected");
        let total = sender
            .protect(&head[..length], payload, index, &mut datagram)
            .expect("it fits");
        if !lost {
            self.link.send(self.now, To::Viewer, &datagram[..total]);
        }
    }

    /// Sends a packet again, as RTX.
    pub(crate) fn send_video_again(&mut self, original: u64, payload: &[u8], rtx_index: u64) {
        let stream = self.negotiated.video.clone().expect("agreed");
        let (payload_type, ssrc) = stream.rtx.expect("str0m offers it");
        let header = Header {
            padding: false,
            marker: true,
            payload_type,
            sequence: SeqNo((rtx_index & 0xffff) as u16),
            timestamp: rtp_time(original),
            ssrc,
        };
        let mut head = [0; HEADER_BYTES_MAX];
        let length = header.write(&stream.extensions, &mut head);
        let mut datagram = vec![0; 1_500];
        let sender = self.sender.as_ref().expect("connected");
        let original = SeqNo((original & 0xffff) as u16);
        let total = sender
            .protect_retransmission(&head[..length], original, payload, rtx_index, &mut datagram)
            .expect("it fits");
        self.link.send(self.now, To::Viewer, &datagram[..total]);
    }

    pub(crate) fn send_report(&mut self, packets: u32) {
        let info = SenderInfo {
            ssrc: VIDEO,
            ntp: NtpTime::from_unix(Duration::from_secs(1_000) + (self.now - self.started)),
            rtp_time: RtpTime(1),
            packets,
            bytes: 1_000,
        };
        let mut plain = Vec::new();
        rtcp::write_sender_report(&info, &mut plain);
        rtcp::write_cname(VIDEO, "zongzi", &mut plain);
        let mut datagram = Vec::new();
        self.sender
            .as_mut()
            .expect("connected")
            .protect_rtcp(&plain, &mut datagram)
            .expect("it is RTCP");
        self.link.send(self.now, To::Viewer, &datagram);
    }

    /// The viewer asks for an ICE restart, the server answers it.
    pub(crate) fn restart_ice(&mut self) {
        let mut change = self.viewer.sdp_api();
        change.ice_restart(true);
        let (offer, pending) = change.apply().expect("a restart");
        let offer = Offer::parse(&offer.to_sdp_string()).expect("str0m's offer");
        self.answer.credentials = Credentials::from_random(&[9; Credentials::RANDOM_BYTES]);
        self.peer.restart_ice(self.answer.credentials.clone());
        self.negotiated = self.answer.write(&offer).expect("as before");
        accept(&mut self.viewer, pending, &self.negotiated);
    }

    fn poll_viewer(&mut self) {
        loop {
            match self.viewer.poll_output().expect("the viewer lives") {
                Output::Timeout(at) => {
                    self.viewer_timeout = at;
                    return;
                }
                Output::Transmit(transmit) => {
                    assert_eq!(transmit.destination, self.server_address);
                    self.link.send(self.now, To::Server, &transmit.contents);
                }
                Output::Event(str0m::Event::Connected) => self.viewer_connected = true,
                Output::Event(str0m::Event::RtpPacket(packet)) => self.received.push(packet),
                Output::Event(_) => {}
            }
        }
    }

    fn poll_server(&mut self) {
        while let Some(transmit) = self.peer.poll_transmit() {
            let number = self.sent;
            self.sent += 1;
            // What goes to an address that the NAT has given up is lost.
            if transmit.path.remote == self.outer_address && !self.lost.contains(&number) {
                self.link.send(self.now, To::Viewer, &transmit.datagram);
            }
        }
        while let Some(event) = self.peer.poll_event() {
            assert!(
                self.closed.is_none(),
                "nothing comes after the end: {event:?}"
            );
            match event {
                Event::Connected { sender } => self.sender = Some(sender),
                Event::PathChanged(path) => self.paths.push(path),
                Event::Feedback(feedback) => self.feedback.push(feedback),
                Event::Closed(reason) => self.closed = Some(reason),
            }
        }
    }

    fn deliver(&mut self) {
        if self.viewer_timeout <= self.now {
            self.viewer
                .handle_input(Input::Timeout(self.now))
                .expect("the viewer lives");
        }
        if self.peer.poll_timeout().is_some_and(|at| at <= self.now) {
            self.peer.handle_timeout(self.now);
        }
        while let Some((to, datagram)) = self.link.arrived(self.now) {
            match to {
                To::Server => {
                    let path = Path {
                        remote: self.outer_address,
                        local: Some(self.server_address.ip()),
                    };
                    self.peer.handle_datagram(self.now, path, &datagram);
                    self.poll_server();
                }
                To::Viewer => {
                    let contents = datagram.as_slice().try_into().expect("str0m knows it");
                    let receive = Receive {
                        proto: Protocol::Udp,
                        source: self.server_address,
                        destination: self.viewer_address,
                        contents,
                    };
                    self.viewer
                        .handle_input(Input::Receive(self.now, receive))
                        .expect("the viewer lives");
                    self.poll_viewer();
                }
            }
        }
    }
}

fn rtp_time(index: u64) -> RtpTime {
    RtpTime(u32::try_from(index * 3_000).expect("short"))
}

/// A fingerprint of no certificate that is around.
pub(crate) fn strange_fingerprint() -> Fingerprint {
    Fingerprint::of(Hash::Sha256, b"somebody else's certificate")
}

fn accept(viewer: &mut Rtc, pending: SdpPendingOffer, negotiated: &Negotiated) {
    let answer = SdpAnswer::from_sdp_string(&negotiated.sdp).expect("str0m reads our answer");
    viewer
        .sdp_api()
        .accept_answer(pending, answer)
        .expect("str0m accepts our answer");
}
