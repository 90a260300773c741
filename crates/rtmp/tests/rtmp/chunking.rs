//! The same bytes of real encoders, cut in every way, give the same events and the same answers.

use crate::support::{Random, Server};
use zongzi_media::{Codec, TrackId};
use zongzi_rtmp::Limits;
use zongzi_rtmp::server::Event;

const FIXTURES: [(&str, &[u8]); 7] = [
    ("obs29", include_bytes!("../fixtures/obs29.rtmp.bin")),
    ("ffmpeg51", include_bytes!("../fixtures/ffmpeg51.rtmp.bin")),
    ("ffmpeg9", include_bytes!("../fixtures/ffmpeg9.rtmp.bin")),
    (
        "ffmpeg9-hevc",
        include_bytes!("../fixtures/ffmpeg9-hevc.rtmp.bin"),
    ),
    (
        "ffmpeg9-av1",
        include_bytes!("../fixtures/ffmpeg9-av1.rtmp.bin"),
    ),
    (
        "gst-rtmp2sink",
        include_bytes!("../fixtures/gst-rtmp2sink.rtmp.bin"),
    ),
    (
        "gst-rtmpsink",
        include_bytes!("../fixtures/gst-rtmpsink.rtmp.bin"),
    ),
];

fn at_once(bytes: &[u8]) -> Server {
    let mut server = Server::new(Limits::default());
    server.feed(bytes).expect("a real encoder breaks no rule");
    server
}

#[test]
fn one_byte_at_a_time_is_as_good_as_all_at_once() {
    for (name, bytes) in FIXTURES {
        let whole = at_once(bytes);
        let mut dripped = Server::new(Limits::default());
        for byte in bytes.chunks(1) {
            dripped.feed(byte).unwrap();
        }
        assert_eq!(whole.events, dripped.events, "{name}");
        assert_eq!(whole.output, dripped.output, "{name}");
    }
}

#[test]
fn random_cuts_change_nothing() {
    let seed = std::env::var("ZONGZI_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut random = Random(seed);
    for (name, bytes) in FIXTURES {
        let whole = at_once(bytes);
        for _ in 0..20 {
            let mut cut = Server::new(Limits::default());
            let mut rest = bytes;
            let longest = 1 + random.below(5_000);
            while !rest.is_empty() {
                let (slice, after) = rest.split_at((1 + random.below(longest)).min(rest.len()));
                cut.feed(slice).unwrap();
                rest = after;
            }
            assert_eq!(whole.events, cut.events, "{name}, ZONGZI_SEED={seed}");
            assert_eq!(whole.output, cut.output, "{name}, ZONGZI_SEED={seed}");
        }
    }
}

#[test]
fn every_encoder_publishes_within_the_least_that_can_be_set_and_half_of_it() {
    let limits = Limits {
        preauth_bytes: Limits::PREAUTH_BYTES_MIN / 2,
        preauth_messages: Limits::PREAUTH_MESSAGES_MIN / 2,
        ..Limits::default()
    };
    for (name, bytes) in FIXTURES {
        let mut server = Server::new(limits.clone());
        assert_eq!(server.feed(bytes), Ok(()), "{name}");
    }
}

#[test]
fn every_encoder_gives_its_tracks_and_frames() {
    for (name, bytes) in FIXTURES {
        let server = at_once(bytes);
        let Some(Event::Publish(asked)) = server.events.first() else {
            panic!("{name} did not ask to publish");
        };
        assert_eq!(
            (asked.app.as_str(), asked.stream.expose()),
            ("live", "KEY"),
            "{name}"
        );
        assert_eq!(
            asked.client.is_none(),
            name == "gst-rtmpsink",
            "only rtmpsink has no flashVer"
        );
        let codecs: Vec<&Codec> = server
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Track(track) => Some(&track.codec),
                _ => None,
            })
            .collect();
        assert_eq!(
            codecs.len(),
            2,
            "{name}: each track is announced once, {codecs:?}"
        );
        let video = codecs
            .iter()
            .find(|codec| codec.kind() == zongzi_media::Kind::Video)
            .unwrap();
        match name {
            "ffmpeg9-hevc" => assert_eq!(**video, Codec::Hevc),
            "ffmpeg9-av1" => assert_eq!(**video, Codec::Av1),
            _ => assert!(matches!(video, Codec::H264(_)), "{name}"),
        }
        let first_picture = server.events.iter().find_map(|event| match event {
            Event::Frame(frame) if frame.track == TrackId::VIDEO => Some(frame),
            _ => None,
        });
        assert!(first_picture.unwrap().keyframe, "{name}");
        let sounds = server
            .events
            .iter()
            .filter(|event| matches!(event, Event::Frame(frame) if frame.track == TrackId::AUDIO));
        assert!(sounds.count() >= 5, "{name}");
        assert!(
            server
                .events
                .iter()
                .any(|event| matches!(event, Event::Metadata(_))),
            "{name}"
        );
    }
}

/// Counted from the message lists beside the fixtures, which another program made.
#[test]
fn obs_frames_are_those_of_the_list() {
    let list = include_str!("../fixtures/obs29.messages.txt");
    let expected: Vec<(i64, usize)> = list
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|fields| matches!(fields[0], "8" | "9"))
        // Without the two configurations (packet type 0).
        .filter(|fields| fields[4].get(2..4) == Some("01"))
        .map(|fields| {
            let header = if fields[0] == "9" { 5 } else { 2 };
            (
                fields[1].parse().unwrap(),
                fields[3].parse::<usize>().unwrap() - header,
            )
        })
        .collect();
    let server = at_once(FIXTURES[0].1);
    let seen: Vec<(i64, usize)> = server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Frame(frame) => Some((frame.dts.as_millis(), frame.payload.len())),
            _ => None,
        })
        .collect();
    assert_eq!(seen, expected);
}
