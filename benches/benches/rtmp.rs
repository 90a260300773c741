//! A host's bytes into tracks and frames.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zongzi_rtmp::Limits;
use zongzi_rtmp::server::{Event, Session};

/// The first 64 KiB that ffmpeg 5.1 sent when it published 720p30 with AAC (captured with an RTMP tap).
const FFMPEG: &[u8] = include_bytes!("../../crates/rtmp/tests/fixtures/ffmpeg51.rtmp.bin");
/// What a socket gives at a time.
const READ_BYTES: usize = 4_096;

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("rtmp");
    group.throughput(Throughput::Bytes(FFMPEG.len() as u64));
    group.bench_function("64 KiB of a publish, from the handshake on", |b| {
        b.iter(|| publish(black_box(FFMPEG)));
    });
    group.finish();
}

/// How many tracks and frames the bytes hold.
fn publish(bytes: &[u8]) -> usize {
    let mut session = Session::new(Limits::default(), [7; 32]);
    let mut media = 0;
    for read in bytes.chunks(READ_BYTES) {
        let mut rest = read;
        while !rest.is_empty() {
            let taken = session.input(rest).expect("it is a real encoder's");
            rest = &rest[taken..];
            while session.poll_output().is_some() {}
            while let Some(event) = session.poll_event() {
                match event {
                    Event::Publish(_) => session.accept_publish(),
                    Event::Track(_) | Event::Frame(_) => media += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(media > 10, "only {media} tracks and frames");
    media
}

criterion_group!(benches, parse);
criterion_main!(benches);
