//! What hosts are told of their own streams, on the real server.

use std::time::Duration;

use serde_json::Value;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::http::{self, Response};
use zongzi_tests::server::Server;
use zongzi_tests::source::Clip;
use zongzi_tests::wait;

fn ask(server: &Server, key: &str) -> Response {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    http::request(server.ready.http, "GET", "/api/public/host", &headers, "")
}

/// What the host is told when it is exactly `codes`.
fn told(server: &Server, key: &str, codes: &[&str]) -> Value {
    let what = format!("the advisories {codes:?}");
    wait::until(&what, Duration::from_secs(40), || {
        let response = ask(server, key);
        assert_eq!(response.status, 200, "{}", response.body);
        let status: Value = serde_json::from_str(&response.body).expect("JSON");
        let advisories = status["advisories"].as_array().expect("a list");
        let said: Vec<_> = advisories.iter().map(|one| &one["code"]).collect();
        (said == codes).then_some(status.clone())
    })
}

#[test]
fn a_host_is_told_what_its_stream_costs_viewers_and_nobody_else_is() {
    let server = Server::start();
    let key = server.key("demo").key;
    assert_eq!(told(&server, &key, &[])["state"], "offline");

    // As OBS sends it but for B-frames.
    let long = Clip {
        gop: 250,
        ..Clip::SMALL
    };
    let host = Host::publish(&long.file(), &server.rtmp_url(), &key);
    let status = told(&server, &key, &["long_groups"]);
    assert_eq!(status["tracks"][0]["width"], 640);
    let advisory = &status["advisories"][0];
    assert!(
        advisory["setting"]["en"]
            .as_str()
            .expect("words")
            .contains("Keyframe Interval")
    );
    assert!(
        advisory["setting"]["zh"]
            .as_str()
            .expect("words")
            .contains("关键帧")
    );
    assert_eq!(server.status("demo")["reason"], Value::Null);
    host.stop();

    // Another encoder: the one is mended, and the other is said.
    let b_frames = Clip {
        b_frames: 2,
        ..Clip::SMALL
    };
    let _host = Host::publish(&b_frames.file(), &server.rtmp_url(), &key);
    let status = told(&server, &key, &["b_frames"]);
    assert_eq!(status["state"], "live");
    assert_eq!(server.status("demo")["reason"], Value::Null);

    let metrics = server.metrics();
    for line in [
        r#"zongzi_relay_advisories_raised_total{advisory="long_groups"} 1"#,
        r#"zongzi_relay_advisories_cleared_total{advisory="long_groups"} 1"#,
        r#"zongzi_relay_advisories_raised_total{advisory="b_frames"} 1"#,
        r#"zongzi_relay_advisories_cleared_total{advisory="b_frames"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
    let log = server.log();
    let raised = log.lines().find(|line| line.contains("advisory raised"));
    let raised = raised.unwrap_or_else(|| panic!("no advisory in:\n{log}"));
    assert!(
        raised.contains("INFO") && raised.contains("Keyframe Interval"),
        "{raised}"
    );
    assert!(!log.contains(&key), "the log holds the key");

    let wrong = ask(&server, &key.replace("sk_", "sk_x"));
    assert_eq!(wrong.status, 401, "{}", wrong.body);
    assert_eq!(
        wrong.header("content-type"),
        Some("application/problem+json")
    );
    assert!(!wrong.body.contains("sk_"), "{}", wrong.body);
    assert_eq!(server.get("/api/public/host").status, 401);
}
