use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dimpl::DtlsCertificate;

use super::{Fingerprint, Hash};

/// The server's own certificate: ECDSA P-256, self-signed, with its private key.
///
/// WebRTC peers compare it with the fingerprint in the SDP and look at nothing else in it; one certificate serves all
/// viewers. (Browsers were not seen to look at its dates; it is made for a year.)
#[derive(Clone)]
pub struct Certificate {
    inner: DtlsCertificate,
}

/// Why a certificate can't be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Key generation or signing failed.
    #[error("certificate could not be made")]
    Generation,
    /// The text has no PEM block of this kind, or a broken one.
    #[error("PEM block {0} is missing or broken")]
    Pem(&'static str),
    /// The private key is not an ECDSA P-256 key in PKCS#8.
    #[error("private key is not an ECDSA P-256 key in PKCS#8")]
    Key,
    /// The private key does not belong to the certificate.
    #[error("private key does not belong to the certificate")]
    Mismatch,
}

impl Certificate {
    /// Makes a new one, with random bytes of the operating system and today's date.
    ///
    /// # Errors
    /// [`CertificateError::Generation`] when the library can't.
    pub fn generate() -> Result<Self, CertificateError> {
        dimpl::certificate::generate_self_signed_certificate()
            .map(|inner| Self { inner })
            .map_err(|_unspecific| CertificateError::Generation)
    }

    /// Reads certificate and private key from one PEM text, as [`Certificate::to_pem`] writes it.
    ///
    /// # Errors
    /// When a block is missing or broken, or the two don't belong together.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let inner = DtlsCertificate {
            certificate: decode(text, CERTIFICATE)?,
            private_key: decode(text, PRIVATE_KEY)?,
        };
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &inner.private_key)
            .map_err(|_rejected| CertificateError::Key)?;
        // The public key stands in the certificate as it is (RFC 5480 §2.2): 65 bytes that occur by no accident.
        let point = key.public_key().as_ref();
        if point.is_empty() || !inner.certificate.windows(point.len()).any(|at| at == point) {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self { inner })
    }

    /// Certificate and private key as PEM text (RFC 7468). A secret: to be kept in a file that only we can read.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let mut text = String::new();
        encode(CERTIFICATE, &self.inner.certificate, &mut text);
        encode(PRIVATE_KEY, &self.inner.private_key, &mut text);
        text
    }

    /// The SHA-256 fingerprint, for the answer.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(Hash::Sha256, &self.inner.certificate)
    }

    pub(super) fn to_engine(&self) -> DtlsCertificate {
        self.inner.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate")
            .field(&self.fingerprint())
            .finish()
    }
}

fn encode(label: &str, der: &[u8], text: &mut String) {
    // RFC 7468 §2: lines of 64 characters, so 48 bytes each.
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for line in der.chunks(48) {
        STANDARD.encode_string(line, text);
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
}

fn decode(text: &str, label: &'static str) -> Result<Vec<u8>, CertificateError> {
    text.split_once(&format!("-----BEGIN {label}-----"))
        .and_then(|(_, rest)| rest.split_once(&format!("-----END {label}-----")))
        .and_then(|(body, _)| {
            let body: String = body.split_ascii_whitespace().collect();
            STANDARD.decode(body).ok()
        })
        .filter(|der| !der.is_empty())
        .ok_or(CertificateError::Pem(label))
}

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_survives_its_file_and_a_foreign_key_is_refused() {
        let one = Certificate::generate().expect("the library makes one");
        let two = Certificate::generate().expect("the library makes one");
        let read = Certificate::from_pem(&one.to_pem()).expect("it is our own text");
        assert_eq!(read.fingerprint(), one.fingerprint());
        assert_ne!(two.fingerprint(), one.fingerprint());

        let (certificate, _) = one.to_pem().split_once("-----BEGIN PRIVATE").map_or_else(
            || panic!("two blocks"),
            |(a, b)| (a.to_owned(), b.to_owned()),
        );
        assert!(matches!(
            Certificate::from_pem(&certificate),
            Err(CertificateError::Pem("PRIVATE KEY"))
        ));
        let pem = two.to_pem();
        let (_, key) = pem.split_once("-----BEGIN PRIVATE").expect("two blocks");
        let mixed = format!("{certificate}-----BEGIN PRIVATE{key}");
        assert!(matches!(
            Certificate::from_pem(&mixed),
            Err(CertificateError::Mismatch)
        ));
    }
}
