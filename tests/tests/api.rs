//! The operator's API over a server that carries real broadcasts.

use std::time::Duration;

use serde_json::{Value, json};
use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::http;
use zongzi_tests::receiver::{Receiver, Request};
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::wait;

const SOON: Duration = Duration::from_secs(20);

/// The status and the JSON that the API answers.
fn ask(server: &Server, method: &str, path: &str) -> (u16, Value) {
    let response = server.api(method, &format!("/api/v1{path}"), "");
    let value = serde_json::from_str(&response.body).expect("the API answers JSON");
    (response.status, value)
}

fn get(server: &Server, path: &str) -> Value {
    let (status, value) = ask(server, "GET", path);
    assert_eq!(status, 200, "{path}: {value}");
    value
}

fn items(server: &Server, path: &str) -> Vec<Value> {
    get(server, path)["items"]
        .as_array()
        .expect("a list has items")
        .clone()
}

/// Waits until the first of a list is as `good` says.
fn wait_first(server: &Server, path: &str, what: &str, good: impl Fn(&Value) -> bool) -> Value {
    wait::until(what, SOON, || {
        items(server, path).into_iter().next().filter(&good)
    })
}

fn publish(server: &Server) -> Host {
    let key = server.key("demo");
    let host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    server.wait_live("demo");
    host
}

#[test]
fn operators_see_who_is_there_and_can_end_it() {
    let server = Options::default()
        .set("hooks.allow_private", "true")
        .start();
    let receiver = Receiver::start(|_| (204, String::new(), Duration::ZERO));
    let events = "session.kicked,broadcast.ended";
    server.command(&["hook", "create", &receiver.url(), "--events", events]);
    assert!(items(&server, "/broadcasts").is_empty());
    assert!(items(&server, "/sessions").is_empty());
    let mut host = publish(&server);
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    browser.wait_state("live", SOON);

    let live = wait_first(&server, "/broadcasts?state=live", "rates", |live| {
        live["now"]["viewers"] == 1 && live["now"]["bitrate_bps"].as_u64() > Some(100_000)
    });
    assert_eq!(
        (&live["channel"], &live["state"], &live["host"]["protocol"]),
        (&json!("demo"), &json!("live"), &json!("rtmp"))
    );
    assert!(live["host"]["client"].is_string(), "{live}");
    let picture = live["tracks"].as_array().and_then(|tracks| {
        let mut tracks = tracks.iter();
        tracks.find(|track| track["kind"] == "video")
    });
    let picture = picture.expect("the clip has pictures");
    assert_eq!(
        (&picture["width"], &picture["height"]),
        (&json!(640), &json!(360))
    );
    let rate = live["now"]["frames_per_second"].as_f64();
    assert!(
        rate.is_some_and(|rate| (20.0..40.0).contains(&rate)),
        "{live}"
    );
    let id = live["id"]
        .as_str()
        .expect("a broadcast has an id")
        .to_owned();
    assert_eq!(
        get(&server, &format!("/broadcasts/{id}"))["id"],
        id.as_str()
    );

    let viewer = wait_first(
        &server,
        "/sessions?kind=viewer&channel=demo",
        "the viewer's first report, and what was sent",
        |viewer| {
            viewer["link"]["round_trip_ms"].is_number() && viewer["bytes"].as_u64() > Some(100_000)
        },
    );
    assert_eq!(
        (&viewer["state"], &viewer["protocol"]),
        (&json!("watching"), &json!("whep"))
    );
    let publisher = &items(&server, "/sessions?kind=host")[0];
    assert_eq!(publisher["state"], "publishing");
    assert!(publisher["bytes"].as_u64() > Some(100_000), "{publisher}");
    assert_eq!(items(&server, "/sessions").len(), 2);

    // The viewer's player comes back by itself, with another session.
    let path = |session: &Value| format!("/sessions/{}", session["id"].as_str().unwrap_or("none"));
    let kicked = ask(&server, "DELETE", &path(&viewer));
    assert_eq!((kicked.0, &kicked.1["id"]), (200, &viewer["id"]));
    assert_eq!(ask(&server, "GET", &path(&viewer)).0, 404);
    wait_first(
        &server,
        "/sessions?kind=viewer",
        "the viewer again",
        |again| again["id"] != viewer["id"] && again["state"] == "watching",
    );

    assert_eq!(ask(&server, "DELETE", &path(publisher)).0, 200);
    host.wait(SOON);
    let past = wait_first(&server, "/broadcasts?state=ended", "its end", |_| true);
    assert_eq!(
        (&past["id"], &past["reason"]),
        (&json!(id), &json!("kicked"))
    );
    assert_eq!(
        (&past["viewers_peak"], &past["viewers_unique"]),
        (&json!(1), &json!(2))
    );
    assert!(items(&server, "/broadcasts?state=live").is_empty());
    assert!(items(&server, "/sessions?kind=host").is_empty());

    // Hooks are told the same, by the same ids. Which of the last two is told first is left open.
    let told: Vec<Value> = receiver.wait(3).iter().map(Request::json).collect();
    let find = |kind: &str, key: &str, value: &Value| {
        let mut told = told.iter();
        told.any(|event| event["type"] == kind && event["data"][key] == *value)
    };
    for (session, role) in [(&viewer, "viewer"), (publisher, "host")] {
        assert!(
            find("session.kicked", "session", &session["id"]),
            "{told:?}"
        );
        assert!(find("session.kicked", "role", &json!(role)), "{told:?}");
    }
    assert!(find("broadcast.ended", "broadcast", &json!(id)), "{told:?}");
    let log = server.log();
    assert!(log.contains("session kicked"), "{log}");
}

#[test]
fn the_history_survives_a_stop_and_a_sudden_death_of_the_server() {
    let server = Server::start();
    let _host = publish(&server);
    wait_first(&server, "/broadcasts", "the first broadcast", |_| true);
    let data = server.kill();

    let server = Options::default().start_in(data);
    let all = items(&server, "/broadcasts");
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["reason"], "server_lost");
    assert!(all[0]["ended"].is_string(), "{all:?}");
    let _host = publish(&server);
    let data = server.stop();

    let server = Options::default().start_in(data);
    let reasons: Vec<Value> = items(&server, "/broadcasts")
        .into_iter()
        .map(|past| past["reason"].clone())
        .collect();
    assert_eq!(reasons, ["shutdown", "server_lost"]);
}

#[test]
fn a_token_of_the_command_line_opens_a_running_server_as_far_as_its_scope_goes_until_it_is_revoked()
{
    let server = Server::start();
    let made = server.command(&[
        "admin-token",
        "create",
        "a board",
        "--expires",
        "1h",
        "--json",
    ]);
    let made: Value = serde_json::from_str(&made).expect("--json prints JSON");
    let token = made["token"].as_str().expect("it is shown this once");
    let ask = |method: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        http::request(server.ready.admin, method, path, &headers, body).status
    };
    assert_eq!(made["scope"], "read");
    assert!(made["expires"].is_string(), "{made}");
    assert_eq!(ask("GET", "/api/v1/channels", ""), 200);
    assert_eq!(ask("POST", "/api/v1/channels", r#"{"name":"tea"}"#), 403);
    let listed = server.command(&["admin-token", "list"]);
    assert!(
        listed.contains("a board") && !listed.contains(token),
        "{listed}"
    );
    let id = made["id"].as_str().expect("it has an id");
    server.command(&["admin-token", "revoke", id]);
    assert_eq!(ask("GET", "/api/v1/channels", ""), 401);
}
