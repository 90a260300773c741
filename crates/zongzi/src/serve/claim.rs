//! One server for each data directory: a second one would take what is live in the first for left over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// A data directory that is this process's for as long as this lives, however the process ends.
#[derive(Debug)]
pub(super) struct Claim {
    _locked: File,
}

/// Beside the store. It stays when the server has ended; only the lock on it counts.
const FILE: &str = "server.pid";

impl Claim {
    /// Takes `dir`, which must exist.
    ///
    /// # Errors
    /// When another server has it, or the file can't be made; the text says which and what to do.
    pub(super) fn take(dir: &Path) -> Result<Self, String> {
        let path = dir.join(FILE);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let opened = options.open(&path);
        let mut file = opened.map_err(|error| format!("can't open {}: {error}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // It may just be writing it.
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                let who = if pid.is_empty() {
                    String::new()
                } else {
                    format!(" (process {pid})")
                };
                return Err(format!(
                    "another server{who} runs on {}; stop it, or give this one a folder of its own with --data DIR",
                    dir.display()
                ));
            }
            // Some network file systems have no locks. The ports still keep most second servers away.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, file = %path.display(), "this folder can't be locked against a second server");
            }
        }
        let written = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| format!("can't write {}: {error}", path.display()))?;
        Ok(Self { _locked: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_servers_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let first = Claim::take(dir.path()).unwrap();
        let refused = Claim::take(dir.path()).unwrap_err();
        let pid = format!("(process {})", std::process::id());
        assert!(
            refused.contains(&pid) && refused.contains("--data"),
            "{refused}"
        );
        drop(first);
        // What a killed server left is no hindrance.
        assert!(dir.path().join(FILE).exists());
        Claim::take(dir.path()).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Claim::take(Path::new("/nonexistent/data")).unwrap_err();
        assert!(error.contains("/nonexistent/data/server.pid"), "{error}");
    }
}
