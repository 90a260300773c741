//! The pages and files with their headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode, header};
use tower::ServiceExt as _;

use super::*;
use crate::Bearer;
use crate::playback::{self, Admission};
use crate::public::{ChannelStatus, Channels, State, Unavailable};
use crate::whep;

struct Demo;

impl Channels for Demo {
    async fn status(&self, channel: &str) -> Result<Option<ChannelStatus>, Unavailable> {
        Ok((channel == "demo").then(|| ChannelStatus {
            channel: channel.to_owned(),
            title: String::new(),
            private: true,
            state: State::Offline,
            viewers: 0,
            viewers_by_protocol: BTreeMap::new(),
            viewers_peak: 0,
            viewers_total: 0,
            viewers_unique: 0,
            waiting: 0,
            since: None,
            codecs: Vec::new(),
            video: None,
            reason: None,
        }))
    }

    async fn admit(
        &self,
        _channel: &str,
        _token: Option<&Bearer>,
    ) -> Result<Admission, playback::Refusal> {
        Err(playback::Refusal::Needed)
    }
}

const FILES: [(&str, &[u8]); 6] = [
    ("index.html", b"<h1>Zongzi</h1>"),
    ("watch.html", b"<video>"),
    ("not-found.html", b"<h1>no such channel</h1>"),
    ("player.js", b"play()"),
    ("console/index.html", b"<h1>console</h1>"),
    ("console/main.js", b"begin()"),
];

fn router() -> Router {
    let assets = Assets::new(FILES).unwrap();
    let pages = super::router(Arc::new(Demo), assets.clone());
    with_not_found_page(crate::with_fallbacks(pages), assets)
}

async fn ask(path: &str, headers: &[(header::HeaderName, &str)]) -> Response {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    router()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 4096)
        .await
        .unwrap();
    String::from_utf8(body.into()).unwrap()
}

fn policy(response: &Response) -> &str {
    response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
}

#[test]
fn a_page_that_is_missing_is_said_at_start() {
    let error = Assets::new(FILES.into_iter().skip(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the page index.html is not among the files built into this program"
    );
}

#[tokio::test]
async fn a_player_may_be_framed_where_it_is_meant_to_be() {
    for (path, ancestors) in [
        ("/watch/demo", "frame-ancestors 'none'"),
        ("/embed/demo", "frame-ancestors *"),
    ] {
        let response = ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(
            policy(&response).ends_with(ancestors),
            "{}",
            policy(&response)
        );
        assert!(policy(&response).contains("script-src 'self';"));
        assert_eq!(
            response.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff"
        );
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/html; charset=utf-8"
        );
        assert_eq!(text(response).await, "<video>");
    }
    assert_eq!(text(ask("/", &[]).await).await, "<h1>Zongzi</h1>");
}

#[tokio::test]
async fn an_unknown_channel_is_a_404_in_words() {
    for path in ["/watch/nobody", "/embed/nobody", "/watch/no%2Fbody"] {
        let response = ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(policy(&response).ends_with("frame-ancestors 'none'"));
        assert_eq!(text(response).await, "<h1>no such channel</h1>");
    }
}

#[tokio::test]
async fn a_browser_that_goes_astray_sees_a_page_and_a_program_a_problem() {
    let browser = [(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = ask("/nowhere", &browser).await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_eq!(text(page).await, "<h1>no such channel</h1>");
    let problem = ask("/nowhere", &[(header::ACCEPT, "application/json")]).await;
    assert_eq!(
        problem.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let first = ask("/assets/player.js", &[]).await;
    assert_eq!(
        first.headers()[header::CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
    let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(text(first).await, "play()");
    for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let again = ask("/assets/player.js", &[(header::IF_NONE_MATCH, &known)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(text(again).await, "");
    }
    let other = ask("/assets/player.js", &[(header::IF_NONE_MATCH, "\"x\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn only_files_that_were_built_in_are_there() {
    for path in [
        "/assets/watch.html",
        "/assets/none.js",
        "/assets/console/main.js",
        "/assets/../player.js",
        "/assets/%2e%2e/x",
    ] {
        assert_eq!(
            ask(path, &[]).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

/// Sessions that nobody asks for here.
struct Nobody;

impl whep::Sessions for Nobody {
    async fn create(&self, _: whep::Offer) -> Result<whep::Created, whep::Refusal> {
        Err(whep::Refusal::UnknownChannel)
    }

    async fn change(
        &self,
        _: whep::Address,
        _: whep::Change,
        _: Option<crate::Connection>,
    ) -> Result<whep::Changed, whep::Refusal> {
        Err(whep::Refusal::UnknownSession)
    }

    async fn delete(&self, _: whep::Address) -> Result<(), whep::Refusal> {
        Err(whep::Refusal::UnknownSession)
    }
}

#[tokio::test]
async fn the_console_runs_no_script_but_its_own_and_frames_the_player_of_its_own_origin() {
    let console = Console {
        sessions: Arc::new(Nobody),
        whep_counters: Arc::default(),
        channels: Arc::new(Demo),
        assets: Assets::new(FILES).unwrap(),
    };
    let router = console.router();
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    let page = ask("/").await;
    for part in [
        "default-src 'none';",
        "script-src 'self';",
        "frame-ancestors 'none';",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy(&page).contains(part), "{}", policy(&page));
    }
    assert_eq!(page.headers()[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(text(page).await, "<h1>console</h1>");
    assert_eq!(text(ask("/assets/console/main.js").await).await, "begin()");
    assert_eq!(text(ask("/assets/player.js").await).await, "play()");
    let embed = ask("/embed/demo").await;
    assert!(policy(&embed).ends_with("frame-ancestors 'self'"));
    let status = ask("/api/public/channels/demo").await;
    let told = "the demo channel is private here as it is everywhere";
    assert_eq!(status.status(), StatusCode::UNAUTHORIZED, "{told}");
    assert!(
        !status
            .headers()
            .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
        "no other page reads the operator's listener"
    );
}
