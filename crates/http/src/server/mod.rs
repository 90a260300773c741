//! The accept loop: HTTP/1.1 over plain TCP with limits on connections, headers and time.

mod places;
mod stats;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use self::places::{Place, Places, Taken};
pub use self::stats::{Counters, Stats};
use crate::Connection;

/// What the listener lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. One costs a descriptor and about 10 KiB.
    pub connections_max: usize,
    /// Connections at once from one address (one /64 network of IPv6). Loopback is exempt, since a proxy on the same
    /// machine speaks for everyone.
    pub connections_per_address_max: usize,
    /// How long a request's head may take to arrive, and how long a connection may idle between two requests.
    pub header_timeout: Duration,
    /// How long requests that are being answered may still take after the server was asked to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            connections_per_address_max: 500,
            header_timeout: Duration::from_secs(20),
            drain: Duration::from_secs(2),
        }
    }
}

/// The longest request head, in bytes. hyper takes no less than 8 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The most header fields of a request.
const HEADERS_MAX: usize = 64;
/// How long data may stay unacknowledged before the kernel gives the connection up: peers that vanished, and those that
/// never read.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);
/// How long accepting rests after an error such as running out of descriptors, which does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `shutdown` resolves, then lets running requests end for at most
/// [`Limits::drain`].
///
/// Each request carries its [`Connection`] as an extension.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    counters: Arc<Counters>,
    shutdown: impl Future<Output = ()>,
) {
    let places = Places::new(limits.connections_max, limits.connections_per_address_max);
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match places.take(peer.ip()) {
                    Ok(place) => {
                        let held = Held::new(place, Arc::clone(&counters));
                        let one = connection(stream, router.clone(), limits.header_timeout, stopping.clone(), held);
                        connections.spawn(one);
                    }
                    Err(taken) => turn_away(&stream, taken, &counters),
                },
                Err(error) => accept_failed(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    stop.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    header_timeout: Duration,
    mut stopping: watch::Receiver<bool>,
    held: Held,
) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else {
        return; // gone already
    };
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "socket options could not be set");
    }
    let ends = Connection::new(peer, local);
    let counters = Arc::clone(&held.counters);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        let counters = Arc::clone(&counters);
        async move {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ends);
            let response = router.oneshot(request).await;
            if let Ok(response) = &response {
                counters.answered(response.status());
            }
            Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = asked_to_stop(&mut stopping) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended badly");
    }
    drop(held);
}

async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that the listener itself is gone, which is as good a reason.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// A connection's place, counted while it is held.
struct Held {
    counters: Arc<Counters>,
    _place: Place,
}

impl Held {
    fn new(place: Place, counters: Arc<Counters>) -> Self {
        counters.opened();
        Self {
            counters,
            _place: place,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counters.closed();
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

/// What a connection too many is told, if its socket takes it at once.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
    Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\n\
    Content-Type: application/problem+json\r\nContent-Length: 128\r\n\r\n\
    {\"type\":\"/problems/full\",\"title\":\"The server is full\",\"status\":503,\"detail\":\"too many connections; try again after Retry-After\"}";

fn turn_away(stream: &TcpStream, taken: Taken, counters: &Counters) {
    counters.turned_away(taken);
    // A best effort: who does not read it sees the connection close.
    let _ = stream.try_write(BUSY);
}

async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return; // that connection's own trouble
    }
    tracing::warn!(%error, "can't accept connections; is the limit of open files too low?");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests;
