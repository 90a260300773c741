//! The accept loop over loopback sockets, in real time where the kernel is part of the matter.

use std::time::Duration;

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::*;

struct Running {
    address: std::net::SocketAddr,
    counters: Arc<Counters>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

async fn start(limits: Limits) -> Running {
    let router = Router::new()
        .route(
            "/",
            get(async |ends: axum::Extension<Connection>| {
                format!("loopback {}", ends.is_loopback())
            }),
        )
        .route("/stuck", get(std::future::pending::<&'static str>));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counters = Arc::new(Counters::default());
    let (stop, stopped) = oneshot::channel();
    let serving = serve(listener, router, limits, Arc::clone(&counters), async {
        let _ = stopped.await;
    });
    Running {
        address,
        counters,
        stop,
        task: tokio::spawn(serving),
    }
}

/// Sends `request` and reads until the server closes.
async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_knows_both_ends_of_its_connection() {
    let server = start(Limits::default()).await;
    let answer = exchange(
        server.address,
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("loopback true"), "{answer}");
    assert_eq!(server.counters.stats().answers[1], 1);
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    let stats = server.counters.stats();
    assert_eq!((stats.opened, stats.closed), (1, 1));
}

#[tokio::test]
async fn a_connection_too_many_is_told_so() {
    let server = start(Limits {
        connections_max: 1,
        ..Limits::default()
    })
    .await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 12];
    first.read_exact(&mut some).await.unwrap();
    let answer = exchange(server.address, "").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 503") && head.contains("Retry-After: 5"),
        "{head}"
    );
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{answer}"
    );
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(body).unwrap()["status"],
        503
    );
    assert_eq!(server.counters.stats().refused_full, 1);
}

#[tokio::test]
async fn a_head_that_drips_in_is_given_up() {
    let header_timeout = Duration::from_millis(200);
    let server = start(Limits {
        header_timeout,
        ..Limits::default()
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    assert!(
        closed.await.is_ok(),
        "the server closes a connection whose request never comes"
    );
    // So is one that says nothing at all.
    let silent = tokio::time::timeout(Duration::from_secs(10), exchange(server.address, ""));
    assert!(silent.await.is_ok());
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = start(Limits::default()).await;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(4 * HEAD_BYTES_MAX)
    );
    assert!(
        exchange(server.address, &request)
            .await
            .starts_with("HTTP/1.1 431")
    );
    let many: String = (0..=HEADERS_MAX).map(|n| format!("X{n}: y\r\n")).collect();
    let answer = exchange(server.address, &format!("GET / HTTP/1.1\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_request_that_hangs() {
    let server = start(Limits {
        drain: Duration::from_millis(100),
        ..Limits::default()
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let _idle = TcpStream::connect(server.address).await.unwrap();
    while server.counters.stats().opened < 2 {
        tokio::task::yield_now().await;
    }
    server.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server.task)
        .await
        .unwrap()
        .unwrap();
    let stats = server.counters.stats();
    assert_eq!((stats.opened, stats.closed), (2, 2));
}
