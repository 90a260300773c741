//! The store's bad days: killed, full, rotten, restored; and what viewers notice of it, which is nothing.

use std::collections::BTreeSet;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::server::{Options, Server};
use zongzi_tests::source::Clip;
use zongzi_tests::{place, wait};

const SOON: Duration = Duration::from_secs(20);
const STORE: &str = "zongzi.sqlite3";

/// Key changes in all.
const CHANGES: usize = 1_000;
/// Times the server is killed on the way.
const KILLS: usize = 5;
/// Clients that change keys at the same time.
const CLIENTS: usize = 4;

#[test]
fn kill_9_in_the_middle_of_a_thousand_key_changes_loses_nothing_and_leaves_nothing_half_done() {
    let mut server = Server::start();
    let (made, revoked) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
    let acknowledged = AtomicUsize::new(0);
    for kill in 1..=KILLS {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| scope.spawn(|| change_keys(&server, &made, &revoked, &acknowledged)))
                .collect();
            // Somewhere in the middle of what the clients do.
            wait::until("the next changes", Duration::from_secs(120), || {
                (acknowledged.load(Ordering::SeqCst) >= kill * CHANGES / KILLS).then_some(())
            });
            let status = Command::new("kill")
                .args(["-KILL", &server.pid().to_string()])
                .status();
            assert!(status.is_ok_and(|status| status.success()));
            for client in clients {
                client.join().expect("a client does not panic");
            }
        });
        let data = server.kill();
        // A start checks every page of the file.
        server = Options::default().start_in(data);
    }
    let listed: Value = serde_json::from_str(&server.command(&["key", "list", "demo", "--json"]))
        .expect("--json prints JSON");
    let (made, revoked) = (taken(made), taken(revoked));
    let keys = listed.as_array().expect("a list");
    let stored: BTreeSet<&str> = keys.iter().filter_map(|key| key["id"].as_str()).collect();
    let lost: Vec<_> = made
        .iter()
        .filter(|id| !stored.contains(id.as_str()))
        .collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    let mut unsaid = 0;
    for key in keys {
        let id = key["id"].as_str().expect("every key has an id");
        let whole = key["prefix"]
            .as_str()
            .is_some_and(|text| text.starts_with("sk_"));
        assert!(whole && key["created"].is_string(), "half-written: {key}");
        let over = key["revoked"].is_string();
        assert!(
            over || !revoked.contains(id),
            "revoked and good again: {key}"
        );
        unsaid += usize::from(!made.contains(id)) + usize::from(over && !revoked.contains(id));
    }
    // The first start's key, and what each client had asked for when the server died.
    assert!(
        unsaid <= 1 + KILLS * CLIENTS,
        "{unsaid} changes that nobody heard of"
    );
    assert!(made.len() + revoked.len() >= CHANGES);
}

/// Makes keys and revokes every second one, until the server is gone.
fn change_keys(
    server: &Server,
    made: &Mutex<BTreeSet<String>>,
    revoked: &Mutex<BTreeSet<String>>,
    acknowledged: &AtomicUsize,
) {
    for revoke in [false, true].into_iter().cycle() {
        let Ok(answer) = server.try_api("POST", "/api/v1/channels/demo/keys", "{}") else {
            return;
        };
        // An answer that broke off acknowledges nothing.
        let Ok(key) = serde_json::from_str::<Value>(&answer.body) else {
            return;
        };
        assert_eq!(answer.status, 201, "{}", answer.body);
        let id = key["id"].as_str().expect("a key has an id").to_owned();
        made.lock()
            .expect("nobody panics with it")
            .insert(id.clone());
        acknowledged.fetch_add(1, Ordering::SeqCst);
        if revoke {
            match server.try_api("DELETE", &format!("/api/v1/keys/{id}"), "") {
                Ok(answer) if answer.status == 200 => {}
                _ => return,
            }
            revoked.lock().expect("nobody panics with it").insert(id);
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn taken(ids: Mutex<BTreeSet<String>>) -> BTreeSet<String> {
    ids.into_inner().expect("nobody panicked with it")
}

/// `prlimit`: no file of the process may be written past `bytes`, as if the disk were full there.
fn limit_files(server: &Server, bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string()])
        .arg(format!("--fsize={bytes}:"))
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "prlimit failed"
    );
}

/// Waits until the server has taken in a second of pictures from now on.
fn media_flows(server: &mut Server) {
    let frames = |server: &Server| server.metric("zongzi_relay_received_frames_total");
    let before = frames(server);
    wait::until("a second of media", SOON, || {
        (frames(server) >= before + 30.0).then_some(())
    });
    assert!(server.alive() && server.status("demo")["state"] == "live");
}

#[test]
fn a_full_disk_is_said_and_stops_no_live_media() {
    let mut server = Options::default().set("log.level", "debug").start();
    let key = server.key("demo").key;
    let mut host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
    server.wait_live("demo");
    limit_files(&server, "0");
    let refused = server.api("POST", "/api/v1/channels/demo/keys", "{}");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
    assert!(refused.body.contains(STORE), "{}", refused.body);
    media_flows(&mut server);
    // A new host's key is only read.
    let second = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
    assert!(!host.wait(SOON).success(), "the second host takes over");
    media_flows(&mut server);
    // Room again: everything works again, without a start.
    limit_files(&server, "unlimited");
    let made = wait::until("the store to be written again", SOON, || {
        let answer = server.api("POST", "/api/v1/channels/demo/keys", "{}");
        (answer.status == 201).then_some(answer.body)
    });
    assert!(made.contains("sk_"), "{made}");
    second.stop();
}

#[test]
fn a_store_that_rots_under_a_running_server_stops_no_live_media_and_is_said_at_the_next_start() {
    let mut server = Server::start();
    // Enough keys for pages that are not in SQLite's cache of the first ones.
    let key = server.key("demo").key;
    for _ in 0..20 {
        server.key("demo");
    }
    let _host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
    server.wait_live("demo");
    // What is in the log goes into the file first, as SQLite itself does from time to time.
    let sqlite = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); \
                  busy=c.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()[0]; c.close(); sys.exit(busy)";
    wait::until("a moment when nobody reads the log", SOON, || {
        let done = Command::new("python3")
            .args(["-c", sqlite])
            .arg(server.data().join(STORE))
            .status();
        done.is_ok_and(|status| status.success()).then_some(())
    });
    rot(&server.data().join(STORE));
    media_flows(&mut server);
    let answer = server.api("GET", "/api/v1/channels", "");
    assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
    media_flows(&mut server);
    let data = server.kill();
    damaged(data.path());
}

#[test]
fn a_rotten_page_that_no_start_needs_is_said_at_the_start_all_the_same() {
    let server = Server::start();
    let ids: Vec<String> = (0..40).map(|_| server.key("demo").id).collect();
    let data = server.stop();
    let path = data.path().join(STORE);
    let mut file = std::fs::read(&path).expect("the store can be read");
    assert!(file.starts_with(b"SQLite format 3\0"));
    let page_bytes = usize::from(u16::from_be_bytes([file[16], file[17]]));
    // A page of keys: nobody asks for one before a host comes.
    let holds = |page: &[u8]| {
        let with = |id: &&String| page.windows(id.len()).any(|bytes| bytes == id.as_bytes());
        ids.iter().filter(with).count()
    };
    let page = file.chunks_mut(page_bytes).max_by_key(|page| holds(page));
    let page = page.expect("the store has pages");
    assert!(holds(page) > 5, "no page of keys was found");
    page.fill(0xa5);
    std::fs::write(&path, file).expect("it can be written");
    damaged(data.path());
}

/// A server that starts with these data says that they are damaged, and ends.
fn damaged(data: &Path) {
    let (status, said) = Options::default().refused(data);
    assert_eq!(status.code(), Some(2), "{said}");
    for word in [STORE, "damaged", "backup"] {
        assert!(said.contains(word), "{said}");
    }
}

/// Overwrites the file's middle.
fn rot(path: &Path) {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("the store can be opened");
    let length = file.metadata().expect("it has a length").len();
    file.seek(SeekFrom::Start(4_096)).expect("it is longer");
    let most = usize::try_from(length - 4_096).expect("it is small");
    file.write_all(&vec![0xa5; most])
        .expect("it can be written");
}

#[test]
fn a_full_disk_at_start_is_one_clear_line() {
    let fresh = tempfile::tempdir().expect("a folder can be made");
    let used = Server::start().stop();
    for data in [fresh.path(), used.path()] {
        let (status, said) = Options::default().file_bytes(0).refused(data);
        assert_eq!(status.code(), Some(2), "{said}");
        let lines = said.lines().filter(|line| line.starts_with("zongzi:"));
        assert_eq!(lines.count(), 1, "{said}");
        assert!(
            said.contains("data.dir") && said.contains("can't"),
            "{said}"
        );
    }
    // The same data with room: nothing was half-started.
    let server = Options::default().start_in(used);
    server.key("demo");
}

#[test]
fn a_log_on_a_full_disk_changes_no_exit_code() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let status = Command::new(place::program("zongzi"))
        .args(["serve", "--config", "/no/such/file.toml"])
        .stderr(full.expect("Linux has it"))
        .status()
        .expect("zongzi can be run");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_backup_made_while_running_brings_everything_back() {
    let server = Server::start();
    let key = server.key("demo");
    server.command(&["channel", "create", "kitchen"]);
    server.command(&["hook", "create", "https://shop.example/", "--label", "shop"]);
    let _host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key.key);
    server.wait_live("demo");
    let elsewhere = tempfile::tempdir().expect("a folder can be made");
    let file = elsewhere.path().join("backup.tar");
    let name = file.to_str().expect("a plain path");
    server.command(&["backup", name]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&file).expect("it is there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    assert_eq!(
        std::fs::read_dir(elsewhere.path())
            .expect("it can be read")
            .count(),
        1,
        "nothing else stays behind"
    );
    assert_eq!(server.status("demo")["state"], "live");
    let later = server.key("demo");
    let again = Command::new(place::program("zongzi"))
        .args(["backup", name, "--data"])
        .arg(server.data())
        .output();
    let again = again.expect("zongzi can be run");
    assert_eq!(again.status.code(), Some(1), "it writes over nothing");

    let restored = tempfile::tempdir().expect("a folder can be made");
    let tar = Command::new("tar")
        .args(["-xf", name, "-C"])
        .arg(restored.path())
        .status();
    assert!(tar.is_ok_and(|status| status.success()));
    let second = Options::default().start_in(restored);
    let keys = second.command(&["key", "list", "--json"]);
    assert!(
        keys.contains(&key.id) && !keys.contains(&later.id),
        "{keys}"
    );
    assert!(second.command(&["channel", "list"]).contains("kitchen"));
    assert!(second.command(&["hook", "list"]).contains("shop.example"));
    let token = |server: &Server| std::fs::read_to_string(server.data().join("admin-token")).ok();
    assert_eq!(token(&server), token(&second));
    // The key's hash is good for nothing without the secret beside it.
    let _host = Host::publish(&Clip::SMALL.file(), &second.rtmp_url(), &key.key);
    second.wait_live("demo");
}
