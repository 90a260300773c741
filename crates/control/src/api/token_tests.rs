//! Who may do what, and what is met once.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::tests::{Bench, value};

impl Bench {
    /// A request by whoever has `token`.
    async fn by(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        (response.status().as_u16(), value(response).await)
    }

    async fn minted(&self, name: &str, scope: &str) -> Value {
        let body = json!({"name": name, "scope": scope});
        let (status, minted) = self.ask("POST", "/api/v1/tokens", body).await;
        assert_eq!(status, 201, "{minted}");
        minted
    }

    /// A request with an `Idempotency-Key`.
    async fn once(&self, key: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self
            .send("POST", path, &[("idempotency-key", key)], body)
            .await;
        (response.status().as_u16(), value(response).await)
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_does_what_its_scope_allows_and_no_more() {
    let bench = Bench::new().await;
    let mut tokens = vec![];
    for scope in ["read", "keys", "admin"] {
        tokens.push(text(&bench.minted(scope, scope).await, "token"));
    }
    let channel = json!({"name": "tea"});
    let webhook = json!({"url": "https://shop.example/"});
    for (method, path, body, least) in [
        ("GET", "/channels", Value::Null, 0),
        ("GET", "/channels/demo/keys", Value::Null, 0),
        ("GET", "/sessions", Value::Null, 0),
        ("POST", "/channels/demo/keys", json!({}), 1),
        ("PATCH", "/channels/demo", json!({"title": "A"}), 2),
        ("POST", "/channels/demo/playback-tokens", json!({}), 2),
        ("POST", "/channels", channel, 2),
        ("POST", "/hooks", webhook, 2),
        ("GET", "/hooks", Value::Null, 2),
        ("GET", "/tokens", Value::Null, 2),
        ("POST", "/tokens", json!({"name": "x", "scope": "admin"}), 2),
    ] {
        for (scope, token) in tokens.iter().enumerate() {
            let (status, answer) = bench.by(token, method, path, body.clone()).await;
            if scope < least {
                assert_eq!(status, 403, "{method} {path} with scope {scope}");
                assert_eq!(answer["type"], "/problems/scope-needed");
            } else {
                assert!(status < 300, "{method} {path} with scope {scope}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn a_named_token_is_stored_as_a_hash_and_opens_nothing_once_revoked_or_expired() {
    let bench = Bench::new().await;
    let minted = bench.minted("script", "read").await;
    let (id, token) = (text(&minted, "id"), text(&minted, "token"));
    assert_eq!(
        bench.by(&token, "GET", "/channels", Value::Null).await.0,
        200
    );
    for entry in std::fs::read_dir(bench.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!found, "{} holds a token", path.display());
    }
    let path = format!("/api/v1/tokens/{id}");
    let read = bench.ask("GET", &path, Value::Null).await.1;
    assert_eq!(
        (&read["name"], &read["token"]),
        (&json!("script"), &Value::Null)
    );
    assert!(read["last_used"].is_string(), "{read}");
    assert!(token.starts_with(&text(&read, "prefix")));
    let (status, revoked) = bench.ask("DELETE", &path, Value::Null).await;
    assert!(status == 200 && revoked["revoked"].is_string(), "{revoked}");
    assert_eq!(
        bench.by(&token, "GET", "/channels", Value::Null).await.0,
        401
    );

    let brief = json!({"name": "brief", "scope": "read", "expires_in_seconds": 1});
    let brief = bench.ask("POST", "/api/v1/tokens", brief).await.1;
    assert!(brief["expires"].is_string(), "{brief}");
    let unknown = bench
        .ask("DELETE", "/api/v1/tokens/tok_none", Value::Null)
        .await;
    assert_eq!(
        (unknown.0, &unknown.1["type"]),
        (404, &json!("/problems/token-unknown"))
    );
    for body in [
        json!({"name": "x"}),
        json!({"name": "x", "scope": "root"}),
        json!({"name": "x", "scope": "read", "expires_in_seconds": 0}),
        json!({"name": "x", "scope": "read", "expires_in_seconds": 315_360_001}),
    ] {
        assert_eq!(
            bench.ask("POST", "/api/v1/tokens", body.clone()).await.0,
            422,
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_retry_makes_nothing_more_and_gets_the_same_answer_with_its_secret() {
    let bench = Bench::new().await;
    let demo = "/api/v1/channels/demo/keys";
    let old = text(&bench.ask("POST", demo, json!({})).await.1, "id");
    let rotate = format!("/api/v1/keys/{old}/rotate");
    let mut secrets = BTreeSet::new();
    for (number, (path, body, other)) in [
        (
            "/api/v1/channels",
            json!({"name": "tea"}),
            json!({"name": "cake"}),
        ),
        (demo, json!({"label": "OBS"}), json!({})),
        (&*rotate, json!({}), json!({"overlap_seconds": 5})),
        (
            "/api/v1/hooks",
            json!({"url": "https://a.example/"}),
            json!({"url": "https://b.example/"}),
        ),
        (
            "/api/v1/tokens",
            json!({"name": "a", "scope": "read"}),
            json!({"name": "a", "scope": "admin"}),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("9f0c1b2a-8f61-4c7e-a0c2-{number:012}");
        let first = bench.once(&key, path, body.clone()).await;
        assert_eq!(first.0, 201, "{path}: {}", first.1);
        let quoted = format!("\"{key}\"");
        assert_eq!(
            bench.once(&quoted, path, body.clone()).await,
            first,
            "{path}"
        );
        let (status, problem) = bench.once(&key, path, other).await;
        assert_eq!(status, 422, "{path}: {problem}");
        assert_eq!(problem["type"], "/problems/idempotency-key-reused");
        for member in ["key", "secret", "token"] {
            if let Some(secret) = first.1[member].as_str() {
                assert!(secrets.insert(secret.to_owned()), "{path}: a secret twice");
            }
        }
    }
    assert_eq!(secrets.len(), 4);
    for (path, count) in [(demo, 4), ("/api/v1/channels", 2), ("/api/v1/tokens", 1)] {
        let list = bench.ask("GET", path, Value::Null).await.1;
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{path}");
    }

    let short = bench.once("short", demo, json!({})).await;
    assert_eq!(short.1["type"], "/problems/idempotency-key-unusable");
    // The same key of somebody else is another one.
    let other = text(&bench.minted("other", "admin").await, "token");
    let request = Request::post(demo)
        .header(header::AUTHORIZATION, format!("Bearer {other}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", "9f0c1b2a-8f61-4c7e-a0c2-000000000001")
        .body(Body::from("{}"))
        .unwrap();
    let response = bench.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 201);
    assert!(secrets.insert(text(&value(response).await, "key")));

    // What was made is gone: a retry does not make it anew.
    bench
        .ask("DELETE", "/api/v1/channels/tea", Value::Null)
        .await;
    let key = "9f0c1b2a-8f61-4c7e-a0c2-000000000000";
    let gone = bench
        .once(key, "/api/v1/channels", json!({"name": "tea"}))
        .await;
    assert_eq!(gone.0, 422, "{}", gone.1);
}
