use super::*;
use crate::fixture::{Chance, with_seeds};

/// A host seen through the timeline: times in milliseconds, on both sides.
struct Rig {
    timeline: Timeline,
    epoch: Instant,
}

const VIDEO: TrackId = TrackId::VIDEO;
const AUDIO: TrackId = TrackId::AUDIO;

impl Rig {
    fn new() -> Self {
        let epoch = Instant::now();
        Self {
            timeline: Timeline::new(epoch),
            epoch,
        }
    }

    /// A frame that comes `at` with the host's time `dts`; its time on the timeline, in microseconds.
    fn micros(&mut self, at: i64, track: TrackId, dts: i64) -> i64 {
        let mut frame = Frame {
            track,
            dts: MediaTime::from_millis(dts),
            pts: MediaTime::from_millis(dts),
            keyframe: true,
            payload: bytes::Bytes::new(),
        };
        let now = self.epoch + Duration::from_millis(u64::try_from(at).unwrap());
        self.timeline.place(now, &mut frame);
        frame.dts.as_micros()
    }

    fn place(&mut self, at: i64, track: TrackId, dts: i64) -> i64 {
        self.micros(at, track, dts) / 1_000
    }
}

#[test]
fn a_broadcast_begins_at_the_time_since_the_epoch_whatever_the_host_says() {
    for first in [0, 1, 123_456_789, -40, i64::from(u32::MAX)] {
        let mut rig = Rig::new();
        assert_eq!(rig.place(700, VIDEO, first), 700, "{first}");
        assert_eq!(rig.place(733, VIDEO, first + 33), 733, "{first}");
        assert_eq!(rig.place(733, AUDIO, first + 20), 720, "{first}");
    }
}

#[test]
fn jumps_either_way_and_wraps_do_not_show_and_keep_sound_and_picture_together() {
    let jumps = [
        7_000,
        3_600_000,
        -3_000,
        -600_000,
        -(1_i64 << 32),
        1_i64 << 31,
    ];
    for jump in jumps {
        for video_first in [true, false] {
            let mut rig = Rig::new();
            let start = 1_i64 << 33;
            let mut previous = None;
            for step in 0..300 {
                let at = 1_000 + step * 20;
                // Both tracks jump at the same place of the host's stream, but one's frame comes first, and frames of
                // the other one still come with times of before.
                let (video_jump, audio_jump) = if video_first { (100, 103) } else { (103, 100) };
                let host = start + step * 20;
                let video = rig.place(at, VIDEO, host + if step >= video_jump { jump } else { 0 });
                let audio = rig.place(at, AUDIO, host + if step >= audio_jump { jump } else { 0 });
                if !(100..103).contains(&step) {
                    assert_eq!(
                        video, audio,
                        "jump {jump}, step {step}: they have the same host time"
                    );
                }
                if let Some(previous) = previous {
                    assert_eq!(video - previous, 20, "jump {jump}, step {step}");
                }
                previous = Some(video);
            }
            assert_eq!(rig.timeline.jumps(), 1, "{jump}");
        }
    }
}

#[test]
fn two_tracks_whose_jumps_lie_on_both_sides_of_the_limit_stay_together() {
    // The first track's step of 4.99 s is let through; the second one's of 5.03 s must go the same way.
    for (first, second) in [(AUDIO, VIDEO), (VIDEO, AUDIO)] {
        for (one, other) in [(4_990, 5_030), (5_030, 4_990)] {
            let mut rig = Rig::new();
            rig.place(1_000, first, 0);
            rig.place(1_000, second, 0);
            rig.place(1_020, first, one);
            rig.place(1_020, second, other);
            let a = rig.place(1_120, first, one + 100);
            let b = rig.place(1_120, second, other + 100);
            assert_eq!(b - a, other - one, "{first:?} steps by {one}");
        }
    }
}

#[test]
fn a_track_that_jumps_alone_leaves_the_other_one_in_peace() {
    let mut rig = Rig::new();
    for step in 0..2_000 {
        let at = 1_000 + step * 20;
        let audio = rig.place(at, AUDIO, step * 20);
        let video = rig.place(at, VIDEO, step * 20 - if step >= 50 { 30_000 } else { 0 });
        assert_eq!((audio, video), (at, at), "{step}");
    }
    assert_eq!(rig.timeline.jumps(), 1);
}

#[test]
fn small_steps_back_are_clamped_and_time_never_stands() {
    let mut rig = Rig::new();
    rig.place(1_000, VIDEO, 500);
    assert_eq!(rig.place(1_033, VIDEO, 400), 1_001);
    assert_eq!(rig.place(1_066, VIDEO, 500), 1_002);
    assert_eq!(rig.place(1_100, VIDEO, 500), 1_003);
    assert_eq!(
        rig.place(1_133, VIDEO, 533),
        1_033,
        "as soon as it can it is right again"
    );
    assert_eq!(rig.timeline.jumps(), 0);
}

#[test]
fn a_stall_of_the_network_changes_nothing() {
    let mut rig = Rig::new();
    rig.place(1_000, VIDEO, 0);
    // 20 s of frames come at once, then live again.
    for frame in 1..600 {
        assert_eq!(rig.place(21_000, VIDEO, frame * 33), 1_000 + frame * 33);
    }
    assert_eq!(rig.timeline.jumps(), 0);
}

#[test]
fn a_real_pause_of_the_host_is_as_long_on_the_timeline() {
    let mut rig = Rig::new();
    rig.place(1_000, VIDEO, 0);
    assert_eq!(rig.place(61_000, VIDEO, 60_000), 61_000, "it counted on");
    assert_eq!(rig.timeline.jumps(), 0);
    assert_eq!(
        rig.place(121_000, VIDEO, 60_000 + 3_600_000),
        121_000,
        "it counted anything"
    );
    assert_eq!(rig.timeline.jumps(), 1);
}

#[test]
fn a_jump_after_a_short_pause_makes_nobody_late() {
    let mut rig = Rig::new();
    for n in 0..60 {
        rig.place(1_000 + n * 33, VIDEO, n * 33);
    }
    let last = 1_000 + 59 * 33;
    assert_eq!(rig.place(last + 400, VIDEO, 77_000_000), last + 400);
    assert_eq!(rig.timeline.jumps(), 1);
}

#[test]
fn a_host_that_returns_goes_on_after_the_real_time_that_passed() {
    let mut rig = Rig::new();
    for step in 0..50 {
        rig.place(1_000 + step * 20, VIDEO, step * 20);
        rig.place(1_000 + step * 20, AUDIO, step * 20);
    }
    rig.timeline.restart();
    // 10 s later another encoder, whose clock shows days, begins with sound that is 300 ms ahead of the picture.
    let days = 400_000_000;
    assert_eq!(rig.place(11_980, AUDIO, days), 11_980);
    assert_eq!(rig.place(11_990, VIDEO, days + 300), 12_280);
    assert_eq!(rig.place(12_000, AUDIO, days + 20), 12_000);
}

#[test]
fn who_returns_is_in_time_however_late_the_last_frames_were() {
    let mut rig = Rig::new();
    for n in 0..60 {
        rig.place(1_000 + n * 33, VIDEO, n * 33);
        rig.place(1_000 + n * 33, AUDIO, n * 33);
    }
    // His uplink stands still for two seconds, and then he is gone.
    for n in 60..70 {
        assert_eq!(rig.place(3_000 + n * 33, VIDEO, n * 33), 1_000 + n * 33);
    }
    rig.timeline.restart();
    // Another one comes, and sends nothing.
    rig.timeline.restart();
    let at = 3_000 + 69 * 33 + 4_000;
    assert_eq!(rig.place(at, VIDEO, 12_345), at);
    assert_eq!(rig.place(at + 33, VIDEO, 12_378), at + 33);
    let sound = rig.place(at + 43, AUDIO, 9_999_999);
    assert_eq!(sound, at + 53, "with its own time, and in time as well");
    rig.timeline.restart();
    assert_eq!(rig.place(at + 5_033, VIDEO, 0), at + 5_043, "once");
}

#[test]
fn a_host_that_takes_over_at_once_begins_after_the_one_before() {
    let mut rig = Rig::new();
    let last = rig.place(1_000, VIDEO, 0).max(rig.place(1_000, AUDIO, 80));
    rig.timeline.restart();
    let video = rig.place(1_001, VIDEO, 9_000);
    assert_eq!(video, last + 20);
    assert_eq!(
        rig.place(1_001, AUDIO, 8_900),
        last + 1,
        "it would lie before the other host's end"
    );
}

#[test]
fn composition_times_move_along_and_absurd_ones_are_cut() {
    let mut rig = Rig::new();
    let mut frame = Frame {
        track: VIDEO,
        dts: MediaTime::from_millis(90_000_000),
        pts: MediaTime::from_millis(90_000_066),
        keyframe: true,
        payload: bytes::Bytes::new(),
    };
    let now = rig.epoch + Duration::from_secs(1);
    rig.timeline.place(now, &mut frame);
    assert_eq!(
        (frame.dts.as_millis(), frame.pts.as_millis()),
        (1_000, 1_066)
    );
    frame.dts = MediaTime::from_millis(90_000_033);
    frame.pts = MediaTime::from_micros(i64::MIN);
    rig.timeline.place(now, &mut frame);
    assert_eq!(
        (frame.dts.as_millis(), frame.pts.as_millis()),
        (1_033, -3_967)
    );
}

/// Any host at all: time of each track increases, and never runs ahead of real time by more than what is let through.
#[test]
fn whatever_a_host_sends_time_goes_on() {
    with_seeds(|chance| {
        let mut rig = Rig::new();
        let mut at = 1_000;
        let mut last = BTreeMap::new();
        let mut host = anything(chance);
        for _ in 0..400 {
            at += chance.between(0, 60);
            match chance.below(40) {
                0 => host = anything(chance),
                1 => host = host.saturating_add(chance.between(-9_000, 9_000)),
                2 => at += chance.between(0, 40_000),
                3 => rig.timeline.restart(),
                _ => host = host.saturating_add(chance.between(0, 60)),
            }
            let track = TrackId(u16::try_from(chance.below(3)).unwrap());
            let dts = host.saturating_add(chance.between(-400, 400));
            let micros = rig.micros(at, track, dts);
            if let Some(last) = last.insert(track, micros) {
                assert!(
                    micros >= last + 1_000,
                    "{track:?} went from {last} to {micros}"
                );
            }
        }
    });
}

/// A host that jumps now and then, both tracks together: sound and picture of one moment come out together.
#[test]
fn sound_and_picture_of_one_moment_stay_together_through_any_jumps() {
    with_seeds(|chance| {
        let mut rig = Rig::new();
        let (mut at, mut host) = (5_000, chance.between(0, 1 << 32));
        for _ in 0..300 {
            at += 20;
            host += 20;
            if chance.below(30) == 0 {
                let far = chance.between(6_000, 1 << 33);
                host = if chance.below(2) == 0 {
                    host + far
                } else {
                    host - far
                };
            }
            let (first, second) = if chance.below(2) == 0 {
                (VIDEO, AUDIO)
            } else {
                (AUDIO, VIDEO)
            };
            let one = rig.place(at, first, host);
            let other = rig.place(at, second, host);
            assert_eq!(one, other);
            assert_eq!(one, at, "nothing of it shows");
        }
    });
}

fn anything(chance: &mut Chance) -> i64 {
    match chance.below(4) {
        0 => chance.between(0, 1 << 32),
        1 => chance.between(-(1 << 40), 1 << 40),
        2 => i64::MAX / 1_000,
        _ => i64::MIN / 1_000,
    }
}
