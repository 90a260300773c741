//! Following a store that another connection changes, poll by poll.

use super::*;
use crate::store::Sqlite;
use crate::{ChannelPatch, Control, NewChannel, Takeover, Text};

fn at(unix_ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(unix_ms)
}

fn new(change: &Change) -> Told {
    Told {
        change: change.clone(),
        again: false,
    }
}

fn again(change: &Change) -> Told {
    Told {
        change: change.clone(),
        again: true,
    }
}

fn channel(name: &str) -> NewChannel {
    NewChannel {
        name: name.parse().unwrap(),
        title: Text::default(),
        takeover: Takeover::Newest,
        private: false,
        max_viewers: None,
        once: None,
    }
}

/// A server's watch and another process's hand on one store.
async fn both() -> (tempfile::TempDir, Watch<Sqlite>, Control<Sqlite>) {
    let dir = tempfile::tempdir().unwrap();
    let server = Control::open(dir.path()).unwrap();
    server.first_start().await.unwrap();
    let watch = Watch::start(server.store()).await.unwrap();
    let elsewhere = Control::open(dir.path()).unwrap();
    (dir, watch, elsewhere)
}

#[tokio::test]
async fn what_ends_something_is_told_twice_and_all_else_once() {
    let (_dir, mut watch, elsewhere) = both().await;
    let name: ChannelName = "demo".parse().unwrap();
    assert_eq!(
        watch.poll(at(1)).await,
        [],
        "what was there before is no news"
    );
    let key = elsewhere
        .create_key(name.clone(), Text::default())
        .await
        .unwrap()
        .key
        .id;
    let created = Change::KeyCreated {
        channel: name.clone(),
        key: key.clone(),
    };
    assert_eq!(watch.poll(at(1)).await, [new(&created)]);
    elsewhere.revoke_key(key.clone()).await.unwrap();
    let revoked = Change::KeyRevoked {
        channel: name.clone(),
        key,
    };
    assert_eq!(watch.poll(at(1)).await, [new(&revoked)]);
    let private = ChannelPatch {
        private: Some(true),
        ..ChannelPatch::default()
    };
    let changed = elsewhere.update_channel(name.clone(), None, private);
    assert!(changed.await.unwrap().private);
    let updated = Change::ChannelUpdated(name.clone());
    assert_eq!(watch.poll(at(1)).await, [again(&revoked), new(&updated)]);
    elsewhere.delete_channel(name.clone()).await.unwrap();
    let deleted = Change::ChannelDeleted(name);
    assert_eq!(watch.poll(at(1)).await, [again(&updated), new(&deleted)]);
    assert_eq!(watch.poll(at(1)).await, [again(&deleted)]);
    assert_eq!(watch.poll(at(1)).await, []);
}

#[tokio::test]
async fn the_directory_follows() {
    let (_dir, mut watch, elsewhere) = both().await;
    let directory = watch.directory();
    let (demo, new): (ChannelName, ChannelName) = ("demo".parse().unwrap(), "new".parse().unwrap());
    assert!(directory.get(&demo).is_some());
    elsewhere.create_channel(channel("new")).await.unwrap();
    elsewhere.delete_channel(demo.clone()).await.unwrap();
    assert!(directory.get(&new).is_none(), "not yet");
    assert!(
        directory.find(&new).await.unwrap().is_some(),
        "who asks for it finds it"
    );
    watch.poll(at(1)).await;
    assert!(directory.get(&new).is_some());
    assert!(directory.get(&demo).is_none());
}

#[tokio::test]
async fn made_up_names_do_not_keep_the_store_busy() {
    let (_dir, mut watch, elsewhere) = both().await;
    let directory = watch.directory();
    for number in 0..MISSES_MAX {
        let name = format!("no-{number}").parse().unwrap();
        assert_eq!(directory.find(&name).await.unwrap(), None);
    }
    elsewhere.create_channel(channel("new")).await.unwrap();
    let new: ChannelName = "new".parse().unwrap();
    assert_eq!(
        directory.find(&new).await.unwrap(),
        None,
        "the store is not asked any more"
    );
    watch.poll(at(1)).await;
    assert!(directory.get(&new).is_some());
    elsewhere.create_channel(channel("newer")).await.unwrap();
    let newer: ChannelName = "newer".parse().unwrap();
    assert!(
        directory.find(&newer).await.unwrap().is_some(),
        "now it is asked again"
    );
}

#[tokio::test]
async fn a_rotated_key_is_revoked_when_its_overlap_is_over() {
    let (_dir, mut watch, elsewhere) = both().await;
    let channel: ChannelName = "demo".parse().unwrap();
    let old = elsewhere.keys(None).await.unwrap().remove(0).id;
    let minted = elsewhere
        .rotate_key(old.clone(), Duration::from_secs(60))
        .await
        .unwrap()
        .key;
    let (made, over) = (minted.created.unix_ms(), minted.created.unix_ms() + 60_000);
    let created = Change::KeyCreated {
        channel: channel.clone(),
        key: minted.id,
    };
    assert_eq!(watch.poll(at(made)).await, [new(&created)]);
    assert_eq!(watch.poll(at(over - 1)).await, []);
    let revoked = Change::KeyRevoked { channel, key: old };
    assert_eq!(watch.poll(at(over + 1)).await, [new(&revoked)]);
}

#[tokio::test]
async fn a_revoked_key_is_known_within_a_second() {
    let (_dir, watch, elsewhere) = both().await;
    let mut told = watch.run();
    let name: ChannelName = "demo".parse().unwrap();
    let key = elsewhere
        .keys(Some(name.clone()))
        .await
        .unwrap()
        .remove(0)
        .id;
    elsewhere.revoke_key(key.clone()).await.unwrap();
    let change = tokio::time::timeout(Duration::from_secs(1), told.recv())
        .await
        .unwrap();
    let revoked = Change::KeyRevoked { channel: name, key };
    assert_eq!(change, Some(new(&revoked)));
}
