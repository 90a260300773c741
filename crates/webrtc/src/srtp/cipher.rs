use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use super::keys::{Stream, derive};
use super::{Error, Profile};

/// The session key of one direction and stream (media or control).
///
/// The two kinds share no code but their shape: an AEAD takes the header as associated data, counter mode with HMAC
/// encrypts first and authenticates the result.
pub(super) enum Cipher {
    Gcm(Gcm),
    /// Boxed: it is three times the size of the other, and rare (no browser picks it when we have GCM).
    Cm(Box<Cm>),
}

impl Cipher {
    pub(super) fn derive(
        profile: Profile,
        key: &[u8],
        salt: &[u8],
        stream: Stream,
    ) -> Result<Self, Error> {
        let mut session_key = [0u8; 32];
        let session_key = session_key
            .get_mut(..profile.key_bytes())
            .ok_or(Error::Cipher)?;
        derive(key, salt, stream.encryption_label(), session_key)?;
        if profile == Profile::AesCm128HmacSha1_80 {
            let mut session_salt = [0u8; 14];
            derive(key, salt, stream.salt_label(), &mut session_salt)?;
            let mut authentication = [0u8; 20];
            derive(
                key,
                salt,
                stream.authentication_label(),
                &mut authentication,
            )?;
            let key = UnboundCipherKey::new(&AES_128, session_key)
                .and_then(EncryptingKey::ctr)
                .map_err(|_unspecified| Error::Cipher)?;
            let authentication =
                hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &authentication);
            return Ok(Self::Cm(Box::new(Cm {
                key,
                authentication,
                salt: session_salt,
            })));
        }
        let mut session_salt = [0u8; 12];
        derive(key, salt, stream.salt_label(), &mut session_salt)?;
        Ok(Self::Gcm(Gcm::new(profile, session_key, session_salt)?))
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gcm(_) => "Gcm(..)",
            Self::Cm(_) => "Cm(..)",
        })
    }
}

/// AES-GCM, 128 or 256 (RFC 7714).
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl Gcm {
    pub(super) const TAG_BYTES: usize = 16;

    /// From a session key (16 or 32 bytes, by the profile) and session salt.
    pub(super) fn new(profile: Profile, key: &[u8], salt: [u8; 12]) -> Result<Self, Error> {
        let algorithm = match profile {
            Profile::AeadAes256Gcm => &AES_256_GCM,
            Profile::AeadAes128Gcm | Profile::AesCm128HmacSha1_80 => &AES_128_GCM,
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_unspecified| Error::Cipher)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            salt,
        })
    }

    /// The nonce of an RTP packet: `00 00 | SSRC | ROC | SEQ`, XORed with the salt (RFC 7714 §8.1).
    pub(super) fn rtp_nonce(&self, ssrc: [u8; 4], index: u64) -> Nonce {
        let [_, _, i @ ..] = index.to_be_bytes();
        let [s0, s1, s2, s3] = ssrc;
        self.nonce([0, 0, s0, s1, s2, s3, i[0], i[1], i[2], i[3], i[4], i[5]])
    }

    /// The nonce of an RTCP packet: `00 00 | SSRC | 00 00 | index`, XORed with the salt (RFC 7714 §9.1).
    pub(super) fn rtcp_nonce(&self, ssrc: [u8; 4], index: u32) -> Nonce {
        let [i0, i1, i2, i3] = index.to_be_bytes();
        let [s0, s1, s2, s3] = ssrc;
        self.nonce([0, 0, s0, s1, s2, s3, 0, 0, i0, i1, i2, i3])
    }

    fn nonce(&self, mut bytes: [u8; 12]) -> Nonce {
        for (byte, salt) in bytes.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(bytes)
    }

    /// Encrypts `plain` into `cipher` (of the same length) and writes the tag.
    pub(super) fn seal(
        &self,
        nonce: Nonce,
        associated: &[u8],
        plain: &[u8],
        cipher: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        self.key
            .seal_out_of_place_scatter(nonce, Aad::from(associated), plain, cipher, &[], tag)
            .map_err(|_unspecified| Error::Cipher)
    }

    /// Encrypts `in_out` in place and writes the tag.
    pub(super) fn seal_in_place(
        &self,
        nonce: Nonce,
        associated: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        self.key
            .seal_in_place_scatter(nonce, Aad::from(associated), in_out, &[], tag)
            .map_err(|_unspecified| Error::Cipher)
    }

    /// Checks the tag and decrypts `cipher` into `plain` (of the same length).
    pub(super) fn open(
        &self,
        nonce: Nonce,
        associated: &[u8],
        cipher: &[u8],
        tag: &[u8],
        plain: &mut [u8],
    ) -> Result<(), Error> {
        self.key
            .open_separate_gather(nonce, Aad::from(associated), cipher, tag, plain)
            .map_err(|_unspecified| Error::Unauthentic)
    }
}

/// AES-128 in counter mode with HMAC-SHA1, cut to 80 bits (RFC 3711 §4.1.1 and §4.2.1).
pub(super) struct Cm {
    key: EncryptingKey,
    authentication: hmac::Key,
    salt: [u8; 14],
}

impl Cm {
    pub(super) const TAG_BYTES: usize = 10;

    /// Encrypts or decrypts in place; the same operation. `index` is the 48-bit packet index, or SRTCP's 31-bit one.
    pub(super) fn apply(&self, ssrc: [u8; 4], index: u64, in_out: &mut [u8]) -> Result<(), Error> {
        // RFC 3711 §4.1.1: IV = salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16.
        let [_, _, i @ ..] = index.to_be_bytes();
        let [s0, s1, s2, s3] = ssrc;
        let mut counter = [
            0, 0, 0, 0, s0, s1, s2, s3, i[0], i[1], i[2], i[3], i[4], i[5], 0, 0,
        ];
        for (byte, salt) in counter.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        self.key
            .less_safe_encrypt(in_out, EncryptionContext::Iv128(FixedLength::from(counter)))
            .map(|_| ())
            .map_err(|_unspecified| Error::Cipher)
    }

    /// The tag over `parts`, one after the other.
    pub(super) fn tag(&self, parts: [&[u8]; 2]) -> [u8; Self::TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.authentication);
        for part in parts {
            context.update(part);
        }
        let full = context.sign();
        let mut tag = [0; Self::TAG_BYTES];
        for (to, from) in tag.iter_mut().zip(full.as_ref()) {
            *to = *from;
        }
        tag
    }
}
