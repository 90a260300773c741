//! Groups and what may be sent of them.

use super::*;

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
fn a_shard_that_begins_is_told_that_the_host_is_held_up() {
    let mut rig = Rig::new();
    rig.host(&[h264_track(1)]);
    let told = |rig: &mut Rig| {
        rig.act(|core, _| core.subscribe(SHARD));
        match rig.shard.pop() {
            Some(FromHub::Snapshot { clock, .. }) => clock.held_up(),
            other => panic!("{other:?}"),
        }
    };
    stream(&mut rig, 0, 30);
    assert_eq!(told(&mut rig), None);
    rig.pass(ms(1_000));
    stream(&mut rig, 1_200, 5);
    let late = told(&mut rig).unwrap();
    assert!((ms(950)..ms(1_050)).contains(&late), "{late:?}");
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
fn what_a_viewer_costs_is_known_after_a_second_and_forgotten_with_the_broadcast() {
    let mut rig = Rig::new();
    rig.host(&[h264_track(1)]);
    assert_eq!(rig.core.bitrate(), None);
    stream(&mut rig, 0, 125);
    // 25 pictures of 3,000 bytes a second in three packets each, and parameter sets.
    let bitrate = rig.core.bitrate().unwrap();
    assert!((600_000..660_000).contains(&bitrate), "{bitrate}");
    rig.act(|core, now| core.host_left(now, Finish::Lost));
    rig.pass(ms(29_000));
    assert_eq!(rig.core.bitrate(), Some(bitrate), "he may come back");
    rig.pass(ms(1_000));
    assert_eq!(rig.core.bitrate(), None);
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

#[test]
fn the_timeline_starts_at_the_epoch() {
    let mut rig = Rig::new();
    rig.act(|core, _| core.subscribe(SHARD));
    rig.host(&[h264_track(1)]);
    let now = MediaTime::ZERO.saturating_add(rig.at);
    rig.frame(picture(123_000, Picture::Idr, 100));
    assert_eq!(i64::from(rig.video()[0].rtp_time), now.to_ticks(90_000));
}
