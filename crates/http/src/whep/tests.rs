//! WHEP's HTTP behaviour against a `Sessions` whose answers are set by the channel's or session's name.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode, header};
use tower::ServiceExt as _;

use super::*;
use crate::{playback, problem};

#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<String>>,
}

const SESSION: SessionId = SessionId::new(0xabc);
const TAG: &str = "\"0000000000000001\"";

impl Fake {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl Sessions for Fake {
    async fn create(&self, offer: Offer) -> Result<Created, Refusal> {
        self.note(format!(
            "create {} {:?}",
            offer.sdp,
            offer.connection.map(|c| c.is_loopback())
        ));
        match offer.channel.as_str() {
            "demo" => Ok(Created {
                session: SESSION,
                etag: EntityTag::new(1),
                answer: "v=0 answer".to_owned(),
            }),
            "bad" => Err(Refusal::BadSdp(
                "line 3 is no SDP; send a browser's offer".into(),
            )),
            "vp8" => Err(Refusal::NothingInCommon("offer H.264 or Opus".into())),
            "crowded" => Err(Refusal::ChannelFull(
                Duration::from_secs(7),
                "all there".into(),
            )),
            "full" => Err(Refusal::Full(Duration::from_secs(7), "no place".into())),
            "private" => Err(Refusal::NotAdmitted(match offer.token {
                None => playback::Refusal::Needed,
                Some(token) if token.expose() == "over" => playback::Refusal::Expired,
                Some(_) => playback::Refusal::OtherChannel,
            })),
            "stopping" => Err(Refusal::Unavailable("the server is stopping".into())),
            _ => Err(Refusal::UnknownChannel),
        }
    }

    async fn change(
        &self,
        address: Address,
        change: Change,
        connection: Option<Connection>,
    ) -> Result<Changed, Refusal> {
        if let Some(connection) = connection {
            self.note(format!("at {}", connection.local));
        }
        if address.session != SESSION {
            return Err(Refusal::UnknownSession);
        }
        match change {
            Change::Trickle { etag, fragment } if etag == EntityTag::new(1) => {
                self.note(format!("trickle {fragment}"));
                Ok(Changed::Trickled)
            }
            Change::Trickle { .. } => Err(Refusal::StaleTag),
            Change::Restart { fragment } => {
                self.note(format!("restart {fragment}"));
                Ok(Changed::Restarted {
                    etag: EntityTag::new(2),
                    fragment: "a=new".to_owned(),
                })
            }
        }
    }

    async fn delete(&self, address: Address) -> Result<(), Refusal> {
        self.note("delete".to_owned());
        if address.session == SESSION {
            Ok(())
        } else {
            Err(Refusal::UnknownSession)
        }
    }
}

struct Bench {
    sessions: Arc<Fake>,
    counters: Arc<Counters>,
    router: Router,
}

impl Bench {
    fn new() -> Self {
        let (sessions, counters) = (Arc::new(Fake::default()), Arc::new(Counters::default()));
        let router = router(Arc::clone(&sessions), Arc::clone(&counters));
        Self {
            sessions,
            counters,
            router: crate::with_fallbacks(router),
        }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn post(&self, channel: &str) -> Response {
        let headers = [("content-type", "application/sdp")];
        self.ask("POST", &format!("/whep/{channel}"), &headers, "v=0 offer")
            .await
    }

    async fn patch(&self, if_match: Option<&str>) -> Response {
        let mut headers = vec![("content-type", "application/trickle-ice-sdpfrag")];
        headers.extend(if_match.map(|value| ("if-match", value)));
        self.ask(
            "PATCH",
            &format!("/whep/demo/{SESSION}"),
            &headers,
            "a=candidate",
        )
        .await
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.sessions.asked.lock().unwrap())
    }
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    String::from_utf8(body.into()).unwrap()
}

#[tokio::test]
async fn an_offer_makes_a_session_with_an_address_and_a_tag() {
    let bench = Bench::new();
    let response = bench.post("demo").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let headers = response.headers();
    assert_eq!(headers[header::LOCATION], format!("/whep/demo/{SESSION}"));
    assert_eq!(headers[header::ETAG], TAG);
    assert_eq!(headers[header::CONTENT_TYPE], "application/sdp");
    assert_eq!(headers["accept-patch"], "application/trickle-ice-sdpfrag");
    assert_eq!(text(response).await, "v=0 answer");
    assert_eq!(bench.asked(), ["create v=0 offer None"]);
    assert_eq!(bench.counters.stats().count(Outcome::Created), 1);
}

#[tokio::test]
async fn where_the_request_came_from_is_told_to_the_sessions() {
    let bench = Bench::new();
    let mut request = Request::post("/whep/demo")
        .header(header::CONTENT_TYPE, "application/sdp")
        .body(Body::from("v=0"))
        .unwrap();
    let loopback = "127.0.0.1:4000".parse().unwrap();
    request
        .extensions_mut()
        .insert(Connection::new(loopback, loopback));
    bench.router.clone().oneshot(request).await.unwrap();
    assert_eq!(bench.asked(), ["create v=0 Some(true)"]);
    let mut request = Request::patch(format!("/whep/demo/{SESSION}"))
        .header(header::CONTENT_TYPE, "application/trickle-ice-sdpfrag")
        .header(header::IF_MATCH, "*")
        .body(Body::from("a=x"))
        .unwrap();
    request
        .extensions_mut()
        .insert(Connection::new(loopback, loopback));
    bench.router.clone().oneshot(request).await.unwrap();
    assert_eq!(bench.asked(), ["at 127.0.0.1:4000", "restart a=x"]);
}

#[tokio::test]
async fn each_refusal_has_its_status_and_says_what_to_do() {
    let bench = Bench::new();
    for (channel, status, kind) in [
        ("nobody", 404, "channel-unknown"),
        ("bad", 400, "sdp-bad"),
        ("vp8", 406, "nothing-in-common"),
        ("full", 503, "full"),
        ("crowded", 503, "channel-full"),
        ("private", 401, "playback-token-needed"),
        ("stopping", 503, "unavailable"),
    ] {
        let response = bench.post(channel).await;
        assert_eq!(response.status().as_u16(), status, "{channel}");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            problem::MEDIA_TYPE
        );
        let retry_after = response.headers().get(header::RETRY_AFTER).cloned();
        assert_eq!(retry_after.is_some(), status == 503, "{channel}");
        if ["full", "crowded"].contains(&channel) {
            assert_eq!(retry_after.unwrap(), "7");
        }
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["type"], format!("/problems/{kind}"));
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
    }
    assert_eq!(bench.counters.stats().count(Outcome::NotAllowed), 1);
    assert_eq!(bench.counters.stats().count(Outcome::Full), 2);
}

#[tokio::test]
async fn a_token_comes_in_the_header_alone_and_a_refusal_says_which_it_was() {
    let bench = Bench::new();
    for (path, shown, status, kind, challenge) in [
        ("/whep/private?token=over", None, 401, "needed", "Bearer"),
        (
            "/whep/private",
            Some("Bearer over"),
            401,
            "expired",
            "Bearer error=\"invalid_token\"",
        ),
        (
            "/whep/private",
            Some("bearer else"),
            403,
            "other-channel",
            "Bearer error=\"insufficient_scope\"",
        ),
    ] {
        let mut headers = vec![("content-type", "application/sdp")];
        headers.extend(shown.map(|shown| ("authorization", shown)));
        let response = bench.ask("POST", path, &headers, "v=0 offer").await;
        assert_eq!(response.status().as_u16(), status, "{shown:?}");
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], challenge);
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["type"], format!("/problems/playback-token-{kind}"));
    }
    assert_eq!(bench.counters.stats().count(Outcome::NotAllowed), 3);
}

#[tokio::test]
async fn a_body_that_is_no_sdp_or_too_long_never_reaches_the_sessions() {
    let bench = Bench::new();
    let response = bench
        .ask(
            "POST",
            "/whep/demo",
            &[("content-type", "text/plain")],
            "v=0",
        )
        .await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let response = bench.ask("POST", "/whep/demo", &[], "v=0").await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = "x".repeat(BODY_BYTES_MAX + 1);
    let response = bench
        .ask(
            "POST",
            "/whep/demo",
            &[("content-type", "application/sdp")],
            &long,
        )
        .await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(bench.asked(), Vec::<String>::new());
    assert_eq!(bench.counters.stats().count(Outcome::BadRequest), 3);
}

#[tokio::test]
async fn a_name_that_can_be_none_is_unknown_without_asking() {
    let bench = Bench::new();
    for channel in ["a%2fb", "%0d%0aset-cookie", &"x".repeat(65), "%E7%B2%BD"] {
        assert_eq!(
            bench.post(channel).await.status(),
            StatusCode::NOT_FOUND,
            "{channel}"
        );
    }
    assert_eq!(bench.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn candidates_trickle_under_the_present_tag_only() {
    let bench = Bench::new();
    assert_eq!(
        bench.patch(Some(TAG)).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(bench.asked(), ["trickle a=candidate"]);
    assert_eq!(
        bench.patch(None).await.status(),
        StatusCode::PRECONDITION_REQUIRED
    );
    for stale in ["\"0000000000000009\"", "\"never-given-out\""] {
        assert_eq!(
            bench.patch(Some(stale)).await.status(),
            StatusCode::PRECONDITION_FAILED
        );
    }
    assert_eq!(bench.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_star_restarts_ice_and_gives_a_new_tag() {
    let bench = Bench::new();
    for star in ["*", "\"*\""] {
        let response = bench.patch(Some(star)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::ETAG], "\"0000000000000002\"");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/trickle-ice-sdpfrag"
        );
        assert_eq!(text(response).await, "a=new");
        assert_eq!(bench.asked(), ["restart a=candidate"]);
    }
}

#[tokio::test]
async fn a_patch_of_another_type_is_refused() {
    let bench = Bench::new();
    let path = format!("/whep/demo/{SESSION}");
    let headers = [("content-type", "application/sdp"), ("if-match", "*")];
    let response = bench.ask("PATCH", &path, &headers, "v=0").await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn delete_ends_a_session_and_knows_no_other() {
    let bench = Bench::new();
    let response = bench
        .ask("DELETE", &format!("/whep/demo/{SESSION}"), &[], "")
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let other = SessionId::new(5);
    for unknown in [
        format!("/whep/demo/{other}"),
        "/whep/demo/not-an-id".to_owned(),
    ] {
        let response = bench.ask("DELETE", &unknown, &[], "").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{unknown}");
        assert!(text(response).await.contains("/problems/session-unknown"));
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_work() {
    let bench = Bench::new();
    for (method, path, allow) in [
        ("GET", "/whep/demo".to_owned(), "POST,OPTIONS"),
        (
            "PUT",
            format!("/whep/demo/{SESSION}"),
            "PATCH,DELETE,OPTIONS",
        ),
    ] {
        let response = bench.ask(method, &path, &[], "").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            problem::MEDIA_TYPE
        );
        assert_eq!(response.headers()[header::ALLOW], allow);
    }
}

#[tokio::test]
async fn options_says_what_is_taken() {
    let bench = Bench::new();
    let response = bench.ask("OPTIONS", "/whep/demo", &[], "").await;
    assert!(response.status().is_success());
    assert_eq!(response.headers()["accept-post"], "application/sdp");
    let response = bench
        .ask("OPTIONS", &format!("/whep/demo/{SESSION}"), &[], "")
        .await;
    assert_eq!(
        response.headers()["accept-patch"],
        "application/trickle-ice-sdpfrag"
    );
}
