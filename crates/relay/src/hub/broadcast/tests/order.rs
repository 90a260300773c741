//! Pictures whose order browsers cannot show.

use super::*;
use crate::rendition::Rendition;

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
    let in_order = |batch: &&Arc<Batch>| batch.rendition() == Rendition::InOrder;
    assert!(
        video.iter().all(in_order),
        "the first two, too, which come before the first B picture"
    );
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
            rig.said("AdvisoryRaised(Unplayable(ReducedFrameRate))"),
            rig.said("AdvisoryCleared(Unplayable(ReducedFrameRate))"),
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
    let source = |batch: &&Arc<Batch>| batch.rendition() == Rendition::Source;
    assert!(rig.video().iter().all(source));
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
