//! Private channels: the playback tokens that let viewers in.
//!
//! A token is a JWT (RFC 7519) signed with EdDSA (Ed25519, RFC 8037) or HS256 (RFC 7518 §3.2), as [`Claims`] says what
//! stands in it. It is signed with a [`SigningKey`] of this server, or with EdDSA by another issuer whose public key
//! stands in the settings ([`IssuerKey`]). A [`Gate`] checks it.

mod claims;
mod gate;
mod issuer;
mod key;
mod material;
mod ring;

pub use claims::{Claims, ClaimsError, NumericDate, ViewerId};
pub use gate::{Checks, Gate, GateSettings, Pass, Refusal};
pub use issuer::{IssuerKey, IssuerKeyError};
pub use key::{Algorithm, InvalidAlgorithm, SigningKey};
pub use ring::Signed;

pub(crate) use material::Material;
pub(crate) use ring::sign;

/// How far the clocks of who signs and of this server may be apart: a token is taken for so long before its `nbf` and
/// after its `exp`.
pub const LEEWAY: std::time::Duration = std::time::Duration::from_secs(60);
/// The longest token that is looked at, in bytes; ours have some 300.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
