//! The re-encode and the way to it and back.

use super::*;
use crate::rendition::{Rendition, Work};

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
    let (in_order, reencoded) = video.split_at(before);
    let of =
        |batches: &[&Arc<Batch>], rendition| batches.iter().all(|it| it.rendition() == rendition);
    assert!(of(in_order, Rendition::InOrder) && of(reencoded, Rendition::Reencoded));
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
    assert_eq!(rig.said("Unplayable"), 0);
    assert_eq!(rig.said("AdvisoryRaised(BFrames)"), 1);
    // Who joins now gets its group.
    rig.act(|core, _| core.subscribe(ShardId(1)));
    assert_eq!(rig.said("ShardId(1) snapshot of 3"), 1);
    check_what_a_shard_saw(&rig.shard);
}

#[test]
fn which_video_viewers_get_is_said() {
    let rendition = |rig: &Rig| {
        let playing = rig.core.playing().unwrap();
        (playing.rendition, playing.half_rate)
    };
    let (mut rig, mut stream) = watched();
    assert_eq!(rendition(&rig), (Rendition::InOrder, false));
    let said = rig.said("RenditionChanged");
    remade(&mut rig, true, 0);
    assert_eq!(rendition(&rig), (Rendition::Reencoded, false));
    assert_eq!(rig.said("RenditionChanged"), said + 1);
    for (work, half_rate) in [(Work::HalfSize, false), (Work::HalfRate, true)] {
        rig.act(|core, now| core.video_made(now, 1, VideoMade::Work(work)));
        assert_eq!(rendition(&rig), (Rendition::Reencoded, half_rate));
    }
    rig.give_way(1, GiveWay::TooSlow);
    assert_eq!(rendition(&rig), (Rendition::InOrder, false));
    assert_eq!(rig.said("RenditionChanged"), said + 3);
    stream.send(&mut rig, 30);
    assert_eq!(rig.said("RenditionChanged"), said + 3);
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
fn once_it_has_caught_up_viewers_wait_for_what_it_makes_and_no_picture_comes_back() {
    let (mut rig, mut stream) = watched();
    stream.send(&mut rig, 10);
    let before = rig.video().len();
    let newest = rig.core.video.newest.unwrap();
    rig.act(Broadcast::video_begins);
    stream.send(&mut rig, 6);
    assert_eq!(
        rig.video().len(),
        before,
        "nothing newer than what it makes"
    );
    let shown = rig.core.video.source.newest();
    let first = shown
        .iter()
        .map(|frame| frame.pts)
        .filter(|pts| *pts > newest)
        .min()
        .unwrap();
    let back = rig
        .core
        .video
        .source
        .newest()
        .last()
        .unwrap()
        .dts
        .saturating_since(first);
    remade(
        &mut rig,
        true,
        i64::try_from(back.as_millis() / 40).unwrap(),
    );
    assert_eq!(rig.core.video.newest, Some(first), "at its own time");
    stream.send(&mut rig, 20);
    assert_eq!(rig.video().len(), before + 1, "what was held is nobody's");
    check_what_a_shard_saw(&rig.shard);
}

#[test]
fn where_its_first_keyframe_is_late_or_never_comes_viewers_get_what_was_held() {
    let watch = |act: &dyn Fn(&mut Rig, &mut Reordered)| {
        let (mut rig, mut stream) = watched();
        stream.send(&mut rig, 10);
        act(&mut rig, &mut stream);
        check_what_a_shard_saw(&rig.shard);
        sequences(&rig).len()
    };
    let never = watch(&|rig, stream| stream.send(rig, 20));
    let late = watch(&|rig, stream| {
        rig.act(Broadcast::video_begins);
        stream.send(rig, 12);
        let held = rig.video().len();
        stream.send(rig, 8);
        assert!(rig.video().len() > held + 6, "after half a second");
    });
    let broken = watch(&|rig, stream| {
        rig.act(Broadcast::video_begins);
        stream.send(rig, 6);
        let held = rig.video().len();
        rig.give_way(1, GiveWay::Broken);
        assert!(rig.video().len() > held + 2, "at once");
        stream.send(rig, 14);
    });
    assert_eq!((late, broken), (never, never));
}

#[test]
fn it_is_asked_for_a_keyframe_once_a_second_for_all_viewers_while_they_get_it() {
    let asked = |rig: &mut Rig, pictures: i64, stream: &mut Reordered| {
        for _ in 0..pictures {
            rig.act(Broadcast::keyframe_wanted);
            stream.send(rig, 1);
        }
        rig.said("asked for a keyframe")
    };
    let (mut rig, mut stream) = watched();
    let picks = asked(&mut rig, 10, &mut stream);
    assert_eq!(picks, 0, "the I/P rendition has the host's keyframes");
    remade(&mut rig, true, 0);
    assert_eq!(asked(&mut rig, 25, &mut stream), 1);
    assert_eq!(asked(&mut rig, 50, &mut stream), 3);
    rig.give_way(1, GiveWay::TooSlow);
    assert_eq!(asked(&mut rig, 50, &mut stream), 3);
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
