use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Endpoint;

/// Sends one request, on a connection of its own.
pub(super) async fn post(endpoint: &Endpoint, body: Vec<u8>) -> anyhow::Result<()> {
    timeout(POST_MAX, send(endpoint, body)).await?
}

async fn send(endpoint: &Endpoint, body: Vec<u8>) -> anyhow::Result<()> {
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = hyper::Request::post(endpoint.path.as_str())
        .header(HOST, format!("{}:{}", endpoint.host, endpoint.port))
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("zongzi/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)))?;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    let answer = tokio::select! {
        answer = &mut answer => answer?,
        // It moves the bytes, and ends when the collector closes; then the answer is there or will not come.
        ended = connection => {
            ended?;
            answer.await?
        }
    };
    anyhow::ensure!(
        answer.status().is_success(),
        "the collector answers {}",
        answer.status()
    );
    Ok(())
}

/// A collector is near; one that hangs may not hold up the end of the server.
const POST_MAX: Duration = Duration::from_secs(3);
