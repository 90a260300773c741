use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;

use crate::random;

/// The server's own secret: with it, stream keys are hashed before they are stored, so that a stolen store alone does not
/// even let anyone test guesses.
#[derive(Clone)]
pub(crate) struct Secret(hmac::Key);

/// HMAC-SHA-256 of something under the server's secret.
pub(crate) type Hash = [u8; 32];

/// The secret file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It could not be read or made.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What should be the folder is something else.
    #[error("{} is a file, not a folder", .0.display())]
    NoFolder(PathBuf),
    /// It does not hold what it should.
    #[error("{} is damaged: it must hold {} bytes; put back the one from your backup", .0.display(), Secret::BYTES)]
    Damaged(PathBuf),
    /// The admin token's file holds no token.
    #[error("{} holds no admin token; delete it and start again to get a new one", .0.display())]
    NoToken(PathBuf),
}

impl Secret {
    const FILE: &'static str = "key-secret";
    const BYTES: usize = 32;
    /// One more than it should hold, to see that it holds no more.
    const READ_BYTES_MAX: u64 = 33;

    /// Reads the secret from the data directory, making both if they are not there.
    pub(crate) fn load_or_create(dir: &Path) -> Result<Self, SecretError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => SecretError::NoFolder(dir.to_owned()),
                _ => failed("create", dir)(error),
            })?;
        let path = dir.join(Self::FILE);
        if let Some(secret) = Self::load(&path)? {
            return Ok(secret);
        }
        create_private(dir, &path, &random::bytes::<{ Self::BYTES }>())?;
        // Another process may have been quicker: what counts is what stands in the file.
        Self::load(&path)?.ok_or(SecretError::Damaged(path))
    }

    /// The keyed hash of `message`; `purpose` keeps hashes made for one use from being valid for another.
    pub(crate) fn hash(&self, purpose: Purpose, message: &[u8]) -> Hash {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(message);
        let tag = context.sign();
        tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }

    fn load(path: &Path) -> Result<Option<Self>, SecretError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(Self::READ_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed("read", path))?;
        if bytes.len() != Self::BYTES {
            return Err(SecretError::Damaged(path.to_owned()));
        }
        Ok(Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))))
    }
}

/// Makes the file at `path` in `dir`, for its owner only, unless it is there already.
///
/// The whole of it is written under another name first and then linked, so that nobody ever reads half of it and the
/// first of two processes wins.
pub(crate) fn create_private(dir: &Path, path: &Path, contents: &[u8]) -> Result<(), SecretError> {
    let draft = path.with_extension(random::base32(&random::bytes::<5>()));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(contents)?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => File::open(dir)?.sync_all(),
        }
    };
    let written = write();
    // If the draft stays behind it is only a file that nobody reads.
    let _ = fs::remove_file(&draft);
    written.map_err(failed("create", path))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a hash is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    StreamKey,
    AdminToken,
    /// Makes the Ed25519 seed of a playback key.
    PlaybackEd25519,
    /// Makes the HS256 secret of a playback key.
    PlaybackHs256,
    HookKey,
    /// Stands for an `Idempotency-Key` and who sent it.
    Once,
    /// Makes what such a request makes.
    OncePart,
    /// Stands for such a request.
    Request,
    /// Stands in the store to tell whether store and secret belong together.
    Check,
}

impl Purpose {
    fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::StreamKey => b"stream key\0",
            Self::AdminToken => b"admin token\0",
            Self::PlaybackEd25519 => b"playback ed25519\0",
            Self::PlaybackHs256 => b"playback hs256\0",
            Self::HookKey => b"hook key\0",
            Self::Once => b"once\0",
            Self::OncePart => b"once part\0",
            Self::Request => b"request\0",
            Self::Check => b"check\0",
        }
    }
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SecretError {
    let path = path.to_owned();
    move |source| SecretError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new").join("data");
        let first = Secret::load_or_create(&data).unwrap();
        let second = Secret::load_or_create(&data).unwrap();
        assert_eq!(
            first.hash(Purpose::StreamKey, b"sk_x"),
            second.hash(Purpose::StreamKey, b"sk_x")
        );
        assert_ne!(
            first.hash(Purpose::StreamKey, b"sk_x"),
            first.hash(Purpose::Check, b"sk_x")
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join(Secret::FILE)), 0o600);
        assert_eq!(
            fs::read_dir(&data).unwrap().count(),
            1,
            "no draft stays behind"
        );
    }

    #[test]
    fn a_damaged_secret_is_said_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(Secret::FILE), "short").unwrap();
        let error = Secret::load_or_create(dir.path()).unwrap_err();
        assert!(
            error.to_string().contains("key-secret is damaged"),
            "{error}"
        );
    }
}
