//! When a broadcast's pictures are encoded again without B-frames, and how viewers get from one rendition to the other.
//!
//! It runs while somebody watches a stream that has B pictures, and [`LINGER`] longer. Until its first keyframe viewers
//! get the I/P rendition; the keyframe then simply follows the last picture, as one of a new configuration does
//! (RTP.md 56). When it gives way, the newest group of the I/P rendition is made from the cached source and sent as
//! one: the viewers go on from its keyframe, at the same true times (RTP.md 67).

use std::time::{Duration, Instant};

use zongzi_media::h264::{Config, NalUnits};
use zongzi_media::{Codec, Frame, Kind};

use super::{Broadcast, Output, Picture};
use crate::groups::Item;
use crate::hub::event::What;
use crate::hub::status::Playing;
use crate::packetize::h264::Packetizer;
use crate::rendition::{Fate, GiveWay, Rate, Rendition, VideoMade, Work};
use crate::shard::FromHub;
use crate::timeline::STEP_MIN;

/// Whether the re-encode runs, and when it is tried again.
#[derive(Debug, Default)]
pub(super) struct Reencode {
    /// Counts the starts; what an earlier one still makes is void.
    number: u64,
    state: State,
    /// Since when nobody watches.
    unwanted: Option<Instant>,
    /// Viewers get less than all pictures for more than a start, until one plays.
    lacks: bool,
    /// Breakdowns without a long run between them.
    breakdowns: u32,
    work: Work,
    /// When it was last asked for a keyframe.
    asked: Option<Instant>,
    /// Pictures of the I/P rendition that viewers do not get unless its first keyframe is late.
    held: Vec<Picture>,
    /// Of the pictures that it makes.
    size: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Off,
    /// It catches up with the host.
    Starting,
    /// It has, at that time: its first keyframe is waited for, and shows what comes after the newest picture that viewers
    /// have.
    Begun(Instant),
    /// Viewers get it, since then.
    Playing(Instant),
    /// It gave way and is tried again then; `None`: not for this configuration.
    Resting(Option<Instant>),
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    Start(u64),
    Push,
    Stop,
}

impl Reencode {
    /// Viewers get what it makes.
    pub(super) fn plays(&self) -> bool {
        matches!(self.state, State::Playing(_))
    }

    fn runs(&self) -> bool {
        matches!(
            self.state,
            State::Starting | State::Begun(_) | State::Playing(_)
        )
    }

    /// Whether viewers get, or can be expected to get within seconds, all pictures.
    pub(super) fn mends(&self) -> bool {
        !self.lacks
    }

    fn step(&mut self, now: Instant, wanted: bool, possible: bool) -> Step {
        if wanted {
            self.unwanted = None;
        }
        let due = match self.state {
            State::Starting | State::Begun(_) | State::Playing(_) => {
                let since = (!wanted).then(|| *self.unwanted.get_or_insert(now));
                let over =
                    since.is_some_and(|since| now.saturating_duration_since(since) >= LINGER);
                return if over { Step::Stop } else { Step::Push };
            }
            State::Resting(None) => false,
            State::Resting(Some(until)) => until <= now,
            State::Off => true,
        };
        if !due || !wanted {
            return Step::Nothing;
        }
        if !possible {
            // It has to wait for a keyframe, who knows how long.
            self.lacks = true;
            return Step::Nothing;
        }
        self.number += 1;
        self.work = Work::Full;
        self.state = State::Starting;
        Step::Start(self.number)
    }

    /// Whether it is to be asked for a keyframe now.
    fn asks(&mut self, now: Instant) -> bool {
        let again = |asked: Instant| now.saturating_duration_since(asked) >= KEYFRAME_SPACING;
        let asks = self.plays() && self.asked.is_none_or(again);
        if asks {
            self.asked = Some(now);
        }
        asks
    }

    fn gave_way(&mut self, now: Instant, why: GiveWay) {
        let ran_long = matches!(self.state, State::Playing(since)
            if now.saturating_duration_since(since) >= LONG_RUN);
        if ran_long {
            self.breakdowns = 0;
        }
        let rest = match why {
            GiveWay::Refused => None,
            GiveWay::TooSlow => Some(REST_TOO_SLOW),
            GiveWay::NoPlace => Some(REST_NO_PLACE),
            GiveWay::Broken => {
                let rest = REST_BROKEN * 2_u32.pow(self.breakdowns.min(BREAKDOWNS_MAX));
                self.breakdowns = self.breakdowns.saturating_add(1);
                Some(rest)
            }
        };
        self.lacks = true;
        self.state = State::Resting(rest.and_then(|rest| now.checked_add(rest)));
    }
}

impl Broadcast {
    /// Sees to the re-encode at each picture of the source; the newest of the cache is this picture, if it is cached.
    pub(super) fn tend_reencode(&mut self, now: Instant, picture: Frame) {
        let wanted = !self.shards.is_empty() && self.video.order.reorders();
        let possible = !self.video.source.newest().is_empty();
        match self.video.reencode.step(now, wanted, possible) {
            Step::Nothing => {}
            Step::Start(number) => self.start_reencode(number),
            Step::Push => self.outputs.push_back(Output::PushVideo {
                frame: picture,
                cached: false,
                shown: self.video.newest,
            }),
            Step::Stop => {
                self.stop_reencode();
                self.video.reencode.lacks = false;
                self.fall_back(now);
            }
        }
    }

    /// The re-encode has caught up: viewers get no more of the I/P rendition, so that none of its pictures is newer than
    /// the first that it makes.
    pub(in crate::hub) fn video_begins(&mut self, now: Instant) {
        let reencode = &mut self.video.reencode;
        if reencode.state == State::Starting {
            reencode.state = State::Begun(now);
        }
    }

    /// What becomes of the I/P rendition's next picture.
    pub(super) fn in_order(&mut self, now: Instant, picture: Picture) {
        match self.video.reencode.state {
            State::Playing(_) => {}
            State::Begun(since)
                if now.saturating_duration_since(since) < KEYFRAME_WAIT
                    && self.video.reencode.held.len() < HELD_MAX =>
            {
                self.video.reencode.held.push(picture);
            }
            _ => {
                self.let_go(now);
                self.emit_video(now, &picture);
            }
        }
    }

    /// Viewers get the pictures that were held for the re-encode's first keyframe.
    fn let_go(&mut self, now: Instant) {
        for picture in std::mem::take(&mut self.video.reencode.held) {
            self.emit_video(now, &picture);
        }
    }

    /// A viewer would be helped by a keyframe. Only a re-encode can make one; a host by RTMP can't be asked.
    pub(in crate::hub) fn keyframe_wanted(&mut self, now: Instant) {
        if self.video.reencode.asks(now) {
            self.outputs.push_back(Output::RequestKeyframe);
        }
    }

    /// What video rendition `number` made.
    pub(in crate::hub) fn video_made(&mut self, now: Instant, number: u64, made: VideoMade) {
        let reencode = &self.video.reencode;
        if number != reencode.number || !reencode.runs() {
            return;
        }
        match made {
            VideoMade::Config(config) => {
                self.video.reencode.size = size(&config);
                self.video.made = Some(Packetizer::new(&config));
            }
            VideoMade::Work(work) => self.video.reencode.work = work,
            VideoMade::Frame(frame) => self.emit_made(now, frame),
            VideoMade::GaveWay(why) => {
                let played = self.video.reencode.plays();
                self.video.reencode.gave_way(now, why);
                self.outputs.push_back(Output::StopVideo);
                if played {
                    self.fall_back(now);
                } else {
                    self.let_go(now);
                }
            }
        }
        self.say_video();
    }

    /// Ends it; what viewers have of it stands.
    pub(super) fn stop_reencode(&mut self) {
        let reencode = &mut self.video.reencode;
        if reencode.runs() {
            self.outputs.push_back(Output::StopVideo);
        }
        reencode.held.clear();
        reencode.state = State::Off;
        reencode.unwanted = None;
        self.video.made = None;
    }

    /// Says what viewers get less than the host sends, once that is known.
    pub(super) fn say_video(&mut self) {
        match self.video.order.verdict() {
            Some(Err(reason)) if !self.video.reencode.mends() => {
                self.set_reason(Kind::Video, Some(reason));
            }
            Some(_) => self.set_reason(Kind::Video, None),
            None => {}
        }
        self.say_rendition();
    }

    /// Which video viewers get.
    pub(super) fn rendition(&self) -> Rendition {
        if self.video.reencode.plays() {
            Rendition::Reencoded
        } else if self.video.order.may_reorder() {
            Rendition::InOrder
        } else {
            Rendition::Source
        }
    }

    /// Says which video viewers get, when it is another.
    fn say_rendition(&mut self) {
        let Some(Codec::H264(config)) = self.plays(Kind::Video).map(|track| &track.codec) else {
            return;
        };
        let (rendition, reencode) = (self.rendition(), &self.video.reencode);
        let (size, half_rate) = match rendition {
            Rendition::Reencoded => (reencode.size, reencode.work == Work::HalfRate),
            Rendition::Source | Rendition::InOrder => (size(config), false),
        };
        let playing = Playing {
            rendition,
            size,
            half_rate,
        };
        if self.video.playing != Some(playing) {
            self.video.playing = Some(playing);
            self.event(What::RenditionChanged);
        }
    }

    fn start_reencode(&mut self, number: u64) {
        let Some(Codec::H264(config)) = self.plays(Kind::Video).map(|track| &track.codec) else {
            return;
        };
        let config = config.clone();
        let group = self.video.source.newest();
        let rate = rate(group);
        let pushes: Vec<_> = group
            .iter()
            .map(|picture| Output::PushVideo {
                frame: picture.clone(),
                cached: true,
                shown: None,
            })
            .collect();
        self.outputs.push_back(Output::StartVideo {
            number,
            config,
            rate,
        });
        self.outputs.extend(pushes);
    }

    fn emit_made(&mut self, now: Instant, mut frame: Frame) {
        if !self.video.reencode.plays() {
            if !frame.keyframe {
                return;
            }
            self.video.reencode.state = State::Playing(now);
            self.video.reencode.held.clear();
            self.video.reencode.lacks = false;
        }
        let Some(packetizer) = &mut self.video.made else {
            return;
        };
        // Where its first keyframe was late some of its pictures were shown already.
        if let Some(newest) = self.video.newest {
            frame.pts = frame.pts.max(newest.saturating_add(STEP_MIN));
        }
        let units: Vec<_> = NalUnits::new(frame.payload.clone(), 4).collect();
        let group = self.video.group + u64::from(frame.keyframe);
        let made = packetizer.packetize(&frame, &units, self.video.sequence, group, now);
        match made {
            Ok(batch) => {
                let batch = self.cache_batch(batch, frame.pts);
                self.send_picture(batch);
            }
            Err(_) => self.counts.broken += 1,
        }
    }

    /// Viewers get the newest group of the I/P rendition.
    fn fall_back(&mut self, now: Instant) {
        self.video.made = None;
        self.video.groups.clear();
        self.video.newest = None;
        let Some(Codec::H264(config)) = self.plays(Kind::Video).map(|track| track.codec.clone())
        else {
            return;
        };
        self.video.packetizer = Packetizer::new(&config);
        let mut rendition = self.renditions.in_order(&config);
        // The number left out says to every shard that this is no continuation.
        self.video.sequence += 1;
        self.video.needs_keyframe = true;
        let waiting = self.video.order.waits_for();
        for frame in self.video.source.newest().to_vec() {
            let kept = rendition.push(&frame) == Fate::Kept;
            if !kept || waiting.is_some_and(|waiting| waiting <= frame.pts) {
                continue;
            }
            let units = NalUnits::new(frame.payload.clone(), config.length_size).collect();
            let _: Option<_> = self.cache_video(now, &Picture { frame, units });
        }
        let batches = self.video.groups.newest().to_vec();
        self.send_all(&FromHub::Snapshot {
            broadcast: self.id,
            batches,
            clock: self.video.clock,
        });
    }
}

fn size(config: &Config) -> Option<(u32, u32)> {
    let sps = config.parsed.as_ref()?;
    Some((sps.width, sps.height))
}

/// What a group tells of its stream; `None` when it is too short to tell.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate need not be exact, and a group is bounded"
)]
fn rate(group: &[Frame]) -> Option<Rate> {
    let (first, last) = (group.first()?, group.last()?);
    let span = last.dts.saturating_since(first.dts);
    if span < RATE_SPAN_MIN {
        return None;
    }
    let seconds = span.as_secs_f64();
    let bytes: usize = group.iter().map(Item::bytes).sum();
    Some(Rate {
        bits_per_second: (bytes as f64 * 8.0 / seconds) as u32,
        pictures_per_second: ((group.len() - 1) as f64 / seconds) as f32,
    })
}

/// It goes on for so long after the last viewer has left: he may only have reloaded the page.
const LINGER: Duration = Duration::from_secs(30);
/// Keyframes on demand are so far apart, for all viewers together: each costs everybody 50 kB at 720p, or sharpness.
const KEYFRAME_SPACING: Duration = Duration::from_secs(1);
/// Viewers get nothing for so long while its first keyframe is waited for: the decoder holds back some pictures (100 ms at 30
/// a second), and the encoder may share its core.
const KEYFRAME_WAIT: Duration = Duration::from_millis(500);
/// Pictures of that time at 60 a second, and more.
const HELD_MAX: usize = 64;
/// After a breakdown, the first time; each further one doubles it.
const REST_BROKEN: Duration = Duration::from_secs(1);
/// Up to a rest of 64 s.
const BREAKDOWNS_MAX: u32 = 6;
/// After so long a run earlier breakdowns are forgotten.
const LONG_RUN: Duration = Duration::from_secs(30);
/// The machine may be less busy then.
const REST_TOO_SLOW: Duration = Duration::from_secs(60);
/// Another broadcast may have ended by then.
const REST_NO_PLACE: Duration = Duration::from_secs(5);
/// Less than this is mostly the keyframe.
const RATE_SPAN_MIN: Duration = Duration::from_secs(1);
