use tokio::signal::unix::{SignalKind, signal};

/// Makes a write past the limit of file sizes (RLIMIT_FSIZE, a quota) fail as on a full disk, instead of ending the
/// process: viewers go on watching while the store or the log can't be written.
pub(super) fn survive_full_files() {
    let full = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    if let Err(error) = signal(full) {
        tracing::warn!(%error, "a limit of file sizes would end the server");
    }
}

/// Resolves when the process is asked to stop: SIGTERM from a service manager, or Ctrl-C.
pub(super) async fn requested() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        // Without signals there is nothing to wait for: the process ends when it is killed.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
