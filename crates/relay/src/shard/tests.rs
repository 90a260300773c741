//! Shards on the loopback interface, seen by str0m as the viewer: another engine than ours.

mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, Input, Output, Rtc};
use zongzi_webrtc::dtls::Certificate;

use super::{
    BroadcastId, Closed, Config, Entry, FromHub, Histogram, Links, Pass, ShardCounters, ShardId,
    Shards, Source, Times,
};
use crate::hub::{Audience, ShardLink};
use crate::packetize::{Batch, BatchKind};
use crate::whep::{self, Patched, Reach, Whep};

const SHOW: BroadcastId = BroadcastId(7);
/// Bytes of padding at the end of each picture, which the viewer's engine must take off again.
const PADDING: u8 = 5;
/// Packets of a big picture: several messages, and still no more than a socket holds while its reader is kept waiting.
const BIG: usize = 70;
/// No wait of a test is longer: a run that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hub with one broadcast.
struct Stage {
    links: Arc<Links>,
    show: Mutex<Show>,
    audience: Arc<Audience>,
    epoch: Instant,
}

#[derive(Default)]
struct Show {
    subscribed: Vec<ShardId>,
    /// Keyframes asked for.
    asked: usize,
    /// How much later than now the pictures are by their own time.
    ahead: Duration,
    group: Vec<Arc<Batch>>,
    videos: u64,
    sounds: u64,
    /// Payloads of the video by batch, and of the sound.
    sent: BTreeMap<u64, Vec<Vec<u8>>>,
    sound: Vec<Vec<u8>>,
}

impl Source for Stage {
    fn subscribe(&self, shard: ShardId, broadcast: BroadcastId) -> Option<Arc<Audience>> {
        assert_eq!(broadcast, SHOW);
        let mut show = self.show.lock().unwrap();
        show.subscribed.push(shard);
        let batches = show.group.clone();
        assert!(
            self.links
                .send(shard, FromHub::Snapshot { broadcast, batches })
        );
        Some(Arc::clone(&self.audience))
    }

    fn unsubscribe(&self, shard: ShardId, _: BroadcastId) {
        let mut show = self.show.lock().unwrap();
        let place = show
            .subscribed
            .iter()
            .position(|other| *other == shard)
            .unwrap();
        show.subscribed.remove(place);
    }

    fn request_keyframe(&self, broadcast: BroadcastId) {
        assert_eq!(broadcast, SHOW);
        self.show.lock().unwrap().asked += 1;
    }
}

impl Stage {
    fn frame(&self, keyframe: bool, packets: usize) {
        let mut show = self.show.lock().unwrap();
        let sequence = show.videos;
        show.videos += 1;
        let mut payloads: Vec<Vec<u8>> = (0..packets).map(|n| noise(sequence, n, 1_150)).collect();
        payloads[packets - 1].truncate(1_150 - usize::from(PADDING));
        if keyframe {
            payloads.insert(0, noise(sequence, 99, 30));
            show.group.clear();
        }
        let mut padded = payloads.clone();
        if let Some(last) = padded.last_mut() {
            last.resize(1_149, 0);
            last.push(PADDING);
        }
        let batch = self.batch(BatchKind::Video { keyframe }, sequence, &padded, show.ahead);
        show.group.push(Arc::clone(&batch));
        show.sent.insert(sequence, payloads);
        self.send(&show, &batch);
    }

    fn sound(&self) {
        let mut show = self.show.lock().unwrap();
        let sequence = show.sounds;
        show.sounds += 1;
        let payload = noise(sequence, 7, 160);
        let batch = self.batch(
            BatchKind::Audio,
            sequence,
            std::slice::from_ref(&payload),
            Duration::ZERO,
        );
        show.sound.push(payload);
        self.send(&show, &batch);
    }

    fn batch(
        &self,
        kind: BatchKind,
        sequence: u64,
        payloads: &[Vec<u8>],
        ahead: Duration,
    ) -> Arc<Batch> {
        let now = Instant::now();
        let rate = if kind == BatchKind::Audio {
            48_000
        } else {
            90_000
        };
        let ticks = (now - self.epoch + ahead).as_micros() * rate / 1_000_000;
        let mut end = 0;
        let ends = payloads.iter().map(|payload| {
            end += u32::try_from(payload.len()).unwrap();
            end
        });
        let ends = ends.collect();
        let keyframe = kind == BatchKind::Video { keyframe: true };
        let padding = if kind == BatchKind::Audio { 0 } else { PADDING };
        let data = payloads.concat().into();
        let rtp_time = u32::try_from(ticks).unwrap();
        let batch = Batch::new(kind, sequence, 0, rtp_time, now, data, ends);
        Arc::new(batch.with_lead(usize::from(keyframe)).with_padding(padding))
    }

    fn send(&self, show: &Show, batch: &Arc<Batch>) {
        for shard in &show.subscribed {
            let batch = Arc::clone(batch);
            assert!(self.links.send(
                *shard,
                FromHub::Batch {
                    broadcast: SHOW,
                    batch
                }
            ));
        }
    }
}

fn noise(sequence: u64, packet: usize, size: usize) -> Vec<u8> {
    let mut state = sequence * 1_000 + packet as u64 + 1;
    let bytes = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    });
    bytes.take(size).collect()
}

struct House {
    shards: Shards,
    whep: Whep,
    stage: Arc<Stage>,
}

impl House {
    fn open(shards: usize) -> Self {
        Self::with(Config {
            shards,
            ..Config::new("127.0.0.1:0".parse().unwrap())
        })
    }

    fn with(config: Config) -> Self {
        let mut shards = Shards::open(&config).unwrap();
        let epoch = Instant::now();
        let stage = Arc::new(Stage {
            links: shards.links(),
            show: Mutex::default(),
            audience: Arc::default(),
            epoch,
        });
        let source: Arc<dyn Source> = Arc::clone(&stage) as _;
        shards.start(&source, epoch).unwrap();
        let reach = Reach::new(shards.local_addr(), Vec::new());
        let whep = Whep::new(&shards, Certificate::generate().unwrap(), reach).unwrap();
        Self {
            shards,
            whep,
            stage,
        }
    }

    fn join(&self) -> Player {
        self.join_with(None)
    }

    fn join_with(&self, pass: Option<Pass>) -> Player {
        let (mut player, offer, pending) = Player::offer();
        let asked = Some("127.0.0.1:80".parse().unwrap());
        let answer = self
            .whep
            .create(
                SHOW,
                &self.stage.audience,
                &offer,
                None,
                asked,
                pass,
                Instant::now(),
            )
            .unwrap();
        player.session = answer.session_id;
        player.answer = answer.sdp;
        player.accept(pending);
        player
    }

    fn sum(&self, of: impl Fn(&ShardCounters) -> u64) -> u64 {
        self.shards
            .counters()
            .iter()
            .map(|counters| of(counters))
            .sum()
    }
}

/// A viewer.
struct Player {
    rtc: Rtc,
    socket: UdpSocket,
    /// What str0m believes its address to be.
    local: SocketAddr,
    session: String,
    answer: String,
    connected: bool,
    closed: bool,
    packets: Vec<RtpPacket>,
    /// Of so many datagrams of video one is lost on the way; 0: none.
    loses: usize,
    video_datagrams: usize,
}

impl Player {
    fn offer() -> (Self, String, SdpPendingOffer) {
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
            video_datagrams: 0,
        };
        (player, offer.to_sdp_string(), pending)
    }

    fn accept(&mut self, pending: SdpPendingOffer) {
        let answer = SdpAnswer::from_sdp_string(&self.answer).unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.drain();
    }

    /// Sends what is to be sent; when to look again.
    fn drain(&mut self) -> Instant {
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
    fn live(&mut self, span: Duration) {
        let until = Instant::now() + span;
        let video = self.payload_type("H264");
        loop {
            let next = self.drain().min(until);
            let wait = next.saturating_duration_since(Instant::now());
            let wait = wait.max(Duration::from_micros(100));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            let mut buffer = [0; 2_048];
            if let Ok((len, source)) = self.socket.recv_from(&mut buffer) {
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

    fn live_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "{what}: never");
            self.live(Duration::from_millis(5));
        }
    }

    /// Says that it can't go on without a keyframe (PLI).
    fn request_keyframe(&mut self) {
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
    fn payloads(&self, payload_type: u8) -> BTreeMap<u64, &[u8]> {
        let of = self
            .packets
            .iter()
            .filter(|packet| *packet.header.payload_type == payload_type);
        of.map(|packet| (*packet.seq_no, &*packet.payload))
            .collect()
    }

    /// The payload type of the first `rtpmap` of a codec in the answer.
    fn payload_type(&self, codec: &str) -> u8 {
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

    fn video(&self) -> BTreeMap<u64, &[u8]> {
        self.payloads(self.payload_type("H264"))
    }

    fn sound(&self) -> BTreeMap<u64, &[u8]> {
        self.payloads(self.payload_type("opus"))
    }
}

/// What came is what the host sent from batch `first` to `last`, whole, in order, byte for byte.
fn expect_video(player: &Player, house: &House, first: u64, last: u64) {
    let came = player.video();
    let show = house.stage.show.lock().unwrap();
    let sent: Vec<&[u8]> = show
        .sent
        .range(first..=last)
        .flat_map(|(_, payloads)| payloads)
        .map(Vec::as_slice)
        .collect();
    let numbers: Vec<u64> = came.keys().copied().collect();
    assert_eq!(numbers.len(), sent.len());
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "a hole"
    );
    assert!(came.values().eq(sent.iter()), "other bytes");
}

fn count(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Sound begins so long after the first picture, with room.
const BEFORE_SOUND: Duration = Duration::from_millis(600);
/// Pictures, each with a packet of sound, whose messages are counted together, and how often that is tried.
const ROUND: usize = 5;
const ROUNDS_MAX: usize = 40;

#[test]
fn a_viewer_of_another_engine_gets_the_newest_group_and_then_live_byte_for_byte() {
    let house = House::open(2);
    // 30 frames before he comes: the second group is the newest.
    for frame in 0..30 {
        house.stage.frame(frame % 20 == 0, 9);
    }
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    player.live(BEFORE_SOUND);
    for frame in 0..60 {
        house
            .stage
            .frame(frame % 20 == 10, if frame == 30 { BIG } else { 9 });
        house.stage.sound();
        player.live(Duration::from_millis(4));
    }
    // 10 frames of the group, 60 live ones.
    let packets = 69 * 9 + 4 + BIG;
    player.live_until("all packets", |player| {
        player.video().len() >= packets && player.sound().len() >= 60
    });
    expect_video(&player, &house, 20, 89);
    let show = house.stage.show.lock().unwrap();
    assert!(player.sound().values().eq(show.sound.iter()));
    drop(show);
    assert_eq!(house.stage.audience.turnout().waiting, 1);
    let times = |of: fn(&Times) -> &Histogram| house.sum(|c| of(&c.times).counts().sum());
    assert_eq!(
        [
            times(|t| &t.join),
            times(|t| &t.ice),
            times(|t| &t.dtls),
            times(|t| &t.media)
        ],
        [1; 4]
    );
    assert_eq!(times(|t| &t.relay), 60, "each live picture once");
    assert!(times(|t| &t.turn) >= 60);
    let whole = house.shards.counters().iter();
    let parts = whole.map(|counters| {
        let times = &counters.times;
        let steps = times.ice.sum() + times.dtls.sum() + times.media.sum();
        (times.join.sum(), steps)
    });
    assert!(
        parts.into_iter().all(|(join, steps)| join == steps),
        "the steps are the join"
    );
    assert_eq!(house.sum(|counters| count(&counters.viewers_opened)), 1);
    // Both by the kernel's segmentation: far fewer messages than datagrams.
    let sockets = house.shards.socket_counters();
    let of = |of: fn(&zongzi_transport::SocketCounters) -> u64| -> u64 {
        sockets.iter().map(|counters| of(counters)).sum()
    };
    let (messages, datagrams) = (
        of(|c| count(&c.sent_messages)),
        of(|c| count(&c.sent_datagrams)),
    );
    assert!(
        messages * 3 < datagrams,
        "{messages} messages for {datagrams} datagrams"
    );
    house.shards.shutdown();
}

#[test]
fn sound_rides_with_the_picture_and_goes_alone_when_none_comes() {
    let house = House::open(1);
    house.stage.frame(true, 9);
    let mut player = house.join();
    player.live_until("connected", |player| {
        player.connected && player.video().len() >= 10
    });
    player.live(BEFORE_SOUND);
    // A busy machine brings picture and sound to the shard too far apart: then sound goes alone, as it should. Without
    // riding no round gets by with fewer messages than it has pictures and packets of sound.
    let messages = || count(&house.shards.socket_counters()[0].sent_messages);
    let (mut pictures, mut fewest) = (0, u64::MAX);
    for _ in 0..ROUNDS_MAX {
        let before = messages();
        for _ in 0..ROUND {
            house.stage.sound();
            house.stage.frame(false, 9);
            player.live(Duration::from_millis(4));
        }
        pictures += ROUND;
        player.live_until("the round's pictures and sound", |player| {
            player.sound().len() >= pictures && player.video().len() >= 10 + 9 * pictures
        });
        // Reports and answers to checks are messages, too.
        fewest = fewest.min(messages() - before);
        if fewest < 7 {
            break;
        }
    }
    assert!(
        fewest < 7,
        "at least {fewest} messages for {ROUND} pictures and {ROUND} packets of sound"
    );

    let asked = Instant::now();
    house.stage.sound();
    player.live_until("sound alone", |player| player.sound().len() > pictures);
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "held for {:?}",
        asked.elapsed()
    );
    let show = house.stage.show.lock().unwrap();
    assert!(player.sound().values().eq(show.sound.iter()));
    let last = show.videos - 1;
    drop(show);
    expect_video(&player, &house, 0, last);
    house.shards.shutdown();
}

#[test]
fn what_is_lost_on_the_way_is_asked_for_and_comes_again() {
    let house = House::open(1);
    house.stage.frame(true, 9);
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    player.loses = 23;
    for _ in 0..60 {
        house.stage.frame(false, 9);
        player.live(Duration::from_millis(6));
    }
    // What is lost last shows only by what comes after it, and the budget lives on what is sent.
    player.loses = 0;
    player.live_until("no hole", |player| {
        house.stage.frame(false, 9);
        let came = player.video();
        let span = came.keys().next_back().unwrap() - came.keys().next().unwrap();
        came.len() as u64 == span + 1
    });
    let last = house.stage.show.lock().unwrap().videos - 1;
    let packets = usize::try_from(last).unwrap() * 9 + 10;
    player.live_until("all packets", |player| player.video().len() == packets);
    expect_video(&player, &house, 0, last);
    assert!(house.sum(|counters| count(&counters.retransmitted)) >= 20);
    house.shards.shutdown();
}

#[test]
fn of_a_long_group_a_keyframe_is_asked_for_once_a_second_and_not_by_each_viewer() {
    let house = House::open(1);
    house.stage.frame(true, 2);
    let mut players = [house.join(), house.join(), house.join()];
    for player in &mut players {
        player.live_until("the first picture", |player| player.video().len() == 3);
    }
    // A request that comes at once has crossed the first packets on its way.
    players[0].live(Duration::from_millis(50));
    let replayed = || house.sum(|counters| count(&counters.groups_replayed));
    let expect = |player: &mut Player, replays: u64, asked: usize| {
        player.request_keyframe();
        player.live_until("the group again", |_| replayed() == replays);
        player.live(Duration::from_millis(20));
        assert_eq!(house.stage.show.lock().unwrap().asked, asked);
    };
    let [first, second, third] = &mut players;
    expect(first, 1, 0);
    house.stage.show.lock().unwrap().ahead = Duration::from_millis(1_100);
    house.stage.frame(false, 2);
    // The first has the keyframe twice by then.
    first.live_until("the later picture", |player| {
        player.video().len() == 2 * 3 + 2
    });
    expect(second, 2, 1);
    expect(third, 3, 1);
    house.shards.shutdown();
}

#[test]
fn the_waiting_room_stands_until_a_host_comes_and_a_delete_ends_it() {
    let house = House::open(1);
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    player.live_until("counted", |_| house.stage.audience.turnout().waiting == 1);
    assert!(player.packets.is_empty());
    house.stage.frame(true, 3);
    player.live_until("the first picture", |player| player.video().len() == 4);
    let times = |of: fn(&Times) -> &Histogram| house.sum(|c| of(&c.times).counts().sum());
    assert_eq!(
        [times(|t| &t.dtls), times(|t| &t.media), times(|t| &t.join)],
        [1, 0, 0],
        "the host's time is none of a join"
    );
    house.whep.delete(&player.session).unwrap();
    player.live_until("gone", |_| house.stage.audience.turnout().waiting == 0);
    player.live_until("closed", |player| player.closed);
    assert_eq!(house.shards.sessions(), 0);
    assert!(house.stage.show.lock().unwrap().subscribed.is_empty());
    let left = house.sum(|counters| count(&counters.sessions_closed[Closed::Left.index()]));
    assert_eq!(left, 1);
    assert!(matches!(
        house.whep.delete(&player.session),
        Err(whep::Error::NoSession)
    ));
    house.shards.shutdown();
}

#[test]
fn a_session_ends_with_the_pass_that_let_it_in_and_others_go_on() {
    let house = House::open(2);
    let mut stays = house.join_with(Some(Pass::default()));
    stays.live_until("connected", |player| player.connected);
    let mut goes = house.join_with(Some(Pass {
        ends: Some(Instant::now() + Duration::from_millis(1_500)),
        ..Pass::default()
    }));
    goes.live_until("connected", |player| player.connected);
    goes.live_until("closed", |player| player.closed);
    goes.live_until("gone", |_| house.stage.audience.turnout().waiting == 1);
    let expired = house.sum(|counters| count(&counters.sessions_closed[Closed::Expired.index()]));
    assert_eq!((expired, house.shards.sessions()), (1, 1));
    stays.live(Duration::from_millis(10));
    assert!(!stays.closed);
    house.shards.shutdown();
}

#[test]
fn when_a_pass_is_asked_for_those_without_are_sent_away() {
    let house = House::open(2);
    let mut with = house.join_with(Some(Pass::default()));
    let mut without = house.join();
    with.live_until("connected", |player| player.connected);
    without.live_until("connected", |player| player.connected);
    house.join(); // one who has not connected yet
    assert_eq!(house.whep.end_without_pass(BroadcastId(SHOW.0 + 1)), 0);
    assert_eq!(house.whep.end_without_pass(SHOW), 2);
    without.live_until("closed", |player| player.closed);
    with.live_until("alone", |_| house.stage.audience.turnout().waiting == 1);
    assert_eq!((house.shards.sessions(), with.closed), (1, false));
    house.shards.shutdown();
}

#[test]
fn after_an_ice_restart_from_another_address_the_session_goes_on_whichever_socket_hears_it() {
    let house = House::open(4);
    house.stage.frame(true, 2);
    let mut player = house.join();
    player.live_until("the first picture", |player| player.video().len() == 3);
    // Several new addresses: with four sockets some of them are heard by another shard than the session's.
    for round in 1..=6 {
        let mut change = player.rtc.sdp_api();
        change.ice_restart(true);
        let (offer, pending) = change.apply().unwrap();
        let offer = offer.to_sdp_string();
        let lines = offer
            .lines()
            .filter(|line| line.starts_with("a=ice-") || line.starts_with("m="));
        let fragment: String = lines.flat_map(|line| [line, "\r\n"]).collect();
        let old_tag = house.whep.etag(&player.session).unwrap();
        let patched = house.whep.patch(&player.session, &fragment, None).unwrap();
        let Patched::Restarted { fragment, etag } = patched else {
            panic!("no restart: {patched:?}");
        };
        assert_ne!(etag, old_tag);
        let of = |name: &str| {
            fragment
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap()
                .to_owned()
        };
        let (ufrag, pwd) = (of("a=ice-ufrag:"), of("a=ice-pwd:"));
        let line = |line: &str| match line {
            line if line.starts_with("a=ice-ufrag:") => format!("{ufrag}\r\n"),
            line if line.starts_with("a=ice-pwd:") => format!("{pwd}\r\n"),
            line => format!("{line}\r\n"),
        };
        player.answer = player.answer.lines().map(line).collect();
        player.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        player.accept(pending);
        let before = player.video().len();
        player.live_until("media at the new address", |player| {
            house.stage.frame(false, 2);
            player.video().len() >= before + 5
        });
        assert_eq!(
            house.sum(|counters| count(&counters.viewers_opened)),
            1,
            "the same viewer, round {round}"
        );
    }
    assert!(house.sum(|counters| count(&counters.datagrams_forwarded)) > 0);
    house.shards.shutdown();
}

#[test]
fn a_fragment_with_candidates_only_is_noted() {
    let house = House::open(1);
    let player = house.join();
    let fragment = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n";
    assert_eq!(
        house.whep.patch(&player.session, fragment, None).unwrap(),
        Patched::Noted
    );
    let unknown = house.whep.patch("00", fragment, None);
    assert!(matches!(unknown, Err(whep::Error::NoSession)));
    house.shards.shutdown();
}

#[test]
fn operators_see_how_a_viewer_fares_and_can_end_his_session() {
    let house = House::open(2);
    let roster = house.shards.roster();
    house.stage.frame(true, 9);
    let mut players: Vec<Player> = (0..5).map(|_| house.join()).collect();
    assert!(
        roster
            .page(None, None, 10)
            .iter()
            .all(|entry| entry.figures.is_none())
    );
    for player in &mut players {
        player.live_until("connected", |player| player.connected);
    }
    // The shards leave their figures once a second.
    let start = Instant::now();
    let watching = loop {
        assert!(start.elapsed() < PATIENCE, "no figures");
        for player in &mut players {
            player.live(Duration::from_millis(10));
        }
        let page = roster.page(Some(SHOW), None, 10);
        let sent = |entry: &Entry| {
            entry
                .figures
                .is_some_and(|f| f.packets >= 9 && f.bytes > 9_000)
        };
        if page.iter().filter(|entry| sent(entry)).count() == 5 {
            break page;
        }
    };
    let peers: BTreeSet<SocketAddr> = watching
        .iter()
        .filter_map(|entry| entry.figures.map(|figures| figures.peer))
        .collect();
    let here: BTreeSet<SocketAddr> = players.iter().map(|player| player.local).collect();
    assert_eq!(peers, here);
    assert!(roster.page(Some(BroadcastId(8)), None, 10).is_empty());

    // Page by page it is the same.
    let mut paged = Vec::new();
    loop {
        let page = roster.page(None, paged.last().map(|entry: &Entry| entry.id), 2);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    let ids = |page: &[Entry]| page.iter().map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(ids(&paged), ids(&watching));

    let out = watching[0];
    assert_eq!(roster.kick(out.id).map(|entry| entry.id), Some(out.id));
    assert_eq!(roster.kick(out.id), None);
    assert_eq!(roster.session(out.id), None);
    let peer = out.figures.unwrap().peer;
    let kicked = players
        .iter_mut()
        .find(|player| player.local == peer)
        .unwrap();
    kicked.live_until("told that it is over", |player| player.closed);
    assert_eq!(roster.page(None, None, 10).len(), 4);
    assert_eq!(
        house.sum(|counters| count(&counters.sessions_closed[Closed::Server.index()])),
        1
    );
    house.shards.shutdown();
}

#[test]
fn garbage_and_strangers_on_the_media_port_are_counted_and_harm_nobody() {
    let house = House::open(1);
    house.stage.frame(true, 9);
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = house.shards.local_addr();
    for first in 0..=255_u8 {
        for length in [1, 2, 12, 20, 60, 1_400] {
            let mut datagram = noise(u64::from(first), length, length);
            datagram[0] = first;
            stranger.send_to(&datagram, to).unwrap();
            // From the viewer's own address too.
            player.socket.send_to(&datagram, to).unwrap();
        }
        player.live(Duration::from_micros(200));
    }
    house.stage.frame(false, 9);
    player.live_until("all packets", |player| player.video().len() == 19);
    expect_video(&player, &house, 0, 1);
    assert!(house.sum(|counters| count(&counters.datagrams_unknown)) > 1_000);
    assert_eq!(house.sum(|counters| count(&counters.panics)), 0);
    house.shards.shutdown();
}
