//! What can't work is said, to the host and to the viewer, in words; and the tests of `plays.rs` would notice.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::{Host, Publish};
use zongzi_tests::http::{self, Response};
use zongzi_tests::judge;
use zongzi_tests::offer::SDP as OFFER;
use zongzi_tests::reading::Report;
use zongzi_tests::rtmp::{self, Client};
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::tap::Tap;
use zongzi_tests::{place, wait};

/// Within which a page shows something, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// What a wrong key costs who shows it, so that guessing is slow.
const WRONG_KEY_DELAY: Duration = Duration::from_secs(1);

#[test]
fn without_a_host_there_is_no_picture_and_the_page_waits() {
    let server = Server::start();
    server.key("demo");
    let mut browser = Browser::start();
    assert_eq!(browser.open(&server.url("/watch/demo")), 200);
    browser.wait_state("waiting", SOON);
    let complete = "document.readyState === 'complete'";
    assert_eq!(
        browser.eval(complete),
        true,
        "the browser shows its sign of loading for ever"
    );
    // Long enough for the player's watchdog, if it were wrong, to call this a frozen picture.
    std::thread::sleep(Duration::from_secs(10));
    let shown = browser.shown();
    assert_eq!(
        (shown.state.as_str(), shown.sessions),
        ("waiting", 1),
        "{}",
        shown.words
    );
    let report = browser.report();
    assert_eq!(
        (report.pictures.len(), report.ticks.len(), report.join_ms()),
        (0, 0, None)
    );
    assert_every_judge_complains(&report, &[]);
}

#[test]
fn of_a_host_on_another_channel_nothing_is_seen_or_heard() {
    let server = Server::start();
    server.command(&["channel", "create", "other"]);
    let tap = Tap::before(server.ready.rtmp);
    let _host = Host::publish(
        &Clip::SMALL.file(),
        &tap.rtmp_url(),
        &server.key("demo").key,
    );
    server.wait_live("demo");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/other"));
    browser.wait_state("waiting", SOON);
    // Long enough for a picture, if there were a way for it.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(browser.shown().state, "waiting");
    let passed = tap.passed();
    assert!(passed.len() > 100, "the host sent {}", passed.len());
    assert_every_judge_complains(&browser.report(), &passed);
}

#[test]
fn a_worker_that_is_no_program_is_named_before_anything_starts() {
    let data = tempfile::tempdir().expect("a folder can be made");
    for (path, words) in [
        (place::root().join("README.md"), "not a program"),
        (place::root(), "not a program"),
        (data.path().join("missing"), "No such file"),
    ] {
        let output = std::process::Command::new(place::program("zongzi"))
            .args(["serve", "--data"])
            .arg(data.path().join("data"))
            .args(["--set", &format!("transcode.worker={}", path.display())])
            .output()
            .expect("zongzi can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        let named = format!("transcode.worker = {}", path.display());
        assert!(said.contains(&named) && said.contains(words), "{said}");
        assert!(!data.path().join("data").exists());
    }
}

#[test]
fn a_wrong_key_is_refused_late_and_tells_nothing() {
    let server = Server::start();
    let key = server.key("demo").key;
    // Every 32nd key ends with an x.
    let last = if key.ends_with('x') { 'y' } else { 'x' };
    let start = key.get(..key.len() - 1).expect("a key is plain text");
    let wrong = format!("{start}{last}");
    let tap = Tap::before(server.ready.rtmp);
    let mut host = Host::publish(&Clip::SMALL.file(), &tap.rtmp_url(), &wrong);
    let status = host.wait(SOON);
    assert!(!status.success(), "{}", host.said());
    assert_refused_for_bad_key(&server, 1.0);
    // By hand the time is that of the refusal alone, without ffmpeg's own.
    let mut client = Client::connect(server.ready.rtmp).expect("the server listens");
    let asked = Instant::now();
    assert!(!client.publish(&wrong).expect("the refusal is said"));
    let waited = asked.elapsed();
    assert!(waited >= WRONG_KEY_DELAY, "refused after {waited:?}");
    drop(client);
    assert_refused_for_bad_key(&server, 2.0);
    assert_eq!(server.status("demo")["state"], "offline");
    assert!(
        !server.log().contains(&wrong),
        "the log holds a key:\n{}",
        server.log()
    );
    assert!(!server.metrics().contains(&wrong));

    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_state("waiting", SOON);
    assert_eq!(shown.pictures, 0);
    assert_every_judge_complains(&browser.report(), &tap.passed());
}

#[test]
fn who_sends_more_than_the_settings_allow_before_his_key_is_cut_off() {
    let server = Options::default()
        .set("rtmp.max_preauth_messages", "16")
        .start();
    let closed = "zongzi_ingest_connections_closed_total";
    let cut_off = || server.metric_of(closed, "reason=\"limit\"");
    assert_eq!(cut_off(), 0.0);
    let mut client = Client::connect(server.ready.rtmp).expect("the server listens");
    // One message; with connect it is two.
    client.shake_hands().expect("the server's handshake");
    client.command(0, &rtmp::connect()).expect("it reads on");
    client.hear("_result").expect("connect is answered");
    let ask = [rtmp::string("releaseStream"), rtmp::number(2.0)].concat();
    for number in 3..=16 {
        client.command(0, &ask).expect("it reads on");
        let answer = client.hear("_result");
        assert!(answer.is_ok(), "message {number}: {answer:?}");
    }
    client.command(0, &ask).expect("it reads on");
    assert!(client.hear("_result").is_err(), "one too many was answered");
    wait::until("the connection to be counted", SOON, || {
        (cut_off() == 1.0).then_some(())
    });
}

#[test]
fn an_unknown_channel_has_a_page_that_says_so_and_answers_404() {
    let server = Server::start();
    let mut browser = Browser::start();
    assert_eq!(browser.open(&server.url("/watch/nobody")), 404);
    let shown = browser.wait_shown("words", SOON, |shown| !shown.words.is_empty());
    assert!(
        shown.words.contains("There is no such channel"),
        "{}",
        shown.words
    );
    for (method, path) in [
        ("POST", "/whep/nobody"),
        ("GET", "/api/public/channels/nobody"),
    ] {
        let response = http::request(
            server.ready.http,
            method,
            path,
            &[("content-type", "application/sdp")],
            OFFER,
        );
        assert_eq!(response.status, 404, "{path}: {}", response.body);
        assert_problem(&response);
    }
}

#[test]
fn bad_offers_are_answered_in_words() {
    let server = Server::start();
    server.key("demo");
    let no_codec = OFFER.replace("H264", "VP8").replace("opus", "G722");
    for (offer, kind, status) in [
        ("", "application/sdp", 400),
        ("hello", "application/sdp", 400),
        (OFFER, "text/plain", 415),
        (no_codec.as_str(), "application/sdp", 406),
        (OFFER, "application/sdp", 201),
    ] {
        let answer = http::request(
            server.ready.http,
            "POST",
            "/whep/demo",
            &[("content-type", kind)],
            offer,
        );
        assert_eq!(
            answer.status, status,
            "{offer:.20} as {kind}: {}",
            answer.body
        );
        if status == 201 {
            let location = answer
                .header("location")
                .expect("201 names the session")
                .to_owned();
            let gone =
                |_: &str| http::request(server.ready.http, "DELETE", &location, &[], "").status;
            assert_eq!(gone("first"), 200);
            assert_eq!(gone("again"), 404);
        } else {
            assert_problem(&answer);
        }
    }
}

#[test]
fn a_browser_without_h264_is_told_so() {
    let server = Server::start();
    server.key("demo");
    let init = "RTCRtpReceiver.getCapabilities = () => ({ codecs: [{ mimeType: 'video/VP8' }] });";
    let mut browser = Browser::start_with(zongzi_tests::browser::Options {
        init: Some(init),
        ..Default::default()
    });
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_state("failed", SOON);
    assert!(
        shown.words.contains("cannot play H.264 over WebRTC"),
        "{}",
        shown.words
    );
}

#[test]
fn hevc_by_enhanced_rtmp_is_named_to_viewer_and_operator() {
    let clip = Clip {
        encoder: "libx265",
        seconds: 20,
        ..Clip::SMALL
    };
    let enhanced = Publish {
        enhanced: Some("hvc1"),
        ..Publish::default()
    };
    let said = refused(&clip.file(), enhanced, "hevc");
    assert!(said.viewer.contains("HEVC"), "{}", said.viewer);
    assert!(said.log.contains("choose x264"), "{}", said.log);
}

#[test]
fn av1_by_enhanced_rtmp_is_named_to_viewer_and_operator() {
    let clip = Clip {
        encoder: "libsvtav1",
        seconds: 20,
        ..Clip::SMALL
    };
    let enhanced = Publish {
        enhanced: Some("av01"),
        ..Publish::default()
    };
    let said = refused(&clip.file(), enhanced, "av1");
    assert!(said.viewer.contains("AV1"), "{}", said.viewer);
}

#[test]
fn he_aac_is_named_and_the_picture_plays_without_it() {
    plays_without_sound(
        &with_he_aac_config(&Clip::SMALL.file()),
        &[],
        "he_aac",
        "HE-AAC",
    );
}

#[test]
fn mp3_is_named_and_the_picture_plays_without_it() {
    let mp3 = ["-c:a", "libmp3lame", "-ar", "44100"];
    plays_without_sound(&Clip::SMALL.file(), &mp3, "audio_codec", "AAC works");
}

// ---- the acts ----

struct Said {
    viewer: String,
    log: String,
}

/// Publishes what can't be shown, and gives what the viewer and the operator are told.
fn refused(clip: &Path, how: Publish<'_>, reason: &str) -> Said {
    let server = Server::start();
    let _host = Host::publish_with(clip, &server.rtmp_url(), &server.key("demo").key, how);
    server.wait_status("demo", reason, |status| status["reason"] == reason);
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_shown("the reason", SOON, |shown| {
        shown.state == "failed" && shown.text == reason
    });
    Said {
        viewer: shown.words,
        log: server.log(),
    }
}

fn plays_without_sound(clip: &Path, options: &[&str], reason: &str, words: &str) {
    let server = Server::start();
    let how = Publish {
        options,
        ..Publish::default()
    };
    let _host = Host::publish_with(clip, &server.rtmp_url(), &server.key("demo").key, how);
    server.wait_status("demo", reason, |status| status["reason"] == reason);
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_shown("pictures and the reason", SOON, |shown| {
        shown.state == "live" && shown.pictures > 30 && shown.words.contains(words)
    });
    assert_eq!(shown.ticks, 0);
    assert_eq!(browser.report().backwards(), 0);
}

/// The clip as FLV, its sound's configuration saying HE-AAC in so many words: object type 5 around 2, 48 kHz of 24
/// (ISO/IEC 14496-3 §1.6.2.1). Nothing free encodes HE-AAC, and the server has to judge by the configuration alone.
fn with_he_aac_config(clip: &Path) -> PathBuf {
    let path = place::cache().join("he-aac.flv");
    let mut command = std::process::Command::new("ffmpeg");
    command
        .args(["-loglevel", "error", "-y", "-i"])
        .arg(clip)
        .args(["-t", "30", "-c", "copy"])
        .arg(&path);
    assert!(
        command.status().is_ok_and(|status| status.success()),
        "ffmpeg can't make {}",
        path.display()
    );
    let mut flv = fs::read(&path).expect("ffmpeg has made it");
    // AudioSpecificConfig of AAC-LC, 48 kHz, stereo, as ffmpeg writes it: with the sync extension that says "no SBR".
    let plain = [0xaf, 0x00, 0x11, 0x90, 0x56, 0xe5, 0x00];
    let he_aac = [0xaf, 0x00, 0x2b, 0x11, 0x88, 0x00, 0x00];
    let at = flv
        .windows(plain.len())
        .position(|bytes| bytes == plain)
        .expect("the clip has AAC-LC");
    flv.splice(at..at + plain.len(), he_aac);
    fs::write(&path, flv).expect("a file can be written");
    path
}

/// Nobody was there to be seen or heard, and what judges the tests of `plays.rs` says so.
#[track_caller]
fn assert_every_judge_complains(report: &Report, passed: &[f64]) {
    let no_picture = Err("no picture was shown".to_owned());
    assert_eq!(judge::pictures(report, passed, 8), no_picture);
    assert_eq!(judge::stream(report, passed, 8), no_picture);
    assert_eq!(judge::order(report), no_picture);
    let no_tick = Err("no tick was heard with its picture".to_owned());
    assert_eq!(judge::sound(report), no_tick);
    assert_eq!(judge::sound_of_few_pictures(report), no_tick);
}

/// So many connections were closed in all, each for its key, and so many keys were found wrong.
fn assert_refused_for_bad_key(server: &Server, count: f64) {
    let closed = "zongzi_ingest_connections_closed_total";
    wait::until("the connection to be counted", SOON, || {
        (server.metric(closed) >= count).then_some(())
    });
    let wrong = server.metric_of("zongzi_control_key_checks_total", "result=\"wrong\"");
    assert_eq!(
        (
            server.metric(closed),
            server.metric_of(closed, "reason=\"bad_key\""),
            wrong
        ),
        (count, count, count)
    );
}

fn assert_problem(response: &Response) {
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json"),
        "{}",
        response.head
    );
    let problem: Value = serde_json::from_str(&response.body).expect("problem+json is JSON");
    for member in ["type", "title", "detail"] {
        assert!(
            problem[member]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{member}: {problem}"
        );
    }
    assert_eq!(problem["status"], response.status, "{problem}");
}

#[test]
fn past_the_limit_of_viewers_a_player_waits_as_it_is_told_and_comes_in_by_itself() {
    let server = Options::default().set("limits.viewers", "1").start();
    a_free_place_is_waited_for(&server, "every place", "full");
}

#[test]
fn past_the_limit_of_bits_a_player_waits_as_it_is_told_and_comes_in_by_itself() {
    // Room for one who waits for a host, counted at 3 Mb/s.
    let server = Options::default()
        .set("limits.egress_bitrate", "5000000")
        .start();
    a_free_place_is_waited_for(&server, "may send", "full");
}

#[test]
fn past_the_limit_of_a_channel_a_player_says_so_and_comes_in_by_itself() {
    let server = Server::start();
    let settings = ["--max-viewers", "1", "--title", "Small room"];
    server.command(&[&["channel", "set", "demo"][..], &settings].concat());
    wait::until("the server follows", SOON, || {
        (server.status("demo")["title"] == "Small room").then_some(())
    });
    server.command(&["channel", "create", "other"]);
    a_free_place_is_waited_for(
        &server,
        "takes 1 viewers at a time, and they are all there",
        "channel_full",
    );
    let other = http::request(
        server.ready.http,
        "POST",
        "/whep/other",
        &[("content-type", "application/sdp")],
        OFFER,
    );
    assert_eq!(other.status, 201, "another channel has its own places");
    server.command(&["channel", "set", "demo", "--max-viewers", "none"]);
    wait::until("the limit is lifted", SOON, || {
        (post(&server).status == 201).then_some(())
    });
}

#[test]
fn viewers_count_at_the_bitrate_of_what_they_watch() {
    let server = Options::default()
        .set("limits.egress_bitrate", "5000000")
        .start();
    let _host = Host::publish(
        &Clip::SMALL.file(),
        &server.rtmp_url(),
        &server.key("demo").key,
    );
    server.wait_live("demo");
    // A second is over, and the clip has far less than 3 Mb/s: there is room for more than one, and an end to it.
    let mut sessions = 0;
    wait::until("as many as there is room for", SOON, || {
        let answer = post(&server);
        sessions += u32::from(answer.status == 201);
        (answer.status == 503 && sessions > 1).then_some(())
    });
    assert!(
        (2..50).contains(&sessions),
        "{sessions} viewers within 5 Mb/s"
    );
}

fn post(server: &Server) -> Response {
    http::request(
        server.ready.http,
        "POST",
        "/whep/demo",
        &[("content-type", "application/sdp")],
        OFFER,
    )
}

/// One session takes the only place; a player comes, is told how it stands, comes back neither too early nor too late, and
/// gets in when the place is free.
fn a_free_place_is_waited_for(server: &Server, detail: &str, text: &str) {
    server.key("demo");
    let first = post(server);
    assert_eq!(first.status, 201, "{}", first.body);
    let full = post(server);
    assert_eq!(full.status, 503, "{}", full.body);
    assert!(full.body.contains(detail), "{}", full.body);
    assert_problem(&full);
    let wait: u64 = full
        .header("retry-after")
        .and_then(|seconds| seconds.parse().ok())
        .expect("503 says when to come back, in seconds");
    let wait = Duration::from_secs(wait);

    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_shown("the words", SOON, |shown| shown.text == text);
    let refused = Instant::now();
    assert_eq!(shown.sessions, 1, "{}", shown.words);
    assert!(shown.words.contains("Next try in"), "{}", shown.words);
    browser.wait_shown("the second try", wait * 4, |shown| shown.sessions > 1);
    // It was refused a little before that was seen.
    let waited = refused.elapsed() + Duration::from_secs(1);
    assert!(waited > wait, "back after {waited:?}, not {wait:?}");
    let location = first.header("location").expect("201 names the session");
    http::request(server.ready.http, "DELETE", location, &[], "");
    let shown = browser.wait_state("waiting", wait * 4);
    assert!(!shown.words.contains("Next try"), "{}", shown.words);
    assert_eq!(post(server).status, 503, "the player has the place");
}
