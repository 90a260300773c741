use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::address::{Addresses, Place};
use super::connection::{Connection, Shared};
use super::{Close, Counters, Settings};
use crate::{ArrivalWatch, KeyCheck, Publish};

/// The RTMP server: takes hosts in over one or more listeners.
#[derive(Debug)]
pub struct Server<K, P> {
    shared: Arc<Shared<K, P>>,
    addresses: Addresses,
}

impl<K: KeyCheck, P: Publish> Server<K, P> {
    /// A server that asks `keys` and feeds `publish`.
    pub fn new(settings: Settings, keys: Arc<K>, publish: Arc<P>) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                keys,
                publish,
                counters: Arc::new(Counters::default()),
                watch: None,
            }),
            addresses: Addresses::default(),
        }
    }

    /// Has each host's way in told to `watch`. To be called before anything else is: later it does nothing.
    #[must_use]
    pub fn watched(mut self, watch: Option<Arc<dyn ArrivalWatch>>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.watch = watch;
        }
        self
    }

    /// What it counts, also after it has stopped.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves the connections of `listener` until `stop` resolves; then tells the hosts, and returns when their
    /// connections are closed or [`Settings::shutdown_grace`] is over.
    pub async fn run(&self, listener: TcpListener, stop: impl Future<Output = ()> + Send) {
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        let mut pause = ACCEPT_PAUSE_MIN;
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = connections.join_next() => self.ended(ended.is_err()),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        pause = ACCEPT_PAUSE_MIN;
                        self.accept(stream, peer, &mut connections, &stopped);
                    }
                    Err(error) => pause = backed_off(&error, pause).await,
                },
            }
        }
        drop(listener);
        stopping.send_replace(true);
        let all_ended = async {
            while let Some(ended) = connections.join_next().await {
                self.ended(ended.is_err());
            }
        };
        if timeout(self.shared.settings.shutdown_grace, all_ended)
            .await
            .is_err()
        {
            tracing::warn!("connections did not end within the grace time and were cut");
        }
    }

    fn accept(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        connections: &mut JoinSet<()>,
        stopped: &watch::Receiver<bool>,
    ) {
        let counters = &self.shared.counters;
        counters.count_opened();
        // An IPv4 host on a dual-stack socket has an IPv4 address to us.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        match self.place(peer, connections.len()) {
            Ok(place) => {
                let connection = Connection::new(Arc::clone(&self.shared), peer, stopped.clone());
                connections.spawn(async move {
                    connection.serve(stream).await;
                    drop(place);
                });
            }
            Err(reason) => {
                counters.count_closed(reason);
                tracing::debug!(%peer, reason = reason.as_str(), "connection closed unheard");
            }
        }
    }

    fn place(&self, peer: SocketAddr, open: usize) -> Result<Place, Close> {
        let settings = &self.shared.settings;
        if open >= settings.connections {
            return Err(Close::Full);
        }
        self.addresses
            .place(peer.ip(), settings.connections_per_address)
            .ok_or(Close::AddressFull)
    }

    fn ended(&self, panicked: bool) {
        if panicked {
            self.shared.counters.count_closed(Close::Panic);
            tracing::error!("a connection's task panicked");
        }
    }
}

/// Waits after a failed accept. Most errors are the peer's (it has left already); when descriptors run out, trying
/// again at once would keep a core busy and help nothing.
async fn backed_off(error: &io::Error, pause: Duration) -> Duration {
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        return pause;
    }
    tracing::warn!(%error, "can't accept connections");
    sleep(pause).await;
    pause.saturating_mul(2).min(ACCEPT_PAUSE_MAX)
}

/// Wait after an accept that failed, doubled with each in a row.
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(20);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);
