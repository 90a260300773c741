//! The handshake (RTMP §5.2): simple, and with digests as Flash players and ffmpeg do it.

mod client;
mod digest;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use client::Client;
pub(crate) use server::Server;

use aws_lc_rs::hmac;

/// Which handshake a client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handshake {
    /// Echo of random bytes (RTMP §5.2), as OBS does it.
    #[default]
    Simple,
    /// With an HMAC-SHA256 digest in C1, as ffmpeg does it.
    Digest,
}

/// C1, S1, C2 and S2 have this many bytes.
const PACKET_BYTES: usize = 1_536;
/// The version byte C0 and S0 (RTMP §5.2.2).
const VERSION: u8 = 3;

type Packet = [u8; PACKET_BYTES];

/// Fills `out` from `seed`: HMAC-SHA256 in counter mode. `label` keeps two uses of one seed apart.
fn expand(seed: &[u8; 32], label: u8, out: &mut [u8]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed);
    for (counter, block) in
        (0_u32..).zip(out.chunks_mut(hmac::HMAC_SHA256.digest_algorithm().output_len()))
    {
        let [a, b, c, d] = counter.to_be_bytes();
        let tag = hmac::sign(&key, &[label, a, b, c, d]);
        for (to, from) in block.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
    }
}

/// Bytes of one fixed-size packet gathered from slices of any size.
#[derive(Debug)]
struct Gather<const N: usize>(Vec<u8>);

impl<const N: usize> Gather<N> {
    fn new() -> Self {
        Self(Vec::with_capacity(N))
    }

    /// Takes what is missing off the front of `input`; the packet when it is whole.
    fn take(&mut self, input: &mut &[u8]) -> Option<&[u8; N]> {
        let missing = N.saturating_sub(self.0.len());
        let (head, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
        self.0.extend_from_slice(head);
        *input = rest;
        self.0.first_chunk()
    }
}
