use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::random;
use crate::secret::{Hash, Purpose, Secret, SecretError, create_private, failed};
use crate::token::{RANDOM_BYTES, START};

/// The token that opens the API for whoever can read it on the server. In memory only its keyed hash stays.
#[derive(Clone)]
pub struct AdminToken {
    secret: Secret,
    hash: Hash,
    path: PathBuf,
}

impl AdminToken {
    /// Its file in the data directory.
    pub const FILE: &'static str = "admin-token";

    pub(crate) fn load_or_create(dir: &Path, secret: Secret) -> Result<Self, SecretError> {
        let path = dir.join(Self::FILE);
        let fresh = format!(
            "{START}{}\n",
            random::base32(&random::bytes::<RANDOM_BYTES>())
        );
        if !path.exists() {
            create_private(dir, &path, fresh.as_bytes())?;
        }
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        let token = text.trim();
        // An empty or cut file must not become a token that anyone guesses.
        if token.len() < fresh.trim().len() || !token.starts_with(START) {
            return Err(SecretError::NoToken(path));
        }
        Ok(Self {
            hash: secret.hash(Purpose::AdminToken, token.as_bytes()),
            secret,
            path,
        })
    }

    /// Whether `shown` is the token; how long this takes says nothing of it.
    pub fn is(&self, shown: &str) -> bool {
        let hash = self.secret.hash(Purpose::AdminToken, shown.as_bytes());
        verify_slices_are_equal(&hash, &self.hash).is_ok()
    }

    /// Where it can be read by who may.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}
