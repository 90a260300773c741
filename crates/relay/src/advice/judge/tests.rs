//! Advice in virtual time, on hosts made up here and on captures of OBS.

use bytes::Bytes;
use zongzi_media::{MediaTime, TrackId, aac};

use super::*;
use crate::fixture;

struct Rig {
    advice: Advice,
    now: Instant,
    stamp: i64,
    /// Pictures from keyframe to keyframe.
    group: i64,
    video: Codec,
    audio: Option<Codec>,
    playable: bool,
    reorders: bool,
    mended: bool,
    joinable: bool,
    said: Vec<Change>,
}

impl Rig {
    fn new() -> Self {
        Self {
            advice: Advice::default(),
            now: Instant::now(),
            stamp: 0,
            group: 60,
            audio: None,
            playable: true,
            video: Codec::H264(fixture::h264_config(fixture::OBS_STOCK)),
            reorders: false,
            mended: true,
            joinable: true,
            said: vec![],
        }
    }

    fn judge(&mut self) {
        let situation = Situation {
            video: Some(&self.video),
            audio: self.audio.as_ref(),
            playable: self.playable,
            reorders: self.reorders,
            mended: self.mended,
            joinable: self.joinable,
        };
        self.advice.judge(self.now, situation);
        self.said
            .extend(std::iter::from_fn(|| self.advice.poll_change()));
    }

    fn picture(&mut self) {
        let time = MediaTime::from_micros(self.stamp * 33_333);
        let frame = Frame {
            track: TrackId::VIDEO,
            dts: time,
            pts: time,
            keyframe: self.stamp % self.group == 0,
            payload: Bytes::from_static(&[0; 8_000]),
        };
        self.advice.frame(self.now, Kind::Video, &frame, true);
        self.stamp += 1;
    }

    /// Nothing comes, and the clock goes on.
    fn silence(&mut self, seconds: u32) -> Vec<Change> {
        for _ in 0..seconds {
            self.now += SECOND;
            self.judge();
        }
        std::mem::take(&mut self.said)
    }

    /// Thirty pictures a second.
    fn run(&mut self, seconds: i64) -> Vec<Change> {
        for _ in 0..seconds * 30 {
            self.picture();
            self.judge();
            self.now += Duration::from_micros(33_333);
        }
        std::mem::take(&mut self.said)
    }
}

#[test]
fn nothing_is_said_of_a_good_host() {
    let mut rig = Rig::new();
    assert_eq!(rig.advice.poll_timeout(), None);
    assert_eq!(rig.run(120), []);
    assert!(rig.advice.poll_timeout().is_some());
}

#[test]
fn b_frames_are_told_while_they_are_mended_and_what_viewers_lack_otherwise() {
    let mut rig = Rig::new();
    rig.reorders = true;
    assert_eq!(rig.run(2), [Change::Raised(Advisory::BFrames)]);
    rig.mended = false;
    assert_eq!(rig.run(9), []);
    assert_eq!(rig.run(3), [Change::Cleared(Advisory::BFrames)]);
}

#[test]
fn no_keyframe_is_told_after_a_moment_and_taken_back_at_once() {
    let mut rig = Rig::new();
    rig.joinable = false;
    assert_eq!(rig.run(3), []);
    assert_eq!(rig.run(2), [Change::Raised(Advisory::NoKeyframe)]);
    rig.joinable = true;
    assert_eq!(rig.run(2), [Change::Cleared(Advisory::NoKeyframe)]);
}

#[test]
fn no_keyframe_is_told_only_of_pictures_that_come_and_could_be_played() {
    let mut rig = Rig::new();
    rig.joinable = false;
    rig.run(2);
    // The host's network rests: that is told, and what it sends then is looked at anew.
    let stalls = [Change::Raised(Advisory::UploadStalls)];
    assert_eq!(rig.silence(6), stalls);
    assert_eq!(rig.run(3), []);
    assert_eq!(rig.run(2), [Change::Raised(Advisory::NoKeyframe)]);
    let mut rig = Rig::new();
    (rig.joinable, rig.playable) = (false, false);
    assert_eq!(rig.run(10), []);
}

#[test]
fn what_the_tracks_say_is_told_and_taken_back_at_once() {
    let mut rig = Rig::new();
    let good = rig.video.clone();
    let Codec::H264(config) = &mut rig.video else {
        unreachable!()
    };
    config.parsed.as_mut().unwrap().progressive = false;
    config.parsed.as_mut().unwrap().level = 52;
    let telephone = Bytes::from_static(&[0x14, 0x10]);
    rig.audio = Some(Codec::Aac(aac::Config::parse(&telephone).unwrap()));
    let (profile, level) = ("High", 52);
    let hertz = 16_000;
    let all = [
        Advisory::Profile { profile, level },
        Advisory::Interlaced,
        Advisory::LowAudioRate { hertz },
    ];
    assert_eq!(rig.run(2), all.map(Change::Raised));
    (rig.video, rig.audio) = (good, None);
    assert_eq!(rig.run(2), all.map(Change::Cleared));
}

#[test]
fn long_groups_cost_nothing_where_the_server_makes_its_own() {
    let mut rig = Rig::new();
    rig.group = 250;
    let seconds = 5;
    assert_eq!(
        rig.run(7),
        [Change::Raised(Advisory::LongGroups { seconds })]
    );
    let mut rig = Rig::new();
    (rig.group, rig.reorders) = (250, true);
    assert_eq!(rig.run(30), [Change::Raised(Advisory::BFrames)]);
}

#[test]
fn a_clock_that_jumps_now_and_then_is_put_right_without_a_word() {
    let mut rig = Rig::new();
    for _ in 0..5 {
        rig.advice.jumped(rig.now);
        assert_eq!(rig.run(31), []);
    }
    for _ in 0..3 {
        rig.advice.jumped(rig.now);
    }
    assert_eq!(rig.run(2), [Change::Raised(Advisory::TimestampsJump)]);
    assert_eq!(rig.run(75), [Change::Cleared(Advisory::TimestampsJump)]);
}

#[test]
fn what_was_said_of_a_host_stands_until_the_next_one_is_known_or_the_end() {
    let mut rig = Rig::new();
    rig.reorders = true;
    rig.run(2);
    rig.advice.host_left();
    assert_eq!(rig.advice.poll_timeout(), None);
    rig.advice.host_arrived();
    assert_eq!(rig.run(20), []);
    rig.advice.ended();
    rig.judge();
    assert_eq!(rig.said, [Change::Cleared(Advisory::BFrames)]);
    assert_eq!(rig.advice.poll_timeout(), None);
}

#[test]
fn a_look_that_comes_late_blames_no_host() {
    for (busy, said) in [
        (true, vec![]),
        (false, vec![Change::Raised(Advisory::UploadStalls)]),
    ] {
        let mut rig = Rig::new();
        rig.run(15);
        let mut all = Vec::new();
        for _ in 0..4 {
            // Nothing comes for 1.5 s, and then it is all there.
            for _ in 0..45 {
                rig.now += Duration::from_micros(33_333);
                if !busy {
                    rig.judge();
                }
            }
            for _ in 0..45 {
                rig.picture();
            }
            all.extend(rig.run(2));
        }
        assert_eq!(all, said, "busy: {busy}");
    }
}
