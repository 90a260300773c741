//! What hostile or merely unusual RTMP does to published crates. `cargo run --release` prints a table; each probe runs
//! in a child process of its own, because some of them take the process down.

use std::io::Cursor;
use std::process::Command;

use bytes::BytesMut;

type Probe = (&'static str, fn() -> String);

const PROBES: &[Probe] = &[
    ("rml_amf0 0.3.0: object nested 100,000 deep", || {
        format!("{:?}", rml_amf0::deserialize(&mut Cursor::new(nested())).map(|_| "parsed"))
    }),
    ("xflv 0.4.5 (rtmp 0.6.6): object nested 100,000 deep", || {
        let bytes = bytesio::bytes_reader::BytesReader::new(BytesMut::from(&nested()[..]));
        let mut reader = xflv::amf0::amf0_reader::Amf0Reader::new(bytes);
        format!("{:?}", reader.read_all().map(|_| "parsed"))
    }),
    ("scuffle-amf0 0.2.4: object nested 100,000 deep", || {
        let bytes = nested();
        let result = scuffle_amf0::decoder::Amf0Decoder::from_slice(&bytes).decode_all().map(|_| "parsed");
        format!("{:?}", result.map_err(|error| error.to_string()))
    }),
    ("rml_rtmp 0.8.0: audio between two chunks of a video message", || {
        let mut reader = rml_rtmp::chunk_io::ChunkDeserializer::new();
        let mut seen = Vec::new();
        let mut input = interleaved();
        while let Ok(Some(message)) = reader.get_next_message(&input) {
            input.clear();
            seen.push((message.type_id, message.data.len()));
        }
        verdict(&seen)
    }),
    ("rtmp 0.6.6: audio between two chunks of a video message", || {
        let mut reader = rtmp::chunk::unpacketizer::ChunkUnpacketizer::new();
        reader.extend_data(&interleaved());
        let mut seen = Vec::new();
        for _ in 0..8 {
            if let Ok(rtmp::chunk::unpacketizer::UnpackResult::Chunks(chunks)) = reader.read_chunks() {
                seen.extend(chunks.iter().map(|c| (c.message_header.msg_type_id, c.payload.len())));
            }
        }
        verdict(&seen)
    }),
];

fn main() {
    if let Some(index) = std::env::args().nth(1).and_then(|text| text.parse::<usize>().ok()) {
        println!("{}", PROBES[index].1());
        return;
    }
    let program = std::env::current_exe().expect("own path");
    for (index, (name, _)) in PROBES.iter().enumerate() {
        let output = Command::new(&program).arg(index.to_string()).output().expect("runs itself");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let how = if output.status.success() { said } else { format!("process died: {}", output.status) };
        println!("{name}\n    {how}");
    }
}

/// An AMF0 object in an object in an object …, 400 KB.
fn nested() -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        bytes.extend_from_slice(&[3, 0, 1, b'a']);
    }
    bytes
}

/// A video message of 200 bytes (chunk stream 6) in chunks of 128, with an audio message of 10 bytes (chunk stream 4)
/// between its two chunks: what the specification's §5.3 is for.
fn interleaved() -> Vec<u8> {
    let mut bytes = vec![0x06, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0];
    bytes.extend([0xaa; 128]);
    bytes.extend([0x04, 0, 0, 0, 0, 0, 10, 8, 1, 0, 0, 0]);
    bytes.extend([0xbb; 10]);
    bytes.push(0xc6);
    bytes.extend([0xaa; 72]);
    bytes
}

fn verdict(seen: &[(u8, usize)]) -> String {
    let right = seen.contains(&(9, 200)) && seen.contains(&(8, 10));
    format!("{}: (message type, bytes) {seen:?}", if right { "right" } else { "wrong" })
}
