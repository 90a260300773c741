//! Once per frame, whatever the number of viewers.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zongzi_benches::{PICTURE_BYTES, packetizer, picture, units};

fn packetize(c: &mut Criterion) {
    let mut group = c.benchmark_group("packetize");
    for (name, bytes) in [
        ("picture of 9 packets", PICTURE_BYTES),
        ("keyframe-sized, 50 packets", 57_000),
    ] {
        let frame = picture(bytes);
        let units = units(&frame);
        let mut packetizer = packetizer();
        let now = Instant::now();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                packetizer
                    .packetize(black_box(&frame), &units, 1, 1, now)
                    .expect("it is a picture")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, packetize);
criterion_main!(benches);
