//! The keys of viewers' sessions, written down for whoever reads captures of his own tests. Debug builds alone have it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use zongzi_webrtc::dtls::Tap;
use zongzi_webrtc::srtp::Keys;

/// The variable that browsers and others take the file's name from, too.
const VARIABLE: &str = "SSLKEYLOGFILE";

/// What writes keys where the environment says so.
///
/// # Errors
/// When the file can't be written.
pub(super) fn from_environment() -> anyhow::Result<Option<Tap>> {
    let Some(path) = std::env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let path = Path::new(&path);
    let file = File::options().create(true).append(true).open(path);
    let file = file.with_context(|| format!("{VARIABLE}: {} can't be written", path.display()))?;
    tracing::warn!(path = %path.display(), "all viewers' keys are written down: this is a debug build, and {VARIABLE} is set");
    let file = Mutex::new(file);
    Ok(Some(Arc::new(move |keys: &Keys| {
        let line = format!("{}\n", keys.to_line());
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "a key could not be written down");
        }
    })))
}
