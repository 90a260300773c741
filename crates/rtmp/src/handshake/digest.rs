//! Digests in handshake packets. Adobe never published them; this is what Flash Player 9.0.115 and later, FMS 3, ffmpeg,
//! librtmp, nginx-rtmp and SRS agree on.
//!
//! A packet's 1,536 bytes are time (4), version (4) and two blocks of 764 bytes, a key block and a digest block; in
//! schema 0 the key block is first, in schema 1 the digest block. A digest block begins with four bytes whose sum modulo
//! 728 says where in the rest the 32 digest bytes are. They are the HMAC-SHA256 of the packet without them.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use aws_lc_rs::hmac;

use super::{PACKET_BYTES, Packet};

/// Where the digest block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// In the second half.
    Zero,
    /// In the first half.
    One,
}

impl Schema {
    pub(super) const BOTH: [Self; 2] = [Self::Zero, Self::One];

    fn block_start(self) -> usize {
        match self {
            Self::Zero => 772,
            Self::One => 8,
        }
    }

    /// Where the digest is in `packet`: at most 772 + 4 + 727, so it ends 1 byte before the packet does.
    fn digest_start(self, packet: &Packet) -> usize {
        let block = self.block_start();
        let sum: usize = packet
            .iter()
            .skip(block)
            .take(4)
            .fold(0, |sum, &byte| sum.saturating_add(usize::from(byte)));
        block
            .saturating_add(4)
            .saturating_add(sum.checked_rem(DIGEST_POSITIONS).unwrap_or(0))
    }
}

/// The packet's digest, if it has a valid one by `key` in either schema.
pub(super) fn find(packet: &Packet, key: &[u8]) -> Option<(Schema, [u8; DIGEST_BYTES])> {
    Schema::BOTH.into_iter().find_map(|schema| {
        let (before, digest, after) = split(packet, schema)?;
        (hmac_sha256(key, &[before, after]) == *digest).then_some((schema, *digest))
    })
}

/// Puts the digest by `key` into the packet.
pub(super) fn seal(packet: &mut Packet, schema: Schema, key: &[u8]) -> Option<[u8; DIGEST_BYTES]> {
    let (before, _, after) = split(packet, schema)?;
    let digest = hmac_sha256(key, &[before, after]);
    let start = schema.digest_start(packet);
    packet
        .get_mut(start..start.saturating_add(DIGEST_BYTES))?
        .copy_from_slice(&digest);
    Some(digest)
}

/// Makes S2 or C2: the last 32 bytes are the HMAC of the rest, by a key made from the digest that it answers.
pub(super) fn seal_answer(packet: &mut Packet, answered: &[u8; DIGEST_BYTES], key: &[u8]) {
    let key = hmac_sha256(key, &[answered]);
    if let Some((body, digest)) = packet.split_last_chunk_mut::<DIGEST_BYTES>() {
        *digest = hmac_sha256(&key, &[body]);
    }
}

fn split(packet: &Packet, schema: Schema) -> Option<(&[u8], &[u8; DIGEST_BYTES], &[u8])> {
    let (before, rest) = packet.split_at_checked(schema.digest_start(packet))?;
    let (digest, after) = rest.split_first_chunk()?;
    Some((before, digest, after))
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    context
        .sign()
        .as_ref()
        .first_chunk()
        .copied()
        .expect("HMAC-SHA256 has 32 bytes")
}

/// Key of a client's C1.
pub(super) const CLIENT_KEY: &[u8] = CLIENT_NAME;
/// Key of a server's S1.
pub(super) const SERVER_KEY: &[u8] = SERVER_NAME;

/// Key of a client's C2: its name and [`SUFFIX`].
pub(super) fn client_answer_key() -> Vec<u8> {
    [CLIENT_NAME, &SUFFIX].concat()
}

/// Key of a server's S2: its name and [`SUFFIX`].
pub(super) fn server_answer_key() -> Vec<u8> {
    [SERVER_NAME, &SUFFIX].concat()
}

pub(super) const DIGEST_BYTES: usize = 32;
const CLIENT_NAME: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_NAME: &[u8] = b"Genuine Adobe Flash Media Server 001";
const SUFFIX: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];
/// 764 bytes of a block less the four that say where and the 32 of the digest.
const DIGEST_POSITIONS: usize = 728;
const _: () = assert!(772 + 4 + DIGEST_POSITIONS + DIGEST_BYTES <= PACKET_BYTES);
