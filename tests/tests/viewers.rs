//! The number of viewers is the truth: at every quiet point of a churning crowd, after crashes and reconnects, and zero
//! at the end. The crowd is `zongzi-load`, which knows who is there; the numbers are read where everyone reads them.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use zongzi_tests::ffmpeg::{Host, Publish};
use zongzi_tests::http::Events;
use zongzi_tests::load::Crowd;
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::{note, wait};

/// Little to send: the crowd comes and goes, and what it sees does not matter here.
const THIN: Clip = Clip {
    size: (160, 90),
    kbps: 60,
    ..Clip::SMALL
};
/// So many viewers churn, unless `ZONGZI_TEST_VIEWERS` says how many.
const VIEWERS: u32 = 200;
/// Those who crash.
const CRASHING: u32 = 40;

#[test]
fn the_count_is_the_truth_at_every_quiet_point_and_zero_at_the_end() {
    let server = Server::start();
    let _host = publish(&server);
    let told = Events::follow(server.ready.http, "/api/public/channels/demo/events");
    let viewers = std::env::var("ZONGZI_TEST_VIEWERS");
    let viewers = viewers.map_or(VIEWERS, |text| text.parse().expect("a number of viewers"));
    let count_url = server.url("/api/public/channels/{channel}");
    let crowd = Crowd::come(
        &server,
        "demo",
        viewers,
        &[
            &[
                "--count-url",
                count_url.as_str(),
                "--seconds",
                "1",
                "--sampled",
                "0",
            ][..],
            &["--rounds", "3", "--round-share", "0.5", "--vanish", "0.05"],
        ]
        .concat(),
    );
    let (status, report) = crowd.report(Duration::from_secs(240));
    assert!(status.success(), "{:#}", report["failures"]);
    let points = report["quiet_points"].as_array().expect("quiet points");
    note(&format!("{points:?}"));
    assert_eq!(points.len(), 3);
    for point in points {
        assert_eq!(point["counted"], u64::from(viewers), "{points:?}");
    }

    let end = server.wait_status("demo", "everyone counted out", |now| now["viewers"] == 0);
    assert_eq!(end["viewers_by_protocol"], serde_json::json!({}));
    assert_eq!(end["waiting"], 0);
    // Those who left before they knew that they were in may have been in.
    let (keyed, answered) = (figure(&report, "keyed"), figure(&report, "answered"));
    let total = number(&end, "viewers_total");
    assert!(
        (keyed..=answered).contains(&total) && keyed > u64::from(viewers) * 2,
        "{keyed} had their keys, {answered} were answered, {total} counted"
    );
    // Without tokens each session is somebody.
    assert_eq!(number(&end, "viewers_unique"), total);
    let peak = number(&end, "viewers_peak");
    assert!((u64::from(viewers)..=total).contains(&peak), "{peak}");
    assert!(server.metric("zongzi_relay_viewers").abs() < 0.5);

    let last = wait::until("the event of it", Duration::from_secs(5), || {
        told.new_ones().pop().and_then(|data| {
            let event: Value = serde_json::from_str(&data).expect("events are JSON");
            (event["viewers"] == 0).then_some(event)
        })
    });
    assert_eq!(last, server.status("demo"));
}

#[test]
fn viewers_who_crash_are_gone_after_15_seconds_and_those_who_come_back_are_counted() {
    let server = Server::start();
    let _host = publish(&server);
    let come = || {
        Crowd::come(
            &server,
            "demo",
            CRASHING,
            &["--sampled", "0", "--seconds", "600"],
        )
    };
    let all = |factor: u32| {
        let wanted = u64::from(CRASHING * factor);
        move |now: &Value| number(now, "viewers") == wanted
    };
    let first = come();
    server.wait_status("demo", "all there", all(1));
    first.crash();
    let crashed = Instant::now();
    // Their players come back at once: until the silence is long enough, both are there.
    let second = come();
    server.wait_status("demo", "the dead and the living", all(2));
    note(&format!(
        "{:?} after the crash both are counted",
        crashed.elapsed()
    ));
    let mut lost = None;
    let living = wait::until("the dead to be gone", Duration::from_secs(25), || {
        let now = server.status("demo");
        if lost.is_none() && number(&now, "viewers") < u64::from(CRASHING * 2) {
            lost = Some(crashed.elapsed());
        }
        (number(&now, "viewers") == u64::from(CRASHING)).then_some(now)
    });
    let (lost, gone) = (lost.expect("they went"), crashed.elapsed());
    note(&format!(
        "the first was gone after {lost:?}, the last after {gone:?}"
    ));
    assert!(lost > Duration::from_secs(12), "given up after {lost:?}");
    assert!(gone < Duration::from_secs(20), "{gone:?}");
    assert_eq!(number(&living, "viewers_total"), u64::from(CRASHING * 2));
    assert_eq!(number(&living, "viewers_peak"), u64::from(CRASHING * 2));
    // The living stay, and then crash too.
    thread::sleep(Duration::from_secs(3));
    assert!(all(1)(&server.status("demo")));
    second.crash();
    server.wait_status("demo", "nobody", all(0));
}

#[test]
fn those_who_wait_are_no_viewers_until_the_host_comes_and_wait_again_when_he_is_gone() {
    let server = Options::default()
        .set("broadcast.grace_orderly", "1s")
        .start();
    let crowd = Crowd::come(
        &server,
        "demo",
        CRASHING,
        &["--sampled", "0", "--seconds", "600"],
    );
    let waiting = server.wait_status("demo", "all wait", |now| {
        number(now, "waiting") == u64::from(CRASHING)
    });
    assert_eq!(
        (&waiting["viewers"], &waiting["viewers_total"]),
        (&0.into(), &0.into())
    );
    let host = publish(&server);
    let live = server.status("demo");
    for name in ["viewers", "viewers_peak", "viewers_total", "viewers_unique"] {
        assert_eq!(live[name], CRASHING, "{name} of {live}");
    }
    assert_eq!(live["waiting"], 0);
    assert_eq!(
        live["viewers_by_protocol"],
        serde_json::json!({"webrtc": CRASHING})
    );
    host.stop();
    let after = server.wait_status("demo", "offline", |now| now["state"] == "offline");
    assert_eq!(
        (&after["viewers"], &after["waiting"]),
        (&0.into(), &CRASHING.into())
    );
    drop(crowd);
}

fn publish(server: &Server) -> Host {
    let how = Publish {
        options: &["-an"],
        ..Publish::default()
    };
    let key = server.key("demo").key;
    let host = Host::publish_with(&THIN.file(), &server.rtmp_url(), &key, how);
    server.wait_live("demo");
    host
}

fn number(status: &Value, name: &str) -> u64 {
    status[name].as_u64().expect("the status has this number")
}

fn figure(report: &Value, name: &str) -> u64 {
    number(&report["viewers"], name)
}
