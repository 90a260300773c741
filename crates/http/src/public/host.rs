//! What a host is told of its own stream, to whoever shows its stream key.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::problem::{self, Kind, Problem};
use crate::{Connection, Timestamp, public};

/// Stream keys, and how the channels that they open stand.
pub trait Hosts: Send + Sync + 'static {
    /// The channel that `key`, shown by somebody at `peer`, opens.
    ///
    /// A wrong key is answered late, and one who guesses on is refused, as where hosts publish.
    fn host(
        &self,
        key: &str,
        peer: IpAddr,
    ) -> impl Future<Output = Result<HostStatus, KeyRefused>> + Send;
}

/// Why a stream key shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefused {
    /// No such key, or it was revoked.
    Unknown,
    /// Too many wrong keys from this address; it may try again after the span.
    Throttled(Duration),
    /// Keys can't be checked right now.
    Unavailable,
}

/// How a host's own channel stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// Its name.
    pub channel: String,
    /// Its title; empty when it has none.
    pub title: String,
    /// Whether a host is live on it.
    pub state: public::State,
    /// Since when the present broadcast runs.
    pub since: Option<Timestamp>,
    /// Viewers now.
    pub viewers: u64,
    /// What the host sends.
    pub tracks: Vec<HostTrack>,
    /// What viewers have to pay for it, the oldest first; empty when all is well.
    pub advisories: Vec<Advisory>,
}

/// A track that the host sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostTrack {
    /// `video` or `audio`.
    pub kind: &'static str,
    /// Its codec as an RFC 6381 name where there is one, else its everyday name.
    pub codec: String,
    /// Shown width in pixels.
    pub width: Option<u32>,
    /// Shown height in pixels.
    pub height: Option<u32>,
}

/// Something that the host should know of its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advisory {
    /// Its stable code.
    pub code: &'static str,
    /// Since when it holds.
    pub since: Timestamp,
    /// What viewers have of it.
    pub effect: Languages,
    /// Which setting changes it.
    pub setting: Languages,
}

/// A text in each language there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Languages {
    /// English.
    pub en: String,
    /// Chinese, simplified.
    pub zh: String,
}

/// `GET /api/public/host`.
pub fn router<H: Hosts>(hosts: Arc<H>) -> Router {
    Router::new()
        .route("/api/public/host", get(show::<H>))
        .with_state(hosts)
}

async fn show<H: Hosts>(
    State(hosts): State<Arc<H>>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = bearer(&headers).ok_or_else(|| {
        needed("send the stream key, as OBS has it, in the header Authorization: Bearer KEY")
    })?;
    let peer = connection.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ends| ends.peer.ip());
    let status = hosts.host(key, peer).await.map_err(refusal)?;
    let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((fresh, Json(status)).into_response())
}

fn refusal(refused: KeyRefused) -> Problem {
    match refused {
        KeyRefused::Unknown => {
            needed("the stream key is wrong or was revoked; ask the operator for a new one")
        }
        KeyRefused::Throttled(wait) => KEY_THROTTLED
            .because("too many wrong keys from this address; wait as Retry-After says")
            .retry_after(wait),
        KeyRefused::Unavailable => problem::UNAVAILABLE
            .because("keys can't be checked right now; try again in a moment")
            .retry_after(Duration::from_secs(2)),
    }
}

fn needed(detail: &'static str) -> Problem {
    KEY_NEEDED
        .because(detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

const KEY_NEEDED: Kind = Kind::new(
    "stream-key-needed",
    "The stream key is needed",
    StatusCode::UNAUTHORIZED,
);
const KEY_THROTTLED: Kind = Kind::new(
    "too-many-guesses",
    "Too many wrong keys",
    StatusCode::TOO_MANY_REQUESTS,
);

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;

    struct Fake;

    impl Hosts for Fake {
        async fn host(&self, key: &str, peer: IpAddr) -> Result<HostStatus, KeyRefused> {
            assert_eq!(peer, IpAddr::from([192, 0, 2, 7]));
            let languages = |en: &str, zh: &str| Languages {
                en: en.to_owned(),
                zh: zh.to_owned(),
            };
            match key {
                "sk_good" => Ok(HostStatus {
                    channel: "demo".to_owned(),
                    title: String::new(),
                    state: public::State::Live,
                    since: Some(Timestamp::from_unix_ms(0)),
                    viewers: 3,
                    tracks: vec![HostTrack {
                        kind: "video",
                        codec: "avc1.64001f".to_owned(),
                        width: Some(1_280),
                        height: Some(720),
                    }],
                    advisories: vec![Advisory {
                        code: "b_frames",
                        since: Timestamp::from_unix_ms(1_000),
                        effect: languages("B-frames", "B 帧"),
                        setting: languages("none", "没有"),
                    }],
                }),
                "sk_guess" => Err(KeyRefused::Throttled(Duration::from_secs(40))),
                "sk_later" => Err(KeyRefused::Unavailable),
                _ => Err(KeyRefused::Unknown),
            }
        }
    }

    async fn ask(authorization: Option<&str>) -> (Response, serde_json::Value) {
        let ends = Connection::new(
            "192.0.2.7:50000".parse().unwrap(),
            "192.0.2.1:8080".parse().unwrap(),
        );
        let mut request = Request::get("/api/public/host").extension(ends);
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let response = router(Arc::new(Fake))
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 4_096).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap();
        (Response::from_parts(parts, Body::empty()), json)
    }

    #[tokio::test]
    async fn the_host_is_told_all_of_its_own_stream() {
        let (response, json) = ask(Some("bearer  sk_good ")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(
            json,
            serde_json::json!({
                "channel": "demo",
                "title": "",
                "state": "live",
                "since": "1970-01-01T00:00:00.000Z",
                "viewers": 3,
                "tracks": [{"kind": "video", "codec": "avc1.64001f", "width": 1280, "height": 720}],
                "advisories": [{
                    "code": "b_frames",
                    "since": "1970-01-01T00:00:01.000Z",
                    "effect": {"en": "B-frames", "zh": "B 帧"},
                    "setting": {"en": "none", "zh": "没有"},
                }],
            })
        );
    }

    #[tokio::test]
    async fn without_the_key_there_is_a_problem_that_says_what_to_do() {
        for (authorization, status, kind) in [
            (None, 401, "stream-key-needed"),
            (Some("Basic c2s6"), 401, "stream-key-needed"),
            (Some("Bearer sk_wrong"), 401, "stream-key-needed"),
            (Some("Bearer sk_guess"), 429, "too-many-guesses"),
            (Some("Bearer sk_later"), 503, "unavailable"),
        ] {
            let (response, json) = ask(authorization).await;
            assert_eq!(response.status().as_u16(), status, "{authorization:?}");
            assert_eq!(json["type"], format!("/problems/{kind}"));
            let headers = response.headers();
            assert_eq!(headers[header::CONTENT_TYPE], problem::MEDIA_TYPE);
            assert_eq!(
                headers.contains_key(header::WWW_AUTHENTICATE),
                status == 401
            );
            assert_eq!(headers.contains_key(header::RETRY_AFTER), status != 401);
            assert!(!json.to_string().contains("sk_"), "{json}");
        }
    }
}
