//! Datagrams into a fresh DTLS server: it answers with little, hands out no keys, and ends by itself.
//! Input: for each datagram two bytes of length, then its bytes; the time moves on by 10 ms with each.
#![no_main]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use zongzi_webrtc::dtls::{Certificate, Context, Fingerprint, Hash, Server};

fuzz_target!(|input: &[u8]| {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    let context = CONTEXT.get_or_init(|| {
        let certificate = Certificate::generate().expect("the library makes one");
        Context::new(certificate).expect("the settings are valid")
    });
    let mut now = Instant::now();
    let expected = Fingerprint::of(Hash::Sha256, b"nobody's certificate");
    let mut server = Server::new(context, expected, now);
    let mut rest = input;
    let mut count = 0;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (datagram, after) = after.split_at(length);
        rest = after;
        now += Duration::from_millis(10);
        count += 1;
        let ended = server.handle_datagram(now, datagram).is_err();
        let mut answered = 0;
        while let Some(answer) = server.poll_transmit() {
            answered += answer.len();
        }
        assert!(answered <= 8 * 1_150, "{answered} bytes of answer");
        assert!(server.poll_event().is_none(), "no keys for nobody");
        if ended {
            break;
        }
        assert!(count <= Server::HANDSHAKE_DATAGRAMS_MAX);
    }
});
