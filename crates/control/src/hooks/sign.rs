use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::secret::{Purpose, Secret};

/// What an endpoint's messages are signed with (Standard Webhooks, "Symmetric"): 32 bytes, shown as `whsec_` and base64.
/// Never printed by `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    bytes: Vec<u8>,
    key: hmac::Key,
}

/// How a shown key begins.
const START: &str = "whsec_";
/// The shortest and longest key, in bytes, by Standard Webhooks.
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;

impl SigningKey {
    /// The key that belongs to `salt`. It is made from the server's secret each time, so the store holds nothing that a
    /// thief of it could sign with.
    pub(crate) fn derive(secret: &Secret, salt: &[u8]) -> Self {
        Self::from_bytes(secret.hash(Purpose::HookKey, salt).to_vec())
    }

    /// Reads `whsec_…`; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim().strip_prefix(START)?).ok()?;
        let good = (BYTES_MIN..=BYTES_MAX).contains(&bytes.len());
        good.then(|| Self::from_bytes(bytes))
    }

    /// As the endpoint's owner gets it.
    pub fn expose(&self) -> String {
        format!("{START}{}", STANDARD.encode(&self.bytes))
    }

    /// The `webhook-signature` of a message: `v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body`. `timestamp` is in
    /// seconds since 1970.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Self { bytes, key }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the standard's reference libraries (test vector of svix-webhooks and standard-webhooks).
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(key.expose(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn only_a_key_is_a_key_and_none_is_printed() {
        for bad in ["", "whsec_", "whsec_AAAA", "sk_x", "whsec_%%%%"] {
            assert!(SigningKey::parse(bad).is_none(), "{bad}");
        }
        let key = SigningKey::from_bytes(vec![7; 32]);
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
    }
}
