#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::cipher::{Cipher, Cm, Gcm};
use super::{Error, Profile};
use crate::rtp::{HEADER_BYTES, INDEX_MAX, SeqNo};

/// Protects what one side of a session sends: RTP of any number of streams, and RTCP.
///
/// Holds two session keys: 1.9 KiB of memory with AES-GCM, 2.4 KiB with HMAC-SHA1, most of it the library's expanded keys on the heap.
#[derive(Debug)]
pub struct Sender {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    /// Index of the next RTCP packet, 31 bits (RFC 3711 §3.4).
    rtcp_index: u32,
}

impl Sender {
    pub(super) const fn new(profile: Profile, rtp: Cipher, rtcp: Cipher) -> Self {
        Self {
            profile,
            rtp,
            rtcp,
            rtcp_index: 0,
        }
    }

    /// Jumps to an index, as the RFC's known answers do.
    #[cfg(test)]
    pub(super) const fn set_rtcp_index(&mut self, index: u32) {
        self.rtcp_index = index;
    }

    /// The profile in use.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Bytes that a packet of this header and payload takes when protected.
    #[must_use]
    pub const fn protected_bytes(&self, header_bytes: usize, payload_bytes: usize) -> usize {
        header_bytes
            .saturating_add(payload_bytes)
            .saturating_add(self.profile.tag_bytes())
    }

    /// Writes one protected RTP packet into the front of `out` and returns its length.
    ///
    /// `header` is the complete RTP header with extensions; `index` the roll-over counter and the header's sequence
    /// number, `ROC << 16 | SEQ`. The caller counts roll-overs, for each SSRC by itself, and must never use an index
    /// with two different packets: that would give the key away.
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`]; [`Error::Malformed`] when the header is shorter than 12 bytes or its sequence number
    /// is not that of `index`; [`Error::Exhausted`] beyond 2^48 packets.
    #[inline]
    pub fn protect(
        &self,
        header: &[u8],
        payload: &[u8],
        index: u64,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let place = self.place(header, payload.len(), index, out)?;
        match &self.rtp {
            Cipher::Gcm(gcm) => gcm.seal(
                gcm.rtp_nonce(place.ssrc, index),
                header,
                payload,
                place.body,
                place.tag,
            )?,
            Cipher::Cm(cm) => {
                place.body.copy_from_slice(payload);
                cm.apply(place.ssrc, index, place.body)?;
            }
        }
        self.finish(header, payload.len(), index, out)
    }

    /// Like [`Sender::protect`] for a retransmission: the payload is preceded by the sequence number that the packet
    /// had first (RFC 4588 §4), and is copied once.
    ///
    /// # Errors
    /// As [`Sender::protect`].
    pub fn protect_retransmission(
        &self,
        header: &[u8],
        original: SeqNo,
        payload: &[u8],
        index: u64,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let length = payload.len().saturating_add(2);
        let place = self.place(header, length, index, out)?;
        let (prefix, rest) = place
            .body
            .split_first_chunk_mut::<2>()
            .ok_or(Error::Malformed)?;
        *prefix = original.0.to_be_bytes();
        rest.copy_from_slice(payload);
        match &self.rtp {
            Cipher::Gcm(gcm) => gcm.seal_in_place(
                gcm.rtp_nonce(place.ssrc, index),
                header,
                place.body,
                place.tag,
            )?,
            Cipher::Cm(cm) => cm.apply(place.ssrc, index, place.body)?,
        }
        self.finish(header, length, index, out)
    }

    /// Protects an RTCP packet (compound or reduced-size) and replaces the contents of `out` with it.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the packet has no whole first header (8 bytes); [`Error::Exhausted`] beyond 2^31
    /// packets.
    pub fn protect_rtcp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        const ENCRYPTED: u32 = 1 << 31;
        let (header, body) = packet.split_first_chunk::<8>().ok_or(Error::Malformed)?;
        let [_, _, _, _, ssrc @ ..] = *header;
        let index = self.rtcp_index;
        if index & ENCRYPTED != 0 {
            return Err(Error::Exhausted);
        }
        self.rtcp_index = index.wrapping_add(1);
        let word = (index | ENCRYPTED).to_be_bytes();
        out.clear();
        out.extend_from_slice(header);
        out.extend_from_slice(body);
        let (_, cipher) = out.split_first_chunk_mut::<8>().ok_or(Error::Malformed)?;
        match &self.rtcp {
            Cipher::Gcm(gcm) => {
                // RFC 7714 §9.2: header and index word are associated data; the tag stands before the word.
                let mut associated = [0; 12];
                for (to, from) in associated.iter_mut().zip(header.iter().chain(&word)) {
                    *to = *from;
                }
                let mut tag = [0; Gcm::TAG_BYTES];
                let nonce = gcm.rtcp_nonce(ssrc, index);
                gcm.seal_in_place(nonce, &associated, cipher, &mut tag)?;
                out.extend_from_slice(&tag);
                out.extend_from_slice(&word);
            }
            Cipher::Cm(cm) => {
                cm.apply(ssrc, u64::from(index), cipher)?;
                out.extend_from_slice(&word);
                let tag = cm.tag([out, &[]]);
                out.extend_from_slice(&tag);
            }
        }
        Ok(())
    }

    /// Writes the header and says where the rest goes.
    fn place<'o>(
        &self,
        header: &[u8],
        payload_bytes: usize,
        index: u64,
        out: &'o mut [u8],
    ) -> Result<Place<'o>, Error> {
        let total = self.protected_bytes(header.len(), payload_bytes);
        let (_, rest) = header.split_first_chunk::<2>().ok_or(Error::Malformed)?;
        let (sequence, _) = rest.split_first_chunk::<2>().ok_or(Error::Malformed)?;
        let ssrc = header
            .get(8..HEADER_BYTES)
            .and_then(|bytes| bytes.first_chunk::<4>())
            .ok_or(Error::Malformed)?;
        if u64::from(u16::from_be_bytes(*sequence)) != index & 0xffff {
            return Err(Error::Malformed);
        }
        if index > INDEX_MAX {
            return Err(Error::Exhausted);
        }
        let out = out.get_mut(..total).ok_or(Error::OutputTooSmall(total))?;
        let (head, rest) = out
            .split_at_mut_checked(header.len())
            .ok_or(Error::OutputTooSmall(total))?;
        let (body, tag) = rest
            .split_at_mut_checked(payload_bytes)
            .ok_or(Error::OutputTooSmall(total))?;
        head.copy_from_slice(header);
        Ok(Place {
            ssrc: *ssrc,
            body,
            tag,
        })
    }

    /// Adds the tag where the cipher has not, and gives the packet's length.
    fn finish(
        &self,
        header: &[u8],
        payload_bytes: usize,
        index: u64,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let total = self.protected_bytes(header.len(), payload_bytes);
        if let Cipher::Cm(cm) = &self.rtp {
            let roll_over = roll_over_counter(index);
            let (signed, tag) = out
                .get_mut(..total)
                .and_then(|packet| packet.split_last_chunk_mut::<{ Cm::TAG_BYTES }>())
                .ok_or(Error::OutputTooSmall(total))?;
            *tag = cm.tag([signed, &roll_over]);
        }
        Ok(total)
    }
}

/// The roll-over counter as the HMAC covers it (RFC 3711 §4.2).
pub(super) fn roll_over_counter(index: u64) -> [u8; 4] {
    let [_, _, r0, r1, r2, r3, _, _] = index.to_be_bytes();
    [r0, r1, r2, r3]
}

struct Place<'o> {
    ssrc: [u8; 4],
    body: &'o mut [u8],
    tag: &'o mut [u8],
}
