use bytes::Bytes;
use zongzi_media::{Codec, MediaTime, TrackId};

use super::*;

/// OBS 29's AVCDecoderConfigurationRecord.
const AVCC: &[u8] = b"\x01\x64\x00\x1f\xff\xe1\x00\x1c\x67\x64\x00\x1f\xac\xd9\x40\x50\x05\xbb\x01\x6a\x02\x02\x02\x80\x00\x00\x03\x00\x80\x00\x00\x1e\x47\x8c\x18\xcb\x01\x00\x04\x68\xef\xbc\xb0";

fn tag(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

fn codec(demuxed: &Demuxed) -> Option<&Codec> {
    demuxed.track.as_ref().map(|track| &track.codec)
}

#[test]
fn legacy_h264_gives_its_track_once_and_frames_with_composition_time() {
    let mut demuxer = Demuxer::default();
    assert_eq!(
        demuxer.video(0, tag(&[b"\x17\x01\0\0\0early"])),
        Demuxed::default(),
        "coded media before its configuration"
    );
    let config = tag(&[b"\x17\0\0\0\0", AVCC]);
    let first = demuxer.video(0, config.clone());
    assert!(matches!(codec(&first), Some(Codec::H264(h264)) if h264.raw == AVCC));
    assert_eq!(
        demuxer.video(5, config),
        Demuxed::default(),
        "the same again"
    );
    assert_eq!(
        demuxer.video(6, tag(&[b"\x17\0\0\0\0"])),
        Demuxed::default()
    );

    let key = demuxer
        .video(40, tag(&[b"\x17\x01\0\0\x42abc"]))
        .frame
        .unwrap();
    assert_eq!((key.track, key.keyframe), (TrackId::VIDEO, true));
    assert_eq!(key.dts, MediaTime::from_millis(40));
    assert_eq!(key.pts, MediaTime::from_millis(106));
    assert_eq!(key.payload, "abc");
    let early = demuxer
        .video(80, tag(&[b"\x27\x01\xff\xff\xfed"]))
        .frame
        .unwrap();
    assert_eq!(
        (early.keyframe, early.pts),
        (false, MediaTime::from_millis(78))
    );
    assert_eq!(
        demuxer.video(90, tag(&[b"\x17\x02\0\0\0"])),
        Demuxed::default()
    );

    let changed = demuxer.video(99, tag(&[b"\x17\0\0\0\0", AVCC, b"\xfd\xf8\xf8\0"]));
    assert!(changed.track.is_some(), "another configuration");
}

#[test]
fn enhanced_tags_by_four_characters_are_read() {
    let mut demuxer = Demuxer::default();
    let first = demuxer.video(0, tag(&[b"\x90avc1", AVCC]));
    assert!(matches!(codec(&first), Some(Codec::H264(_))));
    let coded = demuxer
        .video(40, tag(&[b"\x91avc1\0\0\x42abc"]))
        .frame
        .unwrap();
    assert_eq!((coded.keyframe, coded.pts.as_millis()), (true, 106));
    let coded_x = demuxer.video(40, tag(&[b"\xa3avc1abc"])).frame.unwrap();
    assert_eq!((coded_x.keyframe, coded_x.pts.as_millis()), (false, 40));
    assert_eq!(coded_x.payload, "abc");
}

#[test]
fn what_can_not_be_played_is_recognised() {
    let video = |bytes: &'static [u8]| {
        let demuxed = Demuxer::default().video(0, Bytes::from_static(bytes));
        (codec(&demuxed).cloned(), demuxed.frame.is_some())
    };
    assert_eq!(video(b"\x90hvc1\x01"), (Some(Codec::Hevc), false));
    assert_eq!(video(b"\x91hvc1\0\0\0x"), (Some(Codec::Hevc), true));
    assert_eq!(video(b"\x93hvc1x"), (Some(Codec::Hevc), true));
    assert_eq!(video(b"\x91av01x"), (Some(Codec::Av1), true));
    assert_eq!(video(b"\x90vp09x"), (Some(Codec::OtherVideo("VP9")), false));
    assert_eq!(video(b"\x1c\0\0\0\0x"), (Some(Codec::Hevc), false));
    assert_eq!(
        video(b"\x12x"),
        (Some(Codec::OtherVideo("Sorenson H.263")), true)
    );
    let audio = |bytes: &'static [u8]| {
        let demuxed = Demuxer::default().audio(0, Bytes::from_static(bytes));
        codec(&demuxed).cloned()
    };
    assert_eq!(audio(b"\x2fx"), Some(Codec::Mp3));
    assert_eq!(audio(b"\xb6x"), Some(Codec::OtherAudio("Speex")));
    assert_eq!(audio(b"\x91ac-3x"), Some(Codec::OtherAudio("AC-3")));
    assert_eq!(audio(b"\x91.mp3x"), Some(Codec::Mp3));
}

#[test]
fn a_broken_configuration_is_a_track_that_says_so() {
    let mut demuxer = Demuxer::default();
    let video = demuxer.video(0, tag(&[b"\x17\0\0\0\0\x01\x02"]));
    assert!(matches!(codec(&video), Some(Codec::OtherVideo(name)) if name.contains("unreadable")));
    let audio = demuxer.audio(0, tag(&[b"\xaf\0\x11"]));
    assert!(matches!(codec(&audio), Some(Codec::OtherAudio(name)) if name.contains("unreadable")));
}

#[test]
fn aac_and_opus_give_track_and_frames() {
    let mut demuxer = Demuxer::default();
    assert_eq!(demuxer.audio(0, tag(&[b"\xaf\x01abc"])), Demuxed::default());
    let first = demuxer.audio(0, tag(&[b"\xaf\0\x11\x90\x56\xe5\0"]));
    assert!(matches!(codec(&first), Some(Codec::Aac(aac)) if aac.sample_rate == 48_000));
    let frame = demuxer.audio(21, tag(&[b"\xaf\x01abc"])).frame.unwrap();
    assert_eq!((frame.track, frame.keyframe), (TrackId::AUDIO, true));
    assert_eq!(
        (frame.pts.as_millis(), frame.payload.as_ref()),
        (21, b"abc".as_slice())
    );

    let opus = demuxer.audio(0, tag(&[b"\x90OpusOpusHead\x01\x02\0\0\0\0\0\0\0\0\0"]));
    assert!(matches!(codec(&opus), Some(Codec::Opus(opus)) if opus.channels == 2));
    assert_eq!(
        demuxer
            .audio(5, tag(&[b"\x91Opusabc"]))
            .frame
            .unwrap()
            .payload,
        "abc"
    );
    let enhanced_aac = demuxer.audio(0, tag(&[b"\x90mp4a\x12\x08"]));
    assert!(matches!(codec(&enhanced_aac), Some(Codec::Aac(aac)) if aac.channels == 1));
}

#[test]
fn metadata_commands_modifiers_and_other_tracks_do_no_harm() {
    let mut demuxer = Demuxer::default();
    demuxer.video(0, tag(&[b"\x90avc1", AVCC]));
    // ffmpeg 9's colour metadata, an end of sequence, a seek command, FLV's command frame.
    for nothing in [
        b"\xd4avc1\x02\0\x09colorInfo".as_slice(),
        b"\x92avc1",
        b"\xd1\0",
        b"\x57\x01\0\0\0x",
        // Track 1 of several; many tracks in one tag.
        b"\x96\x01avc1\x01\0\0\0abc",
        b"\x96\x11avc1\0\0\0\x05\0\0\0ab",
        b"",
        b"\x90av",
        b"\x17\x01\0",
    ] {
        assert_eq!(
            demuxer.video(0, Bytes::from_static(nothing)),
            Demuxed::default()
        );
    }
    // Track 0 of several, and a nanosecond modifier, are the track itself.
    for same in [
        b"\x96\x01avc1\0\0\0\0abc".as_slice(),
        b"\x97\x02\x01\x02\x03\x01avc1\0\0\0abc",
        b"\x97\xff\x00\x00\x09\x01avc1\0\0\0abc",
    ] {
        let frame = demuxer.video(0, Bytes::from_static(same)).frame.unwrap();
        assert_eq!(
            (frame.payload.as_ref(), frame.keyframe),
            (b"abc".as_slice(), true)
        );
    }
    assert_eq!(
        demuxer.audio(0, Bytes::from_static(b"\x95\x01Opus\x01abc")),
        Demuxed::default()
    );
}

#[test]
fn a_frame_shares_the_messages_memory() {
    let mut demuxer = Demuxer::default();
    demuxer.audio(0, tag(&[b"\xaf\0\x11\x90"]));
    let body = tag(&[b"\xaf\x01abc"]);
    let frame = demuxer.audio(0, body.clone()).frame.unwrap();
    assert_eq!(frame.payload.as_ptr(), body[2..].as_ptr());
}

#[test]
fn the_tags_of_a_file_are_read_to_where_it_is_cut() {
    let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    bytes.extend(b"\x09\0\0\x03\0\0\x28\0\0\0\0abc\0\0\0\x0e");
    bytes.extend(b"\x07\0\0\x01\0\0\0\0\0\0\0?\0\0\0\x0c");
    bytes.extend(b"\x08\0\0\x02\0\0\x29\x01\0\0\0de\0\0\0\x0d");
    let expected = [
        file::Tag {
            kind: file::Kind::Video,
            timestamp_ms: 40,
            body: "abc".into(),
        },
        file::Tag {
            kind: file::Kind::Audio,
            timestamp_ms: 0x0100_0029,
            body: "de".into(),
        },
    ];
    for (cut, count) in [(0, 2), (4, 2), (5, 1), (17, 1), (40, 0)] {
        let part = Bytes::copy_from_slice(&bytes[..bytes.len() - cut]);
        let tags: Vec<_> = file::tags(part).collect();
        assert_eq!(tags, expected[..count], "{cut} bytes missing");
    }
    assert_eq!(file::tags(Bytes::from_static(b"RIFF and more")).count(), 0);
}
