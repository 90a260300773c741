//! What stopped, crashed or misled the four RTMP crates that were tried before this one: a test for each.

use crate::support::{
    AAC_CONFIG, Random, Server, aac, basic_header, command, connect, header, message,
    set_chunk_size,
};
use zongzi_rtmp::amf0::Value;
use zongzi_rtmp::{Error, Limits, amf0};

/// A host that has announced its AAC track.
fn sounding() -> Server {
    let mut server = Server::publishing();
    server
        .feed(&message(4, 0, 8, 1, AAC_CONFIG, 128))
        .expect("an AAC configuration");
    server
}

#[test]
fn two_interleaved_messages_are_kept_apart() {
    let mut server = sounding();
    let (a, b) = (aac(&[1; 300]), aac(&[2; 300]));
    let bytes = [
        header(4, 0, a.len(), 8, 1),
        a[..128].to_vec(),
        header(5, 0, b.len(), 8, 1),
        b[..128].to_vec(),
        basic_header(3, 4),
        a[128..256].to_vec(),
        basic_header(3, 5),
        b[128..256].to_vec(),
        basic_header(3, 5),
        b[256..].to_vec(),
        basic_header(3, 4),
        a[256..].to_vec(),
    ];
    server.feed(&bytes.concat()).unwrap();
    assert_eq!(server.payloads(), [vec![2; 300], vec![1; 300]]);
}

#[test]
fn chunk_sizes_from_1_to_the_largest_are_taken() {
    for size in [1, 127, 100_000, 0x7fff_ffff] {
        let mut server = sounding();
        server.feed(&set_chunk_size(size)).unwrap();
        let body = aac(&[3; 1_000]);
        let bytes = message(4, 0, 8, 1, &body, usize::try_from(size).unwrap());
        server.feed(&bytes).unwrap();
        assert_eq!(server.payloads(), [vec![3; 1_000]], "chunk size {size}");
    }
}

#[test]
fn chunk_sizes_that_do_not_exist_are_errors() {
    for size in [0, 0x8000_0000, u32::MAX] {
        assert_eq!(
            sounding().feed(&set_chunk_size(size)),
            Err(Error::ChunkSize(size))
        );
    }
}

#[test]
fn sixteen_mebibytes_declared_end_the_session_at_the_header() {
    let error = sounding().feed(&header(6, 0, 0xff_ffff, 9, 1)).unwrap_err();
    assert!(
        matches!(error, Error::MessageBytes { type_id: 9, .. }),
        "{error}"
    );
    assert!(error.is_limit());
}

#[test]
fn each_kind_of_message_has_a_limit_of_its_own() {
    for (type_id, bytes) in [
        (9, 4 << 20),
        (8, 256 << 10),
        (18, 64 << 10),
        (20, 16 << 10),
        (1, 64),
        (22, 64 << 10),
    ] {
        sounding().feed(&header(6, 0, bytes, type_id, 1)).unwrap();
        assert!(
            sounding()
                .feed(&header(6, 0, bytes + 1, type_id, 1))
                .is_err(),
            "type {type_id}"
        );
    }
}

#[test]
fn twenty_thousand_chunk_streams_end_the_session_at_the_65th() {
    let mut server = sounding();
    let outcome = (2..20_002).try_for_each(|chunk_stream| {
        let start = header(chunk_stream, 0, 200, 8, 1);
        server.feed(&[start, vec![0; 128]].concat())
    });
    assert_eq!(outcome, Err(Error::ChunkStreams(64)));
}

#[test]
fn amf0_nested_a_hundred_thousand_deep_ends_the_session() {
    let nested = [
        b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0".as_slice(),
        &b"\x03\0\x01a".repeat(3_000),
    ]
    .concat();
    let first = message(3, 0, 20, 0, &nested, 128);
    assert_eq!(
        Server::after_handshake().feed(&first),
        Err(Error::Amf(amf0::Error::Depth))
    );
    // Only data that is longer than any limit can be nested so deep: the limits are raised to let it in.
    let limits = Limits {
        data_message_bytes: 1 << 20,
        ..Limits::default()
    };
    let mut server = Server::new(limits);
    server.feed(&crate::support::handshake()).unwrap();
    server.feed(&crate::support::connect_and_publish()).unwrap();
    let nested = [
        b"\x02\0\x0aonMetaData".as_slice(),
        &b"\x03\0\x01a".repeat(100_000),
    ]
    .concat();
    let data = message(4, 0, 18, 1, &nested, 128);
    assert_eq!(server.feed(&data), Err(Error::Amf(amf0::Error::Depth)));
}

#[test]
fn garbage_after_the_handshake_is_an_error_and_never_a_panic() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let garbage: Vec<u8> = (0..100_000).map(|_| random.byte()).collect();
        let outcome = Server::after_handshake().feed(&garbage);
        assert!(outcome.is_err(), "seed {seed}");
    }
}

#[test]
fn garbage_while_publishing_never_panics() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let garbage: Vec<u8> = (0..20_000).map(|_| random.byte()).collect();
        let _outcome = sounding().feed(&garbage);
    }
}

#[test]
fn abort_in_mid_message_throws_only_that_message_away() {
    let mut server = sounding();
    let body = aac(&[5; 300]);
    let abort = message(2, 0, 2, 0, &4_u32.to_be_bytes(), 128);
    server
        .feed(&[header(4, 0, body.len(), 8, 1), body[..128].to_vec(), abort].concat())
        .unwrap();
    server
        .feed(&message(4, 9, 8, 1, &aac(&[6; 200]), 128))
        .unwrap();
    // The next message may also lean on the header of the one that was thrown away.
    let leaning = [
        basic_header(3, 4),
        aac(&[7; 126]),
        basic_header(3, 4),
        vec![7; 74],
    ];
    server.feed(&leaning.concat()).unwrap();
    // A stream that never was, or is idle.
    server
        .feed(&message(2, 0, 2, 0, &77_u32.to_be_bytes(), 128))
        .unwrap();
    assert_eq!(server.payloads(), [vec![6; 200], vec![7; 200]]);
}

#[test]
fn a_new_header_in_mid_message_begins_anew() {
    for shorter in [10, 500] {
        let mut server = sounding();
        let body = aac(&[5; 300]);
        server
            .feed(&[header(4, 0, body.len(), 8, 1), body[..128].to_vec()].concat())
            .unwrap();
        server
            .feed(&message(4, 9, 8, 1, &aac(&vec![6; shorter]), 128))
            .unwrap();
        assert_eq!(server.payloads(), [vec![6; shorter]]);
    }
}

#[test]
fn a_chunk_that_leans_on_no_header_is_an_error() {
    for format in [2, 3] {
        let bytes = [basic_header(format, 9), vec![0; 20]].concat();
        let outcome = sounding().feed(&bytes);
        assert_eq!(
            outcome,
            Err(Error::NoHeader {
                format,
                chunk_stream: 9
            })
        );
    }
}

#[test]
fn control_messages_that_are_cut_short_are_errors() {
    for (type_id, payload) in [(1, 3), (2, 0), (5, 1), (4, 1)] {
        let outcome = sounding().feed(&message(2, 0, type_id, 0, &vec![0; payload], 128));
        assert_eq!(outcome, Err(Error::ControlTruncated(type_id)));
    }
}

#[test]
fn before_publishing_bytes_and_messages_are_few() {
    let mut server = Server::after_handshake();
    server.feed(&connect()).unwrap();
    let small = command(0, &["releaseStream".into(), Value::Number(0.0)]);
    let outcome = (0..100).try_for_each(|_| server.feed(&small));
    assert_eq!(outcome, Err(Error::PreauthMessages(64)));

    let mut server = Server::after_handshake();
    server.feed(&connect()).unwrap();
    // One long video message, dripped: never whole, so no message is counted.
    server.feed(&header(6, 0, 4 << 20, 9, 1)).unwrap();
    let outcome = (0..10_000).try_for_each(|_| server.feed(&[&[0; 128][..], &[0xc6]].concat()));
    assert_eq!(outcome, Err(Error::PreauthBytes(64 << 10)));
}

#[test]
fn control_messages_before_publishing_are_counted_too() {
    let mut server = Server::after_handshake();
    let outcome = (0..100).try_for_each(|_| server.feed(&set_chunk_size(4_096)));
    assert_eq!(outcome, Err(Error::PreauthMessages(64)));
}

#[test]
fn a_message_of_a_million_one_byte_chunks_takes_linear_time() {
    // Quadratic copying would take minutes here.
    let mut server = sounding();
    server.feed(&set_chunk_size(1)).unwrap();
    server
        .feed(&message(6, 0, 9, 1, &vec![0; 4 << 20], 1))
        .unwrap();
}
