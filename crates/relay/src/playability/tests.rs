use bytes::Bytes;
use zongzi_media::{MediaTime, aac};

use super::*;
use crate::fixture::{self, Picture, picture, units};

fn judged(frames: &[Frame]) -> Vec<Verdict> {
    let mut judge = Judge::default();
    frames
        .iter()
        .map(|frame| judge.look(frame, &units(frame)))
        .collect()
}

/// As encoders with B-frames stamp them, and some without.
fn shifted(mut frame: Frame) -> Frame {
    frame.pts = frame.pts.shifted(66_000);
    frame
}

#[test]
fn untouched_obs_is_caught_before_anything_is_sent() {
    let verdicts = judged(&fixture::pictures(fixture::OBS_STOCK));
    let caught = verdicts
        .iter()
        .position(|verdict| *verdict == Verdict::Unplayable(Reason::BFrames));
    assert_eq!(caught, Some(2), "{verdicts:?}");
    assert!(
        verdicts[..2]
            .iter()
            .all(|verdict| *verdict == Verdict::Hold)
    );
    assert!(
        verdicts[2..]
            .iter()
            .all(|verdict| *verdict == Verdict::Unplayable(Reason::BFrames))
    );
}

#[test]
fn obs_without_b_frames_plays_from_its_first_frame() {
    let verdicts = judged(&fixture::pictures(fixture::OBS_BASELINE));
    assert_eq!(verdicts, [Verdict::Play; 12]);
}

#[test]
fn a_constant_composition_offset_costs_eight_frames_once_and_then_plays() {
    let frames: Vec<_> = (0..20)
        .map(|number| {
            let kind = if number == 0 {
                Picture::Idr
            } else {
                Picture::P
            };
            shifted(picture(number * 33_000, kind, 50))
        })
        .collect();
    let verdicts = judged(&frames);
    assert_eq!(
        verdicts[..HELD_FRAMES - 1],
        [Verdict::Hold; HELD_FRAMES - 1]
    );
    assert!(
        verdicts[HELD_FRAMES - 1..]
            .iter()
            .all(|verdict| *verdict == Verdict::Play)
    );
}

#[test]
fn a_late_b_slice_stops_the_picture_and_it_stays_stopped_until_a_new_start() {
    let mut judge = Judge::default();
    let mut look = |kind| {
        let frame = picture(0, kind, 50);
        judge.look(&frame, &units(&frame))
    };
    assert_eq!(look(Picture::Idr), Verdict::Play);
    for _ in 0..100 {
        assert_eq!(look(Picture::P), Verdict::Play);
    }
    for kind in [Picture::B, Picture::P, Picture::Idr] {
        assert_eq!(look(kind), Verdict::Unplayable(Reason::BFrames));
    }
    assert_eq!(judge.reason(), Some(Reason::BFrames));
    judge.reset();
    let frame = picture(0, Picture::Idr, 50);
    assert_eq!(judge.look(&frame, &units(&frame)), Verdict::Play);
}

#[test]
fn codecs_are_told_by_name_and_by_what_viewers_miss() {
    let aac =
        |bytes: &'static [u8]| Codec::Aac(aac::Config::parse(&Bytes::from_static(bytes)).unwrap());
    let check = |codec: &Codec, code: &str, severity| {
        let reason = of_codec(codec).unwrap();
        assert_eq!((reason.code(), reason.severity()), (code, severity));
        assert!(reason.obs_hint().starts_with("in OBS: Settings"));
        assert!(!reason.to_string().is_empty());
    };
    check(&Codec::Hevc, "hevc", Severity::NoPicture);
    check(&Codec::Av1, "av1", Severity::NoPicture);
    check(
        &Codec::OtherVideo("vp09"),
        "video_codec",
        Severity::NoPicture,
    );
    check(&Codec::Mp3, "audio_codec", Severity::NoSound);
    check(
        &Codec::OtherAudio("Speex"),
        "audio_codec",
        Severity::NoSound,
    );
    // HE-AAC said explicitly; AAC Main.
    check(&aac(&[0x2b, 0x11, 0x88, 0x00]), "he_aac", Severity::NoSound);
    check(&aac(&[0x09, 0x90]), "audio_codec", Severity::NoSound);
    assert_eq!(of_codec(&aac(&[0x11, 0x90])), None);
    assert_eq!(
        of_codec(&Codec::H264(fixture::h264_config(fixture::OBS_STOCK))),
        None
    );
}

#[test]
fn ten_bit_and_full_colour_are_refused() {
    let mut config = fixture::h264_config(fixture::OBS_STOCK);
    for (chroma_format, bit_depth, expected) in [
        (1, 8, None),
        (1, 10, Some(Reason::VideoFormat)),
        (3, 8, Some(Reason::VideoFormat)),
    ] {
        let sps = config.parsed.as_mut().unwrap();
        (sps.chroma_format, sps.bit_depth) = (chroma_format, bit_depth);
        assert_eq!(of_codec(&Codec::H264(config.clone())), expected);
    }
}

#[test]
fn absurd_times_hold_no_more_frames_than_others() {
    let mut frame = picture(0, Picture::Idr, 50);
    frame.pts = MediaTime::from_micros(i64::MAX);
    let verdicts = judged(&vec![frame; HELD_FRAMES]);
    assert_eq!(verdicts.last(), Some(&Verdict::Play));
}
