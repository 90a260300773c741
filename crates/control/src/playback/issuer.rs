use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::DecodingKey;

/// The public key of somebody else who may make playback tokens: Ed25519.
#[derive(Debug, Clone)]
pub struct IssuerKey(pub(super) DecodingKey);

/// A public key's file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerKeyError {
    /// It can't be read.
    #[error("can't read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} holds no Ed25519 public key in PEM; `openssl pkey -in key.pem -pubout` writes one", .0.display())]
    NoKey(PathBuf),
    /// It holds a secret that has no business here.
    #[error("{} holds a private key; give this server only the public one: `openssl pkey -in {} -pubout`", .0.display(), .0.display())]
    Private(PathBuf),
}

impl IssuerKey {
    /// The most keys of other issuers: a token without a key's name is tried against each.
    pub const MAX: usize = 8;
    /// A PEM file with one key has 113 bytes; comments around it may be longer.
    const FILE_BYTES_MAX: u64 = 16 * 1024;

    /// Reads it from a PEM file, as OpenSSL writes it.
    ///
    /// # Errors
    /// When the file can't be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, IssuerKeyError> {
        let unreadable = |source| IssuerKeyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        fs::File::open(path)
            .and_then(|file| file.take(Self::FILE_BYTES_MAX).read_to_string(&mut text))
            .map_err(unreadable)?;
        if text.contains("PRIVATE KEY-----") {
            return Err(IssuerKeyError::Private(path.to_owned()));
        }
        Self::parse(&text).ok_or_else(|| IssuerKeyError::NoKey(path.to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
        let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).ok()?;
        let key = der.strip_prefix(&SPKI_ED25519)?;
        (key.len() == 32).then(|| Self(DecodingKey::from_ed_der(key)))
    }
}

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 §4): a sequence of the
/// algorithm 1.3.101.112 and a bit string.
const SPKI_ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 §10.1.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";

    fn read(text: &str) -> Result<IssuerKey, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = dir.path().join("shop.pem");
        fs::write(&path, text).map_err(|error| error.to_string())?;
        IssuerKey::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_read_and_all_else_is_named() {
        let key = read(PUBLIC).unwrap();
        let bytes = key.0.try_get_as_bytes().unwrap();
        assert_eq!((bytes.len(), bytes[0], bytes[31]), (32, 0x19, 0xe1));
        // An X25519 key has the same length and another number.
        let other = PUBLIC.replace("BQYDK2VwAyEA", "BQYDK2VuAyEA");
        for (text, word) in [
            (other.as_str(), "no Ed25519 public key"),
            ("", "no Ed25519 public key"),
            (&PUBLIC.replace("AyEA", "AyEAAAAA"), "no Ed25519 public key"),
            ("-----BEGIN PRIVATE KEY-----\n", "holds a private key"),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.contains(word) && error.contains("shop.pem"),
                "{error}"
            );
        }
        let missing = IssuerKey::read(Path::new("/nowhere/shop.pem")).unwrap_err();
        assert!(missing.to_string().contains("can't read /nowhere/shop.pem"));
    }
}
