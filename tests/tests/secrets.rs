//! No secret is said: not in the log at its most talkative, not in metrics, not in any answer but the one that hands it
//! out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use zongzi_tests::browser::{self, Browser};
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::http;
use zongzi_tests::jwt;
use zongzi_tests::offer;
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::wait;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn no_secret_that_a_run_made_is_said_by_it() {
    let server = Options::default().set("log.level", "trace").start();
    let mut secrets = Secrets::default();
    let first = server.said.iter().find(|line| line.contains("first_start"));
    let first: Value = serde_json::from_str(first.expect("it is the first start")).expect("JSON");
    secrets.add(
        "the first stream key",
        first["stream_key"].as_str().expect("it is shown once"),
    );
    secrets.add("the admin token", &server.admin_token());
    secrets.add("a stream key", &server.key("demo").key);
    let named = server.command(&["admin-token", "create", "a script", "--scope", "admin"]);
    secrets.add("a named token", named.trim());
    let shared: Value =
        serde_json::from_str(&server.command(&["playback-key", "secret", "--json"])).expect("JSON");
    secrets.add(
        "the HS256 secret",
        shared["secret"].as_str().expect("it is shown"),
    );
    server.command(&["channel", "set", "demo", "--private", "true"]);
    let token = server.command(&["token", "demo", "--viewer", "anna-the-customer"]);
    secrets.add("a playback token", token.trim());
    secrets.add(
        "its signature",
        token.trim().rsplit('.').next().unwrap_or_default(),
    );
    secrets.add("a viewer's id", "anna-the-customer");

    let mut said = Said::default();
    api(&server, &mut secrets, &mut said);
    hosts(&server, &secrets);
    viewers(&server, &mut secrets, &mut said);
    guesses(&server, &mut secrets, &mut said);
    said.note("/metrics", &server.metrics());
    for path in [
        "/",
        "/watch/demo",
        "/api/public/channels/demo",
        "/healthz",
        "/nowhere",
    ] {
        said.note(path, &server.get(path).body);
    }
    for args in [
        &["key", "list", "--json"][..],
        &["channel", "list", "--json"],
        &["admin-token", "list", "--json"],
        &["playback-key", "list", "--json"],
    ] {
        said.note(&args.join(" "), &server.command(args));
    }
    said.note(
        "standard output",
        &server
            .said
            .iter()
            .filter(|line| !line.contains("first_start"))
            .cloned()
            .collect::<String>(),
    );
    said.note("the log", &server.log());
    let log = server.log();
    let data = server.stop();
    // What lies on the disk, but for the two files that are there to hold a secret.
    for file in fs::read_dir(data.path()).expect("the data folder") {
        let path = file.expect("a file").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_file() && !["admin-token", "key-secret"].contains(&name.as_str()) {
            said.note(
                &name,
                &String::from_utf8_lossy(&fs::read(&path).expect("it can be read")),
            );
        }
    }
    assert!(secrets.0.len() > 10 && said.0.len() > 15);
    assert_eq!(secrets.found_in(&said), Vec::<String>::new());
    // As talkative as it can be, and of everything that was done.
    for word in [
        "DEBUG",
        "host publishes",
        "publish refused",
        "viewer's offer answered",
    ] {
        assert!(log.contains(word), "{word} is not in the log:\n{log}");
    }
}

// ---- the acts ----

fn api(server: &Server, secrets: &mut Secrets, said: &mut Said) {
    let admin = secrets.get("the admin token");
    let made = ask_api(
        server,
        &admin,
        "POST",
        "/api/v1/channels/demo/keys",
        json!({"label": "OBS"}),
    );
    let made: Value = serde_json::from_str(&made).expect("JSON");
    secrets.add(
        "a key of the API",
        made["key"].as_str().expect("shown once"),
    );
    // Who has a named token does the same, and makes another.
    let named = secrets.get("a named token");
    let body = json!({"name": "a board", "scope": "read"});
    let board = ask_api(server, &named, "POST", "/api/v1/tokens", body);
    let board: Value = serde_json::from_str(&board).expect("JSON");
    let token = board["token"].as_str().expect("shown once");
    secrets.add("a named token of the API", token);
    let list = ask_api(server, token, "GET", "/api/v1/channels", Value::Null);
    said.note("the channels", &list);
    let rotate = format!(
        "/api/v1/keys/{}/rotate",
        made["id"].as_str().expect("an id")
    );
    let rotated = ask_api(
        server,
        &admin,
        "POST",
        &rotate,
        json!({"overlap_seconds": 60}),
    );
    let rotated: Value = serde_json::from_str(&rotated).expect("JSON");
    secrets.add(
        "a rotated key",
        rotated["key"].as_str().expect("shown once"),
    );
    let path = "/api/v1/channels/demo/playback-tokens";
    let token = ask_api(
        server,
        &admin,
        "POST",
        path,
        json!({"viewer": "bo-the-customer"}),
    );
    let token: Value = serde_json::from_str(&token).expect("JSON");
    secrets.add(
        "a token of the API",
        token["token"].as_str().expect("shown once"),
    );
    for (method, path, body) in [
        ("GET", "/api/v1/channels", Value::Null),
        ("GET", "/api/v1/channels/demo", Value::Null),
        ("GET", "/api/v1/channels/demo/keys", Value::Null),
        ("GET", "/api/v1/playback-keys", Value::Null),
        ("GET", "/api/openapi.json", Value::Null),
        (
            "POST",
            "/api/v1/channels/demo/keys",
            json!({"label": secrets.get("a stream key").repeat(9)}),
        ),
        ("GET", "/api/v1/keys/none", Value::Null),
    ] {
        said.note(path, &ask_api(server, &admin, method, path, body));
    }
}

fn hosts(server: &Server, secrets: &Secrets) {
    let url = server.rtmp_url();
    let host = Host::publish(&Clip::SMALL.file(), &url, &secrets.get("a stream key"));
    let token = secrets.get("a playback token");
    wait::until("the host to be live", SOON, || {
        (server.status_with("demo", &token)["state"] == "live").then_some(())
    });
    // A playback token where a stream key belongs is wrong, and no less secret.
    let mut wrong = Host::publish(&Clip::SMALL.file(), &url, &secrets.get("its signature"));
    assert!(!wrong.wait(SOON).success());
    server.command(&["key", "create", "demo"]);
    drop(host);
}

fn viewers(server: &Server, secrets: &mut Secrets, said: &mut Said) {
    let token = secrets.get("a playback token");
    let mut browser = Browser::start_with(browser::Options {
        reader: false,
        ..Default::default()
    });
    browser.open(&server.url(&format!("/watch/demo?token={token}")));
    browser.wait_shown("a session", SOON, |shown| {
        matches!(shown.state.as_str(), "waiting" | "live")
    });
    // The page's own address at its start is the one place where the browser must know it.
    let asked = browser.requests();
    let (link, asked) = asked.split_first().expect("the page was asked for");
    assert!(link.contains(&token), "{link}");
    assert!(asked.len() > 5, "{asked:?}");
    said.note("what the page asked for", &asked.join("\n"));
    said.note(
        "the address bar",
        &browser.eval("location.href").to_string(),
    );
    said.note(
        "the page's complaints",
        &browser.shown().complaints.join("\n"),
    );
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/sdp"),
        ("authorization", bearer.as_str()),
    ];
    let joined = http::request(
        server.ready.http,
        "POST",
        "/whep/demo",
        &headers,
        offer::SDP,
    );
    assert_eq!(joined.status, 201);
    said.note("a WHEP answer", &format!("{}{}", joined.head, joined.body));
    let location = joined.header("location").expect("201 names it").to_owned();
    let session = location.rsplit('/').next().unwrap_or_default().to_owned();
    said.0.retain(|place, _| place != "a WHEP answer");
    // Who knows a session's name may end it (RFC 9725 §4.2): it is the viewer's secret.
    secrets.add("a session's name", &session);
    let patched = [
        ("content-type", "application/trickle-ice-sdpfrag"),
        ("if-match", "*"),
    ];
    let fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
    said.note(
        "a PATCH",
        &http::request(server.ready.http, "PATCH", &location, &patched, fragment).body,
    );
    said.note(
        "a DELETE",
        &http::request(server.ready.http, "DELETE", &location, &[], "").body,
    );
    said.note(
        "a second DELETE",
        &http::request(server.ready.http, "DELETE", &location, &[], "").body,
    );
}

/// What is wrong is often the right thing in the wrong place, so it is a secret as well.
fn guesses(server: &Server, secrets: &mut Secrets, said: &mut Said) {
    let wrong = format!("{}x", secrets.get("the admin token"));
    secrets.add("a wrong admin token", &wrong);
    said.note(
        "a wrong admin token's answer",
        &ask_api(server, &wrong, "GET", "/api/v1/channels", Value::Null),
    );
    let claims = json!({"channel": "demo", "exp": jwt::seconds(-600)});
    let expired = jwt::hs256(
        &json!({"alg": "HS256"}),
        &claims,
        &secrets.get("the HS256 secret"),
    );
    secrets.add("an expired token", &expired);
    let stream_key = secrets.get("a stream key");
    for shown in [expired.as_str(), &stream_key, "garbage-that-is-no-token"] {
        let bearer = format!("Bearer {shown}");
        let headers = [
            ("content-type", "application/sdp"),
            ("authorization", bearer.as_str()),
        ];
        for (method, path) in [
            ("POST", "/whep/demo"),
            ("GET", "/api/public/channels/demo"),
            ("GET", "/api/public/channels/demo/events"),
        ] {
            let answer = http::request(server.ready.http, method, path, &headers, offer::SDP);
            assert_eq!(answer.status, 401);
            said.note(
                &format!("{method} {path}"),
                &format!("{}{}", answer.head, answer.body),
            );
        }
    }
}

fn ask_api(server: &Server, admin: &str, method: &str, path: &str, body: Value) -> String {
    let bearer = format!("Bearer {admin}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    http::request(
        server.ready.admin,
        method,
        path,
        &headers,
        &body.to_string(),
    )
    .body
}

/// Secrets by what they are.
#[derive(Default)]
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(
            secret.len() >= 12,
            "{what} is too short to be looked for: {secret}"
        );
        self.0.insert(what.to_owned(), secret.to_owned());
    }

    fn get(&self, what: &str) -> String {
        self.0.get(what).cloned().expect("it was added")
    }

    /// Where they stand, each with its line, which is shown without it: a red test says no secret either.
    fn found_in(&self, said: &Said) -> Vec<String> {
        let mut found = Vec::new();
        for (what, secret) in &self.0 {
            for (place, text) in &said.0 {
                let line = text.lines().find(|line| line.contains(secret.as_str()));
                found.extend(line.map(|line| {
                    let line = line.replace(secret.as_str(), "…");
                    format!("{what} stands in {place}: {line:.300}")
                }));
            }
        }
        found
    }
}

/// All that was said, by where.
#[derive(Default)]
struct Said(BTreeMap<String, String>);

impl Said {
    fn note(&mut self, place: &str, text: &str) {
        self.0.entry(place.to_owned()).or_default().push_str(text);
    }
}

#[test]
fn a_secret_that_is_said_is_found_and_not_said_again() {
    let (mut secrets, mut said) = (Secrets::default(), Said::default());
    secrets.add("a key", "sk_0123456789");
    secrets.add("another", "sk_abcdefghij");
    said.note("the log", "all is well\nkey sk_0123456789 came\n");
    said.note("metrics", "nothing 1\n");
    assert_eq!(
        secrets.found_in(&said),
        ["a key stands in the log: key … came"]
    );
}

#[test]
fn the_files_that_hold_secrets_are_for_the_server_s_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start();
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    for name in ["admin-token", "key-secret"] {
        assert_eq!(mode(&server.data().join(name)), 0o600, "{name}");
    }
}
