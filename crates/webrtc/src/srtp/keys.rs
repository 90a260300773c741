use std::fmt;

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::cipher::Cipher;
use super::{Error, Receiver, Sender};

/// A protection profile of DTLS-SRTP (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// AES-128 in counter mode with an 80-bit HMAC-SHA1 tag.
    AesCm128HmacSha1_80,
    /// AES-128-GCM with a 128-bit tag.
    AeadAes128Gcm,
    /// AES-256-GCM with a 128-bit tag.
    AeadAes256Gcm,
}

impl Profile {
    /// Its name in the registry of DTLS-SRTP (RFC 5764 §4.1.2).
    const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        }
    }

    /// Bytes of the tag behind each RTP packet.
    #[must_use]
    pub const fn tag_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Bytes that SRTCP adds to a packet: the index word and the tag.
    #[must_use]
    pub const fn rtcp_overhead_bytes(self) -> usize {
        4 + self.tag_bytes()
    }

    /// Bytes of a master key.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt.
    #[must_use]
    pub const fn salt_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Bytes to export from DTLS: keys and salts of both sides (RFC 5764 §4.2).
    #[must_use]
    pub const fn keying_material_bytes(self) -> usize {
        2 * (self.key_bytes() + self.salt_bytes())
    }
}

/// Which end of the DTLS association (RFC 5764 §4.2: each writes with its own key).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The end that sent the ClientHello.
    Client,
    /// The end that answered it.
    Server,
}

/// The master keys and salts of one DTLS association, both directions.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    profile: Profile,
    material: Vec<u8>,
}

impl Keys {
    /// From the exported keying material: client key, server key, client salt, server salt (RFC 5764 §4.2).
    ///
    /// # Errors
    /// [`Error::KeyLength`] when it has not [`Profile::keying_material_bytes`].
    pub fn new(profile: Profile, material: &[u8]) -> Result<Self, Error> {
        if material.len() != profile.keying_material_bytes() {
            return Err(Error::KeyLength(material.len()));
        }
        Ok(Self {
            profile,
            material: material.to_vec(),
        })
    }

    /// The keys as a line of text, for whoever reads captures of his own tests.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = self.profile.name().to_owned();
        line.push(' ');
        for byte in &self.material {
            line.extend(char::from_digit(u32::from(byte >> 4), 16));
            line.extend(char::from_digit(u32::from(byte & 15), 16));
        }
        line
    }

    /// The keys of a line that a debug build wrote; `None` when it is none.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let (name, hex) = line.trim().split_once(' ')?;
        let profile = [
            Profile::AesCm128HmacSha1_80,
            Profile::AeadAes128Gcm,
            Profile::AeadAes256Gcm,
        ]
        .into_iter()
        .find(|profile| profile.name() == name)?;
        let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
        let byte = |pair: &[u32]| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        let material: Option<Vec<u8>> = digits?.chunks(2).map(byte).collect();
        Self::new(profile, &material?).ok()
    }

    /// The profile the keys are for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// What `side` sends with.
    ///
    /// # Errors
    /// [`Error::Cipher`] when the library refuses the keys.
    pub fn sender(&self, side: Side) -> Result<Sender, Error> {
        let (rtp, rtcp) = self.ciphers(side)?;
        Ok(Sender::new(self.profile, rtp, rtcp))
    }

    /// What receives the packets that `side` sent.
    ///
    /// # Errors
    /// [`Error::Cipher`] when the library refuses the keys.
    pub fn receiver(&self, side: Side) -> Result<Receiver, Error> {
        let (rtp, rtcp) = self.ciphers(side)?;
        Ok(Receiver::new(self.profile, rtp, rtcp))
    }

    fn ciphers(&self, side: Side) -> Result<(Cipher, Cipher), Error> {
        let (key, salt) = self.master(side)?;
        Ok((
            Cipher::derive(self.profile, key, salt, Stream::Rtp)?,
            Cipher::derive(self.profile, key, salt, Stream::Rtcp)?,
        ))
    }

    fn master(&self, side: Side) -> Result<(&[u8], &[u8]), Error> {
        let (key, salt) = (self.profile.key_bytes(), self.profile.salt_bytes());
        let (key_start, salt_start) = match side {
            Side::Client => (0, 2 * key),
            Side::Server => (key, 2 * key + salt),
        };
        let part = |start: usize, length: usize| self.material.get(start..start + length);
        part(key_start, key)
            .zip(part(salt_start, salt))
            .ok_or(Error::KeyLength(self.material.len()))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// Media or control: their session keys differ by label (RFC 3711 §4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Rtp,
    Rtcp,
}

impl Stream {
    pub(super) const fn encryption_label(self) -> u8 {
        match self {
            Self::Rtp => 0,
            Self::Rtcp => 3,
        }
    }

    pub(super) const fn authentication_label(self) -> u8 {
        self.encryption_label() + 1
    }

    pub(super) const fn salt_label(self) -> u8 {
        self.encryption_label() + 2
    }
}

/// Fills `out` from the key derivation function: AES in counter mode under the master key (RFC 3711 §4.3.1 and §4.3.3;
/// for GCM with the 12-byte salt padded to 14 with zeros, RFC 7714 §11). The key derivation rate is 0.
pub(super) fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Result<(), Error> {
    let mut block = [0u8; 16];
    for (to, from) in block.iter_mut().zip(salt) {
        *to = *from;
    }
    block[7] ^= label;
    out.fill(0);
    counter_mode(key, block, out)
}

/// Encrypts `in_out` by AES in counter mode, with a key used only this once.
fn counter_mode(key: &[u8], counter: [u8; 16], in_out: &mut [u8]) -> Result<(), Error> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    UnboundCipherKey::new(algorithm, key)
        .and_then(EncryptingKey::ctr)
        .and_then(|key| {
            key.less_safe_encrypt(in_out, EncryptionContext::Iv128(FixedLength::from(counter)))
        })
        .map(|_| ())
        .map_err(|_unspecified| Error::Cipher)
}
