use super::*;
use crate::message::{DATA_AMF0, Message, SET_CHUNK_SIZE, VIDEO};
use crate::{Error, Limits};

/// Reads all messages, the input cut after every `step` bytes.
fn read_all(reader: &mut Reader, bytes: &[u8], step: usize) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    for mut slice in bytes.chunks(step) {
        while let Some(message) = reader.read(&mut slice)? {
            if message.type_id == SET_CHUNK_SIZE {
                let size = message.payload.first_chunk().copied().unwrap();
                reader.set_chunk_size(u32::from_be_bytes(size))?;
            }
            messages.push(message);
        }
    }
    Ok(messages)
}

fn check(bytes: &[u8], expected: &[(u8, u32, &[u8])]) {
    for step in [1, 2, 3, 5, 7, bytes.len()] {
        let mut reader = Reader::new(Limits::default());
        let messages = read_all(&mut reader, bytes, step).unwrap();
        let seen: Vec<_> = messages
            .iter()
            .map(|m| (m.type_id, m.timestamp, m.payload.as_ref()))
            .collect();
        assert_eq!(seen, expected, "in steps of {step}");
        assert_eq!(reader.buffered(), 0, "in steps of {step}");
    }
}

/// A type 0 header on chunk stream 6, message stream 1.
fn full(timestamp: u32, length: u32, type_id: u8) -> Vec<u8> {
    let mut bytes = vec![6];
    bytes.extend_from_slice(&timestamp.min(0xff_ffff).to_be_bytes()[1..]);
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.extend_from_slice(&[type_id, 1, 0, 0, 0]);
    if timestamp >= 0xff_ffff {
        bytes.extend_from_slice(&timestamp.to_be_bytes());
    }
    bytes
}

/// The messages of real encoders, against a list that a small independent program in Python (whole file at once,
/// strict to the specification) made of the same bytes: type, time, stream, length, first and last eight bytes.
#[test]
fn real_encoders_are_read_as_an_independent_reader_does_it() {
    let cases = [
        (
            include_bytes!("../../tests/fixtures/obs29.rtmp.bin"),
            include_str!("../../tests/fixtures/obs29.messages.txt"),
        ),
        (
            include_bytes!("../../tests/fixtures/ffmpeg51.rtmp.bin"),
            include_str!("../../tests/fixtures/ffmpeg51.messages.txt"),
        ),
        (
            include_bytes!("../../tests/fixtures/ffmpeg9.rtmp.bin"),
            include_str!("../../tests/fixtures/ffmpeg9.messages.txt"),
        ),
        (
            include_bytes!("../../tests/fixtures/ffmpeg9-hevc.rtmp.bin"),
            include_str!("../../tests/fixtures/ffmpeg9-hevc.messages.txt"),
        ),
        (
            include_bytes!("../../tests/fixtures/ffmpeg9-av1.rtmp.bin"),
            include_str!("../../tests/fixtures/ffmpeg9-av1.messages.txt"),
        ),
        (
            include_bytes!("../../tests/fixtures/gst-rtmp2sink.rtmp.bin"),
            include_str!("../../tests/fixtures/gst-rtmp2sink.messages.txt"),
        ),
        (
            include_bytes!("../../tests/fixtures/gst-rtmpsink.rtmp.bin"),
            include_str!("../../tests/fixtures/gst-rtmpsink.messages.txt"),
        ),
    ];
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    for (bytes, expected) in cases {
        for step in [1, 1_460, 65_536] {
            let mut reader = Reader::new(Limits::default());
            let messages = read_all(&mut reader, &bytes[3_073..], step).unwrap();
            let mut seen = String::new();
            for Message {
                type_id,
                stream_id,
                timestamp,
                payload,
            } in messages
            {
                let (first, last) = (
                    &payload[..payload.len().min(8)],
                    &payload[payload.len().saturating_sub(8)..],
                );
                seen += &format!(
                    "{type_id} {timestamp} {stream_id} {} {} {}\n",
                    payload.len(),
                    hex(first),
                    hex(last)
                );
            }
            assert_eq!(seen, expected);
        }
    }
}

#[test]
fn all_four_header_types_and_three_id_forms_are_read() {
    let mut bytes = full(1_000, 2, VIDEO);
    bytes.extend(b"ab");
    bytes.extend(b"\x46\0\0\x21\0\0\x03\x09cde"); // type 1: step 33, length 3
    bytes.extend(b"\x86\0\0\x22fgh"); // type 2: step 34
    bytes.extend(b"\xc6ijk"); // type 3: the same step again
    bytes.extend(b"\x00\x01\0\0\x05\0\0\x01\x12\x01\0\0\0x"); // chunk stream 65, two-byte form
    bytes.extend(b"\xc0\x01y"); // the same: type 3 after type 0 steps by its time
    bytes.extend(b"\x01\x01\x01\0\0\x07\0\0\x01\x12\x01\0\0\0z"); // chunk stream 321, three-byte form
    check(
        &bytes,
        &[
            (VIDEO, 1_000, b"ab"),
            (VIDEO, 1_033, b"cde"),
            (VIDEO, 1_067, b"fgh"),
            (VIDEO, 1_101, b"ijk"),
            (DATA_AMF0, 5, b"x"),
            (DATA_AMF0, 10, b"y"),
            (DATA_AMF0, 7, b"z"),
        ],
    );
}

#[test]
fn extended_timestamps_are_read_in_every_header_type() {
    let body = [7; 200];
    let time = 0x0123_4567_u32;
    let mut bytes = full(time, 200, VIDEO);
    bytes.extend(&body[..128]);
    bytes.push(0xc6);
    bytes.extend(time.to_be_bytes());
    bytes.extend(&body[128..]);
    // Type 1 with an extended step, on into its type 3.
    let step = 0x0100_0000_u32;
    bytes.extend(b"\x46\xff\xff\xff\0\0\xc8\x09");
    bytes.extend(step.to_be_bytes());
    bytes.extend(&body[..128]);
    bytes.push(0xc6);
    bytes.extend(step.to_be_bytes());
    bytes.extend(&body[128..]);
    // A new message by type 3.
    bytes.push(0xc6);
    bytes.extend(step.to_be_bytes());
    bytes.extend(&body[..128]);
    bytes.push(0xc6);
    bytes.extend(step.to_be_bytes());
    bytes.extend(&body[128..]);
    check(
        &bytes,
        &[
            (VIDEO, time, &body),
            (VIDEO, time + step, &body),
            (VIDEO, time + 2 * step, &body),
        ],
    );
}

#[test]
fn a_type_3_chunk_without_its_extended_timestamp_is_read_too() {
    let time = 0x0123_4567_u32;
    // The payload behind the header begins as the timestamp does, as far as one, two and three bytes.
    for alike in 0..4 {
        let mut body = [9; 300];
        body[128..128 + alike].copy_from_slice(&time.to_be_bytes()[..alike]);
        let mut bytes = full(time, 300, VIDEO);
        bytes.extend(&body[..128]);
        bytes.push(0xc6);
        bytes.extend(&body[128..256]);
        bytes.push(0xc6);
        bytes.extend(&body[256..]);
        bytes.extend(full(5, 1, VIDEO));
        bytes.push(1);
        check(&bytes, &[(VIDEO, time, &body), (VIDEO, 5, &[1])]);
    }
}

#[test]
fn what_looked_like_a_timestamp_may_be_several_chunks() {
    // Chunk size 1: of the four bytes after the type 3 header the first is payload, the next a header, and so on.
    let mut bytes = b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\0\x01".to_vec();
    let time = 0x0107_07c6_u32;
    bytes.extend(full(time, 4, VIDEO));
    bytes.extend(b"\x01\xc6\x01\xc6\x02\xc6\x03");
    check(
        &bytes,
        &[
            (SET_CHUNK_SIZE, 0, b"\0\0\0\x01"),
            (VIDEO, time, b"\x01\x01\x02\x03"),
        ],
    );
}

#[test]
fn what_the_writer_cuts_the_reader_puts_together() {
    for size in [1_u32, 2, 127, 128, 4_096] {
        for timestamp in [0, 0xff_fffe, 0xff_ffff, u32::MAX] {
            let payload: Vec<u8> = (0..1_000_u32).map(|n| (n % 251) as u8).collect();
            let mut writer = Writer::new();
            writer.message(
                ChunkStreamId::CONTROL,
                SET_CHUNK_SIZE,
                0,
                0,
                &size.to_be_bytes(),
            );
            writer.set_chunk_size(size as usize);
            writer.message(ChunkStreamId::VIDEO, VIDEO, 1, timestamp, &payload);
            writer.message(ChunkStreamId::AUDIO, DATA_AMF0, 1, 5, &[]);
            let mut reader = Reader::new(Limits::default());
            let messages = read_all(&mut reader, &writer.take().unwrap(), 99).unwrap();
            assert_eq!(messages.len(), 3);
            assert_eq!(messages[1].payload, payload);
            assert_eq!(
                (messages[1].timestamp, messages[1].stream_id),
                (timestamp, 1)
            );
            assert!(messages[2].payload.is_empty());
        }
    }
}

#[test]
fn a_whole_message_lies_in_a_buffer_of_its_size() {
    let mut bytes = full(0, 100_000, VIDEO);
    let body = [3; 100_000];
    for (index, chunk) in body.chunks(128).enumerate() {
        if index > 0 {
            bytes.push(0xc6);
        }
        bytes.extend(chunk);
    }
    let mut reader = Reader::new(Limits::default());
    let mut input = bytes.as_slice();
    let message = reader.read(&mut input).unwrap().unwrap();
    let vec = Vec::from(message.payload);
    assert_eq!((vec.len(), vec.capacity()), (100_000, 100_000));
}

#[test]
fn a_partial_message_holds_at_most_twice_what_has_arrived() {
    let mut reader = Reader::new(Limits::default());
    let mut input = full(0, 4 << 20, VIDEO);
    input.extend([0; 128]);
    assert_eq!(reader.read(&mut input.as_slice()).unwrap(), None);
    assert_eq!(reader.buffered(), 128);
    for _ in 0..10_000 {
        let mut chunk = vec![0xc6];
        chunk.extend([0; 128]);
        assert_eq!(reader.read(&mut chunk.as_slice()).unwrap(), None);
    }
    assert!(
        reader.buffered() <= 2 * 128 * 10_001,
        "{}",
        reader.buffered()
    );
    reader.abort(6);
    assert_eq!(reader.buffered(), 0);
}

#[test]
fn many_partial_messages_together_hit_the_limit() {
    let limits = Limits {
        buffered_bytes: 10_000,
        ..Limits::default()
    };
    let mut reader = Reader::new(limits);
    let begun = (2..64).take_while(|&chunk_stream| {
        let mut bytes = full(0, 1_000_000, VIDEO);
        bytes[0] = chunk_stream;
        bytes.extend([0; 128]);
        bytes.extend([0xc0 | chunk_stream]);
        bytes.extend([0; 128]);
        bytes.extend([0xc0 | chunk_stream]);
        bytes.extend([0; 128]);
        reader.read(&mut bytes.as_slice()).is_ok()
    });
    // Each holds 384 bytes in a buffer of 512.
    assert_eq!(begun.count(), 19);
}
