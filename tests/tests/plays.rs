//! A host publishes, a viewer watches: what he sees and hears is read out of the browser and judged.
//!
//! The clip's pictures carry their number, its sound ticks on each second (`zongzi_tests::source`). A tap between host
//! and server notes when each picture reached the server, so that every shown picture has an age.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use zongzi_tests::browser::{self, Browser};
use zongzi_tests::ffmpeg::{Host, Publish};
use zongzi_tests::judge::{self, AGE_MS_MAX, UNSHOWN_MAX};
use zongzi_tests::reading::{self, Report};
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::{Clip, FPS};
use zongzi_tests::tap::Tap;
use zongzi_tests::{note, place, wait};

/// Within which a page shows something, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
const WATCHED_SECONDS: u32 = 20;
/// Within which the pictures without B-frames give way to all pictures, in milliseconds.
const COLD_MS_MAX: f64 = 4_000.0;
/// As OBS sends by default: B-frames, and keyframes 8.3 s apart.
const STOCK: Clip = Clip {
    b_frames: 2,
    gop: 250,
    ..Clip::SMALL
};

#[test]
fn a_viewer_sees_every_picture_and_hears_the_sound_with_it() {
    let server = Server::start();
    let tap = Tap::before(server.ready.rtmp);
    let _host = Host::publish(&Clip::FULL.file(), &tap.rtmp_url(), &server.key("demo").key);
    server.wait_live("demo");

    let mut browser = Browser::start();
    assert_eq!(browser.open(&server.url("/watch/demo")), 200);
    watch(&mut browser, WATCHED_SECONDS + 2);
    let report = browser.report();
    let shown = browser.shown();

    assert_good(judge::pictures(&report, &tap.passed(), WATCHED_SECONDS));
    assert_good(judge::sound(&report));
    assert_eq!(shown.sessions, 1, "the player reconnected");
    assert!(
        shown.words.contains("Live") && shown.words.contains("1 watching"),
        "{}",
        shown.words
    );
    assert_eq!(server.status("demo")["viewers"], 1);
    // The count falls when the viewer says goodbye, not by a time-out.
    browser.open("about:blank");
    server.wait_status("demo", "no viewer", |status| status["viewers"] == 0);
}

#[test]
fn sound_of_44100_hz_mono_is_heard_with_its_picture() {
    let clip = Clip {
        sound: (44_100, 1),
        ..Clip::SMALL
    };
    let (_server, report, passed) = publish_and_watch(&clip, Publish::default(), 12);
    assert_good(judge::pictures(&report, &passed, 8));
    assert_good(judge::sound(&report));
}

#[test]
fn keyframes_eight_seconds_apart_do_not_delay_the_first_picture() {
    let clip = Clip {
        gop: 8 * FPS,
        ..Clip::SMALL
    };
    let (server, host, tap) = publish(&clip, Publish::default());
    // Six seconds into the group there is no keyframe for two more.
    wait::until("the seventh second", SOON, || {
        (tap.passed().len() > 6 * 30).then_some(())
    });
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, 12);
    assert_good(judge::pictures(&browser.report(), &tap.passed(), 8));
    drop(host);
}

#[test]
fn who_comes_just_before_a_keyframe_of_a_long_group_plays_like_everyone() {
    let clip = Clip {
        gop: 8 * FPS,
        ..Clip::SMALL
    };
    let (server, _host, tap) = publish(&clip, Publish::default());
    let mut browser = Browser::start();
    // The old group is on its way to him when the new one begins.
    wait::until("the eighth second", SOON, || {
        (tap.passed().len() > 8 * 30 - 17).then_some(())
    });
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, 12);
    assert_good(judge::pictures(&browser.report(), &tap.passed(), 8));
}

#[test]
fn of_a_host_with_b_frames_every_picture_plays_in_order_with_its_sound() {
    let (server, _host, tap) = publish(&STOCK, Publish::default());
    assert_eq!(server.children(), 0, "nobody watches");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, 24);
    let report = browser.report();
    let passed = tap.passed();
    assert_eq!(server.status("demo")["reason"], Value::Null);
    assert_eq!(server.metric("zongzi_transcode_video_running"), 1.0);
    assert_eq!(server.children(), 1);
    let video = &server.status("demo")["video"];
    assert_eq!(video["rendition"], "reencoded");
    assert_eq!(
        (&video["width"], &video["half_rate"]),
        (&json!(STOCK.size.0), &json!(false))
    );
    let cpu = server.metric("zongzi_transcode_video_cpu_seconds_total");
    assert!(cpu > 0.5, "24 s of pictures for {cpu} s of CPU");
    // Sound steps back for sending, and video encoded again for both.
    let nices = server.nices();
    let nice = |name: &str| {
        let found = nices.iter().find(|(known, _)| known.starts_with(name));
        *found.unwrap_or_else(|| panic!("no {name} in {nices:?}")).1
    };
    assert!(nice("rendition-") > nice("shard"), "{nices:?}");
    assert!(nice("child") > nice("rendition-"), "{nices:?}");
    assert_good(judge::order(&report));
    let ages = report.ages(&passed);
    let age = reading::median(&ages).expect("pictures were shown");
    let since = report.first_picture.expect("a picture was shown") + COLD_MS_MAX;
    let all: Vec<_> = report
        .pictures
        .iter()
        .filter(|p| p.at > since)
        .copied()
        .collect();
    let window = reading::first_seconds(&all, 18);
    let unshown = reading::unshown(window);
    note(&format!(
        "{} pictures, join {:?}, median age {age:.0} ms, {unshown} unshown in {} ({}); {:?}",
        report.pictures.len(),
        report.join_ms(),
        window.len(),
        reading::holes(window, &passed),
        report.video
    ));
    assert!(window.len() > 15 * 30, "pictures came for too short a time");
    assert!(unshown <= UNSHOWN_MAX, "{unshown} pictures were not shown");
    assert!(age < AGE_MS_MAX, "pictures were {age:.0} ms old");
    assert_good(judge::sound(&report));
}

#[test]
fn whatever_x264_makes_of_b_frames_plays_also_upright_and_at_25_pictures_a_second() {
    let cases = [
        Clip {
            size: (360, 640),
            preset: "slow",
            b_frames: 8,
            ..STOCK
        },
        Clip {
            preset: "superfast",
            b_frames: 1,
            pyramid: false,
            fps: 25,
            ..STOCK
        },
    ];
    for clip in cases {
        let (server, _host, tap) = publish(&clip, Publish::default());
        let mut browser = Browser::start();
        browser.open(&server.url("/watch/demo"));
        watch(&mut browser, 18);
        let report = browser.report();
        assert_eq!(server.status("demo")["video"]["rendition"], "reencoded");
        assert_good(judge::order(&report));
        let since = report.first_picture.expect("a picture was shown") + COLD_MS_MAX;
        let all = report.pictures.iter().filter(|picture| picture.at > since);
        let all: Vec<_> = all.copied().collect();
        let unshown = reading::unshown(&all);
        let ages = report.ages(&tap.passed());
        let age = reading::median(&ages).expect("pictures were shown");
        note(&format!(
            "{clip:?}: {unshown} unshown in {}, median age {age:.0} ms",
            all.len()
        ));
        let least = usize::try_from(clip.fps * 9).expect("few pictures");
        assert!(all.len() > least, "{} pictures", all.len());
        assert!(unshown <= UNSHOWN_MAX, "{unshown} pictures were not shown");
        assert!(age < AGE_MS_MAX, "pictures were {age:.0} ms old");
        assert_good(judge::sound_at(&report, clip.fps));
    }
}

#[test]
fn another_program_can_encode_the_video_again() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let (program, ran) = (dir.path().join("worker"), dir.path().join("ran"));
    let (zongzi, note) = (place::program("zongzi"), ran.display());
    let script = format!(
        "#!/bin/sh\necho \"$# arguments\" >> '{note}'\nexec '{}' transcode-worker\n",
        zongzi.display()
    );
    std::fs::write(&program, script).expect("a file can be written");
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
    let server = Options::default()
        .set("transcode.worker", &program.display().to_string())
        .start();
    let _host = Host::publish(&STOCK.file(), &server.rtmp_url(), &server.key("demo").key);
    server.wait_live("demo");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    server.wait_status("demo", "the re-encode", |status| {
        status["video"]["rendition"] == "reencoded"
    });
    goes_on(&mut browser);
    let ran = std::fs::read_to_string(ran).expect("the program ran");
    assert_eq!(ran, "0 arguments\n");
}

#[test]
fn without_a_place_to_encode_again_all_but_the_b_pictures_play_and_that_is_said() {
    let server = Options::default().set("transcode.max_streams", "0").start();
    let tap = Tap::before(server.ready.rtmp);
    let _host = Host::publish(&STOCK.file(), &tap.rtmp_url(), &server.key("demo").key);
    server.wait_live("demo");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, 20);
    let report = browser.report();
    assert_eq!(server.status("demo")["reason"], "reduced_frame_rate");
    let video = &server.status("demo")["video"];
    assert_eq!(video["rendition"], "without_b_frames");
    assert!(
        server.log().contains("bframes=0"),
        "the operator is told which setting changes it"
    );
    assert!(browser.shown().words.contains("B-frames"));
    assert_good(judge::sound_of_few_pictures(&report));
    assert_good(judge::order(&report));
    let live = report.at_live(&tap.passed()).to_vec();
    let (first, last) = (
        live.first().expect("at live"),
        live.last().expect("at live"),
    );
    let sent = last.number - first.number;
    let shown = last.presented - first.presented;
    note(&format!(
        "{shown} of {sent} pictures, join {:?}",
        report.join_ms()
    ));
    assert!(sent > 12 * FPS, "at live for only {sent} pictures");
    assert!(
        shown * 4 > sent,
        "{shown} of {sent}: x264 makes two B-frames between others here"
    );
}

#[test]
fn a_re_encode_that_crashes_costs_no_viewer_his_session() {
    let (server, _host, _tap) = publish(&STOCK, Publish::default());
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, 6);
    let again = |what: &str, opened: f64| {
        wait::until(what, SOON, || {
            let metric = server.metric("zongzi_transcode_video_opened_total");
            (metric >= opened).then_some(())
        });
    };
    again("the re-encode", 1.0);
    server.kill_children();
    again("another one", 2.0);
    goes_on(&mut browser);
    let report = browser.report();
    assert_eq!((report.sessions, report.unreadable), (1, 0));
    assert_eq!((report.video.packets_lost, report.video.pli_count), (0, 0));
    assert!(server.log().contains("not encoded again any more"));
}

#[test]
fn video_alone_plays() {
    let (_server, report, passed) = publish_and_watch(
        &Clip::SMALL,
        Publish {
            options: &["-an"],
            ..Publish::default()
        },
        10,
    );
    assert_good(judge::pictures(&report, &passed, 6));
    assert!(report.ticks.is_empty(), "{:?}", report.ticks);
}

#[test]
fn sound_alone_plays_and_the_page_says_so() {
    let (server, _host, _tap) = publish(
        &Clip::SMALL,
        Publish {
            options: &["-vn"],
            ..Publish::default()
        },
    );
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_shown("five ticks", SOON, |shown| {
        shown.state == "live" && shown.ticks >= 5
    });
    let report = browser.report();
    assert!(shown.words.contains("Sound only"), "{}", shown.words);
    assert_eq!((report.audio.packets_lost, report.pictures.len()), (0, 0));
    assert_good(judge::ticks(&report));
}

#[test]
fn a_viewer_who_came_before_the_host_sees_him_come() {
    let server = Server::start();
    let key = server.key("demo");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_state("waiting", SOON);
    assert!(
        shown.words.contains("Waiting for the host"),
        "{}",
        shown.words
    );
    assert_eq!(
        server.status("demo")["viewers"],
        0,
        "who waits is not a viewer of a broadcast"
    );

    let tap = Tap::before(server.ready.rtmp);
    let _host = Host::publish(&Clip::SMALL.file(), &tap.rtmp_url(), &key.key);
    watch(&mut browser, 10);
    let report = browser.report();
    assert_good(judge::stream(&report, &tap.passed(), 6));
    let first = report.pictures.first().expect("pictures were shown");
    assert!(
        first.number < 3 * FPS,
        "the first {} pictures were not shown to him",
        first.number
    );
    assert_eq!(
        browser.shown().sessions,
        1,
        "the waiting session is the one that plays"
    );
}

#[test]
fn a_host_who_stops_and_starts_again_finds_his_viewers_there() {
    let server = Server::start();
    let key = server.key("demo");
    let host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, 4);

    // First he vanishes, then he ends in good order; each time the same session goes on with picture and sound.
    host.crash();
    server.wait_status("demo", "interrupted", |status| {
        status["state"] == "interrupted"
    });
    let shown = browser.wait_state("waiting", SOON);
    assert!(
        shown.words.contains("connection dropped"),
        "{}",
        shown.words
    );
    let host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    goes_on(&mut browser);
    let before = browser.shown().pictures;
    browser.wait_shown("eight seconds more", SOON, |shown| {
        shown.pictures > before + 8 * 30
    });
    assert_every_picture_since_he_came_again(&browser.report());
    host.stop();
    browser.wait_shown("the pictures to end", SOON, |shown| shown.state != "live");
    let other = Clip {
        size: (960, 540),
        sound: (44_100, 1),
        ..Clip::SMALL
    };
    let _host = Host::publish(&other.file(), &server.rtmp_url(), &key.key);
    goes_on(&mut browser);

    let report = browser.report();
    assert_eq!(browser.shown().sessions, 1, "the player reconnected");
    assert_eq!(
        (
            report.video.packets_lost,
            report.audio.packets_lost,
            report.unreadable
        ),
        (0, 0, 0)
    );
    assert_eq!(
        report.backwards(),
        2,
        "each new run of the clip begins at its front, and nothing else goes back"
    );
}

#[test]
fn a_second_host_with_a_good_key_takes_over() {
    let server = Server::start();
    let mut first = Host::publish(
        &Clip::SMALL.file(),
        &server.rtmp_url(),
        &server.key("demo").key,
    );
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, 2);
    let key = server.key("demo");
    let mut second = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    let status = first.wait(Duration::from_secs(5));
    assert!(
        !status.success(),
        "the old host was not told: {}",
        first.said()
    );
    goes_on(&mut browser);
    assert!(second.alive(), "{}", second.said());
    let report = browser.report();
    assert_eq!(
        (
            report.backwards(),
            report.sessions,
            report.video.packets_lost
        ),
        (1, 1, 0)
    );
}

#[test]
fn the_page_works_under_its_own_content_security_policy_and_on_a_phone() {
    let server = Server::start();
    let _host = Host::publish(
        &Clip::SMALL.file(),
        &server.rtmp_url(),
        &server.key("demo").key,
    );
    server.wait_live("demo");
    let options = browser::Options {
        reader: false,
        phone: true,
        autoplay: false,
        locale: "zh-CN",
        ..browser::Options::default()
    };
    let mut browser = Browser::start_with(options);
    for page in ["/embed/demo", "/watch/demo"] {
        browser.open(&server.url(page));
        let shown = browser.wait_shown("a silent picture and the button", SOON, |shown| {
            shown.state == "live"
                && ["直播中", "点击打开声音"]
                    .iter()
                    .all(|words| shown.words.contains(words))
        });
        assert!(
            shown.complaints.is_empty(),
            "{page}: {:?}",
            shown.complaints
        );
    }
    // The browser insisted on silence until a tap; the button gives the sound.
    let muted = "document.querySelector('video').muted";
    assert_eq!(browser.eval(muted), true);
    browser.screenshot(&place::cache().join("phone.png"));
    browser.click("#unmute");
    assert_eq!(browser.eval(muted), false);
    let hidden = browser.eval("document.querySelector('#unmute').hidden");
    assert_eq!(hidden, true, "the button stays after the tap");

    // Who leaves a page is gone at once. The browser closes DTLS before the page's DELETE is there, which is no fault.
    browser.open(&server.url("/"));
    let left = || server.metric_of("zongzi_relay_sessions_closed_total", "reason=\"left\"");
    wait::until("both pages' viewers to be gone", SOON, || {
        (left() == 2.0).then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    let outcome = |outcome: &str| {
        let label = format!("outcome=\"{outcome}\"");
        server.metric_of("zongzi_http_whep_requests_total", &label)
    };
    assert_eq!((outcome("created"), outcome("unknown_session")), (2.0, 0.0));
}

// ---- the acts ----

fn publish(clip: &Clip, how: Publish<'_>) -> (Server, Host, Tap) {
    let server = Server::start();
    let tap = Tap::before(server.ready.rtmp);
    let host = Host::publish_with(&clip.file(), &tap.rtmp_url(), &server.key("demo").key, how);
    server.wait_live("demo");
    (server, host, tap)
}

fn publish_and_watch(clip: &Clip, how: Publish<'_>, seconds: u32) -> (Server, Report, Vec<f64>) {
    let (server, _host, tap) = publish(clip, how);
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    watch(&mut browser, seconds);
    (server, browser.report(), tap.passed())
}

/// Waits for the first picture and then for so many seconds of pictures.
fn watch(browser: &mut Browser, seconds: u32) {
    browser.wait_shown("a picture", SOON, |shown| shown.pictures > 0);
    let script = "performance.timeOrigin + performance.now() - window.__reader.pictures[0].at";
    let most = SOON + Duration::from_secs(u64::from(seconds));
    wait::until("the watched seconds", most, || {
        let watched = browser.eval(script).as_f64().unwrap_or_default();
        (watched > f64::from(seconds) * 1000.0).then_some(())
    });
}

/// Waits until new pictures and ticks come.
fn goes_on(browser: &mut Browser) {
    let before = browser.shown();
    browser.wait_shown("picture and sound to go on", SOON, |shown| {
        shown.state == "live"
            && shown.pictures > before.pictures + 60
            && shown.ticks > before.ticks + 2
    });
}

// ---- the judgement ----

/// Of the run of the clip that is shown.
#[track_caller]
fn assert_every_picture_since_he_came_again(report: &Report) {
    let front = report.pictures.windows(2).rposition(|pair| match pair {
        [before, after] => after.number < before.number,
        _ => false,
    });
    let last_run = &report.pictures[front.expect("a run began at its front") + 1..];
    let unshown = reading::unshown(last_run);
    note(&format!(
        "{unshown} unshown of {} since the host came again",
        last_run.len()
    ));
    assert!(
        unshown <= UNSHOWN_MAX,
        "{unshown} pictures were not shown: {}",
        reading::holes(last_run, &[])
    );
}

/// Fails in the judge's words.
#[track_caller]
fn assert_good(judgement: Result<(), String>) {
    assert_eq!(judgement, Ok(()));
}
