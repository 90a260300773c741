//! One picture to a hundred viewers over loopback: headers, encryption, GSO messages, `sendmmsg`. The receiving sockets
//! are never read: what the kernel does with a full one is part of the figure, as with the floor of DESIGN §4.

use std::net::UdpSocket;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zongzi_benches::{batch, srtp};
use zongzi_transport::{MediaPort, Options, Path, Sender};
use zongzi_webrtc::rtp::{
    Extensions, HEADER_BYTES_MAX, Header, RtpTime, SeqNo, Ssrc, playout_delay,
};
use zongzi_webrtc::srtp::Profile;

const VIEWERS: u8 = 100;

fn fan_out(c: &mut Criterion) {
    let batch = batch();
    let extensions =
        Extensions::new(&[(4, b"0"), (5, &playout_delay(0, 0))]).expect("two small elements fit");
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|viewer| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
            let remote = socket.local_addr().expect("it is bound");
            (
                srtp(Profile::AeadAes256Gcm, viewer),
                Path {
                    remote,
                    local: None,
                },
                socket,
            )
        })
        .collect();
    let mut group = c.benchmark_group("a picture to 100 viewers");
    group.throughput(Throughput::Elements(
        u64::from(VIEWERS) * batch.packets() as u64,
    ));
    for (name, gso) in [("a message each (GSO)", true), ("a datagram each", false)] {
        let options = Options {
            gso,
            ..Options::default()
        };
        let sockets = MediaPort::bind("127.0.0.1:0".parse().expect("an address"), &options);
        let socket = sockets.expect("loopback has free ports").remove(0);
        let mut sender = Sender::new(Arc::new(socket));
        let mut index = 0_u64;
        group.bench_function(name, |b| {
            b.iter(|| {
                for (srtp, path, _socket) in &viewers {
                    for packet in 0..batch.packets() {
                        let payload = batch.payload(packet).expect("packets are numbered from 0");
                        let index = index + packet as u64;
                        let header = Header {
                            padding: batch.is_padded(packet),
                            marker: packet + 1 == batch.packets(),
                            payload_type: 102,
                            sequence: SeqNo((index & 0xffff) as u16),
                            timestamp: RtpTime(batch.rtp_time),
                            ssrc: Ssrc(7),
                        };
                        let mut bytes = [0; HEADER_BYTES_MAX];
                        let length = header.write(&extensions, &mut bytes);
                        let header = &bytes[..length];
                        let total = srtp.protected_bytes(length, payload.len());
                        sender.datagram(path, total, |place| {
                            srtp.protect(header, payload, index, place).is_ok()
                        });
                    }
                }
                sender.flush();
                index += batch.packets() as u64;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
