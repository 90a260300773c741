#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::digest::{self, Schema};
use super::{Gather, PACKET_BYTES, Packet, VERSION, expand};
use crate::Error;
use crate::chunk::Writer;

/// The server's side: C0, C1 and C2 in, S0, S1 and S2 out in one piece.
///
/// C2 is read over: it proves nothing that TCP has not, and encoders behind proxies echo something else.
#[derive(Debug)]
pub(crate) struct Server {
    seed: [u8; 32],
    state: State,
}

#[derive(Debug)]
enum State {
    Version,
    First(Gather<PACKET_BYTES>),
    Second(Gather<PACKET_BYTES>),
}

impl Server {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
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
            let Some(c1) = gather.take(input) else {
                return Ok(false);
            };
            answer(c1, &self.seed, out);
            self.state = State::Second(Gather::new());
        }
        match &mut self.state {
            State::Second(gather) => Ok(gather.take(input).is_some()),
            State::Version | State::First(_) => Ok(false),
        }
    }
}

fn answer(c1: &Packet, seed: &[u8; 32], out: &mut Writer) {
    let mut s1 = [0; PACKET_BYTES];
    if let Some((_time_and_version, random)) = s1.split_at_mut_checked(8) {
        expand(seed, 1, random);
    }
    let mut s2 = *c1;
    if let Some((schema, c1_digest)) = client_digest(c1) {
        if let Some(version) = s1.get_mut(4..8) {
            version.copy_from_slice(&SERVER_VERSION);
        }
        digest::seal(&mut s1, schema, digest::SERVER_KEY);
        expand(seed, 2, &mut s2);
        digest::seal_answer(&mut s2, &c1_digest, &digest::server_answer_key());
    }
    out.raw(&[VERSION]);
    out.raw(&s1);
    out.raw(&s2);
}

/// A client that knows digests puts its version where a simple one has zeros (RTMP §5.2.3).
fn client_digest(c1: &Packet) -> Option<(Schema, [u8; digest::DIGEST_BYTES])> {
    let [_, _, _, _, version @ ..] = c1.first_chunk::<8>()?;
    if *version == [0; 4] {
        return None;
    }
    digest::find(c1, digest::CLIENT_KEY)
}

/// Says that S1 has a digest. Flash Media Server 3.5.
const SERVER_VERSION: [u8; 4] = [3, 5, 1, 1];
