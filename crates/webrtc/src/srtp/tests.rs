//! Known answers: RFC 3711 appendix B, RFC 7714 §16 and §17, and the test vectors of libsrtp; then both directions of
//! our own, for what no vector covers (roll-over, replay, damage).

use super::cipher::{Cipher, Gcm};
use super::keys::derive;
use super::*;
use crate::rtp::{Extensions, HEADER_BYTES_MAX, Header, RtpTime, SeqNo, Ssrc};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16)?.try_into().ok())
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4) | pair[1])
        .collect()
}

const PROFILES: [Profile; 3] = [
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
    Profile::AesCm128HmacSha1_80,
];

fn keys(profile: Profile) -> Keys {
    let material: Vec<u8> = (1..).take(profile.keying_material_bytes()).collect();
    Keys::new(profile, &material).expect("the right length")
}

/// Keys whose server side is this.
fn server_keys(profile: Profile, key: &str, salt: &str) -> Keys {
    let (key, salt) = (hex(key), hex(salt));
    let material = [vec![0; key.len()], key, vec![0; salt.len()], salt].concat();
    Keys::new(profile, &material).expect("the right length")
}

fn protect(sender: &Sender, header: &[u8], payload: &[u8], index: u64) -> Vec<u8> {
    let mut out = vec![0; 1_500];
    let length = sender
        .protect(header, payload, index, &mut out)
        .expect("it fits");
    out.truncate(length);
    out
}

#[test]
fn session_keys_are_those_of_rfc_3711_b_3() {
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let check = |label, expected: &str| {
        let expected = hex(expected);
        let mut out = vec![0; expected.len()];
        derive(&key, &salt, label, &mut out).expect("a key");
        assert_eq!(out, expected);
    };
    check(0, "C61E7A93744F39EE10734AFE3FF7A087");
    check(2, "30CBBC08863D8C85D49DB34A9AE1");
    check(1, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4");
}

#[test]
fn libsrtp_packets_come_out_of_the_same_master_keys() {
    let header = hex("800f1234 decafbad cafebabe");
    let payload = [0xab; 16];
    let check = |profile, key, salt, expected| {
        let sender = server_keys(profile, key, salt)
            .sender(Side::Server)
            .expect("keys");
        assert_eq!(protect(&sender, &header, &payload, 0x1234), hex(expected));
    };
    check(
        Profile::AesCm128HmacSha1_80,
        "e1f97a0d3e018be0d64fa32c06de4139",
        "0ec675ad498afeebb6960b3aabe6",
        "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb",
    );
    check(
        Profile::AeadAes128Gcm,
        "000102030405060708090a0b0c0d0e0f",
        "a0a1a2a3a4a5a6a7a8a9aaab",
        "800f1234 decafbad cafebabe c5002ede 04cfdd2e b91159e0 880aa06e d2976826 f796b201
         df3131a1 27e8a392",
    );
}

#[test]
fn packets_are_those_of_rfc_7714_16() {
    let check = |profile, key: &str, expected: &str| {
        let gcm = Gcm::new(profile, &hex(key), *b"Quid pro quo").expect("a key");
        let sender = Sender::new(profile, Cipher::Gcm(gcm), dummy(profile));
        let header = hex("8040f17b 8041f8d3 5501a0b2");
        let payload = b"Gallia est omnis divisa in partes tres";
        assert_eq!(protect(&sender, &header, payload, 0xf17b), hex(expected));
    };
    check(
        Profile::AeadAes128Gcm,
        "00010203 04050607 08090a0b 0c0d0e0f",
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
         42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
    );
    check(
        Profile::AeadAes256Gcm,
        "00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f",
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
         b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
    );
}

#[test]
fn control_packets_are_those_of_rfc_7714_17() {
    let profile = Profile::AeadAes128Gcm;
    let key = hex("00010203 04050607 08090a0b 0c0d0e0f");
    let gcm = Gcm::new(profile, &key, *b"Quid pro quo").expect("a key");
    let mut sender = Sender::new(profile, dummy(profile), Cipher::Gcm(gcm));
    sender.set_rtcp_index(0x5d4);
    let packet = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef
         deadbeef deadbeef deadbeef deadbeef",
    );
    let mut out = Vec::new();
    sender.protect_rtcp(&packet, &mut out).expect("it is RTCP");
    assert_eq!(
        out,
        hex(
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
             730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4"
        )
    );
}

fn dummy(profile: Profile) -> Cipher {
    Cipher::Gcm(Gcm::new(profile, &vec![0; profile.key_bytes()], [0; 12]).expect("a key"))
}

fn header(sequence: u16, ssrc: u32) -> Vec<u8> {
    let header = Header {
        padding: false,
        marker: false,
        payload_type: 96,
        sequence: SeqNo(sequence),
        timestamp: RtpTime(1),
        ssrc: Ssrc(ssrc),
    };
    let extensions = Extensions::new(&[(1, b"0")]).expect("it fits");
    let mut bytes = [0; HEADER_BYTES_MAX];
    let length = header.write(&extensions, &mut bytes);
    bytes[..length].to_vec()
}

#[test]
fn media_survives_roll_over_loss_and_reordering_in_every_profile() {
    for profile in PROFILES {
        let sender = keys(profile).sender(Side::Server).expect("keys");
        let mut receiver = keys(profile).receiver(Side::Server).expect("keys");
        let mut other = keys(profile).receiver(Side::Client).expect("keys");
        let mut out = [0; 1_500];
        // Three roll-overs in steps of 97, each pair of packets swapped.
        let indices: Vec<u64> = (0..2_100u64).map(|n| n * 97).collect();
        for pair in indices.chunks(2) {
            for index in pair.iter().rev() {
                let header = header((index & 0xffff) as u16, 5);
                let payload = index.to_be_bytes();
                let packet = protect(&sender, &header, &payload, *index);
                assert_eq!(packet.len(), sender.protected_bytes(header.len(), 8));
                let (length, read) = receiver.unprotect(&packet, &mut out).expect("authentic");
                assert_eq!(
                    (&out[..length], read),
                    (&[&header[..], &payload].concat()[..], *index)
                );
                assert_eq!(receiver.unprotect(&packet, &mut out), Err(Error::Replayed));
                assert_eq!(other.unprotect(&packet, &mut out), Err(Error::Unauthentic));
            }
        }
    }
}

#[test]
fn a_retransmission_is_the_original_behind_its_sequence_number() {
    for profile in PROFILES {
        let sender = keys(profile).sender(Side::Server).expect("keys");
        let mut receiver = keys(profile).receiver(Side::Server).expect("keys");
        let header = header(9, 6);
        let mut packet = [0; 200];
        let length = sender
            .protect_retransmission(&header, SeqNo(0x1234), b"payload", 9, &mut packet)
            .expect("it fits");
        let mut out = [0; 200];
        let (plain, _) = receiver
            .unprotect(&packet[..length], &mut out)
            .expect("authentic");
        assert_eq!(out[header.len()..plain], *b"\x12\x34payload");
    }
}

#[test]
fn control_survives_in_every_profile_and_is_new_once() {
    let packet = hex("81ce0002 00000001 00000009");
    for profile in PROFILES {
        let mut sender = keys(profile).sender(Side::Client).expect("keys");
        let mut receiver = keys(profile).receiver(Side::Client).expect("keys");
        let (mut first, mut second, mut out) = (Vec::new(), Vec::new(), [0; 100]);
        sender.protect_rtcp(&packet, &mut first).expect("RTCP");
        sender.protect_rtcp(&packet, &mut second).expect("RTCP");
        assert_ne!(first, second);
        assert_eq!(first.len(), packet.len() + profile.rtcp_overhead_bytes());
        for protected in [second, first] {
            let length = receiver
                .unprotect_rtcp(&protected, &mut out)
                .expect("authentic");
            assert_eq!(out[..length], packet);
            assert_eq!(
                receiver.unprotect_rtcp(&protected, &mut out),
                Err(Error::Replayed)
            );
        }
    }
}

#[test]
fn no_bit_of_a_packet_can_be_changed_unnoticed() {
    for profile in PROFILES {
        let mut sender = keys(profile).sender(Side::Server).expect("keys");
        let media = protect(&sender, &header(1, 1), b"payload", 1);
        let mut control = Vec::new();
        sender
            .protect_rtcp(&hex("81ce0002 00000001 00000009"), &mut control)
            .expect("RTCP");
        let mut receiver = keys(profile).receiver(Side::Server).expect("keys");
        let mut out = [0; 200];
        for bit in 0..media.len() * 8 {
            let mut changed = media.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(receiver.unprotect(&changed, &mut out).is_err(), "bit {bit}");
        }
        for bit in 0..control.len() * 8 {
            let mut changed = control.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                receiver.unprotect_rtcp(&changed, &mut out).is_err(),
                "bit {bit}"
            );
        }
        for length in 0..media.len() {
            assert!(receiver.unprotect(&media[..length], &mut out).is_err());
        }
        for length in 0..control.len() {
            assert!(
                receiver
                    .unprotect_rtcp(&control[..length], &mut out)
                    .is_err()
            );
        }
        assert!(
            receiver.unprotect(&media, &mut out).is_ok(),
            "forgeries left no trace"
        );
        assert!(receiver.unprotect_rtcp(&control, &mut out).is_ok());
    }
}

#[test]
fn misuse_is_refused_before_anything_is_encrypted() {
    let mut sender = keys(Profile::AeadAes128Gcm)
        .sender(Side::Server)
        .expect("keys");
    let mut out = [0; 100];
    let header = header(7, 1);
    let mut check = |header: &[u8], index, room: usize, expected| {
        let outcome = sender.protect(header, b"x", index, &mut out[..room]);
        assert_eq!(outcome, Err(expected));
    };
    check(&header, 8, 100, Error::Malformed);
    check(&header[..11], 7, 100, Error::Malformed);
    check(&header, (1 << 48) | 7, 100, Error::Exhausted);
    check(
        &header,
        7,
        header.len() + 16,
        Error::OutputTooSmall(header.len() + 17),
    );
    let mut out = Vec::new();
    assert_eq!(
        sender.protect_rtcp(&[0; 7], &mut out),
        Err(Error::Malformed)
    );
    sender.set_rtcp_index(1 << 31);
    assert_eq!(
        sender.protect_rtcp(&[0; 8], &mut out),
        Err(Error::Exhausted)
    );
    assert_eq!(
        Keys::new(Profile::AeadAes128Gcm, &[0; 60]).expect_err("60 bytes are SHA1's"),
        Error::KeyLength(60)
    );
}

#[test]
fn the_replay_windows_of_many_streams_are_bounded() {
    let profile = Profile::AeadAes128Gcm;
    let sender = keys(profile).sender(Side::Server).expect("keys");
    let mut receiver = keys(profile).receiver(Side::Server).expect("keys");
    let mut out = [0; 100];
    for ssrc in 0..1_000 {
        let packet = protect(&sender, &header(1, ssrc), b"", 1);
        assert!(receiver.unprotect(&packet, &mut out).is_ok());
    }
    assert_eq!(receiver.sources(), Receiver::SOURCES_MAX);
}

#[test]
fn keys_go_through_a_line_of_text_and_open_what_they_opened() {
    for profile in [
        Profile::AesCm128HmacSha1_80,
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
    ] {
        let material: Vec<u8> = (0..=255)
            .rev()
            .take(profile.keying_material_bytes())
            .collect();
        let keys = Keys::new(profile, &material).unwrap();
        let line = keys.to_line();
        assert!(
            Keys::from_line(&format!("{line}\n")) == Some(keys),
            "{line}"
        );
        let mut short = line.clone();
        short.pop();
        assert!(Keys::from_line(&short).is_none());
        assert!(Keys::from_line(&line.replace("SRTP", "DTLS")).is_none());
    }
    assert!(Keys::from_line("CLIENT_RANDOM 00 11").is_none());
}
