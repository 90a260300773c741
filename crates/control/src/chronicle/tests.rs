//! Broadcasts from their start to their end, over a real store, on tokio's stopped clock.

use super::*;
use crate::broadcast::Languages;
use crate::store::{BroadcastQuery, Sqlite};

const KEEP: Keep = Keep {
    span: Duration::from_secs(86_400),
    broadcasts: 3,
};

fn seen(channel: &str, started: u64) -> Seen {
    Seen {
        channel: channel.parse().unwrap(),
        started: Timestamp::from_unix_ms(started),
        interrupted: false,
        host: None,
        tracks: Vec::new(),
        advisories: Vec::new(),
        bytes: 0,
        video_frames: 0,
        audio_frames: 0,
        viewers: 0,
        viewers_peak: 0,
        viewers_unique: 0,
    }
}

fn words(text: &str) -> Languages {
    Languages {
        en: text.to_owned(),
        zh: text.to_owned(),
    }
}

fn full(channel: &str, started: u64) -> Seen {
    Seen {
        host: Some(Host {
            protocol: "rtmp".to_owned(),
            client: Some("obs".to_owned()),
            key: "key_a".to_owned(),
        }),
        tracks: vec![Track {
            kind: "video".to_owned(),
            codec: "H.264".to_owned(),
            rfc6381: Some("avc1.64001f".to_owned()),
            width: Some(1280),
            height: Some(720),
        }],
        advisories: vec![Advisory {
            code: "he_aac".to_owned(),
            since: Timestamp::from_unix_ms(started),
            effect: words("no sound"),
            setting: words("choose another"),
            active: true,
        }],
        bytes: 1_000,
        video_frames: 30,
        audio_frames: 50,
        viewers: 2,
        viewers_peak: 4,
        viewers_unique: 5,
        ..seen(channel, started)
    }
}

async fn open() -> (tempfile::TempDir, Sqlite, Chronicle<Sqlite>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), [7; 32]).unwrap();
    let chronicle = Chronicle::open(store.clone(), KEEP).await.unwrap();
    (dir, store, chronicle)
}

async fn stored(store: &Sqlite) -> Vec<Broadcast> {
    let all = BroadcastQuery::default();
    store.broadcasts(all, 100).await.unwrap()
}

#[tokio::test]
async fn a_broadcast_is_noted_as_it_is_and_as_it_was() {
    let (_dir, store, chronicle) = open().await;
    chronicle.see(&seen("tea", 1_000));
    chronicle.save().await;
    let noted = stored(&store).await;
    assert_eq!((noted.len(), noted[0].ended), (1, None));
    assert_eq!(noted[0].id.as_str(), "brd_000000000001000_tea");

    chronicle.see(&full("tea", 1_000));
    let now = &chronicle.running()[0];
    assert_eq!(now.host.as_ref().unwrap().client.as_deref(), Some("obs"));
    assert_eq!(now.now.as_ref().unwrap().viewers, 2);
    assert!(now.advisories[0].active);
    // The host goes: nothing is known of tracks any more, and counters begin anew with the next one.
    let gone = Seen {
        interrupted: true,
        ..seen("tea", 1_000)
    };
    chronicle.see(&gone);
    chronicle.see(&gone);
    assert_eq!(chronicle.running()[0].state, State::Interrupted);
    chronicle.end(&gone, EndReason::HostLost);
    assert!(chronicle.running().is_empty());
    let id = noted[0].id.clone();
    assert_eq!(chronicle.find(&id).unwrap().state, State::Ended);
    chronicle.save().await;
    assert_eq!(chronicle.find(&id), None, "it is in the store alone");
    let past = &stored(&store).await[0];
    assert_eq!(
        (past.state, past.reason, past.interruptions),
        (State::Ended, Some(EndReason::HostLost), 1)
    );
    assert_eq!(
        (past.bytes, past.video_frames, past.audio_frames),
        (1_000, 30, 50)
    );
    assert_eq!((past.viewers_peak, past.viewers_unique), (4, 5));
    assert_eq!(past.tracks, full("tea", 1_000).tracks);
    assert_eq!(past.host, full("tea", 1_000).host);
    assert!(!past.advisories[0].active && past.now.is_none());
    assert_eq!(store.broadcast(id).await.unwrap().as_ref(), Some(past));
}

#[tokio::test]
async fn what_was_live_when_the_server_died_is_ended_when_it_comes_back() {
    let (dir, store, chronicle) = open().await;
    chronicle.see(&seen("dead", 1_000));
    chronicle.save().await;
    chronicle.see(&seen("done", 2_000));
    chronicle.end(&seen("done", 2_000), EndReason::HostFinished);
    chronicle.save().await;
    // As after kill -9: nobody closes it.
    drop((store, chronicle));
    let store = Sqlite::open(dir.path(), [7; 32]).unwrap();
    let chronicle = Chronicle::open(store.clone(), KEEP).await.unwrap();
    assert!(chronicle.running().is_empty());
    let reasons: Vec<_> = stored(&store)
        .await
        .into_iter()
        .map(|past| (past.channel.to_string(), past.reason, past.ended.is_some()))
        .collect();
    let expected = [
        ("done".to_owned(), Some(EndReason::HostFinished), true),
        ("dead".to_owned(), Some(EndReason::ServerLost), true),
    ];
    assert_eq!(reasons, expected);
}

#[tokio::test]
async fn a_stop_in_good_order_notes_all_ends() {
    let (_dir, store, chronicle) = open().await;
    chronicle.see(&seen("tea", 1_000));
    chronicle.close().await;
    assert_eq!(stored(&store).await[0].reason, Some(EndReason::Shutdown));
}

#[tokio::test]
async fn samples_mend_what_was_not_told() {
    let (_dir, _store, chronicle) = open().await;
    chronicle.sample(&[seen("tea", 1_000), seen("rice", 1_000)]);
    assert_eq!(chronicle.running().len(), 2);
    // Once or twice it may only be that the end is about to be told.
    for _ in 0..2 {
        chronicle.sample(&[seen("tea", 1_000)]);
        assert_eq!(chronicle.running().len(), 2);
    }
    chronicle.sample(&[seen("tea", 1_000)]);
    assert_eq!(chronicle.running().len(), 1);
    // Another broadcast of the same channel.
    for _ in 0..4 {
        chronicle.sample(&[seen("tea", 9_000)]);
    }
    let running = chronicle.running();
    assert_eq!(running.len(), 1);
    assert_eq!(running[0].started.unix_ms(), 9_000);
    let over = &chronicle.book().over;
    assert_eq!(over.len(), 2, "each of them has ended once");
}

#[tokio::test]
async fn the_history_is_bounded_by_number_and_age() {
    let (_dir, store, chronicle) = open().await;
    for started in 1..=5 {
        chronicle.see(&seen("tea", started));
        chronicle.end(&seen("tea", started), EndReason::HostFinished);
        chronicle.save().await;
    }
    let kept: Vec<u64> = stored(&store)
        .await
        .iter()
        .map(|past| past.started.unix_ms())
        .collect();
    assert_eq!(kept, [5, 4, 3]);
    // A chronicle that keeps nothing for longer than no time at all.
    let keep = Keep {
        span: Duration::ZERO,
        broadcasts: 100,
    };
    let strict = Chronicle::open(store.clone(), keep).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    strict.see(&seen("rice", 6));
    strict.save().await;
    let kept = stored(&store).await;
    assert_eq!(kept.len(), 1, "what is live is never forgotten: {kept:?}");
}

#[tokio::test]
async fn a_store_that_fails_costs_nothing_but_time() {
    let (dir, store, chronicle) = open().await;
    let other = rusqlite::Connection::open(dir.path().join(Sqlite::FILE)).unwrap();
    other
        .execute_batch("ALTER TABLE broadcast RENAME TO lost")
        .unwrap();
    chronicle.see(&seen("tea", 1_000));
    chronicle.see(&seen("rice", 1_000));
    chronicle.end(&seen("tea", 1_000), EndReason::HostLost);
    chronicle.save().await;
    assert_eq!(chronicle.running().len(), 1);
    other
        .execute_batch("ALTER TABLE lost RENAME TO broadcast")
        .unwrap();
    chronicle.save().await;
    let states: Vec<State> = stored(&store).await.iter().map(|past| past.state).collect();
    assert_eq!(states, [State::Ended, State::Live]);
    assert!(chronicle.book().over.is_empty());
}
