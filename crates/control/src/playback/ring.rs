use std::fmt;
use std::time::SystemTime;

use jsonwebtoken::{DecodingKey, Header, Validation, decode, decode_header, encode};

use super::{Algorithm, Claims, IssuerKey, LEEWAY, Material, Refusal, TOKEN_BYTES_MAX};
use crate::playback::SigningKey;
use crate::secret::Secret;

/// The keys whose tokens are accepted.
#[derive(Debug)]
pub(super) struct Ring {
    ours: Vec<(SigningKey, Material)>,
    issuers: Vec<IssuerKey>,
}

/// A token that was just signed. A secret: `Debug` does not print it.
#[derive(Clone)]
pub struct Signed {
    /// The token.
    pub token: String,
    /// Which key has signed it.
    pub kid: String,
    /// What it says.
    pub claims: Claims,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// What `aud` must be or hold where it is there (RFC 7519 §4.1.3).
const AUDIENCE: &str = "zongzi";

impl Ring {
    pub(super) fn new(secret: &Secret, ours: Vec<SigningKey>, issuers: Vec<IssuerKey>) -> Self {
        let ours = ours.into_iter().map(|key| {
            let material = Material::of(secret, &key.kid);
            (key, material)
        });
        Self {
            ours: ours.collect(),
            issuers,
        }
    }

    /// Reads a token that must be valid at `now`.
    ///
    /// The header only chooses among keys that stand here, each bound to one algorithm; everything else in it (`jku`,
    /// `jwk`, `x5u`) is left aside, and `crit` is refused, since no extension is known here (RFC 7515 §4.1.11).
    pub(super) fn read(&self, token: &str, now: SystemTime) -> Result<Claims, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::Invalid);
        }
        let header = decode_header(token).map_err(|_damaged| Refusal::Invalid)?;
        if header.crit.is_some() {
            return Err(Refusal::Invalid);
        }
        let algorithm = match header.alg {
            jsonwebtoken::Algorithm::EdDSA => Algorithm::EdDsa,
            jsonwebtoken::Algorithm::HS256 => Algorithm::Hs256,
            _ => return Err(Refusal::Invalid),
        };
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&[AUDIENCE]);
        // Times are checked below, against the caller's clock.
        validation.validate_exp = false;
        let claims = self
            .candidates(header.kid.as_deref(), algorithm, now)
            .iter()
            .find_map(|key| Some(decode::<Claims>(token, key, &validation).ok()?.claims))
            .ok_or(Refusal::Invalid)?;
        in_time(&claims, now)?;
        Ok(claims)
    }

    /// The keys that may have signed it: the named one if it is ours, else those of other issuers; without a name all.
    fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Vec<DecodingKey> {
        let accepted = |key: &SigningKey| key.retires.is_none_or(|at| at > now.into());
        let named = |key: &SigningKey| kid.is_none_or(|kid| kid == key.kid);
        let is_ours = |kid| self.ours.iter().any(|(key, _)| key.kid == kid);
        let ours = self
            .ours
            .iter()
            .filter(|(key, _)| accepted(key) && named(key))
            .map(|(_, material)| material.checks(algorithm));
        let issuers = self
            .issuers
            .iter()
            .filter(|_| algorithm == Algorithm::EdDsa && !kid.is_some_and(is_ours))
            .map(|issuer| issuer.0.clone());
        ours.chain(issuers).collect()
    }
}

fn in_time(claims: &Claims, now: SystemTime) -> Result<(), Refusal> {
    if claims.exp.after(LEEWAY) <= now.into() {
        return Err(Refusal::Expired);
    }
    match claims.nbf {
        Some(begins) if begins > super::claims::NumericDate::from(now).after(LEEWAY) => {
            Err(Refusal::Early(begins.left_at(now).saturating_sub(LEEWAY)))
        }
        _ => Ok(()),
    }
}

/// Signs `claims` with the key `kid`.
pub(crate) fn sign(secret: &Secret, kid: &str, algorithm: Algorithm, claims: Claims) -> Signed {
    let mut header = Header::new(match algorithm {
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
    });
    header.kid = Some(kid.to_owned());
    let key = Material::of(secret, kid).signs(algorithm);
    let token = encode(&header, &claims, &key)
        .expect("strings and numbers can be written, and the key is of the algorithm's kind");
    Signed {
        token,
        kid: kid.to_owned(),
        claims,
    }
}

#[cfg(test)]
mod tests;
