use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};

use super::Algorithm;
use crate::secret::{Purpose, Secret};

/// The secrets of a playback key. Nowhere written down: they are made anew from the server's own secret and the key's
/// name, so that a stolen store signs nothing.
pub(crate) struct Material {
    pair: Ed25519KeyPair,
    shared: [u8; 32],
}

impl Material {
    pub(crate) fn of(secret: &Secret, kid: &str) -> Self {
        let seed = secret.hash(Purpose::PlaybackEd25519, kid.as_bytes());
        Self {
            pair: Ed25519KeyPair::from_seed_unchecked(&seed)
                .expect("any 32 bytes are a seed (RFC 8032 §5.1.5)"),
            shared: secret.hash(Purpose::PlaybackHs256, kid.as_bytes()),
        }
    }

    /// `x` of the public half's JWK.
    pub(crate) fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The secret for HS256, base64url.
    pub(crate) fn shared_secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.shared)
    }

    /// What checks signatures of this algorithm. Each has material of its own, so a public key is never taken for an HMAC
    /// secret (RFC 8725 §2.1).
    pub(super) fn checks(&self, algorithm: Algorithm) -> DecodingKey {
        match algorithm {
            Algorithm::EdDsa => DecodingKey::from_ed_der(self.pair.public_key().as_ref()),
            Algorithm::Hs256 => DecodingKey::from_secret(&self.shared),
        }
    }

    pub(super) fn signs(&self, algorithm: Algorithm) -> EncodingKey {
        match algorithm {
            Algorithm::EdDsa => {
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&self.pair)
                    .expect("a pair made from a seed can be written as PKCS#8");
                EncodingKey::from_ed_der(der.as_ref())
            }
            Algorithm::Hs256 => EncodingKey::from_secret(&self.shared),
        }
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material(…)")
    }
}
