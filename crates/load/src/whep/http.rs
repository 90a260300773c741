use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

/// A whole request takes no longer than this, or it has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// An answer has at most this many bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The session's URL (RFC 9725 §4.2), made absolute.
    pub(crate) fn location(&self, asked: &Uri) -> Option<Uri> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        if location.starts_with("http://") {
            return location.parse().ok();
        }
        let authority = asked.authority()?;
        if location.starts_with('/') {
            return format!("http://{authority}{location}").parse().ok();
        }
        let (parent, _) = asked.path().rsplit_once('/')?;
        format!("http://{authority}{parent}/{location}")
            .parse()
            .ok()
    }

    /// How long to wait before the next try.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// The address that `url` leads to.
///
/// # Errors
/// When it is no `http://` URL or its name has no address.
pub(crate) async fn resolve(url: &Uri) -> Result<SocketAddr> {
    if url.scheme_str() != Some("http") {
        bail!("{url}: only http:// URLs are supported");
    }
    let host = url.host().context("the URL has no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_u16().unwrap_or(80);
    let mut found = lookup_host((host, port))
        .await
        .with_context(|| format!("{host} has no address"))?;
    found
        .next()
        .with_context(|| format!("{host} has no address"))
}

/// One request on a connection of its own, which is closed after it.
///
/// # Errors
/// When no complete HTTP response came; an HTTP error status is no error here.
pub(crate) async fn request(
    to: SocketAddr,
    method: Method,
    url: &Uri,
    token: Option<&str>,
    sdp: Option<String>,
) -> Result<Reply> {
    tokio::time::timeout(REQUEST_TIMEOUT, exchange(to, method, url, token, sdp))
        .await
        .context("no answer in time")?
}

async fn exchange(
    to: SocketAddr,
    method: Method,
    url: &Uri,
    token: Option<&str>,
    sdp: Option<String>,
) -> Result<Reply> {
    let stream = TcpStream::connect(to)
        .await
        .with_context(|| format!("can't connect to {to}"))?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("no HTTP")?;
    // It ends when `sender` is dropped.
    tokio::spawn(connection);
    let authority = url.authority().context("the URL has no host")?.as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, authority);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if sdp.is_some() {
        request = request.header(CONTENT_TYPE, "application/sdp");
    }
    let request = request.body(Full::new(Bytes::from(sdp.unwrap_or_default())))?;
    let response = sender.send_request(request).await.context("no response")?;
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => bail!("the response's body did not come: {error}"),
    };
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(location: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().expect("a header"));
        headers.insert(RETRY_AFTER, "3".parse().expect("a header"));
        let reply = Reply {
            status: StatusCode::CREATED,
            headers,
            body: String::new(),
        };
        let asked = "http://127.0.0.1:8080/whep/demo".parse().expect("a URL");
        assert_eq!(
            reply.location(&asked).expect("a location").to_string(),
            expected
        );
        assert_eq!(reply.retry_after(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_session_is_where_the_location_says_however_it_is_written() {
        check("/whep/demo/5", "http://127.0.0.1:8080/whep/demo/5");
        check("http://127.0.0.2:1/x", "http://127.0.0.2:1/x");
        check("demo/5", "http://127.0.0.1:8080/whep/demo/5");
    }
}
