//! The core in virtual time. `Rig` drains it after every call and writes all that comes out into a log, which the
//! tests read; rendition output is what the test says.

mod chaos;
mod groups;
mod hosts;
mod order;
mod reencode;
mod sound;

use bytes::Bytes;
use zongzi_media::MediaTime;
use zongzi_media::h264::{SliceType, slice_type};

use super::*;
use crate::fixture::{
    self, Chance, Picture, Sound, aac_track, h264_track, picture, prefixed, sound, with_seeds,
};
use crate::packetize::BatchKind;
use crate::rendition::{GiveWay, VideoMade};

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
            // Sound is never opened through it here.
            Arc::new(Sound(|| Err(Unplayable::HeAac))),
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
                Output::RequestKeyframe => "video is asked for a keyframe".to_owned(),
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
                Output::PushVideo { .. } | Output::RequestKeyframe => {
                    assert!(self.video.is_some());
                }
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
            self.act(|core, now| core.made(now, number, Made::Frame(frame, received)));
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
