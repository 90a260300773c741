//! Webhooks, as the programs that receive them see them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::process::Process;
use zongzi_tests::receiver::{Receiver, Request};
use zongzi_tests::rtmp::Client;
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::{place, wait};

const SOON: Duration = Duration::from_secs(20);
const AT_ONCE: Duration = Duration::ZERO;

fn options() -> Options {
    Options::default().set("hooks.allow_private", "true")
}

/// Makes a hook for `url`: its id and secret.
fn hook(server: &Server, url: &str, events: &str) -> (String, String) {
    let mut args = vec!["hook", "create", url, "--json"];
    if !events.is_empty() {
        args.extend(["--events", events]);
    }
    let made: Value = serde_json::from_str(&server.command(&args)).expect("--json prints JSON");
    let text = |key: &str| made[key].as_str().expect("a hook has it").to_owned();
    (text("id"), text("secret"))
}

/// The receiver that docs/webhooks.md shows, in a folder of its own.
fn documented_receiver() -> tempfile::TempDir {
    let page = place::root().join("docs/webhooks.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let code = page
        .split("```python\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let dir = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(
        dir.path().join("receiver.py"),
        code.expect("the page has a receiver in Python"),
    )
    .expect("a file can be written");
    dir
}

/// Runs the documented receiver on a free port: the process, its address, and the folder with what it prints.
fn run_documented(secret: &str, port: u16) -> (Process, tempfile::TempDir) {
    let dir = documented_receiver();
    let out = std::fs::File::create(dir.path().join("out")).expect("a file can be made");
    let mut command = Command::new("python3");
    command
        .arg(dir.path().join("receiver.py"))
        .env("SECRET", secret)
        .env("PORT", port.to_string())
        .stdout(Stdio::from(out))
        .stdin(Stdio::null());
    let process = Process::start(&mut command, &dir.path().join("log"));
    wait::until("the receiver to listen", SOON, || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    (process, dir)
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// Whether the documented receiver takes a request for genuine.
fn is_genuine(secret: &str, request: &Request) -> bool {
    let dir = documented_receiver();
    let input = json!({
        "secret": secret,
        "headers": request.headers.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "body": request.body,
    });
    let code = "import json, os, receiver; i = json.loads(os.environ['INPUT']); \
                print(receiver.verify(i['secret'], i['headers'], i['body'].encode()) is not None)";
    let output = Command::new("python3")
        .args(["-c", code])
        .current_dir(dir.path())
        .env("INPUT", input.to_string())
        .output()
        .expect("python3 can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).trim() == "True"
}

#[test]
fn what_happens_to_a_broadcast_is_told_to_a_receiver_that_checks_it() {
    let server = options().set("broadcast.grace_orderly", "1s").start();
    let (good, forged) = (free_port(), free_port());
    let (_, secret) = hook(&server, &format!("http://localhost:{good}/"), "");
    let (forged_hook, _) = hook(
        &server,
        &format!("http://127.0.0.1:{forged}/"),
        "key.created",
    );
    let (_receiver, dir) = run_documented(&secret, good);
    // The same receiver with another hook's secret must take nothing.
    let (_deceived, nothing) = run_documented(&secret, forged);

    let key = server.key("demo");
    let mut wrong = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), "sk_wrong");
    assert!(!wrong.wait(SOON).success());
    let host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    server.wait_live("demo");
    host.crash();
    server.wait_status("demo", "interrupted", |status| {
        status["state"] == "interrupted"
    });
    let host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    server.wait_live("demo");
    host.stop();
    server.wait_status("demo", "offline", |status| status["state"] == "offline");
    server.command(&["key", "revoke", &key.id]);

    let told = wait::until("the last event", SOON, || {
        let out = std::fs::read_to_string(dir.path().join("out")).ok()?;
        out.contains("key.revoked").then_some(out)
    });
    let told: Vec<(&str, Value)> = told
        .lines()
        .filter_map(|line| line.split_once(' '))
        // What the host might do better is another test's subject.
        .filter(|(kind, _)| !kind.starts_with("advisory."))
        .map(|(kind, data)| (kind, serde_json::from_str(data).expect("data is JSON")))
        .collect();
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            "key.created",
            "publish.rejected",
            "broadcast.started",
            "broadcast.interrupted",
            "broadcast.resumed",
            "broadcast.interrupted",
            "broadcast.ended",
            "key.revoked",
        ]
    );
    let data = |index: usize| &told.get(index).expect("eight events").1;
    assert_eq!(
        (&data(0)["key"], &data(0)["channel"]),
        (&json!(key.id), &json!("demo"))
    );
    assert_eq!(
        (&data(1)["reason"], &data(1)["channel"], &data(1)["peer"]),
        (&json!("bad_key"), &Value::Null, &json!("127.0.0.1"))
    );
    assert_eq!(
        (&data(2)["host"]["key"], &data(2)["host"]["protocol"]),
        (&json!(key.id), &json!("rtmp"))
    );
    for index in 2..=6 {
        assert_eq!(data(index)["broadcast"], data(2)["broadcast"]);
    }
    assert_eq!(data(6)["reason"], "host_finished");
    let all: String = told.iter().map(|(_, data)| data.to_string()).collect();
    assert!(!all.contains(&key.key) && !all.contains("sk_"), "{all}");

    let refused = std::fs::read_to_string(nothing.path().join("out")).expect("it has an output");
    assert_eq!(refused, "", "a forged message was taken");
    assert!(server.metric("zongzi_hooks_posts_total") >= 9.0);
    server.command(&["hook", "delete", &forged_hook]);
    let listed = server.command(&["hook", "list", "--json"]);
    assert!(
        !listed.contains(&forged_hook) && !listed.contains("whsec_"),
        "{listed}"
    );
    assert!(!server.log().contains(&secret));
}

#[test]
fn what_is_not_taken_is_tried_again_kept_and_posted_when_asked_to() {
    let server = options()
        .set("hooks.retry_first", "50ms")
        .set("hooks.max_attempts", "3")
        .start();
    let mut answers = 0;
    let answers = std::sync::Mutex::new(move || {
        answers += 1;
        if answers <= 3 { 500 } else { 200 }
    });
    let receiver = Receiver::start(move |_| {
        let mut next = answers.lock().expect("nobody panics with it");
        (next(), String::new(), AT_ONCE)
    });
    let (id, secret) = hook(&server, &receiver.url(), "key.created");
    server.key("demo");
    receiver.wait(3);
    let dead = format!("/api/v1/hooks/{id}/dead-letters");
    let letters = wait::until("a dead letter", SOON, || {
        let page = server.api("GET", &dead, "");
        let page: Value = serde_json::from_str(&page.body).expect("the API speaks JSON");
        page["items"]
            .as_array()
            .filter(|all| !all.is_empty())
            .cloned()
    });
    let letter = letters.first().expect("there is one");
    assert_eq!(
        (&letter["attempts"], &letter["kind"]),
        (&json!(3), &json!("key.created"))
    );
    let again = format!(
        "{dead}/{}/redeliver",
        letter["id"].as_str().expect("it has an id")
    );
    assert_eq!(server.api("POST", &again, "").status, 202);
    let came = receiver.wait(4);
    let first = came.first().expect("four came");
    for request in &came {
        assert_eq!(request.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(request.body, first.body);
        assert!(is_genuine(&secret, request), "{request:?}");
    }
    let mut forged = first.clone();
    forged.body = forged.body.replace("demo", "tea");
    assert!(
        !is_genuine(&secret, &forged),
        "the check would let anything pass"
    );
    let event = first.json();
    assert_eq!(
        (&event["specversion"], &event["type"], &event["subject"]),
        (&json!("1.0"), &json!("key.created"), &json!("demo"))
    );
    assert_eq!(event["id"], first.header("webhook-id"));
    wait::until("the outbox to be empty", SOON, || {
        (server.metric("zongzi_hooks_outbox_deliveries") == 0.0).then_some(())
    });
}

#[test]
fn what_waits_survives_kill_9() {
    let port = free_port();
    let server = options().set("hooks.retry_first", "1s").start();
    let url = format!("http://127.0.0.1:{port}/");
    hook(&server, &url, "key.created,key.revoked");
    let key = server.key("demo");
    wait::until("a first try", SOON, || {
        let page = server.metrics();
        page.contains("zongzi_hooks_posts_total{result=\"failed\"} 1")
            .then_some(())
    });
    let data = server.kill();
    let receiver = Receiver::start_at(([127, 0, 0, 1], port).into(), |_| {
        (200, String::new(), AT_ONCE)
    });
    let _server = options().start_in(data);
    let came = receiver.wait(1);
    let event = came.first().expect("one came").json();
    assert_eq!(event["data"]["key"], json!(key.id));
}

#[test]
fn an_address_inside_is_not_connected_to_without_leave() {
    let server = Options::default().set("hooks.max_attempts", "1").start();
    let receiver = Receiver::start(|_| (200, String::new(), AT_ONCE));
    let inside = receiver.url();
    let by_name = inside.replace("127.0.0.1", "localhost");
    let ids = [&inside, &by_name].map(|url| hook(&server, url, "").0);
    server.key("demo");
    for id in ids {
        let dead = format!("/api/v1/hooks/{id}/dead-letters");
        let letter = wait::until("a dead letter", SOON, || {
            let page = server.api("GET", &dead, "").body;
            page.contains("evt_").then_some(page)
        });
        assert!(letter.contains("private or special network"), "{letter}");
    }
    assert_eq!(receiver.came().len(), 0, "somebody asked");
    // The way is open: with leave it comes.
    let data = server.stop();
    let allowed = Options::default().set("hooks.allow", "[\"127.0.0.1\"]");
    let server = allowed.start_in(data);
    server.key("demo");
    receiver.wait(1);
}

/// Decides by the channel that is asked for.
fn judge(request: &Request) -> (u16, String, Duration) {
    let channel = request.json()["data"]["channel"].clone();
    match channel.as_str().unwrap_or_default() {
        "closed" => (
            200,
            json!({"decision": "deny", "reason": "come back at noon"}).to_string(),
            AT_ONCE,
        ),
        "old" => (
            200,
            json!({"decision": "redirect", "channel": "new"}).to_string(),
            AT_ONCE,
        ),
        "slow" => (204, String::new(), Duration::from_secs(20)),
        _ => (204, String::new(), AT_ONCE),
    }
}

#[test]
fn another_program_allows_denies_and_redirects_hosts_and_a_slow_answer_blocks_nobody() {
    let receiver = Receiver::start(judge);
    let server = options()
        .set("hooks.on_publish", &receiver.url())
        .set("hooks.on_publish_timeout", "8s")
        .start();
    for channel in ["closed", "old", "new", "slow"] {
        server.command(&["channel", "create", channel]);
    }
    let clip = Clip::SMALL.file();
    let publish = |channel: &str| {
        let key = server.key(channel).key;
        Host::publish(&clip, &server.rtmp_url(), &key)
    };
    let slow_since = Instant::now();
    let mut slow = publish("slow");
    wait::until("the slow question", SOON, || {
        (!receiver.came().is_empty()).then_some(())
    });
    let _demo = publish("demo");
    server.wait_live("demo");
    assert!(slow.alive(), "the slow one had its answer before the other");
    let status = slow.wait(SOON);
    let took = slow_since.elapsed();
    assert!(
        !status.success() && took < Duration::from_secs(15),
        "{took:?}"
    );

    let mut closed = publish("closed");
    assert!(!closed.wait(SOON).success());
    let _moved = publish("old");
    server.wait_live("new");
    for channel in ["closed", "old", "slow"] {
        assert_eq!(server.status(channel)["state"], "offline", "{channel}");
    }
    let page = server.metrics();
    for (decision, count) in [
        ("allow", 1),
        ("deny", 1),
        ("redirect", 1),
        ("unanswered", 1),
    ] {
        let line =
            format!("zongzi_hooks_publish_decisions_total{{decision=\"{decision}\"}} {count}");
        assert!(
            page.lines().any(|found| found == line),
            "no {line} in\n{page}"
        );
    }
    let secret = std::fs::read_to_string(server.data().join("on-publish-secret"));
    let secret = secret.expect("the secret was made");
    let came = receiver.came();
    let first = came.first().expect("four came");
    assert!(is_genuine(secret.trim(), first), "{first:?}");
    assert_eq!(first.json()["type"], "publish.requested");
    assert!(!came.iter().any(|request| request.body.contains("sk_")));
}

#[test]
fn the_words_of_a_denial_reach_the_host() {
    let receiver = Receiver::start(judge);
    let server = options().set("hooks.on_publish", &receiver.url()).start();
    server.command(&["channel", "create", "closed"]);
    let mut client = Client::connect(server.ready.rtmp).expect("the server listens");
    client
        .ask_to_publish(&server.key("closed").key)
        .expect("the server answers");
    let told = client.hear("come back at noon");
    assert!(told.is_ok_and(|told| told.contains("NetStream.Publish.")));
}

#[test]
fn without_an_answer_the_fallback_holds() {
    for (fallback, live) in [("allow", true), ("deny", false)] {
        let nobody = format!("http://127.0.0.1:{}/", free_port());
        let server = options()
            .set("hooks.on_publish", &nobody)
            .set("hooks.on_publish_fallback", fallback)
            .start();
        let key = server.key("demo").key;
        let mut host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
        if live {
            server.wait_live("demo");
        } else {
            assert!(!host.wait(SOON).success());
            assert_eq!(server.status("demo")["state"], "offline");
        }
    }
}

#[test]
fn settings_that_can_not_work_are_named() {
    let data = tempfile::tempdir().expect("a folder can be made");
    for (key, value, words) in [
        ("hooks.allow", "[\"10.0.0.0/64\"]", "hooks.allow"),
        ("hooks.on_publish", "shop.example", "https://HOST/PATH"),
        ("hooks.ca_file", "/nowhere.pem", "/nowhere.pem"),
        ("hooks.on_publish_fallback", "maybe", "allow"),
        ("hooks.on_publish_timeout", "20s", "rtmp.publish_timeout"),
    ] {
        let (status, said) = Options::default()
            .set("hooks.on_publish", "https://shop.example/")
            .set(key, value)
            .refused(data.path());
        assert_eq!(status.code(), Some(2), "{key}: {said}");
        assert!(said.contains(words), "{key}: {said}");
    }
}
