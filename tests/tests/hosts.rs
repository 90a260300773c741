//! Hosts: keys, first start, OBS.

use std::time::{Duration, Instant};

use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::obs::Obs;
use zongzi_tests::reading;
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::{note, wait};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn the_first_start_prints_all_that_a_host_needs_and_the_second_does_not_print_the_key_again() {
    let server = Server::start();
    let said = server.said.join("\n");
    let key = said
        .split(|c: char| c.is_whitespace() || c == '"')
        .find(|word| word.starts_with("sk_"));
    let key = key
        .unwrap_or_else(|| panic!("no stream key in:\n{said}"))
        .to_owned();
    assert!(
        said.contains(&server.rtmp_url()),
        "no RTMP server in:\n{said}"
    );
    assert!(
        said.contains(&server.url("/watch/demo")),
        "no watch URL in:\n{said}"
    );
    assert!(
        said.contains(&format!("http://{}/\"", server.ready.admin)),
        "no console in:\n{said}"
    );
    assert!(!server.log().contains(&key), "the log holds the key");

    let host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
    server.wait_live("demo");
    host.stop();
    let data = server.stop();
    let again = Options::default().start_in(data);
    assert!(!again.said.join("\n").contains("sk_"), "{:?}", again.said);
    let _host = Host::publish(&Clip::SMALL.file(), &again.rtmp_url(), &key);
    again.wait_live("demo");
}

#[test]
fn keys_and_channels_are_made_and_ended_while_the_server_runs() {
    let server = Server::start();
    server.command(&["channel", "create", "kitchen"]);
    let key = server.key("kitchen");
    assert!(
        key.key.starts_with("sk_") && key.key.len() >= 3 + 22,
        "128 random bits do not fit"
    );
    assert!(
        server
            .command(&["channel", "list", "--json"])
            .contains("kitchen")
    );
    let listed = server.command(&["key", "list", "--json"]);
    assert!(
        listed.contains(&key.id) && !listed.contains(&key.key),
        "{listed}"
    );

    let mut host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    server.wait_live("kitchen");
    assert_eq!(
        server.status("demo")["state"],
        "offline",
        "a key opens its own channel alone"
    );

    let start = Instant::now();
    server.command(&["key", "revoke", &key.id]);
    let status = host.wait(Duration::from_secs(5));
    let took = start.elapsed();
    assert!(!status.success(), "{}", host.said());
    // The revoking command's own run is counted as well.
    assert!(
        took < Duration::from_millis(1_500),
        "a revoked key went on for {took:?}"
    );
    let mut again = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    assert!(!again.wait(SOON).success(), "{}", again.said());
    server.command(&["channel", "delete", "kitchen"]);
    wait::until("the channel to be gone", SOON, || {
        (server.get("/api/public/channels/kitchen").status == 404).then_some(())
    });
}

#[test]
fn a_bad_setting_is_named_before_anything_starts() {
    let data = tempfile::tempdir().expect("a folder can be made");
    let config = data.path().join("bad.toml");
    for (text, word) in [
        ("[rtmp]\nlisten = \"nowhere\"\n", "listen"),
        ("[rtmp]\nlitsen = \"[::]:1935\"\n", "litsen"),
        ("[broadcast]\ngrace = \"soon\"\n", "grace"),
    ] {
        std::fs::write(&config, text).expect("a file can be written");
        let (status, said) = Options::default()
            .config(&config)
            .refused(&data.path().join("data"));
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(said.contains(word) && said.contains("bad.toml"), "{said}");
        assert!(
            !data.path().join("data").exists(),
            "data were made for settings that are wrong"
        );
    }
}

#[test]
fn obs_plays_in_the_browser() {
    let server = Server::start();
    let mut obs = Obs::start(
        &Clip::SMALL.file(),
        &server.rtmp_url(),
        &server.key("demo").key,
        "bframes=0 keyint=60",
    );
    obs.wait_streaming();
    server.wait_live("demo");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    browser.wait_shown(
        "ten seconds of pictures and sound",
        Duration::from_secs(40),
        |shown| shown.state == "live" && shown.pictures > 250 && shown.ticks > 7,
    );
    let report = browser.report();
    let offsets = report.sound_after_picture();
    note(&format!(
        "OBS: {:?}, sound {:.0?} ms after picture",
        report.video,
        reading::median(&offsets)
    ));
    // OBS itself repeats pictures on a busy machine, so pictures are not counted here; what came has to be whole.
    assert_eq!(
        (
            report.video.packets_lost,
            report.audio.packets_lost,
            report.video.pli_count
        ),
        (0, 0, 0)
    );
    assert_eq!(report.unreadable, 0, "pictures were spoilt");
    assert!(
        report.backwards() <= 1,
        "only the clip's own loop may go back"
    );
    assert!(
        report.join_ms().is_some_and(|ms| ms < 2_000.0),
        "{:?}",
        report.join_ms()
    );
}

#[test]
fn obs_with_a_wrong_key_says_so() {
    let server = Server::start();
    server.key("demo");
    let mut obs = Obs::start(
        &Clip::SMALL.file(),
        &server.rtmp_url(),
        "sk_wrong",
        "bframes=0",
    );
    note(&obs.wait_refused());
    assert_eq!(server.status("demo")["state"], "offline");
}

#[test]
fn obs_by_default_plays_with_all_its_pictures() {
    let server = Server::start();
    let mut obs = Obs::start(
        &Clip::SMALL.file(),
        &server.rtmp_url(),
        &server.key("demo").key,
        "",
    );
    obs.wait_streaming();
    server.wait_live("demo");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    let shown = browser.wait_shown("pictures and sound", Duration::from_secs(60), |shown| {
        shown.state == "live" && shown.pictures > 350 && shown.ticks > 7
    });
    assert!(!shown.words.contains("B-frames"), "{}", shown.words);
    assert_eq!(server.metric("zongzi_transcode_video_running"), 1.0);
    let report = browser.report();
    note(&format!(
        "OBS by default: {:?}, sound {:.0?} ms after picture",
        report.video,
        reading::median(&report.sound_after_picture())
    ));
    assert_eq!((report.video.pli_count, report.unreadable), (0, 0));
    assert!(
        report.backwards() <= 1,
        "only the clip's own loop may go back"
    );
}
