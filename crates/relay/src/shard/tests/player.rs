//! A viewer, which is str0m.

use super::*;

/// A viewer.
pub(super) struct Player {
    pub(super) rtc: Rtc,
    pub(super) socket: UdpSocket,
    /// What str0m believes its address to be.
    pub(super) local: SocketAddr,
    pub(super) session: String,
    pub(super) answer: String,
    pub(super) connected: bool,
    pub(super) closed: bool,
    pub(super) packets: Vec<RtpPacket>,
    /// Of so many datagrams of video one is lost on the way; 0: none.
    pub(super) loses: usize,
    /// So long after it came a datagram is read.
    pub(super) away: Duration,
    pub(super) video_datagrams: usize,
}

impl Player {
    pub(super) fn offer() -> (Self, String, SdpPendingOffer) {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = Rtc::builder()
            .set_crypto_provider(provider)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
            .build(Instant::now());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let mut change = rtc.sdp_api();
        change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        let player = Self {
            rtc,
            socket,
            local,
            session: String::new(),
            answer: String::new(),
            connected: false,
            closed: false,
            packets: Vec::new(),
            loses: 0,
            away: Duration::ZERO,
            video_datagrams: 0,
        };
        (player, offer.to_sdp_string(), pending)
    }

    pub(super) fn accept(&mut self, pending: SdpPendingOffer) {
        let answer = SdpAnswer::from_sdp_string(&self.answer).unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.drain();
    }

    /// Sends what is to be sent; when to look again.
    pub(super) fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    self.socket
                        .send_to(&transmit.contents, transmit.destination)
                        .unwrap();
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(packet)) => self.packets.push(packet),
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(_) => {}
            }
        }
    }

    /// Lives for `span`.
    pub(super) fn live(&mut self, span: Duration) {
        let until = Instant::now() + span;
        let video = self.payload_type("H264");
        loop {
            let next = self.drain().min(until);
            let wait = next.saturating_duration_since(Instant::now());
            let wait = wait.max(Duration::from_micros(100));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            let mut buffer = [0; 2_048];
            if let Ok((len, source)) = self.socket.recv_from(&mut buffer) {
                std::thread::sleep(self.away);
                let datagram = &buffer[..len];
                // First sendings only: the engine gives up on what is lost a few times in a row.
                let is_video = matches!(datagram, [128..=191, kind, ..] if kind & 0x7f == video);
                self.video_datagrams += usize::from(is_video);
                if is_video && self.loses > 0 && self.video_datagrams.is_multiple_of(self.loses) {
                    continue;
                }
                let received = Receive::new(Protocol::Udp, source, self.local, datagram).unwrap();
                self.rtc
                    .handle_input(Input::Receive(Instant::now(), received))
                    .unwrap();
            } else {
                self.rtc
                    .handle_input(Input::Timeout(Instant::now()))
                    .unwrap();
            }
            if Instant::now() >= until || self.closed {
                self.drain();
                return;
            }
        }
    }

    pub(super) fn live_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "{what}: never");
            self.live(Duration::from_millis(5));
        }
    }

    /// Says that it can't go on without a keyframe (PLI).
    pub(super) fn request_keyframe(&mut self) {
        let video = self.payload_type("H264");
        let mut packets = self.packets.iter();
        let ssrc = packets
            .find(|packet| *packet.header.payload_type == video)
            .unwrap()
            .header
            .ssrc;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc).unwrap();
        stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    }

    /// Payloads that came, by sequence number, of one m-section.
    pub(super) fn payloads(&self, payload_type: u8) -> BTreeMap<u64, &[u8]> {
        let of = self
            .packets
            .iter()
            .filter(|packet| *packet.header.payload_type == payload_type);
        of.map(|packet| (*packet.seq_no, &*packet.payload))
            .collect()
    }

    /// The payload type of the first `rtpmap` of a codec in the answer.
    pub(super) fn payload_type(&self, codec: &str) -> u8 {
        let maps = self
            .answer
            .lines()
            .filter_map(|line| line.strip_prefix("a=rtpmap:"));
        let (payload_type, _) = maps
            .filter_map(|map| map.split_once(' '))
            .find(|(_, name)| name.contains(codec))
            .unwrap();
        payload_type.parse().unwrap()
    }

    pub(super) fn video(&self) -> BTreeMap<u64, &[u8]> {
        self.payloads(self.payload_type("H264"))
    }

    pub(super) fn sound(&self) -> BTreeMap<u64, &[u8]> {
        self.payloads(self.payload_type("opus"))
    }
}
