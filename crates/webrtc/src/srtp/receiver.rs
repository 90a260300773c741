#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::cipher::{Cipher, Cm, Gcm};
use super::replay::Window;
use super::sender::roll_over_counter;
use super::{Error, Profile};
use crate::rtp::{Packet, Ssrc};

/// Checks and decrypts what the other side of a session sends.
///
/// Holds two session keys and a replay window for each of the last [`Receiver::SOURCES_MAX`] streams.
#[derive(Debug)]
pub struct Receiver {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    rtp_windows: Windows,
    rtcp_windows: Windows,
}

impl Receiver {
    /// Streams whose replay windows are kept, for media and control each. A viewer reports from one or two, a host
    /// sends two and their retransmissions; when an authenticated ninth appears, the least recently heard is forgotten.
    pub const SOURCES_MAX: usize = 8;

    pub(super) const fn new(profile: Profile, rtp: Cipher, rtcp: Cipher) -> Self {
        Self {
            profile,
            rtp,
            rtcp,
            rtp_windows: Windows(Vec::new()),
            rtcp_windows: Windows(Vec::new()),
        }
    }

    /// How many streams' replay windows are held.
    #[cfg(test)]
    pub(super) const fn sources(&self) -> usize {
        self.rtp_windows.0.len()
    }

    /// The profile in use.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Checks an SRTP packet and writes the plain RTP packet into the front of `out`; returns its length and its
    /// index (`ROC << 16 | SEQ`).
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`] when `out` is shorter than the plain packet, [`Error::Malformed`],
    /// [`Error::Replayed`], [`Error::Unauthentic`].
    pub fn unprotect(&mut self, packet: &[u8], out: &mut [u8]) -> Result<(usize, u64), Error> {
        let parsed = Packet::parse_protected(packet).ok_or(Error::Malformed)?;
        let ssrc = parsed.header.ssrc;
        let window = self.rtp_windows.of(ssrc);
        // RFC 3711 §3.3.1: the first packet of a stream starts with a roll-over counter of 0.
        let reference = window.highest().unwrap_or(0);
        let index = match window.highest() {
            None => u64::from(parsed.header.sequence.0),
            Some(_) => parsed
                .header
                .sequence
                .index_near(reference)
                .ok_or(Error::Malformed)?,
        };
        if !window.is_new(index) {
            return Err(Error::Replayed);
        }
        let header = parsed.header_bytes;
        let body = parsed.payload;
        let cipher_bytes = body
            .len()
            .checked_sub(self.profile.tag_bytes())
            .ok_or(Error::Malformed)?;
        let (body, tag) = body
            .split_at_checked(cipher_bytes)
            .ok_or(Error::Malformed)?;
        let total = header.len().saturating_add(cipher_bytes);
        let (head, plain) = out
            .get_mut(..total)
            .and_then(|out| out.split_at_mut_checked(header.len()))
            .ok_or(Error::OutputTooSmall(total))?;
        let ssrc_bytes = ssrc.0.to_be_bytes();
        match &self.rtp {
            Cipher::Gcm(gcm) => {
                gcm.open(gcm.rtp_nonce(ssrc_bytes, index), header, body, tag, plain)?;
            }
            Cipher::Cm(cm) => {
                let signed = packet.get(..total).ok_or(Error::Malformed)?;
                authenticate(cm, [signed, &roll_over_counter(index)], tag)?;
                plain.copy_from_slice(body);
                cm.apply(ssrc_bytes, index, plain)?;
            }
        }
        head.copy_from_slice(header);
        self.rtp_windows.accept(ssrc, index);
        Ok((total, index))
    }

    /// Checks an SRTCP packet and writes the plain RTCP packet into the front of `out`; returns its length.
    ///
    /// # Errors
    /// As [`Receiver::unprotect`]. A packet that is authentic but not encrypted is taken as it stands
    /// (RFC 3711 §3.4).
    pub fn unprotect_rtcp(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        const ENCRYPTED: u32 = 1 << 31;
        let parts = RtcpParts::split(self.profile, packet).ok_or(Error::Malformed)?;
        let [_, _, _, _, ssrc @ ..] = *parts.header;
        let word = u32::from_be_bytes(parts.word);
        let (encrypted, index) = (word & ENCRYPTED != 0, word & !ENCRYPTED);
        let source = Ssrc(u32::from_be_bytes(ssrc));
        if !self.rtcp_windows.of(source).is_new(u64::from(index)) {
            return Err(Error::Replayed);
        }
        let total = parts.header.len().saturating_add(parts.body.len());
        let (head, plain) = out
            .get_mut(..total)
            .and_then(|out| out.split_first_chunk_mut::<8>())
            .ok_or(Error::OutputTooSmall(total))?;
        match &self.rtcp {
            Cipher::Gcm(gcm) if encrypted => {
                let mut associated = [0; 12];
                let bytes = parts.header.iter().chain(&parts.word);
                for (to, from) in associated.iter_mut().zip(bytes) {
                    *to = *from;
                }
                let nonce = gcm.rtcp_nonce(ssrc, index);
                gcm.open(nonce, &associated, parts.body, parts.tag, plain)?;
            }
            Cipher::Gcm(gcm) => {
                // RFC 7714 §9.3: all of the packet is associated data, nothing is encrypted.
                let mut associated = Vec::with_capacity(total.saturating_add(4));
                associated.extend_from_slice(parts.header);
                associated.extend_from_slice(parts.body);
                associated.extend_from_slice(&parts.word);
                let nonce = gcm.rtcp_nonce(ssrc, index);
                gcm.open(nonce, &associated, &[], parts.tag, &mut [])?;
                plain.copy_from_slice(parts.body);
            }
            Cipher::Cm(cm) => {
                let signed = packet
                    .get(..total.saturating_add(4))
                    .ok_or(Error::Malformed)?;
                authenticate(cm, [signed, &[]], parts.tag)?;
                plain.copy_from_slice(parts.body);
                if encrypted {
                    cm.apply(ssrc, u64::from(index), plain)?;
                }
            }
        }
        *head = *parts.header;
        self.rtcp_windows.accept(source, u64::from(index));
        Ok(total)
    }
}

fn authenticate(cm: &Cm, parts: [&[u8]; 2], tag: &[u8]) -> Result<(), Error> {
    aws_lc_rs::constant_time::verify_slices_are_equal(&cm.tag(parts), tag)
        .map_err(|_unspecified| Error::Unauthentic)
}

/// An SRTCP packet's parts: GCM has the tag before the index word (RFC 7714 §9.2), HMAC after it (RFC 3711 §3.4).
struct RtcpParts<'a> {
    header: &'a [u8; 8],
    body: &'a [u8],
    word: [u8; 4],
    tag: &'a [u8],
}

impl<'a> RtcpParts<'a> {
    fn split(profile: Profile, packet: &'a [u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<8>()?;
        if header.first()? >> 6 != 2 {
            return None;
        }
        let (body, word, tag): (_, _, &[u8]) = match profile {
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                let (rest, word) = rest.split_last_chunk::<4>()?;
                let (body, tag) = rest.split_last_chunk::<{ Gcm::TAG_BYTES }>()?;
                (body, word, tag)
            }
            Profile::AesCm128HmacSha1_80 => {
                let (rest, tag) = rest.split_last_chunk::<{ Cm::TAG_BYTES }>()?;
                let (body, word) = rest.split_last_chunk::<4>()?;
                (body, word, tag)
            }
        };
        Some(Self {
            header,
            body,
            word: *word,
            tag,
        })
    }
}

/// Replay windows by stream, the least recently heard first. A stream gets one with its first authentic packet.
#[derive(Debug)]
struct Windows(Vec<(Ssrc, Window)>);

impl Windows {
    fn of(&self, ssrc: Ssrc) -> Window {
        self.0
            .iter()
            .find(|(known, _)| *known == ssrc)
            .map(|(_, window)| *window)
            .unwrap_or_default()
    }

    fn accept(&mut self, ssrc: Ssrc, index: u64) {
        let mut window = Window::default();
        if let Some(at) = self.0.iter().position(|(known, _)| *known == ssrc) {
            (_, window) = self.0.remove(at);
        } else if self.0.len() >= Receiver::SOURCES_MAX {
            self.0.remove(0);
        }
        window.accept(index);
        self.0.push((ssrc, window));
    }
}
