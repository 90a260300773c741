//! SRTP and SRTCP for a viewer: RFC 3711 with AES-CM and HMAC-SHA1-80, RFC 7714 with AES-GCM.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use anyhow::{Context, Result, bail};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use dimpl::SrtpProfile;

use super::Header;

/// Bytes of an HMAC-SHA1-80 tag.
const HMAC_TAG: usize = 10;

/// What one direction of a session is protected with.
#[derive(Debug)]
pub(crate) struct Keys {
    rtp: Suite,
    rtcp: Suite,
}

#[derive(Debug)]
enum Suite {
    Gcm {
        key: Box<LessSafeKey>,
        salt: [u8; 12],
    },
    CmSha1 {
        key: Box<EncryptingKey>,
        auth: Box<hmac::Key>,
        salt: [u8; 14],
    },
}

/// The keys of both directions.
#[derive(Debug)]
pub(crate) struct Session {
    /// What we send with.
    pub(crate) ours: Keys,
    /// What we receive with.
    pub(crate) theirs: Keys,
}

impl Session {
    /// From what DTLS exported (RFC 5764 §4.2): client key, server key, client salt, server salt.
    pub(crate) fn new(profile: SrtpProfile, material: &[u8], we_are_client: bool) -> Result<Self> {
        let (key, salt) = match profile {
            SrtpProfile::AEAD_AES_128_GCM => (16, 12),
            SrtpProfile::AEAD_AES_256_GCM => (32, 12),
            SrtpProfile::AES128_CM_SHA1_80 => (16, 14),
            other => bail!("SRTP profile {other:?} is not supported"),
        };
        let mut rest = material;
        let mut take = |count: usize| -> Result<&[u8]> {
            let (taken, left) = rest
                .split_at_checked(count)
                .context("keying material too short")?;
            rest = left;
            Ok(taken)
        };
        let (client_key, server_key) = (take(key)?, take(key)?);
        let (client_salt, server_salt) = (take(salt)?, take(salt)?);
        let client = Keys::new(profile, client_key, client_salt)?;
        let server = Keys::new(profile, server_key, server_salt)?;
        Ok(if we_are_client {
            Self {
                ours: client,
                theirs: server,
            }
        } else {
            Self {
                ours: server,
                theirs: client,
            }
        })
    }
}

impl Keys {
    /// Session keys from a master key and salt (RFC 3711 §4.3).
    pub(crate) fn new(profile: SrtpProfile, key: &[u8], salt: &[u8]) -> Result<Self> {
        let mut padded = [0; 14];
        padded
            .get_mut(..salt.len())
            .context("master salt too long")?
            .copy_from_slice(salt);
        Ok(Self {
            rtp: Suite::derive(profile, key, &padded, 0)?,
            rtcp: Suite::derive(profile, key, &padded, 3)?,
        })
    }

    /// Decrypts an SRTP packet; `roll_over` is how often its sequence number wrapped. Gives the payload.
    pub(crate) fn open_rtp(
        &self,
        header: &Header,
        roll_over: u32,
        packet: &[u8],
    ) -> Result<Vec<u8>> {
        let (clear, body) = packet
            .split_at_checked(header.length)
            .context("packet shorter than its header")?;
        let index = u64::from(roll_over) << 16 | u64::from(header.sequence);
        let mut payload = match &self.rtp {
            Suite::Gcm { key, salt } => {
                let nonce = gcm_nonce(salt, header.ssrc, index);
                let mut body = body.to_vec();
                let length = key
                    .open_in_place(nonce, Aad::from(clear), &mut body)
                    .ok()
                    .context("an SRTP packet fails authentication")?
                    .len();
                body.truncate(length);
                body
            }
            Suite::CmSha1 { key, auth, salt } => {
                let end = body
                    .len()
                    .checked_sub(HMAC_TAG)
                    .context("packet shorter than its tag")?;
                let (body, tag) = body.split_at(end);
                let mut signed = packet
                    .get(..header.length.saturating_add(end))
                    .unwrap_or_default()
                    .to_vec();
                signed.extend(roll_over.to_be_bytes());
                verify(auth, &signed, tag)?;
                let mut body = body.to_vec();
                counter_mode(key, salt, header.ssrc, index, &mut body)?;
                body
            }
        };
        if header.padding {
            let padding = usize::from(payload.last().copied().unwrap_or_default());
            payload.truncate(payload.len().saturating_sub(padding));
        }
        Ok(payload)
    }

    /// Encrypts a compound RTCP packet in place (RFC 7714 §9.3, RFC 3711 §3.4).
    pub(crate) fn seal_rtcp(&self, index: u32, packet: &mut Vec<u8>) -> Result<()> {
        let index = index & 0x7fff_ffff;
        let marked = (index | 0x8000_0000).to_be_bytes();
        let (clear, body) = packet
            .split_at_mut_checked(8)
            .context("RTCP packet too short")?;
        let ssrc = ssrc_of(clear)?;
        match &self.rtcp {
            Suite::Gcm { key, salt } => {
                let mut aad = clear.to_vec();
                aad.extend(marked);
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
                    .ok()
                    .context("an RTCP packet can't be encrypted")?;
                packet.extend(tag.as_ref());
                packet.extend(marked);
            }
            Suite::CmSha1 { key, auth, salt } => {
                counter_mode(key, salt, ssrc, u64::from(index), body)?;
                packet.extend(marked);
                let tag = hmac::sign(auth, packet);
                packet.extend(tag.as_ref().iter().take(HMAC_TAG));
            }
        }
        Ok(())
    }

    /// Decrypts a compound RTCP packet.
    pub(crate) fn open_rtcp(&self, packet: &[u8]) -> Result<Vec<u8>> {
        let clear = packet.get(..8).context("RTCP packet too short")?;
        let ssrc = ssrc_of(clear)?;
        match &self.rtcp {
            Suite::Gcm { key, salt } => {
                let end = packet
                    .len()
                    .checked_sub(4)
                    .context("RTCP packet too short")?;
                let (sealed, marked) = packet.split_at(end);
                let word = u32::from_be_bytes(marked.try_into().context("four bytes")?);
                let mut aad = clear.to_vec();
                aad.extend(marked);
                let mut body = sealed.get(8..).context("RTCP packet too short")?.to_vec();
                let nonce = gcm_nonce(salt, ssrc, u64::from(word & 0x7fff_ffff));
                let length = key
                    .open_in_place(nonce, Aad::from(aad), &mut body)
                    .ok()
                    .context("an SRTCP packet fails authentication")?
                    .len();
                body.truncate(length);
                Ok([clear, &body].concat())
            }
            Suite::CmSha1 { key, auth, salt } => {
                let end = packet
                    .len()
                    .checked_sub(HMAC_TAG)
                    .filter(|end| *end >= 12)
                    .context("RTCP packet too short")?;
                let (signed, tag) = packet.split_at(end);
                verify(auth, signed, tag)?;
                let (sealed, marked) = signed.split_at(end.saturating_sub(4));
                let word = u32::from_be_bytes(marked.try_into().context("four bytes")?);
                let mut body = sealed.get(8..).context("RTCP packet too short")?.to_vec();
                counter_mode(key, salt, ssrc, u64::from(word & 0x7fff_ffff), &mut body)?;
                Ok([clear, &body].concat())
            }
        }
    }
}

impl Suite {
    /// `label` is that of the encryption key; authentication and salt follow it (RFC 3711 §4.3.2).
    fn derive(profile: SrtpProfile, key: &[u8], salt: &[u8; 14], label: u8) -> Result<Self> {
        let cipher = if key.len() == 32 { &AES_256 } else { &AES_128 };
        let master = EncryptingKey::ctr(
            UnboundCipherKey::new(cipher, key)
                .ok()
                .context("bad master key")?,
        )
        .ok()
        .context("bad master key")?;
        let derived = |label: u8, into: &mut [u8]| -> Result<()> {
            let mut iv = [0; 16];
            for (iv, salt) in iv.iter_mut().zip(salt) {
                *iv = *salt;
            }
            iv[7] ^= label;
            keystream(&master, iv, into)
        };
        let salt_label = label.saturating_add(2);
        if profile == SrtpProfile::AES128_CM_SHA1_80 {
            let (mut session, mut auth, mut salt) = ([0; 16], [0; 20], [0; 14]);
            derived(label, &mut session)?;
            derived(label.saturating_add(1), &mut auth)?;
            derived(salt_label, &mut salt)?;
            let key = UnboundCipherKey::new(&AES_128, &session)
                .and_then(EncryptingKey::ctr)
                .ok()
                .context("bad session key")?;
            return Ok(Self::CmSha1 {
                key: Box::new(key),
                auth: Box::new(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth)),
                salt,
            });
        }
        let (mut session, mut salt) = (vec![0; key.len()], [0; 12]);
        derived(label, &mut session)?;
        derived(salt_label, &mut salt)?;
        let algorithm = if key.len() == 32 {
            &AES_256_GCM
        } else {
            &AES_128_GCM
        };
        let key = UnboundKey::new(algorithm, &session)
            .ok()
            .context("bad session key")?;
        Ok(Self::Gcm {
            key: Box::new(LessSafeKey::new(key)),
            salt,
        })
    }
}

/// RFC 7714 §8.1 (RTP: `index` is roll-over counter and sequence number) and §9.1 (RTCP).
fn gcm_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = [0; 12];
    let ssrc = ssrc.to_be_bytes();
    let index = index.to_be_bytes();
    let parts = [0, 0].iter().chain(&ssrc).chain(index.iter().skip(2));
    for ((nonce, part), salt) in nonce.iter_mut().zip(parts).zip(salt) {
        *nonce = part ^ salt;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// AES in counter mode with the IV of RFC 3711 §4.1.1.
fn counter_mode(
    key: &EncryptingKey,
    salt: &[u8; 14],
    ssrc: u32,
    index: u64,
    data: &mut [u8],
) -> Result<()> {
    let iv = (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
    let mut iv = iv.to_be_bytes();
    for (iv, salt) in iv.iter_mut().zip(salt) {
        *iv ^= salt;
    }
    keystream(key, iv, data)
}

fn keystream(key: &EncryptingKey, iv: [u8; 16], data: &mut [u8]) -> Result<()> {
    key.less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map(drop)
        .ok()
        .context("AES counter mode failed")
}

fn verify(auth: &hmac::Key, signed: &[u8], tag: &[u8]) -> Result<()> {
    let wanted = hmac::sign(auth, signed);
    if wanted.as_ref().get(..HMAC_TAG) == Some(tag) {
        Ok(())
    } else {
        bail!("an SRTP packet fails authentication")
    }
}

fn ssrc_of(clear: &[u8]) -> Result<u32> {
    let bytes = clear.get(4..8).context("RTCP packet too short")?;
    Ok(u32::from_be_bytes(bytes.try_into().context("four bytes")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).expect("ASCII"))
            .map(|pair| u8::from_str_radix(pair, 16).expect("hex"))
            .collect()
    }

    #[test]
    fn keys_derive_as_in_rfc_3711_b3() {
        let key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt = bytes("0EC675AD498AFEEBB6960B3AABE6");
        let mut padded = [0; 14];
        padded.copy_from_slice(&salt);
        let suite =
            Suite::derive(SrtpProfile::AES128_CM_SHA1_80, &key, &padded, 0).expect("derives");
        let Suite::CmSha1 { key, salt, .. } = suite else {
            unreachable!("asked for AES-CM");
        };
        assert_eq!(salt.to_vec(), bytes("30CBBC08863D8C85D49DB34A9AE1"));
        // The key itself can't be read back: its first block of keystream can.
        let mut stream = [0; 16];
        keystream(&key, [0; 16], &mut stream).expect("encrypts");
        let direct = UnboundCipherKey::new(&AES_128, &bytes("C61E7A93744F39EE10734AFE3FF7A087"))
            .and_then(EncryptingKey::ctr)
            .expect("a key");
        let mut wanted = [0; 16];
        keystream(&direct, [0; 16], &mut wanted).expect("encrypts");
        assert_eq!(stream, wanted);
    }

    #[test]
    fn reports_come_back_through_every_profile_and_spoilt_ones_do_not() {
        for (profile, length) in [
            (SrtpProfile::AEAD_AES_128_GCM, 56),
            (SrtpProfile::AEAD_AES_256_GCM, 88),
            (SrtpProfile::AES128_CM_SHA1_80, 60),
        ] {
            let material: Vec<u8> = (0..length).collect();
            let viewer = Session::new(profile, &material, true).expect("keys");
            let server = Session::new(profile, &material, false).expect("keys");
            let report: Vec<u8> = (0..40).collect();
            let mut sealed = report.clone();
            viewer.ours.seal_rtcp(77, &mut sealed).expect("seals");
            assert_eq!(server.theirs.open_rtcp(&sealed).expect("opens"), report);
            assert!(server.ours.open_rtcp(&sealed).is_err(), "wrong direction");
            for at in [4, 10, sealed.len() - 1] {
                let mut spoilt = sealed.clone();
                spoilt[at] ^= 1;
                assert!(
                    server.theirs.open_rtcp(&spoilt).is_err(),
                    "{profile:?} {at}"
                );
            }
            assert!(server.theirs.open_rtcp(&sealed[..9]).is_err());
        }
    }
}
