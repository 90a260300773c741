use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;

/// A hash function that a certificate fingerprint may use (RFC 8122 §5). SHA-1 and MD5 are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// `sha-256`
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// The hash of a certificate, as `a=fingerprint` carries it: `sha-256 AB:CD:…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    hash: Hash,
    digest: Box<[u8]>,
}

impl Fingerprint {
    /// Of a certificate in DER.
    #[must_use]
    pub fn of(hash: Hash, certificate_der: &[u8]) -> Self {
        Self {
            hash,
            digest: digest::digest(hash.algorithm(), certificate_der)
                .as_ref()
                .into(),
        }
    }

    /// Whether this is the fingerprint of the certificate, in constant time.
    #[must_use]
    pub fn matches(&self, certificate_der: &[u8]) -> bool {
        let actual = digest::digest(self.hash.algorithm(), certificate_der);
        verify_slices_are_equal(actual.as_ref(), &self.digest).is_ok()
    }

    /// The hash function.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    /// Reads `sha-256 AB:CD:…`; names and digits in any case (RFC 8122 §5).
    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, digits) = text.trim().split_once(' ').ok_or(())?;
        let hash = Hash::ALL
            .into_iter()
            .find(|hash| hash.name().eq_ignore_ascii_case(name))
            .ok_or(())?;
        let bytes = hash.algorithm().output_len();
        let digits = digits.trim();
        // Two digits and a colon each, but the last: checked first, so that nothing long is collected.
        if digits.len() != 3 * bytes - 1 {
            return Err(());
        }
        let digest = digits
            .split(':')
            .map(|pair| {
                // `from_str_radix` alone would take "+1".
                (pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .then(|| u8::from_str_radix(pair, 16).ok())
                    .flatten()
                    .ok_or(())
            })
            .collect::<Result<Box<[u8]>, ()>>()?;
        (digest.len() == bytes)
            .then_some(Self { hash, digest })
            .ok_or(())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.hash.name())?;
        for (at, byte) in self.digest.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_back_from_its_text_in_any_case() {
        for hash in Hash::ALL {
            let made = Fingerprint::of(hash, b"certificate");
            assert_eq!(made.to_string().parse(), Ok(made.clone()));
            assert_eq!(made.to_string().to_lowercase().parse(), Ok(made.clone()));
            assert!(made.matches(b"certificate"));
            assert!(!made.matches(b"Certificate"));
        }
    }

    #[test]
    fn weak_hashes_and_wrong_lengths_are_refused() {
        for text in ["", "sha-256", "sha-256 AB", "sha-1 AB:CD", "md5 AB"] {
            assert_eq!(text.parse::<Fingerprint>(), Err(()), "{text}");
        }
        let right = Fingerprint::of(Hash::Sha256, b"x").to_string();
        assert_eq!(format!("{right}:00").parse::<Fingerprint>(), Err(()));
        let (_, digits) = right.split_once(' ').expect("there is one");
        assert_eq!(format!("sha-512 {digits}").parse::<Fingerprint>(), Err(()));
        let signs = format!("sha-256 +1:{}", digits.split_at(3).1);
        assert_eq!(signs.parse::<Fingerprint>(), Err(()));
    }
}
