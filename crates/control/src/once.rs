//! Doing a thing once, however often it is asked for: `Idempotency-Key`.
//!
//! What is made with such a key has an id and a secret that follow from the key, from who calls, and from the server's own
//! secret. So the answer to a retry is the same, secret included, although no secret is stored.

use std::fmt;

use crate::secret::{Hash, Purpose, Secret};
use crate::token::Caller;

/// A request that is to be met once.
#[derive(Clone)]
pub struct Once {
    key: Hash,
    request: Hash,
    secret: Secret,
}

impl Once {
    /// For the request `what`, all of it that matters in any unambiguous form, sent with `key` by `caller`.
    pub(crate) fn new(secret: &Secret, caller: &Caller, key: &str, what: &str) -> Self {
        let caller = caller.token.as_ref().map_or("", |token| token.as_str());
        Self {
            key: secret.hash(Purpose::Once, format!("{caller}\0{key}").as_bytes()),
            request: secret.hash(Purpose::Request, what.as_bytes()),
            secret: secret.clone(),
        }
    }

    /// Stands for the key and who sent it.
    pub(crate) fn key(&self) -> Hash {
        self.key
    }

    /// What tells this request from another one with the same key.
    pub(crate) fn request(&self) -> Hash {
        self.request
    }

    /// Bytes that nobody guesses, the same each time, others for each `part` of what is made. At most 32.
    pub(crate) fn bytes<const N: usize>(&self, part: &str) -> [u8; N] {
        const { assert!(N <= 32, "a hash has 32 bytes") };
        let mut message = self.key.to_vec();
        message.extend_from_slice(part.as_bytes());
        let hash = self.secret.hash(Purpose::OncePart, &message);
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(hash) {
            *to = from;
        }
        bytes
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once(…)")
    }
}
