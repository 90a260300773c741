//! Traces of publishes and joins, taken by a collector that only writes down what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::load::Crowd;
use zongzi_tests::server::Options;
use zongzi_tests::source::Clip;
use zongzi_tests::wait;

const SOON: Duration = Duration::from_secs(20);

/// Takes OTLP over HTTP.
struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Value>>>,
}

/// One span.
#[derive(Debug)]
struct Span {
    name: String,
    begin: u128,
    end: u128,
}

impl Collector {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let spans = Arc::<Mutex<Vec<Value>>>::default();
        let into = Arc::clone(&spans);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let taken = take(stream);
                into.lock()
                    .expect("no test has panicked with it")
                    .extend(taken);
            }
        });
        Self { address, spans }
    }

    /// The first trace whose uppermost span is called `name` and has or has not failed, with its steps.
    fn trace(&self, name: &str, failed: bool) -> (Value, Vec<Span>) {
        wait::until(&format!("a trace of a {name}"), SOON, || {
            let spans = self.spans.lock().expect("no thread has panicked with it");
            let root = spans.iter().find(|span| {
                span["name"] == name
                    && span.get("parentSpanId").is_none()
                    && span.get("status").is_some() == failed
            })?;
            let steps = spans.iter().filter(|span| {
                span["traceId"] == root["traceId"] && span["parentSpanId"] == root["spanId"]
            });
            Some((root.clone(), steps.map(Span::of).collect()))
        })
    }
}

impl Span {
    fn of(span: &Value) -> Self {
        let nanos = |key: &str| {
            let text = span[key].as_str().expect("64-bit numbers are text");
            text.parse().expect("a number")
        };
        Self {
            name: span["name"].as_str().expect("a span has a name").to_owned(),
            begin: nanos("startTimeUnixNano"),
            end: nanos("endTimeUnixNano"),
        }
    }
}

/// The spans of one request.
fn take(stream: TcpStream) -> Vec<Value> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = reader
            .read_line(&mut head)
            .expect("the request can be read");
        assert!(read > 0, "the request has no end: {head}");
    }
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length
        .and_then(|text| text.parse().ok())
        .expect("it has a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body can be read");
    reader
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        .expect("the answer can be written");
    let text = String::from_utf8(body).expect("JSON is text");
    assert!(!text.contains("sk_"), "a stream key is in a trace: {text}");
    let body: Value = serde_json::from_str(&text).expect("the body is JSON");
    let resource = &body["resourceSpans"][0];
    assert_eq!(
        resource["resource"]["attributes"][0]["value"]["stringValue"],
        "zongzi"
    );
    let spans = resource["scopeSpans"][0]["spans"].as_array();
    spans.expect("there are spans").clone()
}

#[test]
fn a_publish_and_a_join_are_traced_step_by_step() {
    let collector = Collector::open();
    let server = Options::default()
        .set("traces.otlp", &format!("http://{}", collector.address))
        .start();
    let key = server.key("demo");
    let _wrong = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), "sk_wrong");
    let (root, steps) = collector.trace("publish", true);
    assert_eq!(root["status"]["message"], "bad_key");
    assert_eq!(names(&steps), ["handshake", "key check"]);

    let _host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    server.wait_live("demo");
    let (root, steps) = collector.trace("publish", false);
    assert_eq!(
        names(&steps),
        ["handshake", "key check", "admission", "first keyframe"]
    );
    one_behind_the_other(&root, &steps);
    assert!(root["attributes"].to_string().contains("demo"), "{root}");

    let _viewers = Crowd::come(&server, "demo", 1, &["--seconds", "60"]);
    let (root, steps) = collector.trace("join", false);
    assert_eq!(names(&steps), ["POST", "ICE", "DTLS", "first packet"]);
    one_behind_the_other(&root, &steps);
    assert!(root["attributes"].to_string().contains("demo"), "{root}");
    // Of each of them the collector's answer has come.
    wait::until("three traces to be counted", SOON, || {
        (server.metric_of("zongzi_traces_total", "result=\"sent\"") >= 3.0).then_some(())
    });
    for result in ["failed", "dropped"] {
        let label = format!("result=\"{result}\"");
        assert_eq!(server.metric_of("zongzi_traces_total", &label), 0.0);
    }
}

fn names(steps: &[Span]) -> Vec<&str> {
    steps.iter().map(|step| step.name.as_str()).collect()
}

/// The steps fill the whole, and each took a time that can be.
fn one_behind_the_other(root: &Value, steps: &[Span]) {
    let whole = Span::of(root);
    let mut at = whole.begin;
    for step in steps {
        assert_eq!(step.begin, at, "{steps:?}");
        assert!(step.end >= step.begin, "{steps:?}");
        at = step.end;
    }
    assert_eq!(at, whole.end);
    assert!(whole.end - whole.begin < SOON.as_nanos(), "{whole:?}");
}
