use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zongzi_http::Timestamp;

use super::Material;
use crate::secret::Secret;
use crate::store::PlaybackKeyRow;

/// A key of this server that signs playback tokens: everything but its secrets. It stands for both an Ed25519 pair and a
/// secret for HS256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SigningKey {
    /// Its name in the header of tokens (RFC 7515 §4.1.4).
    pub kid: String,
    /// The public half of its Ed25519 pair, as `x` of a JWK (RFC 8037 §2): base64url, 32 bytes.
    pub public_key: String,
    /// When it was made. The newest signs.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When tokens that it has signed stop being accepted, if a newer key has taken its place.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retires: Option<Timestamp>,
}

impl PlaybackKeyRow {
    /// With its public half.
    pub(crate) fn described(self, secret: &Secret) -> SigningKey {
        SigningKey {
            public_key: Material::of(secret, &self.kid).public_key(),
            kid: self.kid,
            created: self.created,
            retires: self.retires,
        }
    }
}

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Ed25519: who checks can't sign.
    #[default]
    EdDsa,
    /// HMAC-SHA-256: shorter; who checks can sign.
    Hs256,
}

impl Algorithm {
    /// Its name in commands and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "eddsa",
            Self::Hs256 => "hs256",
        }
    }
}

/// The text is not an [`Algorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the algorithm is eddsa or hs256")]
pub struct InvalidAlgorithm;

impl FromStr for Algorithm {
    type Err = InvalidAlgorithm;

    fn from_str(text: &str) -> Result<Self, InvalidAlgorithm> {
        [Self::EdDsa, Self::Hs256]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or(InvalidAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
