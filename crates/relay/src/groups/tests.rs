use zongzi_media::TrackId;

use super::*;
use crate::fixture::{Picture, picture};
use crate::packetize::h264::Packetizer;

const BOUNDS: Bounds = Bounds {
    span_max: Duration::from_secs(2),
    frames_max: 10,
    bytes_max: 10_000,
};

fn frame(millis: i64, keyframe: bool, bytes: usize) -> Frame {
    let time = MediaTime::from_millis(millis);
    Frame {
        track: TrackId::VIDEO,
        dts: time,
        pts: time,
        keyframe,
        payload: vec![0; bytes].into(),
    }
}

/// Pushes a keyframe at 0 and then `frames` of (milliseconds, bytes); what became of the last one.
fn after(frames: &[(i64, usize)]) -> (Pushed, Groups<Frame>) {
    let mut groups = Groups::new(BOUNDS);
    let mut pushed = groups.push(frame(0, true, 1_000));
    for &(millis, bytes) in frames {
        assert_eq!(pushed, Pushed::Cached);
        pushed = groups.push(frame(millis, false, bytes));
    }
    (pushed, groups)
}

#[test]
fn a_keyframe_lets_the_older_group_go() {
    let (_, mut groups) = after(&[(33, 100), (66, 100)]);
    assert_eq!((groups.newest().len(), groups.bytes()), (3, 1_200));
    assert_eq!(groups.push(frame(100, true, 500)), Pushed::Cached);
    assert_eq!((groups.newest().len(), groups.bytes()), (1, 500));
}

#[test]
fn nothing_is_kept_before_a_keyframe() {
    let mut groups = Groups::new(BOUNDS);
    assert_eq!(groups.push(frame(0, false, 10)), Pushed::NotKept);
    assert!(groups.newest().is_empty());
}

#[test]
fn each_bound_alone_gives_the_group_up_until_the_next_keyframe() {
    let many: Vec<_> = (1..10).map(|number| (number, 1)).collect();
    let too_many: Vec<_> = (1..11).map(|number| (number, 1)).collect();
    for (what, fits, breaks) in [
        ("span", vec![(2_000, 1)], vec![(2_000, 1), (2_001, 1)]),
        ("frames", many, too_many),
        ("bytes", vec![(1, 9_000)], vec![(1, 9_000), (2, 1)]),
    ] {
        assert_eq!(after(&fits).0, Pushed::Cached, "{what} at its bound");
        let (pushed, mut groups) = after(&breaks);
        assert_eq!(pushed, Pushed::Overrun, "{what} past its bound");
        assert_eq!(
            (groups.newest().len(), groups.bytes(), groups.overruns()),
            (0, 0, 1)
        );
        assert_eq!(
            groups.push(frame(2_100, false, 1)),
            Pushed::NotKept,
            "{what}"
        );
        assert_eq!(groups.push(frame(2_200, true, 1)), Pushed::Cached, "{what}");
    }
}

#[test]
fn a_keyframe_larger_than_the_bound_is_not_kept_at_all() {
    let mut groups = Groups::new(BOUNDS);
    assert_eq!(groups.push(frame(0, true, 10_001)), Pushed::Overrun);
    assert!(groups.newest().is_empty());
}

#[test]
fn packets_of_frames_are_bounded_alike() {
    let start = Instant::now();
    let mut packetizer = Packetizer::default();
    let mut groups = Groups::new(BOUNDS);
    let mut push = |millis: u64, kind, bytes| {
        let frame = picture(0, kind, bytes);
        let received = start + Duration::from_millis(millis);
        let batch = packetizer.packetize(&frame, &crate::fixture::units(&frame), 0, 0, received);
        let pushed = groups.push(Arc::new(batch.unwrap()));
        (pushed, groups.newest().len())
    };
    assert_eq!(push(0, Picture::Idr, 100), (Pushed::Cached, 1));
    assert_eq!(push(2_000, Picture::P, 100), (Pushed::Cached, 2));
    assert_eq!(push(2_001, Picture::P, 100), (Pushed::Overrun, 0), "span");
    assert_eq!(push(3_000, Picture::Idr, 9_000), (Pushed::Cached, 1));
    assert_eq!(
        push(3_001, Picture::P, 2_000),
        (Pushed::Overrun, 0),
        "bytes"
    );
    assert_eq!(push(4_000, Picture::Idr, 10), (Pushed::Cached, 1));
    for number in 2..=10 {
        assert_eq!(push(4_001, Picture::P, 10), (Pushed::Cached, number));
    }
    assert_eq!(push(4_001, Picture::P, 10), (Pushed::Overrun, 0), "frames");
}
