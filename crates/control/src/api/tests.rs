//! The API as a client sees it, over a real store.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::broadcast::EndReason;
use crate::chronicle::{Keep, Seen};
use crate::playback::GateSettings;
use crate::session::{self, Session};
use crate::store::Sqlite;

/// Those who are connected, as a list.
#[derive(Default)]
struct Crowd(Mutex<Vec<Session>>);

impl Sessions for Crowd {
    fn page(&self, query: &session::Query) -> Vec<Session> {
        let crowd = self.0.lock().unwrap();
        let wanted = crowd.iter().filter(|session| {
            query.kind.is_none_or(|kind| kind == session.kind)
                && query
                    .channel
                    .as_ref()
                    .is_none_or(|channel| *channel == session.channel)
                && query.after.is_none_or(|after| session.id > after)
        });
        wanted.take(query.limit).cloned().collect()
    }

    fn one(&self, id: session::Id) -> Option<Session> {
        let crowd = self.0.lock().unwrap();
        crowd.iter().find(|session| session.id == id).cloned()
    }

    fn kick(&self, id: session::Id) -> Option<Session> {
        let session = self.one(id)?;
        self.0.lock().unwrap().retain(|session| session.id != id);
        Some(session)
    }
}

fn connected(id: u64, kind: session::Role, channel: &str) -> Session {
    Session {
        id: session::Id(id),
        kind,
        channel: channel.parse().unwrap(),
        state: session::State::Watching,
        protocol: "whep",
        peer: None,
        client: None,
        key: None,
        since: zongzi_http::Timestamp::from_unix_ms(1),
        bytes: 0,
        link: None,
    }
}

fn seen(channel: &str, started: u64) -> Seen {
    Seen {
        channel: channel.parse().unwrap(),
        started: zongzi_http::Timestamp::from_unix_ms(started),
        interrupted: false,
        host: None,
        tracks: Vec::new(),
        advisories: Vec::new(),
        bytes: 0,
        video_frames: 0,
        audio_frames: 0,
        viewers: 3,
        viewers_peak: 0,
        viewers_unique: 0,
    }
}

pub(super) struct Bench {
    pub(super) dir: tempfile::TempDir,
    pub(super) control: Control<Sqlite>,
    chronicle: Arc<Chronicle<Sqlite>>,
    crowd: Arc<Crowd>,
    events: Events,
    pub(super) router: Router,
    pub(super) token: String,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::open(dir.path()).unwrap();
        control.first_start().await.unwrap();
        let admin = control.admin_token(dir.path()).unwrap();
        let token = std::fs::read_to_string(admin.path())
            .unwrap()
            .trim()
            .to_owned();
        let keep = Keep {
            span: Duration::from_secs(60),
            broadcasts: 100,
        };
        let chronicle = Chronicle::open(control.store().clone(), keep)
            .await
            .unwrap();
        let chronicle = Arc::new(chronicle);
        let crowd = Arc::<Crowd>::default();
        let events = Events::default();
        let api = Api {
            control: control.clone(),
            chronicle: Arc::clone(&chronicle),
            sessions: Arc::clone(&crowd) as _,
            events: events.clone(),
            about: Arc::new(About {
                version: "1.2.3",
                addresses: vec!["192.0.2.1".parse().unwrap()],
                rtmp_port: 1935,
                http_port: 8080,
            }),
        };
        let router = zongzi_http::with_fallbacks(router(api, admin));
        Self {
            dir,
            control,
            chronicle,
            crowd,
            events,
            router,
            token,
        }
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.token));
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// A request that needs no headers of its own: its status and body.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self.send(method, path, &[], body).await;
        (response.status().as_u16(), value(response).await)
    }
}

pub(super) async fn value(response: Response) -> Value {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    serde_json::from_slice(&body).unwrap_or(Value::Null)
}

#[tokio::test]
async fn nothing_is_said_to_who_shows_no_token() {
    let bench = Bench::new().await;
    tokio::time::pause();
    for shown in [
        None,
        Some("Basic x"),
        Some("Bearer zat_wrong"),
        Some("Bearer"),
    ] {
        for path in ["/api/v1/channels", "/api/v1/keys/key_a"] {
            let mut request = Request::get(path);
            if let Some(shown) = shown {
                request = request.header(header::AUTHORIZATION, shown);
            }
            let request = request.body(Body::empty()).unwrap();
            let response = bench.router.clone().oneshot(request).await.unwrap();
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{path} {shown:?}"
            );
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "application/problem+json"
            );
        }
    }
}

#[tokio::test]
async fn guessing_tokens_costs_time_and_then_attention() {
    let bench = Bench::new().await;
    tokio::time::pause();
    let ask = |token: String| {
        let mut request = Request::get("/api/v1/channels")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        let stranger = "192.0.2.1:4000".parse().unwrap();
        request
            .extensions_mut()
            .insert(zongzi_http::Connection::new(stranger, stranger));
        bench.router.clone().oneshot(request)
    };
    let start = tokio::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(ask("zat_guess".to_owned()).await.unwrap().status(), 401);
    }
    assert_eq!(start.elapsed().as_secs(), 20);
    let response = ask(bench.token.clone()).await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn the_token_is_made_once_and_a_file_without_one_is_refused() {
    let bench = Bench::new().await;
    let again = bench.control.admin_token(bench.dir.path()).unwrap();
    assert!(again.is(&bench.token) && !again.is("") && !again.is("zat_"));
    std::fs::write(again.path(), "\n").unwrap();
    let error = bench.control.admin_token(bench.dir.path()).unwrap_err();
    assert!(
        error.to_string().contains("holds no admin token"),
        "{error}"
    );
}

#[tokio::test]
async fn a_channel_is_made_read_listed_changed_and_deleted() {
    let bench = Bench::new().await;
    let body = json!({"name": "tea", "title": "Tea house", "takeover": "refuse"});
    let made = bench
        .send("POST", "/api/v1/channels", &[], body.clone())
        .await;
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(made.headers()[header::LOCATION], "/api/v1/channels/tea");
    let first = made.headers()[header::ETAG].to_str().unwrap().to_owned();
    let (status, problem) = bench.ask("POST", "/api/v1/channels", body).await;
    assert_eq!(
        (status, &problem["type"]),
        (409, &json!("/problems/channel-exists"))
    );

    let patch = json!({"title": "Noodles"});
    let matching = [("if-match", first.as_str())];
    let changed = bench
        .send("PATCH", "/api/v1/channels/tea", &matching, patch.clone())
        .await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_ne!(changed.headers()[header::ETAG], first);
    let changed = value(changed).await;
    assert_eq!(
        (&changed["title"], &changed["takeover"]),
        (&json!("Noodles"), &json!("refuse"))
    );
    let late = bench
        .send("PATCH", "/api/v1/channels/tea", &matching, patch)
        .await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
    let late = bench
        .send("DELETE", "/api/v1/channels/tea", &matching, Value::Null)
        .await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);

    assert_eq!(
        bench
            .ask("GET", "/api/v1/channels/tea", Value::Null)
            .await
            .1,
        changed
    );
    assert_eq!(
        bench
            .ask("DELETE", "/api/v1/channels/tea", Value::Null)
            .await
            .0,
        204
    );
    let (status, problem) = bench.ask("GET", "/api/v1/channels/tea", Value::Null).await;
    assert_eq!(
        (status, &problem["type"]),
        (404, &json!("/problems/channel-unknown"))
    );
}

#[tokio::test]
async fn a_channel_s_places_are_set_and_lifted_and_left_alone_by_other_changes() {
    let bench = Bench::new().await;
    let path = "/api/v1/channels/tea";
    let body = json!({"name": "tea", "max_viewers": 50});
    let (status, made) = bench.ask("POST", "/api/v1/channels", body).await;
    assert_eq!((status, &made["max_viewers"]), (201, &json!(50)));
    for (patch, status, places) in [
        (json!({"title": "Tea house"}), 200, json!(50)),
        (json!({"max_viewers": 2}), 200, json!(2)),
        (json!({"max_viewers": 0}), 422, json!(2)),
        (json!({"max_viewers": -1}), 422, json!(2)),
        (json!({"max_viewers": null}), 200, json!(null)),
    ] {
        assert_eq!(
            bench.ask("PATCH", path, patch.clone()).await.0,
            status,
            "{patch}"
        );
        let read = bench.ask("GET", path, Value::Null).await.1;
        assert_eq!(read["max_viewers"], places, "{patch}");
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let bench = Bench::new().await;
    for name in ["a", "b"] {
        bench
            .ask("POST", "/api/v1/channels", json!({"name": name}))
            .await;
    }
    let (mut names, mut path) = (Vec::new(), "/api/v1/channels?limit=2".to_owned());
    loop {
        let (status, page) = bench.ask("GET", &path, Value::Null).await;
        assert_eq!(status, 200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/channels?limit=2&after={next}");
    }
    assert_eq!(names, ["a", "b", "demo"]);
}

#[tokio::test]
async fn a_key_shows_its_secret_once_and_can_be_rotated_and_revoked() {
    let bench = Bench::new().await;
    let response = bench
        .send(
            "POST",
            "/api/v1/channels/demo/keys",
            &[],
            json!({"label": "OBS"}),
        )
        .await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let made = value(response).await;
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with(made["prefix"].as_str().unwrap()));
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    let read = bench.ask("GET", &path, Value::Null).await.1;
    assert_eq!((read.get("key"), &read["label"]), (None, &json!("OBS")));
    let listed = bench
        .ask("GET", "/api/v1/channels/demo/keys", Value::Null)
        .await
        .1;
    assert!(!listed.to_string().contains(secret), "{listed}");

    let rotate = format!("{path}/rotate");
    let (status, new) = bench
        .ask("POST", &rotate, json!({"overlap_seconds": 60}))
        .await;
    assert_eq!((status, &new["label"]), (201, &json!("OBS")));
    let gate = bench.control.gate();
    let host = "192.0.2.1".parse().unwrap();
    for key in [secret, new["key"].as_str().unwrap()] {
        assert!(
            gate.check(key, host).await.is_ok(),
            "both are good while they overlap"
        );
    }
    let (status, revoked) = bench.ask("DELETE", &path, Value::Null).await;
    assert_eq!((status, revoked["revoked"].is_string()), (200, true));
    assert!(gate.check(secret, host).await.is_err());
    let (status, problem) = bench.ask("POST", &rotate, json!({})).await;
    assert_eq!(
        (status, &problem["type"]),
        (409, &json!("/problems/key-revoked"))
    );
}

#[tokio::test]
async fn a_private_channel_s_token_is_made_shown_and_checked() {
    let bench = Bench::new().await;
    let demo = "/api/v1/channels/demo";
    let (status, channel) = bench.ask("PATCH", demo, json!({"private": true})).await;
    assert_eq!((status, &channel["private"]), (200, &json!(true)));
    let path = format!("{demo}/playback-tokens");
    let body =
        json!({"viewer": "anna", "expires_seconds": 60, "begins_seconds": 5, "algorithm": "hs256"});
    let response = bench.send("POST", &path, &[], body).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let made = value(response).await;
    assert!(made["begins"].is_string() && made["expires"].is_string());
    let channel = bench
        .control
        .store()
        .channel("demo".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let gate = bench.control.playback_gate(GateSettings::default());
    let pass = gate.check(&channel, made["token"].as_str()).await.unwrap();
    assert_eq!(pass.unwrap().viewer.as_deref(), Some("anna"));
    let keys = bench
        .ask("GET", "/api/v1/playback-keys", Value::Null)
        .await
        .1;
    assert_eq!(keys["items"][0]["kid"], made["kid"]);
    let rotate = "/api/v1/playback-keys/rotate";
    let (status, new) = bench
        .ask("POST", rotate, json!({"overlap_seconds": 0}))
        .await;
    assert_eq!(status, 201);
    assert_ne!(new["kid"], made["kid"]);
    let fresh = bench.control.playback_gate(GateSettings::default());
    assert!(fresh.check(&channel, made["token"].as_str()).await.is_err());
}

#[tokio::test]
async fn broadcasts_live_and_past_are_one_list_and_can_be_filtered() {
    let bench = Bench::new().await;
    for (channel, started) in [("tea", 1), ("rice", 2), ("tea", 3), ("tea", 4)] {
        bench.chronicle.see(&seen(channel, started));
        if started < 4 {
            let seen = seen(channel, started);
            bench.chronicle.end(&seen, EndReason::HostFinished);
        }
        bench.chronicle.save().await;
    }
    let starts = async |query: &str| {
        let path = format!("/api/v1/broadcasts{query}");
        let (status, page) = bench.ask("GET", &path, Value::Null).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap().clone();
        let starts: Vec<String> = items
            .iter()
            .map(|item| item["started"].as_str().unwrap())
            // The milliseconds tell them apart.
            .map(|started| started.get(20..23).unwrap().to_owned())
            .collect();
        (starts, page["next"].as_str().map(str::to_owned), items)
    };
    let (all, next, items) = starts("").await;
    assert_eq!(
        (all, next),
        (["004", "003", "002", "001"].map(Into::into).into(), None)
    );
    // The live one as it is now, the past ones as they were.
    assert_eq!(
        (&items[0]["state"], &items[0]["now"]["viewers"]),
        (&json!("live"), &json!(3))
    );
    assert_eq!(
        (&items[1]["state"], &items[1]["reason"], &items[1]["now"]),
        (&json!("ended"), &json!("host_finished"), &Value::Null)
    );
    assert_eq!(starts("?channel=tea").await.0, ["004", "003", "001"]);
    assert_eq!(starts("?state=live").await.0, ["004"]);
    assert_eq!(starts("?state=ended&channel=tea").await.0, ["003", "001"]);
    let (first, next, _) = starts("?limit=3").await;
    assert_eq!(first, ["004", "003", "002"]);
    let rest = starts(&format!("?limit=3&after={}", next.unwrap())).await;
    assert_eq!((rest.0, rest.1), (vec!["001".to_owned()], None));

    for item in &items {
        let path = format!("/api/v1/broadcasts/{}", item["id"].as_str().unwrap());
        assert_eq!(&bench.ask("GET", &path, Value::Null).await.1, item);
    }
}

#[tokio::test]
async fn sessions_are_listed_by_channel_and_kind_and_can_be_ended() {
    let bench = Bench::new().await;
    *bench.crowd.0.lock().unwrap() = vec![
        connected(1, session::Role::Viewer, "tea"),
        connected(2, session::Role::Host, "tea"),
        connected(3, session::Role::Viewer, "rice"),
    ];
    let ids = async |query: &str| {
        let path = format!("/api/v1/sessions{query}");
        let (status, page) = bench.ask("GET", &path, Value::Null).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap().clone();
        let last = |item: &Value| item["id"].as_str().unwrap().chars().last().unwrap();
        (
            items.iter().map(last).collect::<String>(),
            page["next"].clone(),
        )
    };
    assert_eq!(ids("").await, ("123".to_owned(), Value::Null));
    assert_eq!(ids("?channel=tea").await.0, "12");
    assert_eq!(ids("?kind=viewer").await.0, "13");
    assert_eq!(ids("?kind=host&channel=rice").await.0, "");
    let (first, next) = ids("?limit=2").await;
    assert_eq!(
        (first.as_str(), &next),
        ("12", &json!("ses_0000000000000002"))
    );
    assert_eq!(ids("?limit=2&after=ses_0000000000000002").await.0, "3");

    let path = "/api/v1/sessions/ses_0000000000000002";
    let (status, host) = bench.ask("GET", path, Value::Null).await;
    assert_eq!((status, &host["kind"]), (200, &json!("host")));
    let mut told = bench.events.subscribe();
    assert_eq!(bench.ask("DELETE", path, Value::Null).await, (200, host));
    let told = tokio::time::timeout(Duration::from_secs(5), told.next()).await;
    let told = told.expect("the kick is told").unwrap().what;
    let expected = json!({"channel": "tea", "session": "ses_0000000000000002", "role": "host"});
    assert_eq!(serde_json::to_value(&told).unwrap(), expected);
    assert_eq!(told.kind().as_str(), "session.kicked");
    let (status, problem) = bench.ask("DELETE", path, Value::Null).await;
    assert_eq!(
        (status, &problem["type"]),
        (404, &json!("/problems/session-unknown"))
    );
    assert_eq!(ids("").await.0, "13");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words() {
    let bench = Bench::new().await;
    for (method, path, body, status) in [
        ("POST", "/api/v1/channels", json!({"name": "No Name"}), 422),
        (
            "POST",
            "/api/v1/channels",
            json!({"name": "a", "title": "x".repeat(201)}),
            422,
        ),
        (
            "POST",
            "/api/v1/channels",
            json!({"name": "a", "tilte": "typo"}),
            422,
        ),
        ("POST", "/api/v1/channels", json!({}), 422),
        (
            "PATCH",
            "/api/v1/channels/demo",
            json!({"takeover": "never"}),
            422,
        ),
        (
            "POST",
            "/api/v1/channels/demo/playback-tokens",
            json!({"expires_seconds": 0}),
            422,
        ),
        (
            "POST",
            "/api/v1/channels/demo/playback-tokens",
            json!({"viewer": ""}),
            422,
        ),
        (
            "POST",
            "/api/v1/channels/demo/playback-tokens",
            json!({"algorithm": "none"}),
            422,
        ),
        (
            "POST",
            "/api/v1/channels/none/playback-tokens",
            json!({}),
            404,
        ),
        ("GET", "/api/v1/channels?limit=0", Value::Null, 422),
        ("GET", "/api/v1/channels?limit=1001", Value::Null, 422),
        ("GET", "/api/v1/channels?page=2", Value::Null, 422),
        ("GET", "/api/v1/channels/No%20Name", Value::Null, 404),
        ("GET", "/api/v1/keys/key_none", Value::Null, 404),
        ("GET", "/api/v1/broadcasts?state=over", Value::Null, 422),
        (
            "GET",
            "/api/v1/broadcasts?channel=No%20Name",
            Value::Null,
            422,
        ),
        ("GET", "/api/v1/broadcasts?after=x", Value::Null, 422),
        ("GET", "/api/v1/broadcasts?limit=0", Value::Null, 422),
        ("GET", "/api/v1/broadcasts/x", Value::Null, 404),
        ("GET", "/api/v1/sessions?kind=ghost", Value::Null, 422),
        ("GET", "/api/v1/sessions?limit=1001", Value::Null, 422),
        ("GET", "/api/v1/sessions?after=x", Value::Null, 422),
        ("GET", "/api/v1/sessions/x", Value::Null, 404),
        (
            "DELETE",
            "/api/v1/sessions/ses_0123456789abcdef",
            Value::Null,
            404,
        ),
        ("POST", "/api/v1/channels/none/keys", json!({}), 404),
        ("PUT", "/api/v1/channels/demo", json!({}), 405),
    ] {
        let (found, problem) = bench.ask(method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {problem}");
        assert!(
            problem["detail"].as_str().is_some_and(|d| !d.is_empty()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn the_description_names_what_is_served() {
    let bench = Bench::new().await;
    let document = bench.ask("GET", "/api/openapi.json", Value::Null).await.1;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            operations.insert(format!("{} {path}", method.to_uppercase()));
            // Each is there: refused for what was sent, never for its address or method.
            let path = path
                .replace("{channel}", "demo")
                .replace("{key}", "key_none")
                .replace("{hook}", "hook_none")
                .replace("{delivery}", "1")
                .replace("{broadcast}", "brd_000000000000001_none")
                .replace("{token}", "tok_none")
                .replace("{session}", "ses_0123456789abcdef");
            let (status, problem) = bench.ask(&method.to_uppercase(), &path, json!([])).await;
            let kind = problem["type"].as_str().unwrap_or_default();
            assert!(
                status != 405 && kind != "/problems/not-found",
                "{method} {path}: {problem}"
            );
        }
    }
    assert_eq!(operations.len(), 31, "{operations:?}");
    // Two bodies of one name would be one in the description, and wrong for one of them.
    let mut bodies = BTreeSet::new();
    for operation in document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
    {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if let Some(name) = schema["$ref"].as_str() {
            assert!(bodies.insert(name), "{name} is the body of two operations");
        }
    }
    assert!(bodies.len() > 8, "{bodies:?}");
    assert_eq!(document["security"], json!([{"admin_token": []}]));
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(schemas["Key"]["properties"].get("hash").is_none());
}

#[tokio::test]
async fn an_operators_page_learns_where_the_server_is_and_gets_qr_codes() {
    let bench = Bench::new().await;
    let (status, about) = bench.ask("GET", "/api/v1/server", Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(
        about,
        json!({"version": "1.2.3", "addresses": ["192.0.2.1"], "rtmp_port": 1935, "http_port": 8080})
    );
    let qr = bench.send(
        "POST",
        "/api/v1/qr",
        &[],
        json!({"text": "rtmp://192.0.2.1/live/sk_a"}),
    );
    let qr = qr.await;
    assert_eq!(qr.headers()["content-type"], "image/svg+xml");
    assert_eq!(qr.headers()["cache-control"], "no-store");
    let body = axum::body::to_bytes(qr.into_body(), 65_536).await.unwrap();
    let picture = String::from_utf8(body.into()).unwrap();
    assert!(picture.contains("<svg"), "{picture}");
    for text in [String::new(), "a".repeat(513)] {
        let (status, _) = bench
            .ask("POST", "/api/v1/qr", json!({ "text": text }))
            .await;
        assert_eq!(status, 422);
    }
    let long = json!({ "text": "a".repeat(512) });
    assert_eq!(
        bench.send("POST", "/api/v1/qr", &[], long).await.status(),
        200
    );
}
