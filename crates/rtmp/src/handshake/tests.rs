use super::digest::{self, Schema};
use super::*;
use crate::chunk::Writer;

/// ffmpeg's C1 is the independent witness: its digest must be found, by the right key only.
#[test]
fn the_digest_of_ffmpegs_c1_is_found() {
    let bytes = include_bytes!("../../tests/fixtures/ffmpeg51.rtmp.bin");
    let c1: &Packet = bytes[1..].first_chunk().unwrap();
    let (schema, _) = digest::find(c1, digest::CLIENT_KEY).unwrap();
    assert_eq!(schema, Schema::One);
    assert!(digest::find(c1, digest::SERVER_KEY).is_none());
    let mut spoilt = *c1;
    spoilt[1_000] ^= 1;
    assert!(digest::find(&spoilt, digest::CLIENT_KEY).is_none());
}

#[test]
fn a_sealed_packet_has_its_digest_in_the_schema_that_was_asked() {
    for schema in Schema::BOTH {
        for byte in [0, 91, 182, 255] {
            let mut packet = [byte; PACKET_BYTES];
            let sealed = digest::seal(&mut packet, schema, digest::SERVER_KEY).unwrap();
            assert_eq!(
                digest::find(&packet, digest::SERVER_KEY),
                Some((schema, sealed))
            );
        }
    }
}

/// Runs the handshake with the bytes in both directions cut after every `step`.
fn shake(kind: Handshake, step: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut to_server, mut to_client) = (Writer::new(), Writer::new());
    let mut client = Client::new(kind, [1; 32], &mut to_server);
    let mut server = Server::new([2; 32]);
    let (mut sent, mut answered) = (Vec::new(), Vec::new());
    let (mut client_done, mut server_done) = (false, false);
    for _ in 0..4 {
        let up = to_server.take().unwrap_or_default();
        for mut slice in up.chunks(step) {
            server_done |= server.read(&mut slice, &mut to_client).unwrap();
            assert!(slice.is_empty());
        }
        let down = to_client.take().unwrap_or_default();
        for mut slice in down.chunks(step) {
            client_done |= client.read(&mut slice, &mut to_server).unwrap();
        }
        sent.extend(up);
        answered.extend(down);
    }
    assert!(client_done && server_done);
    (sent, answered)
}

#[test]
fn a_simple_handshake_echoes() {
    for step in [1, 1_000, 4_000] {
        let (sent, answered) = shake(Handshake::Simple, step);
        assert_eq!((sent.len(), answered.len()), (3_073, 3_073));
        assert_eq!(sent[1..1_537], answered[1_537..], "S2 is C1");
        assert_eq!(answered[1..1_537], sent[1_537..], "C2 is S1");
        assert_eq!(
            answered[5..9],
            [0; 4],
            "S1 has zeros where a version would be"
        );
    }
}

#[test]
fn a_digest_handshake_is_answered_with_digests() {
    let (sent, answered) = shake(Handshake::Digest, 700);
    let packet = |bytes: &[u8], at: usize| -> Packet { *bytes[at..].first_chunk().unwrap() };
    let (schema, c1_digest) = digest::find(&packet(&sent, 1), digest::CLIENT_KEY).unwrap();
    let (same, s1_digest) = digest::find(&packet(&answered, 1), digest::SERVER_KEY).unwrap();
    assert_eq!(schema, same);
    for (mut packet, answers, key) in [
        (
            packet(&answered, 1_537),
            c1_digest,
            digest::server_answer_key(),
        ),
        (packet(&sent, 1_537), s1_digest, digest::client_answer_key()),
    ] {
        let before = packet;
        digest::seal_answer(&mut packet, &answers, &key);
        assert_eq!(before, packet);
    }
}

#[test]
fn a_client_with_a_version_but_no_digest_gets_its_echo() {
    let mut c1 = [5; PACKET_BYTES + 1];
    c1[0] = 3;
    let mut out = Writer::new();
    assert!(
        !Server::new([0; 32])
            .read(&mut c1.as_slice(), &mut out)
            .unwrap()
    );
    assert_eq!(out.take().unwrap()[1_537..], c1[1..]);
}

#[test]
fn another_version_is_an_error_at_the_first_byte() {
    let mut out = Writer::new();
    for version in [0, 6, b'G'] {
        let outcome = Server::new([0; 32]).read(&mut [version].as_slice(), &mut out);
        assert_eq!(outcome, Err(crate::Error::Version(version)));
    }
}
