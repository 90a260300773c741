//! The core in virtual time. `Rig` drains it after every call and writes all that comes out into a log, which the
//! tests read; rendition output is what the test says.

use bytes::Bytes;
use zongzi_media::MediaTime;
use zongzi_media::h264::{SliceType, slice_type};

use super::*;
use crate::fixture::{
    self, Chance, InOrder, Picture, aac_track, h264_track, picture, prefixed, sound, with_seeds,
};
use crate::packetize::BatchKind;
use crate::rendition::{
    AudioRendition, DeliverVideo, GiveWay, InOrderRendition, VideoMade, VideoRendition,
};

/// Picks pictures by slice type; sound is never opened through it here.
struct Picks;

impl Renditions for Picks {
    fn reencode(
        &self,
        _: &zongzi_media::h264::Config,
        _: Option<Rate>,
        _: DeliverVideo,
    ) -> Result<Box<dyn VideoRendition>, GiveWay> {
        Err(GiveWay::NoPlace)
    }

    fn opus(&self, _: &aac::Config) -> Result<Box<dyn AudioRendition>, Unplayable> {
        Err(Unplayable::HeAac)
    }

    fn in_order(&self, _: &zongzi_media::h264::Config) -> Box<dyn InOrderRendition> {
        Box::<InOrder>::default()
    }
}

struct Rig {
    core: Broadcast,
    epoch: Instant,
    at: Duration,
    log: Vec<String>,
    /// What shard 0 has got.
    shard: Vec<FromHub>,
    rendition: Option<u64>,
    pushed: Vec<(Frame, Instant)>,
    /// There is no place for a re-encode.
    no_place: bool,
    video: Option<u64>,
}

const SHARD: ShardId = ShardId(0);

impl Rig {
    fn new() -> Self {
        let epoch = Instant::now();
        let core = Broadcast::new(
            BroadcastId(1),
            epoch,
            Duration::from_secs(30),
            Duration::from_secs(5),
            Bounds::default(),
            Arc::new(Picks),
        );
        Self {
            core,
            epoch,
            at: Duration::from_secs(1),
            log: vec![],
            shard: vec![],
            rendition: None,
            pushed: vec![],
            no_place: true,
            video: None,
        }
    }

    fn now(&self) -> Instant {
        self.epoch + self.at
    }

    /// Does something with the core, then drains it as its rule says.
    fn act(&mut self, act: impl FnOnce(&mut Broadcast, Instant)) {
        let now = self.now();
        act(&mut self.core, now);
        let mut refused = None;
        while let Some(output) = self.core.poll_output() {
            let line = match &output {
                Output::Shard(shard, FromHub::Batch { batch, .. }) => {
                    let received = batch.received - self.epoch;
                    format!(
                        "{shard:?} {:?} sequence {} group {} time {} packets {} bytes {} received {received:?}",
                        batch.kind,
                        batch.sequence,
                        batch.group,
                        batch.rtp_time,
                        batch.packets(),
                        batch.bytes()
                    )
                }
                Output::Shard(shard, FromHub::Snapshot { batches, .. }) => {
                    format!("{shard:?} snapshot of {}", batches.len())
                }
                Output::Shard(shard, FromHub::Ended { .. }) => format!("{shard:?} ended"),
                Output::StartRendition(number, _) => format!("start rendition {number}"),
                Output::PushRendition(frame, _) => format!("rendition gets {:?}", frame.dts),
                Output::StopRendition => "stop rendition".to_owned(),
                Output::StartVideo { number, .. } => format!("start video {number}"),
                Output::PushVideo { cached: true, .. } => "video gets a cached picture".to_owned(),
                Output::PushVideo { frame, .. } => format!("video gets {:?}", frame.dts),
                Output::StopVideo => "stop video".to_owned(),
                Output::Event(what) => format!("{what:?}"),
            };
            self.log.push(format!("{:?} {line}", self.at));
            match output {
                Output::Shard(SHARD, message) => self.shard.push(message),
                Output::StartRendition(number, _) => {
                    assert_eq!(self.rendition.replace(number), None, "two at a time");
                }
                Output::StopRendition => assert!(self.rendition.take().is_some()),
                Output::PushRendition(frame, received) => self.pushed.push((frame, received)),
                Output::StartVideo { number, .. } => {
                    assert_eq!(self.video.replace(number), None, "two at a time");
                    refused = self.no_place.then_some(number);
                }
                Output::PushVideo { .. } => assert!(self.video.is_some()),
                Output::StopVideo => assert!(self.video.take().is_some()),
                _ => {}
            }
        }
        if let Some(number) = refused {
            self.give_way(number, GiveWay::NoPlace);
        }
    }

    fn give_way(&mut self, number: u64, why: GiveWay) {
        self.act(|core, now| core.video_made(now, number, VideoMade::GaveWay(why)));
    }

    fn host(&mut self, tracks: &[Track]) {
        self.act(|core, _| core.host_arrived());
        for track in tracks {
            self.send(Media::Track(track.clone()));
        }
    }

    fn send(&mut self, media: Media) {
        self.act(|core, now| core.media(now, media));
    }

    fn frame(&mut self, frame: Frame) {
        self.send(Media::Frame(frame));
    }

    /// Lets time pass, with the timeouts in it.
    fn pass(&mut self, span: Duration) {
        let end = self.at + span;
        while let Some(due) = self
            .core
            .poll_timeout()
            .filter(|due| *due <= self.epoch + end)
        {
            self.at = self.at.max(due.saturating_duration_since(self.epoch));
            self.act(Broadcast::timeout);
        }
        self.at = end;
    }

    /// The rendition hands on all it got, as Opus.
    fn render(&mut self) {
        let Some(number) = self.rendition else { return };
        for (frame, received) in std::mem::take(&mut self.pushed) {
            self.act(|core, _| core.made(number, Made::Frame(frame, received)));
        }
    }

    fn batches(&self) -> Vec<&Arc<Batch>> {
        let batches = self.shard.iter().filter_map(|message| match message {
            FromHub::Batch { batch, .. } => Some(batch),
            _ => None,
        });
        batches.collect()
    }

    fn video(&self) -> Vec<&Arc<Batch>> {
        let video = |batch: &&Arc<Batch>| matches!(batch.kind, BatchKind::Video { .. });
        self.batches().into_iter().filter(video).collect()
    }

    fn audio(&self) -> Vec<&Arc<Batch>> {
        self.batches()
            .into_iter()
            .filter(|batch| batch.kind == BatchKind::Audio)
            .collect()
    }

    fn said(&self, what: &str) -> usize {
        self.log.iter().filter(|line| line.contains(what)).count()
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `frames` pictures from host time `start` ms on, 40 ms apart, a keyframe every 25.
fn stream(rig: &mut Rig, start: i64, frames: i64) {
    for number in 0..frames {
        let kind = if number % 25 == 0 {
            Picture::Idr
        } else {
            Picture::P
        };
        rig.frame(picture((start + number * 40) * 1_000, kind, 3_000));
        rig.pass(ms(40));
    }
}

#[test]
fn a_viewer_gets_the_newest_group_and_then_live_without_gap() {
    let mut rig = Rig::new();
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 30);
    rig.act(|core, _| core.subscribe(SHARD));
    stream(&mut rig, 1_200, 1);
    let FromHub::Snapshot { batches, .. } = &rig.shard[0] else {
        panic!("{:?}", rig.log)
    };
    let sequences: Vec<_> = batches.iter().map(|batch| batch.sequence).collect();
    assert_eq!(sequences, [25, 26, 27, 28, 29]);
    assert!(batches[0].is_keyframe() && batches[0].lead() == 1);
    assert_eq!(rig.video()[0].sequence, 30);
}

#[test]
fn pictures_before_the_first_keyframe_are_not_sent() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    rig.frame(picture(0, Picture::P, 100));
    rig.frame(picture(40_000, Picture::Idr, 100));
    assert_eq!(rig.video().len(), 1);
    assert_eq!(rig.core.counts().skipped, 1);
}

#[test]
fn a_cut_frame_stops_the_picture_until_the_next_keyframe() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    rig.frame(picture(0, Picture::Idr, 100));
    let mut cut = picture(40_000, Picture::P, 100);
    cut.payload.truncate(50);
    rig.frame(cut);
    rig.frame(picture(80_000, Picture::P, 100));
    assert_eq!(
        rig.video().len(),
        1,
        "what refers to a lost picture would smear"
    );
    rig.frame(picture(120_000, Picture::Idr, 100));
    rig.frame(picture(160_000, Picture::P, 100));
    let sequences: Vec<_> = rig.video().iter().map(|batch| batch.sequence).collect();
    assert_eq!(sequences, [0, 1, 2]);
    assert_eq!(
        (rig.core.counts().broken, rig.core.counts().skipped),
        (1, 1)
    );
}

#[test]
fn a_lost_host_who_comes_back_with_another_encoder_goes_on_in_the_same_broadcast() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 500, 30);
    rig.act(|core, now| core.host_left(now, Finish::Lost));
    assert_eq!(rig.core.state(), State::Interrupted);
    rig.pass(ms(10_000));
    rig.host(&[h264_track(2)]);
    // Its encoder begins in the middle of a group, and counts from elsewhere.
    rig.frame(picture(77_000_000, Picture::P, 100));
    stream(&mut rig, 77_040, 2);
    let video = rig.video();
    let (before, after) = (video[29], video[30]);
    assert_eq!(
        (before.sequence, after.sequence, after.group),
        (29, 30, before.group + 1)
    );
    assert!(after.is_keyframe());
    let parameter_sets = after.payload(0).unwrap();
    assert!(
        parameter_sets
            .windows(3)
            .any(|bytes| bytes == [0x68, 0xce, 2]),
        "the new ones"
    );
    let ticks = after.rtp_time.wrapping_sub(before.rtp_time);
    let real = after.received - before.received;
    assert!(real > ms(10_000));
    assert_eq!(
        u128::from(ticks),
        (real.as_millis() + 40) * 90,
        "the first frame was 40 ms earlier"
    );
    assert_eq!(
        (
            rig.said("Started"),
            rig.said("Interrupted"),
            rig.said("Resumed")
        ),
        (1, 1, 1)
    );
    assert_eq!((rig.said("Ended"), rig.said(" ended")), (0, 0));
}

#[test]
fn the_grace_is_30_seconds_for_a_lost_host_and_5_for_one_who_said_goodbye() {
    for (finish, grace, reason) in [
        (Finish::Lost, 30_000, EndReason::HostLost),
        (Finish::Orderly, 5_000, EndReason::HostFinished),
    ] {
        let mut rig = Rig::new();
        rig.act(|core, _| core.subscribe(SHARD));
        rig.host(&[h264_track(1)]);
        stream(&mut rig, 0, 5);
        rig.act(|core, now| core.host_left(now, finish));
        rig.pass(ms(grace - 1));
        assert_eq!(rig.core.state(), State::Interrupted);
        rig.pass(ms(1));
        assert_eq!(rig.core.state(), State::Waiting);
        assert_eq!(rig.said(&format!("Ended({reason:?})")), 1, "{:?}", rig.log);
        assert!(matches!(rig.shard.last(), Some(FromHub::Ended { .. })));
        assert_eq!(rig.core.poll_timeout(), None);
        // Those who wait see the next host without a new subscription, on the same time and numbers.
        let last = rig.video().last().unwrap().rtp_time;
        rig.pass(ms(60_000));
        rig.host(&[h264_track(3)]);
        stream(&mut rig, 0, 1);
        let next = rig.video().last().copied().unwrap().clone();
        assert_eq!((next.sequence, next.group), (5, 2));
        assert!(next.rtp_time.wrapping_sub(last) > 60_000 * 90);
        assert_eq!(rig.said("Started"), 2);
    }
}

#[test]
fn a_joiner_in_the_interruption_gets_the_last_pictures_and_after_the_end_nothing() {
    let mut rig = Rig::new();
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 5);
    rig.act(|core, now| core.host_left(now, Finish::Lost));
    rig.act(|core, _| core.subscribe(SHARD));
    rig.pass(ms(30_000));
    rig.act(|core, _| core.subscribe(SHARD));
    assert_eq!(
        (rig.said("snapshot of 5"), rig.said("snapshot of 0")),
        (1, 1)
    );
}

#[test]
fn the_server_ends_a_broadcast_without_grace() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 5);
    rig.act(|core, _| core.server_ends(Ended::KeyRevoked));
    assert_eq!(rig.said("Ended(Server(KeyRevoked))"), 1);
    // What was still on its way is not played.
    rig.frame(picture(200_000, Picture::Idr, 100));
    assert_eq!(rig.video().len(), 5);
}

#[test]
fn untouched_obs_is_shown_without_its_b_pictures_and_said() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.act(|core, _| core.host_arrived());
    let capture = fixture::flv(fixture::OBS_STOCK);
    let b = |frame: &Frame| {
        let mut slices = fixture::units(frame)
            .into_iter()
            .filter_map(|unit| slice_type(&unit));
        slices.any(|kind| kind == SliceType::B)
    };
    let pictures = fixture::pictures(fixture::OBS_STOCK);
    let mut kept: Vec<_> = pictures.iter().filter(|frame| !b(frame)).collect();
    assert!(kept.len() * 2 <= pictures.len() + 1, "most are B");
    for media in capture {
        rig.send(media);
    }
    // Those whose time has not come when the capture ends still wait.
    let reached = pictures.last().unwrap().dts;
    kept.retain(|frame| frame.pts <= reached);
    let start = kept[0].pts;
    let expected: Vec<_> = kept
        .iter()
        .map(|frame| frame.pts.micros_since(start) * 9 / 100)
        .collect();
    let video = rig.video();
    let times: Vec<_> = video
        .iter()
        .map(|batch| i64::from(batch.rtp_time.wrapping_sub(video[0].rtp_time)))
        .collect();
    assert_eq!(times, expected, "true presentation times");
    assert_eq!(
        rig.core.reasons().collect::<Vec<_>>(),
        [Reason::ReducedFrameRate]
    );
    rig.act(|core, _| core.subscribe(ShardId(1)));
    assert_eq!(
        rig.said(&format!("ShardId(1) snapshot of {}", expected.len())),
        1,
        "a joiner gets the same"
    );
    rig.render();
    assert!(!rig.audio().is_empty(), "the sound goes on");
    // The host mends it and comes again.
    let before = rig.video().len();
    rig.host(&[h264_track(1)]);
    assert_eq!(rig.core.reasons().count(), 1, "until the pictures are seen");
    stream(&mut rig, 0, 3);
    assert_eq!(rig.core.reasons().count(), 0);
    assert_eq!(
        (
            rig.said("AdvisoryRaised(ReducedFrameRate)"),
            rig.said("AdvisoryCleared(ReducedFrameRate)"),
            rig.video().len()
        ),
        (1, 1, before + 3)
    );
}

#[test]
fn the_first_picture_of_untouched_obs_is_sent_when_it_comes() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.act(|core, _| core.host_arrived());
    for media in fixture::flv(fixture::OBS_STOCK) {
        let video = matches!(&media, Media::Frame(frame) if frame.track == TrackId::VIDEO);
        rig.send(media);
        if video {
            break;
        }
    }
    assert_eq!(rig.video().len(), 1);
}

#[test]
fn a_host_who_returns_with_b_pictures_is_not_first_said_to_have_none() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    for _ in 0..2 {
        rig.act(|core, _| core.host_arrived());
        for media in fixture::flv(fixture::OBS_STOCK) {
            rig.send(media);
        }
        rig.act(|core, now| core.host_left(now, Finish::Lost));
        rig.pass(ms(1_000));
    }
    assert_eq!((rig.said("Raised"), rig.said("Cleared")), (1, 0));
}

#[test]
fn obs_without_b_frames_plays_whole() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.act(|core, _| core.host_arrived());
    for media in fixture::flv(fixture::OBS_BASELINE) {
        rig.send(media);
    }
    let times: Vec<_> = rig.video().iter().map(|batch| batch.rtp_time).collect();
    assert_eq!(times.len(), 12);
    assert_eq!(times[11] - times[0], 366 * 90);
    assert_eq!(rig.core.reasons().count(), 0);
}

#[test]
fn from_a_late_b_slice_on_the_others_go_on_without_it() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 30);
    assert_eq!(rig.core.reasons().count(), 0);
    rig.frame(picture(1_200_000, Picture::B, 100));
    assert_eq!(rig.core.reasons().count(), 1);
    stream(&mut rig, 1_240, 50);
    assert_eq!((rig.video().len(), rig.core.counts().skipped), (80, 1));
    let sequences = rig.video().into_iter().map(|batch| batch.sequence);
    assert!(sequences.eq(0..80), "nobody has to start anew");
    // Another configuration is judged anew.
    rig.send(Media::Track(h264_track(9)));
    stream(&mut rig, 3_240, 1);
    assert_eq!(rig.core.reasons().count(), 0);
}

#[test]
fn pictures_that_need_b_pictures_go_with_them_and_that_is_said() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    for (number, kind) in [
        Picture::Idr,
        Picture::P,
        Picture::B,
        Picture::Orphan,
        Picture::B,
        Picture::Orphan,
    ]
    .into_iter()
    .enumerate()
    {
        let time = i64::try_from(number).unwrap() * 40_000;
        rig.frame(picture(time, kind, 100));
    }
    assert_eq!(rig.video().len(), 2);
    assert_eq!(
        rig.core.reasons().collect::<Vec<_>>(),
        [Reason::KeyframesOnly]
    );
}

/// A stream with a B picture after each P picture, 40 ms apart, a keyframe every 24 pictures.
struct Reordered {
    pictures: i64,
}

impl Reordered {
    /// The next `count` pictures in decoding order.
    fn send(&mut self, rig: &mut Rig, count: i64) {
        for number in self.pictures..self.pictures + count {
            let (kind, delay) = match number % 24 {
                0 => (Picture::Idr, 40),
                odd if odd % 2 == 1 => (Picture::P, 80),
                _ => (Picture::B, 0),
            };
            let mut frame = picture(number * 40_000, kind, 100);
            frame.pts = frame.dts.shifted(delay * 1_000);
            rig.frame(frame);
            rig.pass(ms(40));
        }
        self.pictures += count;
    }
}

/// What a re-encode makes of the picture that is shown `back` pictures of 40 ms before the newest.
fn remade(rig: &mut Rig, keyframe: bool, back: i64) {
    let number = rig.video.expect("one runs");
    let newest = rig.core.video.source.newest().last().unwrap().dts;
    let kind = if keyframe { Picture::Idr } else { Picture::P };
    let mut frame = picture(0, kind, 77);
    (frame.dts, frame.pts) = (newest, newest.shifted(-back * 40_000));
    if keyframe {
        let Codec::H264(config) = h264_track(200).codec else {
            unreachable!()
        };
        rig.act(|core, now| core.video_made(now, number, VideoMade::Config(config)));
    }
    rig.act(|core, now| core.video_made(now, number, VideoMade::Frame(frame)));
}

/// A viewer of a stream with B pictures, a re-encode that has begun, and the stream.
fn watched() -> (Rig, Reordered) {
    let mut rig = Rig::new();
    rig.no_place = false;
    rig.host(&[h264_track(1)]);
    let mut stream = Reordered { pictures: 0 };
    stream.send(&mut rig, 30);
    assert_eq!(rig.said("start video"), 0, "nobody watches");
    rig.act(|core, _| core.subscribe(SHARD));
    stream.send(&mut rig, 1);
    (rig, stream)
}

fn sequences(rig: &Rig) -> Vec<u64> {
    rig.video().iter().map(|batch| batch.sequence).collect()
}

#[test]
fn the_first_viewer_starts_a_re_encode_and_is_switched_at_its_first_keyframe() {
    let (mut rig, mut stream) = watched();
    assert_eq!(rig.said("start video 1"), 1);
    assert_eq!(rig.said("cached picture"), 7, "the newest group");
    let FromHub::Snapshot { batches, .. } = &rig.shard[0] else {
        panic!("{:?}", rig.log)
    };
    assert!(!batches.is_empty(), "he sees the I/P rendition at once");
    stream.send(&mut rig, 10);
    assert_eq!(rig.said("video gets"), 7 + 10);
    // What comes before its first keyframe is nobody's.
    let before = rig.video().len();
    remade(&mut rig, false, 0);
    assert_eq!(rig.video().len(), before);
    remade(&mut rig, true, 0);
    stream.send(&mut rig, 1);
    remade(&mut rig, false, 0);
    stream.send(&mut rig, 1);
    remade(&mut rig, false, 0);
    let video = rig.video();
    assert_eq!(
        video.len(),
        before + 3,
        "nothing of the I/P rendition any more"
    );
    let keyframe = video[before];
    assert!(keyframe.is_keyframe());
    assert!(
        keyframe
            .payload(0)
            .unwrap()
            .windows(3)
            .any(|bytes| bytes == [0x68, 0xce, 200]),
        "its own parameter sets"
    );
    let (all, first) = (sequences(&rig), sequences(&rig)[0]);
    assert!(all.iter().copied().eq(first..first + all.len() as u64));
    assert_eq!(rig.core.reasons().count(), 0, "nothing is missing");
    assert_eq!(rig.said("Advisory"), 0);
    // Who joins now gets its group.
    rig.act(|core, _| core.subscribe(ShardId(1)));
    assert_eq!(rig.said("ShardId(1) snapshot of 3"), 1);
    check_what_a_shard_saw(&rig.shard);
}

#[test]
fn its_first_keyframe_may_be_the_picture_that_was_shown_last() {
    let (mut rig, mut stream) = watched();
    stream.send(&mut rig, 10);
    for back in [3, 2, 1] {
        remade(&mut rig, back == 3, back);
    }
    check_what_a_shard_saw(&rig.shard);
    let times: Vec<_> = rig.video().iter().map(|batch| batch.rtp_time).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

#[test]
fn a_broken_re_encode_costs_a_second_and_the_viewers_go_on_with_the_others() {
    let (mut rig, mut stream) = watched();
    remade(&mut rig, true, 0);
    stream.send(&mut rig, 1);
    remade(&mut rig, false, 0);
    rig.give_way(1, GiveWay::Broken);
    let Some(FromHub::Snapshot { batches, .. }) = rig.shard.last() else {
        panic!("{:?}", rig.log)
    };
    assert!(batches[0].is_keyframe());
    let last = rig.video().last().unwrap().sequence;
    assert!(
        batches[0].sequence > last + 1,
        "not taken for a continuation"
    );
    assert_eq!(
        rig.core.reasons().collect::<Vec<_>>(),
        [Reason::ReducedFrameRate]
    );
    let before = rig.video().len();
    stream.send(&mut rig, 23);
    assert!(rig.video().len() >= before + 11, "I and P pictures live");
    assert_eq!(rig.said("start video"), 1);
    stream.send(&mut rig, 3);
    assert_eq!(rig.said("start video 2"), 1, "a second later");
    remade(&mut rig, true, 0);
    assert_eq!(rig.core.reasons().count(), 0);
    check_what_a_shard_saw(&rig.shard);
    // What the first one still says is void.
    let before = rig.video().len();
    rig.give_way(1, GiveWay::Broken);
    assert_eq!((rig.video().len(), rig.core.reasons().count()), (before, 0));
    // The next rest is longer.
    rig.give_way(2, GiveWay::Broken);
    stream.send(&mut rig, 40);
    assert_eq!(rig.said("start video 3"), 0);
    stream.send(&mut rig, 20);
    assert_eq!(rig.said("start video 3"), 1);
}

#[test]
fn one_that_cannot_be_begins_again_when_that_may_have_changed() {
    for (why, pictures) in [
        (GiveWay::NoPlace, Some(5 * 25)),
        (GiveWay::TooSlow, Some(60 * 25)),
        (GiveWay::Refused, None),
    ] {
        let (mut rig, mut stream) = watched();
        rig.give_way(1, why);
        assert_eq!(rig.core.reasons().count(), 1, "{why:?}");
        assert_eq!(rig.said("snapshot"), 1, "nothing to fall back from");
        stream.send(&mut rig, pictures.unwrap_or(2_000));
        assert_eq!(rig.said("start video"), 1, "{why:?}");
        stream.send(&mut rig, 2);
        let again = usize::from(pictures.is_some());
        assert_eq!(rig.said("start video"), 1 + again, "{why:?}");
        // Another configuration is another matter.
        rig.send(Media::Track(h264_track(5)));
        let mut other = Reordered {
            pictures: (stream.pictures / 24 + 1) * 24,
        };
        other.send(&mut rig, 30);
        assert_eq!(rig.said("start video"), 2 + again, "{why:?}");
    }
}

#[test]
fn it_ends_thirty_seconds_after_the_last_viewer_and_the_next_one_begins_anew() {
    let (mut rig, mut stream) = watched();
    remade(&mut rig, true, 0);
    rig.act(|core, _| core.unsubscribe(SHARD));
    stream.send(&mut rig, 29 * 25);
    rig.act(|core, _| core.subscribe(SHARD));
    stream.send(&mut rig, 2);
    rig.act(|core, _| core.unsubscribe(SHARD));
    stream.send(&mut rig, 30 * 25);
    assert_eq!(rig.said("stop video"), 0);
    stream.send(&mut rig, 2);
    assert_eq!(rig.said("stop video"), 1);
    let joins = |rig: &mut Rig| {
        rig.act(|core, _| core.subscribe(SHARD));
        matches!(rig.shard.last(), Some(FromHub::Snapshot { batches, .. }) if batches.len() > 1)
    };
    assert!(joins(&mut rig), "the I/P rendition's group");
    stream.send(&mut rig, 1);
    assert_eq!(rig.said("start video 2"), 1);
}

#[test]
fn it_ends_with_its_host_and_with_its_configuration() {
    let (mut rig, mut stream) = watched();
    remade(&mut rig, true, 0);
    rig.send(Media::Track(h264_track(7)));
    assert_eq!(rig.said("stop video"), 1);
    stream.pictures = 48;
    stream.send(&mut rig, 4);
    assert_eq!(rig.said("start video 2"), 1);
    rig.act(|core, now| core.host_left(now, Finish::Lost));
    assert_eq!(rig.said("stop video"), 2);
    check_what_a_shard_saw(&rig.shard);
}

#[test]
fn a_stream_without_b_pictures_is_never_encoded_again() {
    let mut rig = Rig::new();
    rig.no_place = false;
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 100);
    assert_eq!((rig.said("video"), rig.video().len()), (0, 100));
    assert!(rig.core.video.source.newest().is_empty(), "nor kept twice");
}

#[test]
fn codecs_that_nobody_can_play_are_said_and_the_rest_plays() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    let mp3 = Track {
        id: TrackId::AUDIO,
        codec: Codec::Mp3,
    };
    rig.host(&[h264_track(1), mp3]);
    stream(&mut rig, 0, 2);
    rig.frame(sound(0, Bytes::from_static(&[0xff; 100])));
    assert_eq!((rig.video().len(), rig.audio().len()), (2, 0));
    assert_eq!(
        rig.core.reasons().collect::<Vec<_>>(),
        [Reason::AudioCodec("MP3")]
    );
    let hevc = Track {
        id: TrackId::VIDEO,
        codec: Codec::Hevc,
    };
    rig.host(&[hevc, aac_track()]);
    rig.frame(sound(0, Bytes::from_static(&[1; 100])));
    rig.render();
    rig.frame(picture(0, Picture::Idr, 100));
    assert_eq!((rig.video().len(), rig.audio().len()), (2, 1));
    assert_eq!(rig.core.reasons().collect::<Vec<_>>(), [Reason::Hevc]);
}

#[test]
fn headers_repeated_by_the_host_change_nothing() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1), aac_track()]);
    stream(&mut rig, 0, 3);
    rig.send(Media::Track(h264_track(1)));
    rig.send(Media::Track(aac_track()));
    rig.frame(picture(120_000, Picture::P, 100));
    assert_eq!(rig.video().len(), 4);
    assert_eq!(
        (rig.said("start rendition"), rig.said("TracksChanged")),
        (1, 2)
    );
}

#[test]
fn a_new_resolution_begins_at_its_keyframe() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    stream(&mut rig, 0, 3);
    rig.send(Media::Track(h264_track(2)));
    rig.frame(picture(120_000, Picture::P, 100));
    assert_eq!(
        rig.video().len(),
        3,
        "it refers to pictures of the old size"
    );
    stream(&mut rig, 160, 2);
    assert_eq!(rig.video().len(), 5);
}

#[test]
fn sound_is_rendered_while_somebody_listens_and_begins_with_the_next_frame() {
    let mut rig = Rig::new();
    rig.host(&[aac_track()]);
    let frame = |number: i64| sound(number * 21_333, Bytes::from_static(&[7; 200]));
    for number in 0..10 {
        rig.frame(frame(number));
        rig.pass(Duration::from_micros(21_333));
    }
    assert_eq!(rig.said("rendition"), 0, "nobody listens");
    rig.act(|core, _| core.subscribe(SHARD));
    assert_eq!((rig.rendition, rig.pushed.len()), (Some(1), 3), "warmed up");
    rig.render();
    assert_eq!(rig.audio().len(), 0, "no backlog of sound");
    rig.frame(frame(10));
    rig.render();
    assert_eq!(rig.audio().len(), 1);
    rig.act(|core, _| core.unsubscribe(SHARD));
    assert_eq!(rig.rendition, None);
    rig.frame(frame(11));
    assert_eq!(rig.pushed.len(), 0);
}

#[test]
fn what_an_ended_rendition_still_makes_is_not_sent() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[aac_track()]);
    rig.frame(sound(0, Bytes::from_static(&[7; 200])));
    let (frame, received) = rig.pushed.pop().unwrap();
    rig.host(&[aac_track()]);
    assert_eq!(rig.rendition, Some(2));
    rig.act(|core, _| core.made(1, Made::Frame(frame.clone(), received)));
    rig.act(|core, _| core.made(1, Made::Unplayable(Unplayable::HeAac)));
    assert_eq!((rig.audio().len(), rig.core.reasons().count()), (0, 0));
    rig.act(|core, _| core.made(2, Made::Frame(frame, received)));
    assert_eq!(rig.audio().len(), 1);
}

#[test]
fn sound_that_turns_out_unplayable_is_said_and_not_tried_again() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[aac_track()]);
    rig.act(|core, _| core.made(1, Made::Unplayable(Unplayable::HeAac)));
    assert_eq!(rig.core.reasons().collect::<Vec<_>>(), [Reason::HeAac]);
    rig.frame(sound(0, Bytes::from_static(&[7; 200])));
    rig.act(|core, _| core.subscribe(ShardId(1)));
    assert_eq!(rig.said("start rendition"), 1);
}

#[test]
fn opus_from_a_host_goes_out_as_it_came() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    let codec = Codec::Opus(zongzi_media::opus::Config { channels: 2 });
    rig.host(&[Track {
        id: TrackId::AUDIO,
        codec,
    }]);
    rig.frame(sound(0, Bytes::from_static(&[0xfc, 1, 2])));
    rig.frame(sound(20_000, Bytes::from_static(&[0xfc, 3])));
    let audio = rig.audio();
    assert_eq!(audio[0].payload(0), Some(&[0xfc, 1, 2][..]));
    assert_eq!(audio[1].rtp_time - audio[0].rtp_time, 960);
    assert_eq!(rig.said("rendition"), 0);
}

#[test]
fn a_group_that_outgrows_the_cache_goes_on_for_those_who_watch() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    for number in 0..900 {
        let kind = if number == 0 {
            Picture::Idr
        } else {
            Picture::P
        };
        rig.frame(picture(number * 20_000, kind, 50));
        rig.pass(ms(20));
    }
    assert_eq!((rig.video().len(), rig.core.overruns()), (900, 1));
    rig.act(|core, _| core.subscribe(ShardId(1)));
    assert_eq!(rig.said("ShardId(1) snapshot of 0"), 1);
}

#[test]
fn hostile_tracks_and_frames_are_bounded() {
    let mut rig = Rig::new();
    rig.host(&[]);
    for id in 0..1_000 {
        rig.send(Media::Track(Track {
            id: TrackId(id),
            codec: Codec::Av1,
        }));
    }
    assert_eq!(rig.core.tracks().count(), TRACKS_MAX);
    rig.host(&[h264_track(1)]);
    let units = vec![vec![0x65, 0x88, 0x80]; NAL_UNITS_MAX + 1];
    let mut frame = picture(0, Picture::Idr, 100);
    frame.payload = prefixed(&units);
    rig.frame(frame);
    assert_eq!(rig.core.counts().broken, 1);
}

/// An hour in the life of a channel, by chance: what the log says.
fn chaos(chance: &mut Chance) -> String {
    let mut rig = Rig::new();
    let mut host_time = 0;
    for _ in 0..600 {
        rig.pass(ms(chance.below(100)));
        host_time += chance.between(0, 80);
        match chance.below(60) {
            0 => {
                let mark = u8::try_from(chance.below(3)).unwrap();
                rig.host(&[h264_track(mark), aac_track()]);
                host_time = chance.between(0, 1 << 32);
            }
            1 => {
                let lost = chance.below(2) == 0;
                let finish = if lost { Finish::Lost } else { Finish::Orderly };
                rig.act(|core, now| core.host_left(now, finish));
            }
            2 => rig.pass(ms(chance.below(40_000))),
            3 => host_time += chance.between(-100_000, 100_000),
            4..8 => {
                let shard = ShardId(u16::try_from(chance.below(3)).unwrap());
                rig.act(|core, _| core.subscribe(shard));
            }
            8 | 9 => {
                let shard = ShardId(u16::try_from(chance.below(3)).unwrap());
                rig.act(|core, _| core.unsubscribe(shard));
            }
            10 => rig.act(|core, _| core.server_ends(Ended::Kicked)),
            11..30 => rig.frame(sound(host_time * 1_000, Bytes::from_static(&[7; 99]))),
            30 => rig.frame(picture(host_time * 1_000, Picture::B, 99)),
            31 => rig.no_place = !rig.no_place,
            32..34 if rig.video.is_some() => {
                let number = rig.video.unwrap();
                rig.give_way(number, GiveWay::Broken);
            }
            34..50 if rig.video.is_some() && !rig.core.video.source.newest().is_empty() => {
                let (keyframe, back) = (chance.below(4) == 0, chance.between(0, 3));
                remade(&mut rig, keyframe, back);
            }
            kind => {
                let kind = if kind < 36 { Picture::Idr } else { Picture::P };
                let bytes = usize::try_from(chance.below(5_000)).unwrap();
                rig.frame(picture(host_time * 1_000, kind, bytes));
            }
        }
        rig.render();
    }
    check_what_a_shard_saw(&rig.shard);
    rig.log.join("\n")
}

/// Whatever happens: numbers without gaps, a keyframe after each new start, time that only goes on.
fn check_what_a_shard_saw(messages: &[FromHub]) {
    let (mut next, mut time) = (None, [None; 2]);
    for message in messages {
        match message {
            FromHub::Snapshot { batches, .. } => {
                assert!(batches.first().is_none_or(|first| first.is_keyframe()));
                next = batches.last().map(|last| last.sequence + 1);
            }
            FromHub::Ended { .. } => next = None,
            FromHub::Batch { batch, .. } => {
                let place = usize::from(batch.kind == BatchKind::Audio);
                if let Some(before) = time[place].replace(batch.rtp_time) {
                    let step = batch.rtp_time.wrapping_sub(before);
                    assert!(
                        (1..1 << 31).contains(&step),
                        "{:?}: {before} {}",
                        batch.kind,
                        batch.rtp_time
                    );
                }
                if let BatchKind::Video { keyframe } = batch.kind {
                    assert!(next.is_none_or(|next| next == batch.sequence) || keyframe);
                    next = Some(batch.sequence + 1);
                }
            }
        }
    }
}

#[test]
fn two_runs_with_one_seed_give_the_same_log_byte_for_byte() {
    with_seeds(|chance| {
        let mut again = Chance::same_as(chance);
        assert_eq!(chaos(chance), chaos(&mut again));
    });
}

#[test]
fn the_timeline_starts_at_the_epoch() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    let now = MediaTime::ZERO.saturating_add(rig.at);
    rig.frame(picture(123_000, Picture::Idr, 100));
    assert_eq!(i64::from(rig.video()[0].rtp_time), now.to_ticks(90_000));
}
