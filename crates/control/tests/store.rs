//! The store shared by processes, and killed in the middle of its work.
//!
//! The test program starts itself again as the other process: `ZONGZI_STORE_CHILD` says where.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers of tests may panic too, and the child reports on its standard output"
)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use zongzi_control::{Control, StreamKey, Text};

const CHILD: &str = "ZONGZI_STORE_CHILD";

fn child(test: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The lines of a child that begin with `mark`; the test harness prints others.
fn lines(child: &mut Child, mark: &'static str) -> impl Iterator<Item = String> {
    let out = BufReader::new(child.stdout.take().unwrap());
    out.lines()
        .map_while(Result::ok)
        .filter_map(move |line| Some(line.split_once(mark)?.1.trim().to_owned()))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Makes keys and revokes every other one, saying each when it is acknowledged.
fn churn(dir: &Path, changes: usize) {
    let control = Control::open(dir).unwrap();
    let channel: zongzi_media::ChannelName = "demo".parse().unwrap();
    runtime().block_on(async {
        for number in 0..changes {
            let minted = control
                .create_key(channel.clone(), Text::default())
                .await
                .unwrap();
            println!("MADE {}", minted.key.id);
            if number % 2 == 1 {
                control.revoke_key(minted.key.id.clone()).await.unwrap();
                println!("REVOKED {}", minted.key.id);
            }
        }
    });
}

#[test]
fn kill_in_the_middle_of_key_changes_loses_nothing_acknowledged() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return churn(Path::new(&dir), 1_000);
    }
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(dir.path()).unwrap();
    runtime().block_on(control.first_start()).unwrap();
    let (mut made, mut revoked) = (BTreeSet::new(), BTreeSet::new());
    // Each round is killed somewhere else.
    for round in 0..5_usize {
        let mut child = child(
            "kill_in_the_middle_of_key_changes_loses_nothing_acknowledged",
            dir.path(),
        );
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut seen = 0;
        for line in out.lines().map_while(Result::ok) {
            if let Some((_, id)) = line.split_once("MADE ") {
                made.insert(id.to_owned());
                seen += 1;
            } else if let Some((_, id)) = line.split_once("REVOKED ") {
                revoked.insert(id.to_owned());
                seen += 1;
            }
            if seen == 37 + round * 11 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 37, "the child worked before it was killed");
        let check = rusqlite::Connection::open(dir.path().join("zongzi.sqlite3")).unwrap();
        let verdict: String = check
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(verdict, "ok");
    }
    let reopened = Control::open(dir.path()).unwrap();
    let keys = runtime().block_on(reopened.keys(None)).unwrap();
    let stored: BTreeSet<_> = keys.iter().map(|key| key.id.to_string()).collect();
    assert!(made.is_subset(&stored));
    for key in &keys {
        let said = revoked.contains(key.id.as_str());
        assert!(!said || key.revoked.is_some(), "{} was revoked", key.id);
    }
}

#[test]
fn two_processes_work_on_one_store_at_once() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return churn(Path::new(&dir), 100);
    }
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(dir.path()).unwrap();
    runtime().block_on(control.first_start()).unwrap();
    let mut children: Vec<_> = (0..2)
        .map(|_| child("two_processes_work_on_one_store_at_once", dir.path()))
        .collect();
    churn(dir.path(), 100);
    let mut made = 0;
    for child in &mut children {
        made += lines(child, "MADE ").count();
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(made, 200);
    let keys = runtime().block_on(control.keys(None)).unwrap();
    assert_eq!(keys.len(), 1 + 3 * 100);
}

#[test]
fn two_processes_that_start_at_once_agree_on_the_first_key() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let control = Control::open(Path::new(&dir)).unwrap();
        if let Some(minted) = runtime().block_on(control.first_start()).unwrap() {
            println!("FIRST {}", minted.secret.expose());
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..4)
        .map(|_| {
            child(
                "two_processes_that_start_at_once_agree_on_the_first_key",
                dir.path(),
            )
        })
        .collect();
    let firsts: Vec<String> = children
        .iter_mut()
        .flat_map(|child| lines(child, "FIRST ").collect::<Vec<_>>())
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(firsts.len(), 1);
    let control = Control::open(dir.path()).unwrap();
    runtime().block_on(async {
        let peer = "192.0.2.1".parse().unwrap();
        let admitted = control.gate().check(&firsts[0], peer).await.unwrap();
        assert_eq!(admitted.channel.name.as_str(), "demo");
    });
    assert!(firsts[0].starts_with(StreamKey::START));
}

#[test]
fn the_secret_of_a_key_is_nowhere_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(dir.path()).unwrap();
    let minted = runtime().block_on(control.first_start()).unwrap().unwrap();
    // What is shown for good may be stored; what follows it may not.
    let hidden = &minted.secret.expose().as_bytes()[minted.key.prefix.len()..];
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(hidden.len()).any(|window| window == hidden);
        assert!(!found, "{} holds the key", path.display());
    }
}
