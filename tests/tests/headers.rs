//! What every answer of both HTTP listeners says to browsers: whose pages may read it, what it may load, who may keep it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;
use zongzi_tests::http::{self, Response};
use zongzi_tests::offer;
use zongzi_tests::server::Server;

const STRANGER: (&str, &str) = ("origin", "https://stranger.example");

#[test]
fn every_answer_of_the_public_listener_is_guarded() {
    let server = Server::start();
    server.key("demo");
    server.command(&["channel", "create", "hidden", "--private"]);
    let mut pages = 0;
    for path in [
        "/",
        "/watch/demo",
        "/embed/demo",
        "/watch/hidden",
        "/embed/hidden",
        "/watch/nobody",
        "/embed/nobody",
        "/assets/player.js",
        "/assets/style.css",
        "/assets/icon.svg",
        "/assets/none.js",
        "/assets/console/main.js",
        "/nowhere",
        "/healthz",
        "/readyz",
        "/api/public/channels/demo",
        "/api/public/channels/hidden",
        "/api/public/channels/nobody",
        "/api/public/channels/demo/events",
        "/api/public/channels/hidden/events",
        "/whep/demo",
        "/whep/demo/none",
        "/api/public/host",
        "/metrics",
        "/api/v1/channels",
    ] {
        let shared = path.starts_with("/whep/") || path.starts_with("/api/public/channels/");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            for accept in ["text/html", "*/*"] {
                let headers = [
                    STRANGER,
                    ("accept", accept),
                    ("content-type", "application/sdp"),
                ];
                let answer = http::beginning(server.ready.http, method, path, &headers);
                let what = format!("{method} {path} {accept}");
                guarded(&what, &answer);
                pages += u32::from(is_page(&answer));
                let allowed = answer.header("access-control-allow-origin");
                // A page in place of a bare 404 is for whoever navigates, and for nobody to read.
                let readable = shared && !is_page(&answer);
                assert_eq!(allowed, readable.then_some("*"), "{what}: {}", answer.head);
            }
        }
    }
    assert!(pages > 10, "pages were looked at");
    let posted = http::request(
        server.ready.http,
        "POST",
        "/whep/demo",
        &[STRANGER, ("content-type", "application/sdp")],
        offer::SDP,
    );
    assert_eq!(posted.status, 201);
    guarded("POST /whep/demo", &posted);
    let exposed = posted
        .header("access-control-expose-headers")
        .unwrap_or_default();
    for name in ["Location", "ETag", "Link", "Retry-After"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    // Nothing but the player's frame may be framed.
    for (path, who) in [
        ("/", "'none'"),
        ("/watch/demo", "'none'"),
        ("/embed/demo", "*"),
    ] {
        let policy = server.get(path);
        let policy = policy.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.ends_with(&format!("frame-ancestors {who}")),
            "{path}: {policy}"
        );
    }
}

#[test]
fn no_other_page_reads_the_operator_s_listener() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.admin_token());
    let described = ask(server.ready.admin, "GET", "/api/openapi.json", &[]);
    let described: Value = serde_json::from_str(&described.body).expect("the description is JSON");
    let paths = described["paths"].as_object().expect("it has paths");
    let mut all: BTreeSet<String> = paths.keys().map(|path| filled(path)).collect();
    assert!(all.len() > 5, "{all:?}");
    all.extend(
        [
            "/",
            "/metrics",
            "/healthz",
            "/readyz",
            "/api/openapi.json",
            "/api/docs",
            "/nowhere",
            "/assets/none.js",
            "/assets/console/main.js",
            "/assets/player.js",
            "/embed/demo",
            "/embed/nobody",
            "/whep/demo",
            "/whep/demo/none",
            "/api/public/channels/demo",
            "/api/public/channels/demo/events",
        ]
        .map(str::to_owned),
    );
    for path in &all {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            // Deleting what the other requests are about would leave them nothing to ask for.
            let target = if method == "DELETE" {
                path.replace("demo", "gone")
            } else {
                path.clone()
            };
            for shown in [None, Some(bearer.as_str())] {
                let mut headers = vec![
                    STRANGER,
                    ("accept", "text/html"),
                    ("content-type", "application/json"),
                ];
                headers.extend(shown.map(|shown| ("authorization", shown)));
                let answer = http::beginning(server.ready.admin, method, &target, &headers);
                let what = format!("{method} {target} {}", shown.is_some());
                guarded(&what, &answer);
                let cors = answer.head.to_ascii_lowercase().contains("access-control-");
                assert!(!cors, "{what} lets other origins in: {}", answer.head);
                if path.starts_with("/api/v1/") && shown.is_none() && answer.status != 405 {
                    assert_eq!(answer.status, 401, "{what}");
                }
                if path.starts_with("/api/v1/") {
                    assert_eq!(
                        answer.header("cache-control"),
                        Some("no-store"),
                        "{what}: {}",
                        answer.head
                    );
                }
            }
        }
        let preflight = [
            STRANGER,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization"),
        ];
        let answer = ask(server.ready.admin, "OPTIONS", path, &preflight);
        let cors = answer.head.to_ascii_lowercase().contains("access-control-");
        assert!(!cors, "OPTIONS {path}: {}", answer.head);
    }
}

/// What must be said by every answer there is.
fn guarded(what: &str, answer: &Response) {
    let header = |name: &str| answer.header(name).unwrap_or_default();
    assert!(
        answer.status < 500,
        "{what}: {} {}",
        answer.status,
        answer.body
    );
    assert_eq!(
        header("x-content-type-options"),
        "nosniff",
        "{what}: {}",
        answer.head
    );
    assert_eq!(
        header("referrer-policy"),
        "no-referrer",
        "{what}: {}",
        answer.head
    );
    assert!(
        !header("cache-control").is_empty(),
        "{what}: {}",
        answer.head
    );
    assert!(
        answer.header("access-control-allow-credentials").is_none(),
        "{what}: {}",
        answer.head
    );
    assert!(answer.header("server").is_none(), "{what}: {}", answer.head);
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{what}: {policy}");
    assert!(policy.contains("frame-ancestors "), "{what}: {policy}");
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    if is_page(answer) {
        for rule in ["base-uri 'none'", "form-action "] {
            assert!(policy.contains(rule), "{what}: {policy}");
        }
        // A page that has none of its own runs none, as default-src says.
        let mut rules = policy.split(';').map(str::trim);
        let scripts = rules.find(|rule| rule.starts_with("script-src"));
        assert!(
            scripts.is_none_or(|rule| rule == "script-src 'self'"),
            "{what}: {policy}"
        );
    }
    for line in answer
        .head
        .lines()
        .filter(|line| line.to_ascii_lowercase().starts_with("set-cookie:"))
    {
        for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(line.contains(flag), "{what}: {line}");
        }
    }
}

fn is_page(answer: &Response) -> bool {
    answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/html"))
}

/// A path of the description with something in each place.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{channel}" => "demo",
        part if part.starts_with('{') => "none",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn ask(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    http::request(to, method, path, headers, "")
}
