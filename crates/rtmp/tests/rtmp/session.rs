//! What a host says and hears around its media.

use crate::support::{
    AAC_CONFIG, Server, aac, command, connect, connect_and_publish, contains, message, publish,
};
use zongzi_rtmp::amf0::Value;
use zongzi_rtmp::server::Event;
use zongzi_rtmp::{Error, Limits};

#[test]
fn publish_start_is_sent_only_when_the_publish_was_accepted() {
    let mut server = Server::after_handshake();
    server.feed(&connect()).unwrap();
    assert!(server.said("NetConnection.Connect.Success"));
    let bytes = publish("KEY");
    assert_eq!(server.session.input(&bytes), Ok(bytes.len()));
    assert!(matches!(
        server.session.poll_event(),
        Some(Event::Publish(_))
    ));
    assert_eq!(server.session.poll_output(), None);
    assert_eq!(
        server.session.input(b"media"),
        Ok(0),
        "undecided: no input is taken"
    );
    server.session.accept_publish();
    let output = server.session.poll_output().unwrap();
    assert!(contains(&output, b"NetStream.Publish.Start"));
}

#[test]
fn a_refused_host_hears_why_and_is_not_listened_to_any_more() {
    let mut server = Server::after_handshake();
    server.accept = false;
    server.feed(&connect_and_publish()).unwrap();
    assert!(
        server.said("NetStream.Publish.BadName")
            && server.said("no such key")
            && server.said("error")
    );
    assert!(!server.said("NetStream.Publish.Start"));
    server.feed(&[0xff; 1_000]).unwrap();
    assert_eq!(server.events.len(), 1);
}

#[test]
fn a_host_that_the_server_ends_hears_why() {
    let mut server = Server::publishing();
    server.session.end("taken over");
    let output = server.session.poll_output().unwrap();
    assert!(contains(&output, b"taken over") && contains(&output, b"onStatus"));
    server.feed(&message(4, 0, 8, 1, AAC_CONFIG, 128)).unwrap();
    assert_eq!(server.events, []);
}

#[test]
fn the_three_ways_to_end_in_order_are_one_event() {
    let ends = [
        command(
            0,
            &[
                "FCUnpublish".into(),
                Value::Number(6.0),
                Value::Null,
                "KEY".into(),
            ],
        ),
        command(
            0,
            &[
                "deleteStream".into(),
                Value::Number(7.0),
                Value::Null,
                Value::Number(1.0),
            ],
        ),
        // gstreamer's rtmp2sink: the key in place of the stream number, transaction 0.
        command(
            0,
            &[
                "deleteStream".into(),
                Value::Number(0.0),
                Value::Null,
                "KEY".into(),
            ],
        ),
        command(1, &["closeStream".into(), Value::Number(0.0), Value::Null]),
    ];
    for end in ends {
        let mut server = Server::publishing();
        server.feed(&[end.clone(), end].concat()).unwrap();
        assert_eq!(server.events, [Event::Unpublish]);
        assert!(server.said("NetStream.Unpublish.Success"));
    }
}

#[test]
fn commands_with_a_transaction_are_answered_and_those_without_are_not() {
    for (transaction, answered) in [(3.0, true), (0.0, false)] {
        for name in [
            "releaseStream",
            "FCPublish",
            "createStream",
            "_checkbw",
            "getStreamLength",
        ] {
            let mut server = Server::after_handshake();
            server.feed(&connect()).unwrap();
            server.output.clear();
            let bytes = command(
                0,
                &[
                    name.into(),
                    Value::Number(transaction),
                    Value::Null,
                    "KEY".into(),
                ],
            );
            server.feed(&bytes).unwrap();
            assert_eq!(server.said("_result"), answered, "{name}");
        }
    }
}

#[test]
fn create_stream_gives_out_stream_1() {
    let mut server = Server::after_handshake();
    server.feed(&connect()).unwrap();
    server.output.clear();
    server
        .feed(&command(
            0,
            &["createStream".into(), Value::Number(4.0), Value::Null],
        ))
        .unwrap();
    let mut expected = b"\x02\0\x07_result\0".to_vec();
    expected.extend(4_f64.to_be_bytes());
    expected.extend([5, 0]);
    expected.extend(1_f64.to_be_bytes());
    assert!(contains(&server.output, &expected));
}

#[test]
fn the_key_is_taken_without_its_query_and_from_the_app_where_the_name_is_empty() {
    let key = |app: &str, name: &str| {
        let mut server = Server::after_handshake();
        let object = Value::Object(vec![("app".into(), app.into())]);
        let connect = command(0, &["connect".into(), Value::Number(1.0), object]);
        server.feed(&[connect, publish(name)].concat()).unwrap();
        let Some(Event::Publish(asked)) = server.events.first() else {
            panic!("no publish");
        };
        assert!(
            !format!("{asked:?}").contains("sk_1"),
            "a key is never printed"
        );
        (asked.app.clone(), asked.stream.expose().to_owned())
    };
    let pair = |app: &str, key: &str| (app.to_owned(), key.to_owned());
    assert_eq!(key("live", "sk_1"), pair("live", "sk_1"));
    assert_eq!(
        key("anything/at/all", "sk_1?a=b&c=d"),
        pair("anything/at/all", "sk_1")
    );
    assert_eq!(key("live?token=x", "sk_1"), pair("live", "sk_1"));
    assert_eq!(key("live/sk_1", ""), pair("live", "sk_1"));
    assert_eq!(key("live", "").1, "");
}

#[test]
fn who_lists_codecs_is_told_those_that_reach_viewers() {
    for listed in [true, false] {
        let mut object = vec![("app".to_owned(), "live".into())];
        if listed {
            object.push((
                "fourCcList".to_owned(),
                Value::StrictArray(vec!["hvc1".into()]),
            ));
        }
        let mut server = Server::after_handshake();
        server
            .feed(&command(
                0,
                &["connect".into(), Value::Number(1.0), Value::Object(object)],
            ))
            .unwrap();
        assert_eq!(server.said("fourCcList"), listed);
        assert_eq!(server.said("avc1"), listed);
        assert!(!server.said("hvc1"), "no viewer can be shown it yet");
    }
}

#[test]
fn amf3_framed_commands_and_data_are_read() {
    let wrap = |mut bytes: Vec<u8>| {
        // Type 20 becomes 17, one byte longer, format byte 0.
        let payload = [&[0], &bytes[12..]].concat();
        bytes.clear();
        bytes.extend(message(3, 0, 17, 0, &payload, 128));
        bytes
    };
    let mut server = Server::after_handshake();
    let create = command(0, &["createStream".into(), Value::Number(4.0), Value::Null]);
    server
        .feed(&[wrap(connect()), wrap(create), wrap(publish("KEY"))].concat())
        .unwrap();
    assert!(server.session.is_publishing());
    let metadata = b"\0\x02\0\x0aonMetaData\x03\0\x05width\0\x40\x94\0\0\0\0\0\0\0\0\x09";
    server.feed(&message(4, 0, 15, 1, metadata, 128)).unwrap();
    let Some(Event::Metadata(metadata)) = server.events.last() else {
        panic!("no metadata");
    };
    assert_eq!(metadata.width, Some(1_280.0));
}

#[test]
fn obs_metadata_is_read() {
    let mut server = Server::new(Limits::default());
    server
        .feed(include_bytes!("../fixtures/obs29.rtmp.bin"))
        .unwrap();
    let metadata = server.events.iter().find_map(|event| match event {
        Event::Metadata(metadata) => Some(metadata),
        _ => None,
    });
    let metadata = metadata.unwrap();
    assert_eq!(
        (metadata.width, metadata.height),
        (Some(1_280.0), Some(720.0))
    );
    assert_eq!(
        (metadata.frame_rate, metadata.video_kbps),
        (Some(30.0), Some(2_500.0))
    );
    assert!(
        metadata
            .encoder
            .as_ref()
            .unwrap()
            .starts_with("obs-output module")
    );
}

#[test]
fn commands_out_of_order_are_errors() {
    let mut server = Server::after_handshake();
    assert!(matches!(
        server.feed(&publish("KEY")),
        Err(Error::Command(_))
    ));
    let mut server = Server::after_handshake();
    server.feed(&connect()).unwrap();
    assert!(matches!(server.feed(&connect()), Err(Error::Command(_))));
    let mut server = Server::publishing();
    assert!(matches!(
        server.feed(&publish("KEY")),
        Err(Error::Command(_))
    ));
}

#[test]
fn a_player_is_told_that_nothing_is_played_here() {
    let mut server = Server::after_handshake();
    server.feed(&connect()).unwrap();
    server
        .feed(&command(
            1,
            &[
                "play".into(),
                Value::Number(0.0),
                Value::Null,
                "demo".into(),
            ],
        ))
        .unwrap();
    assert!(server.said("NetStream.Play.StreamNotFound"));
}

#[test]
fn a_ping_is_answered_with_its_own_time() {
    let mut server = Server::publishing();
    server
        .feed(&message(2, 0, 4, 0, b"\0\x06\x12\x34\x56\x78", 128))
        .unwrap();
    assert!(contains(&server.output, b"\0\x07\x12\x34\x56\x78"));
}

#[test]
fn received_bytes_are_acknowledged_at_the_window_that_the_host_set() {
    let mut server = Server::publishing();
    server
        .feed(&message(2, 0, 5, 0, &10_000_u32.to_be_bytes(), 128))
        .unwrap();
    server.feed(&message(4, 0, 8, 1, AAC_CONFIG, 128)).unwrap();
    let acknowledgement = b"\x02\0\0\0\0\0\x04\x03\0\0\0\0";
    for _ in 0..60 {
        server
            .feed(&message(4, 0, 8, 1, &aac(&[0; 128]), 128))
            .unwrap();
    }
    assert!(
        !contains(&server.output, acknowledgement),
        "8,580 and what came before publishing"
    );
    for _ in 0..90 {
        server
            .feed(&message(4, 0, 8, 1, &aac(&[0; 128]), 128))
            .unwrap();
    }
    let count = server
        .output
        .windows(12)
        .filter(|window| window == acknowledgement)
        .count();
    assert_eq!(count, 2);
    // A peer's own acknowledgements and bandwidth limits are taken.
    server
        .feed(&message(2, 0, 3, 0, &[0, 0, 1, 0], 128))
        .unwrap();
    server
        .feed(&message(2, 0, 6, 0, &[0, 0, 1, 0, 2], 128))
        .unwrap();
}

#[test]
fn media_is_not_looked_at_before_the_publish_was_accepted() {
    let mut server = Server::after_handshake();
    server.feed(&connect()).unwrap();
    server.feed(&message(4, 0, 8, 1, AAC_CONFIG, 128)).unwrap();
    server
        .feed(&message(4, 0, 8, 1, &aac(b"early"), 128))
        .unwrap();
    assert_eq!(server.events, []);
}

#[test]
fn times_that_wrap_jump_and_step_back_are_passed_on() {
    let mut server = Server::publishing();
    server.feed(&message(4, 0, 8, 1, AAC_CONFIG, 128)).unwrap();
    let extended = |time: u32| {
        let mut bytes = message(4, 0xff_ffff, 8, 1, b"", 128);
        bytes[4..7].copy_from_slice(&[0, 0, 3]);
        bytes.extend(time.to_be_bytes());
        bytes.extend(aac(b"x"));
        bytes
    };
    for time in [
        0x7000_0000,
        0xd000_0000,
        0xffff_fff0,
        5,
        0xffff_fff8,
        30,
        1_000_000_000,
        20,
    ] {
        server.feed(&extended(time)).unwrap();
    }
    let times: Vec<i64> = server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Frame(frame) => Some(frame.dts.as_millis()),
            _ => None,
        })
        .collect();
    let wrap = 1 << 32;
    assert_eq!(
        times,
        [
            0x7000_0000,
            0xd000_0000,
            0xffff_fff0,
            wrap + 5,
            0xffff_fff8,
            wrap + 30,
            wrap + 1_000_000_000,
            wrap + 20
        ]
    );
}
