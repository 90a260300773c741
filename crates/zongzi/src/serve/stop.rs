use tokio::signal::unix::{SignalKind, signal};

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
