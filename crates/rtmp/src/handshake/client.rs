#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::digest::{self, Schema};
use super::{Gather, Handshake, PACKET_BYTES, Packet, VERSION, expand};
use crate::Error;
use crate::chunk::Writer;

/// The client's side: C0 and C1 out at once, C2 when S1 is in.
#[derive(Debug)]
pub(crate) struct Client {
    kind: Handshake,
    seed: [u8; 32],
    state: State,
}

#[derive(Debug)]
enum State {
    Version,
    First(Gather<PACKET_BYTES>),
    Second(Gather<PACKET_BYTES>),
}

impl Client {
    /// Begins: writes C0 and C1.
    pub(crate) fn new(kind: Handshake, seed: [u8; 32], out: &mut Writer) -> Self {
        let mut c1 = [0; PACKET_BYTES];
        if let Some((_time_and_version, random)) = c1.split_at_mut_checked(8) {
            expand(&seed, 1, random);
        }
        if kind == Handshake::Digest {
            if let Some(version) = c1.get_mut(4..8) {
                version.copy_from_slice(&CLIENT_VERSION);
            }
            digest::seal(&mut c1, Schema::One, digest::CLIENT_KEY);
        }
        out.raw(&[VERSION]);
        out.raw(&c1);
        Self {
            kind,
            seed,
            state: State::Version,
        }
    }

    /// Takes bytes off the front of `input`. True when the handshake is over and the rest is chunks.
    pub(crate) fn read(&mut self, input: &mut &[u8], out: &mut Writer) -> Result<bool, Error> {
        if let State::Version = self.state {
            let Some((&version, rest)) = input.split_first() else {
                return Ok(false);
            };
            *input = rest;
            if version != VERSION {
                return Err(Error::Version(version));
            }
            self.state = State::First(Gather::new());
        }
        if let State::First(gather) = &mut self.state {
            let Some(s1) = gather.take(input) else {
                return Ok(false);
            };
            out.raw(&answer(self.kind, s1, &self.seed));
            self.state = State::Second(Gather::new());
        }
        match &mut self.state {
            State::Second(gather) => Ok(gather.take(input).is_some()),
            State::Version | State::First(_) => Ok(false),
        }
    }
}

/// C2: the echo of S1, or the answer to its digest if both sides know digests.
fn answer(kind: Handshake, s1: &Packet, seed: &[u8; 32]) -> Packet {
    let mut c2 = *s1;
    if kind == Handshake::Digest
        && let Some((_, s1_digest)) = digest::find(s1, digest::SERVER_KEY)
    {
        expand(seed, 2, &mut c2);
        digest::seal_answer(&mut c2, &s1_digest, &digest::client_answer_key());
    }
    c2
}

/// Says that C1 has a digest. The version that ffmpeg and Flash Player 9 send.
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];
