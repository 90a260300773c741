//! Once per viewer and packet: the header, and the payload encrypted from the shared batch into the send buffer.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zongzi_benches::{batch, srtp};
use zongzi_webrtc::rtp::{
    Extensions, HEADER_BYTES_MAX, Header, RtpTime, SeqNo, Ssrc, playout_delay,
};
use zongzi_webrtc::srtp::Profile;

fn protect(c: &mut Criterion) {
    let batch = batch();
    let payload = batch.payload(0).expect("a picture has packets");
    let extensions =
        Extensions::new(&[(4, b"0"), (5, &playout_delay(0, 0))]).expect("two small elements fit");
    let mut group = c.benchmark_group("dress and encrypt a packet");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    let profiles = [
        ("AES-128-GCM", Profile::AeadAes128Gcm),
        ("AES-256-GCM", Profile::AeadAes256Gcm),
        ("AES-CM, SHA1-80", Profile::AesCm128HmacSha1_80),
    ];
    for (name, profile) in profiles {
        // As many keys as a shard has viewers: one key alone would stay in the nearest cache.
        let viewers: Vec<_> = (0..=255).map(|viewer| srtp(profile, viewer)).collect();
        let mut out = vec![0; 2_048];
        let mut index = 0_u64;
        group.bench_function(name, |b| {
            b.iter(|| {
                index += 1;
                let sequence = SeqNo((index & 0xffff) as u16);
                let header = Header {
                    padding: false,
                    marker: false,
                    payload_type: 102,
                    sequence,
                    timestamp: RtpTime(90_000),
                    ssrc: Ssrc(7),
                };
                let mut bytes = [0; HEADER_BYTES_MAX];
                let length = header.write(&extensions, &mut bytes);
                let viewer = &viewers[(index & 0xff) as usize];
                viewer
                    .protect(&bytes[..length], black_box(payload), index, &mut out)
                    .expect("there is room")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, protect);
criterion_main!(benches);
