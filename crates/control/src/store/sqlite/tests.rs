//! The store's rules, and what its file may look like on a bad day.

use std::fs;
use std::num::NonZeroU32;

use super::*;
use crate::store::CHANGES_KEPT_DAYS;
use crate::{Takeover, Text};

const CHECK: [u8; 32] = [7; 32];

pub(super) fn at(unix_ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(unix_ms)
}

pub(super) fn channel(name: &str) -> NewChannel {
    NewChannel {
        name: name.parse().unwrap(),
        title: "A title".parse().unwrap(),
        takeover: Takeover::Refuse,
        private: true,
        max_viewers: NonZeroU32::new(7),
        once: None,
    }
}

pub(super) fn key(number: u8, channel: &str) -> NewKey {
    NewKey {
        id: format!("key_{number:03}").parse().unwrap(),
        channel: channel.parse().unwrap(),
        hash: [number; 32],
        prefix: "sk_abcd".to_owned(),
        label: Text::default(),
        once: None,
    }
}

pub(super) fn open() -> (tempfile::TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), CHECK).unwrap();
    (dir, store)
}

async fn told(store: &Sqlite) -> Vec<Change> {
    let changes = store.changes(Sequence::default(), 1000).await.unwrap();
    changes.into_iter().map(|(_, change)| change).collect()
}

#[tokio::test]
async fn a_new_file_gets_the_newest_schema_and_what_is_written_is_there_after_reopening() {
    let (dir, store) = open();
    let made = store.create_channel(channel("demo"), at(5)).await.unwrap();
    assert_eq!(
        (made.created, made.version, made.takeover, made.max_viewers),
        (at(5), 1, Takeover::Refuse, NonZeroU32::new(7))
    );
    let key = store.create_key(key(1, "demo"), at(6)).await.unwrap();
    drop(store);
    let store = Sqlite::open(dir.path(), CHECK).unwrap();
    assert_eq!(
        store.channel(made.name.clone()).await.unwrap(),
        Some(made.clone())
    );
    assert_eq!(
        store.keys(Some(made.name.clone()), None, 10).await.unwrap(),
        std::slice::from_ref(&key)
    );
    assert_eq!(
        store.find_key([1; 32], at(20)).await.unwrap(),
        Some((key.id, made))
    );
    assert_eq!(store.find_key([2; 32], at(20)).await.unwrap(), None);
}

#[tokio::test]
async fn names_are_taken_once_and_keys_need_a_channel() {
    let (_dir, store) = open();
    store.create_channel(channel("demo"), at(1)).await.unwrap();
    let again = store.create_channel(channel("demo"), at(2)).await;
    assert!(matches!(again, Err(Error::ChannelExists(_))));
    let lost = store.create_key(key(1, "nowhere"), at(2)).await;
    assert!(matches!(lost, Err(Error::ChannelUnknown(_))));
    assert_eq!(told(&store).await.len(), 1, "what failed has no effect");
}

#[tokio::test]
async fn revoking_and_deleting_are_told_once_and_close_what_they_should() {
    let (_dir, store) = open();
    store.create_channel(channel("demo"), at(1)).await.unwrap();
    let (one, two) = (key(1, "demo"), key(2, "demo"));
    let (first, second) = (one.id.clone(), two.id.clone());
    store.create_key(one, at(1)).await.unwrap();
    store.create_key(two, at(1)).await.unwrap();
    let revoked = store.revoke_key(first.clone(), at(9)).await.unwrap();
    assert_eq!(revoked.revoked, Some(at(9)));
    let again = store.revoke_key(first.clone(), at(10)).await.unwrap();
    assert_eq!(again.revoked, Some(at(9)));
    assert_eq!(store.find_key([1; 32], at(20)).await.unwrap(), None);
    assert!(store.find_key([2; 32], at(20)).await.unwrap().is_some());
    let name: ChannelName = "demo".parse().unwrap();
    store
        .delete_channel(name.clone(), None, at(11))
        .await
        .unwrap();
    assert_eq!(
        store.find_key([2; 32], at(20)).await.unwrap(),
        None,
        "its keys are gone with it"
    );
    assert!(matches!(
        store.revoke_key(second.clone(), at(12)).await,
        Err(Error::KeyUnknown(_))
    ));
    let deleted = store.delete_channel(name.clone(), None, at(12)).await;
    assert!(matches!(deleted, Err(Error::ChannelUnknown(_))));
    assert_eq!(
        told(&store).await,
        [
            Change::ChannelCreated(name.clone()),
            Change::KeyCreated {
                channel: name.clone(),
                key: first.clone()
            },
            Change::KeyCreated {
                channel: name.clone(),
                key: second
            },
            Change::KeyRevoked {
                channel: name.clone(),
                key: first
            },
            Change::ChannelDeleted(name),
        ]
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let (_dir, store) = open();
    for name in ["c", "a", "b"] {
        store.create_channel(channel(name), at(1)).await.unwrap();
    }
    let names = |page: Vec<Channel>| -> Vec<String> {
        page.into_iter()
            .map(|channel| channel.name.to_string())
            .collect()
    };
    assert_eq!(names(store.channels(None, 2).await.unwrap()), ["a", "b"]);
    let after = Some("b".parse().unwrap());
    assert_eq!(names(store.channels(after, 2).await.unwrap()), ["c"]);
    for number in 1..=3 {
        store.create_key(key(number, "a"), at(1)).await.unwrap();
    }
    store.create_key(key(4, "b"), at(1)).await.unwrap();
    let all = store.keys(None, None, 3).await.unwrap();
    assert_eq!(all.len(), 3);
    let rest = store
        .keys(None, all.last().map(|key| key.id.clone()), 3)
        .await
        .unwrap();
    assert_eq!(rest[0].channel.as_str(), "b");
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute_and_is_no_change() {
    let (_dir, store) = open();
    store.create_channel(channel("demo"), at(1)).await.unwrap();
    let id = store.create_key(key(1, "demo"), at(1)).await.unwrap().id;
    let end = store.last_change().await.unwrap();
    for (now, noted) in [(100_000, 100_000), (159_999, 100_000), (160_001, 160_001)] {
        store.touch_key(id.clone(), at(now)).await.unwrap();
        let keys = store.keys(None, None, 1).await.unwrap();
        assert_eq!(keys[0].last_used, Some(at(noted)));
    }
    assert_eq!(store.last_change().await.unwrap(), end);
}

#[tokio::test]
async fn the_first_start_is_once_even_if_its_channel_is_deleted() {
    let (_dir, store) = open();
    assert!(
        store
            .seed(channel("demo"), key(1, "demo"), at(1))
            .await
            .unwrap()
            .is_some()
    );
    store
        .delete_channel("demo".parse().unwrap(), None, at(2))
        .await
        .unwrap();
    assert!(
        store
            .seed(channel("demo"), key(2, "demo"), at(3))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.channels(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn the_first_start_takes_a_channel_that_is_there_already() {
    let (_dir, store) = open();
    store.create_channel(channel("demo"), at(1)).await.unwrap();
    assert!(
        store
            .seed(channel("demo"), key(1, "demo"), at(2))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn the_log_forgets_what_is_old_and_never_uses_a_number_twice() {
    let (_dir, store) = open();
    store.create_channel(channel("a"), at(1)).await.unwrap();
    let before = store.last_change().await.unwrap();
    let later = at((CHANGES_KEPT_DAYS + 1) * 86_400_000);
    store.create_channel(channel("b"), later).await.unwrap();
    assert_eq!(
        told(&store).await,
        [Change::ChannelCreated("b".parse().unwrap())]
    );
    assert!(store.last_change().await.unwrap() > before);
}

#[test]
fn a_file_that_is_no_store_is_said_by_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(Sqlite::FILE), "x".repeat(8192)).unwrap();
    let error = Sqlite::open(dir.path(), CHECK).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(
        error.to_string().contains("zongzi.sqlite3 is damaged"),
        "{error}"
    );
}

#[tokio::test]
async fn a_page_that_rotted_is_found_at_start() {
    let (dir, store) = open();
    for number in 0..200 {
        store
            .create_channel(channel(&format!("c{number}")), at(1))
            .await
            .unwrap();
    }
    drop(store);
    let path = dir.path().join(Sqlite::FILE);
    // All that is in the log goes to the file when the last connection closes.
    while fs::metadata(path.with_extension("sqlite3-wal")).is_ok() {
        std::thread::yield_now();
    }
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let error = Sqlite::open(dir.path(), CHECK).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[test]
fn a_newer_schema_is_left_alone() {
    let (dir, store) = open();
    drop(store);
    let raw = Connection::open(dir.path().join(Sqlite::FILE)).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    let error = Sqlite::open(dir.path(), CHECK).unwrap_err();
    assert!(matches!(error, Error::TooNew { found: 99, .. }), "{error}");
}

#[test]
fn another_secret_is_refused_before_every_key_would_be() {
    let (dir, _store) = open();
    let error = Sqlite::open(dir.path(), [8; 32]).unwrap_err();
    assert!(matches!(error, Error::ForeignSecret(_)), "{error}");
}

#[test]
fn a_directory_that_is_none_is_said_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = Sqlite::open(&dir.path().join("missing"), CHECK).unwrap_err();
    assert!(matches!(error, Error::Unwritable { .. }), "{error}");
    assert!(
        error.to_string().contains("missing/zongzi.sqlite3"),
        "{error}"
    );
}

#[tokio::test]
async fn a_full_disk_is_called_a_full_disk_and_reading_goes_on() {
    let (_dir, store) = open();
    store.create_channel(channel("demo"), at(1)).await.unwrap();
    // SQLite's own limit of pages gives the same error as a disk without room.
    store
        .run(|connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            Ok(())
        })
        .await
        .unwrap();
    let mut number = 0;
    let error = loop {
        number += 1;
        if let Err(error) = store
            .create_channel(channel(&format!("c{number}")), at(1))
            .await
        {
            break error;
        }
        assert!(number < 10_000);
    };
    assert!(matches!(error, Error::DiskFull(_)), "{error}");
    assert!(
        store
            .channel("demo".parse().unwrap())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_store_that_another_program_holds_is_called_locked() {
    let (dir, store) = open();
    store
        .run(|c| Ok(c.busy_timeout(Duration::from_millis(1))?))
        .await
        .unwrap();
    let other = Connection::open(dir.path().join(Sqlite::FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store
        .create_channel(channel("demo"), at(1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.create_channel(channel("demo"), at(1)).await.unwrap();
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused_not_kept() {
    let (_dir, store) = open();
    let (go, gate) = sync_channel::<()>(0);
    let blocked = tokio::spawn({
        let store = store.clone();
        async move { store.run(move |_| Ok(gate.recv().is_ok())).await }
    });
    tokio::task::yield_now().await;
    let waiting: Vec<_> = (0..2 * REQUESTS_MAX)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.last_change().await })
        })
        .collect();
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    assert!(blocked.await.unwrap().unwrap());
    let mut busy = 0;
    for one in waiting {
        busy += usize::from(matches!(one.await.unwrap(), Err(Error::Busy)));
    }
    assert!((1..=REQUESTS_MAX).contains(&busy), "{busy}");
}

#[tokio::test]
async fn an_old_file_is_brought_up_to_date_with_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let raw = Connection::open(dir.path().join(Sqlite::FILE)).unwrap();
    raw.execute_batch(schema::MIGRATIONS[0]).unwrap();
    raw.execute_batch(
        "PRAGMA user_version = 1;
        INSERT INTO channel VALUES ('demo', 'Title', 'newest', 1, 1);
        INSERT INTO stream_key VALUES ('key_a', 'demo', zeroblob(32), 'sk_abcd', '', 1, NULL, NULL);",
    )
    .unwrap();
    drop(raw);
    let store = Sqlite::open(dir.path(), CHECK).unwrap();
    let (id, channel) = store.find_key([0; 32], at(20)).await.unwrap().unwrap();
    assert_eq!((id.as_str(), channel.name.as_str()), ("key_a", "demo"));
}

#[tokio::test]
async fn a_change_counts_and_is_refused_to_who_read_an_older_state() {
    let (_dir, store) = open();
    let first = store.create_channel(channel("demo"), at(1)).await.unwrap();
    let name = first.name.clone();
    let patch = ChannelPatch {
        takeover: Some(Takeover::Newest),
        ..ChannelPatch::default()
    };
    let second = store
        .update_channel(name.clone(), Some(1), patch.clone(), at(2))
        .await
        .unwrap();
    assert_eq!(
        (second.version, second.takeover, &second.title),
        (2, Takeover::Newest, &first.title)
    );
    let same = store
        .update_channel(name.clone(), Some(2), patch.clone(), at(3))
        .await
        .unwrap();
    assert_eq!(same, second, "what changes nothing counts as nothing");
    let late = store
        .update_channel(name.clone(), Some(1), patch, at(4))
        .await;
    assert!(matches!(late, Err(Error::Changed(_))));
    let late = store.delete_channel(name.clone(), Some(1), at(4)).await;
    assert!(matches!(late, Err(Error::Changed(_))));
    assert_eq!(
        told(&store).await,
        [
            Change::ChannelCreated(name.clone()),
            Change::ChannelUpdated(name)
        ]
    );
}

#[tokio::test]
async fn a_rotated_key_is_good_until_its_overlap_ends_and_never_longer() {
    let (_dir, store) = open();
    store.create_channel(channel("demo"), at(1)).await.unwrap();
    let labelled = NewKey {
        label: "OBS".parse().unwrap(),
        ..key(1, "demo")
    };
    let old = store.create_key(labelled, at(1)).await.unwrap().id;
    let new = store
        .rotate_key(old.clone(), key(2, "elsewhere"), at(100), at(10))
        .await
        .unwrap();
    assert_eq!((new.channel.as_str(), new.label.as_str()), ("demo", "OBS"));
    // Again, with a longer overlap: the first one's end stands.
    store
        .rotate_key(old.clone(), key(3, "demo"), at(500), at(11))
        .await
        .unwrap();
    assert!(store.find_key([1; 32], at(99)).await.unwrap().is_some());
    assert!(store.find_key([1; 32], at(100)).await.unwrap().is_none());
    assert!(store.find_key([2; 32], at(1000)).await.unwrap().is_some());
    store.expire_keys(at(99)).await.unwrap();
    assert_eq!(store.key(old.clone()).await.unwrap().unwrap().revoked, None);
    store.expire_keys(at(101)).await.unwrap();
    assert_eq!(
        store.key(old.clone()).await.unwrap().unwrap().revoked,
        Some(at(101))
    );
    let dead = store
        .rotate_key(old, key(4, "demo"), at(900), at(102))
        .await;
    assert!(matches!(dead, Err(Error::KeyRevoked(_))));
}

#[tokio::test]
async fn once_it_is_closed_the_one_file_holds_everything_and_no_more_is_done() {
    let (dir, store) = open();
    store.create_channel(channel("demo"), at(5)).await.unwrap();
    let copy = |name: &str| {
        let copy = tempfile::tempdir().unwrap();
        let file = dir.path().join(Sqlite::FILE);
        fs::copy(file, copy.path().join(name)).unwrap();
        copy
    };
    store.close().await;
    assert!(matches!(
        store.channel("demo".parse().unwrap()).await,
        Err(Error::Closed)
    ));
    store.close().await;
    let copied = Sqlite::open(copy(Sqlite::FILE).path(), CHECK).unwrap();
    let found = copied.channel("demo".parse().unwrap()).await.unwrap();
    assert!(found.is_some());
}
