use bytes::Bytes;
use zongzi_media::aac;

use super::*;
use crate::fixture;

#[test]
fn codecs_are_told_by_name_and_by_what_viewers_miss() {
    let aac =
        |bytes: &'static [u8]| Codec::Aac(aac::Config::parse(&Bytes::from_static(bytes)).unwrap());
    let check = |codec: &Codec, code: &str, severity| {
        let reason = of_codec(codec).unwrap();
        assert_eq!((reason.code(), reason.severity()), (code, severity));
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
fn fewer_pictures_weigh_less_than_no_sound_and_no_sound_less_than_no_picture() {
    let mut reasons = [
        Reason::ReducedFrameRate,
        Reason::HeAac,
        Reason::KeyframesOnly,
        Reason::Hevc,
    ];
    reasons.sort_by_key(|reason| reason.severity());
    let codes = reasons.map(Reason::code);
    assert_eq!(
        codes,
        ["hevc", "he_aac", "keyframes_only", "reduced_frame_rate"]
    );
}
