use crate::events::Kind;
use crate::hooks::{HookPatch, NewHook};
use crate::store::Sqlite;

use super::*;

fn at(unix_ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(unix_ms)
}

fn new(id: &str, events: &[Kind]) -> NewHook {
    NewHook {
        id: id.parse().unwrap(),
        url: "https://example.com/".parse().unwrap(),
        events: events.to_vec(),
        label: crate::Text::default(),
        salt: [1; 16],
        once: None,
    }
}

fn documents(count: usize) -> Vec<Outgoing> {
    let document = |number| Outgoing {
        event: format!("evt_{number}"),
        kind: Kind::KeyCreated,
        body: "{}".to_owned(),
    };
    (0..count).map(document).collect()
}

fn open() -> (tempfile::TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path(), [7; 32]).unwrap();
    (dir, store)
}

#[tokio::test]
async fn a_hook_is_kept_as_it_was_made_and_changes_are_counted() {
    let (_dir, store) = open();
    let events = [Kind::BroadcastStarted, Kind::KeyRevoked];
    let made = store
        .create_hook(new("hook_a", &events), at(5))
        .await
        .unwrap();
    let read = store.hook(made.id.clone()).await.unwrap().unwrap();
    assert_eq!(read, made);
    let patch = HookPatch {
        enabled: Some(false),
        ..HookPatch::default()
    };
    let changed = store
        .update_hook(made.id.clone(), Some(1), patch.clone())
        .await
        .unwrap();
    assert_eq!((changed.version, changed.enabled), (2, false));
    let error = store
        .update_hook(made.id.clone(), Some(1), HookPatch::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::HookChanged(_)), "{error}");
    let same = store
        .update_hook(made.id.clone(), None, patch)
        .await
        .unwrap();
    assert_eq!(same.version, 2, "nothing has changed");
    let error = store
        .delete_hook(made.id.clone(), Some(1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::HookChanged(_)), "{error}");
    store.delete_hook(made.id.clone(), Some(2)).await.unwrap();
    let error = store.delete_hook(made.id, None).await.unwrap_err();
    assert!(matches!(error, Error::HookUnknown(_)), "{error}");
}

#[tokio::test]
async fn hooks_deliveries_and_dead_letters_have_bounds() {
    let (_dir, store) = open();
    for number in 0..HOOKS_MAX {
        let hook = new(&format!("hook_{number:03}"), &[Kind::KeyRevoked]);
        store.create_hook(hook, at(1)).await.unwrap();
    }
    let error = store
        .create_hook(new("hook_x", &[]), at(1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error}");
    let one: HookId = "hook_000".parse().unwrap();
    let patch = HookPatch {
        events: Some(Vec::new()),
        ..HookPatch::default()
    };
    store.update_hook(one.clone(), None, patch).await.unwrap();
    let most = WAITING_MAX as usize;
    let enqueued = store.enqueue(documents(most + 3), at(1)).await.unwrap();
    assert_eq!(
        (enqueued.queued, enqueued.refused),
        (u64::from(WAITING_MAX), 3)
    );
    let enqueued = store.enqueue(documents(1), at(1)).await.unwrap();
    assert_eq!((enqueued.queued, enqueued.refused), (0, 1));

    // Given up one by one, and as many again: the oldest are forgotten.
    let backlog = store.backlog(at(1)).await.unwrap();
    assert_eq!(backlog.due.len(), 1, "one at a time");
    let first = backlog.due[0].delivery.id;
    let give_up_all = async || {
        loop {
            let backlog = store.backlog(at(1)).await.unwrap();
            let Some(due) = backlog.due.into_iter().next() else {
                return backlog.dead;
            };
            store
                .failed(due.delivery.id, None, "no".to_owned(), at(2))
                .await
                .unwrap();
        }
    };
    assert_eq!(give_up_all().await, u64::from(DEAD_MAX));
    store.enqueue(documents(5), at(1)).await.unwrap();
    assert_eq!(give_up_all().await, u64::from(DEAD_MAX));
    let dead = store.dead_letters(one.clone(), None, 1).await.unwrap();
    assert_eq!(dead[0].id, DeliveryId(first.0 + 5));
    let error = store
        .redeliver(one.clone(), first, at(2))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::DeliveryUnknown(_)), "{error}");

    // A new one that is given up a month later takes the old ones with it.
    store.enqueue(documents(1), at(1)).await.unwrap();
    let due = store.backlog(at(1)).await.unwrap().due.remove(0);
    let later = at(2 + DEAD_KEPT_DAYS * 86_400_000);
    store
        .failed(due.delivery.id, None, "no".to_owned(), later)
        .await
        .unwrap();
    assert_eq!(store.backlog(at(1)).await.unwrap().dead, 0);

    store.delete_hook(one.clone(), None).await.unwrap();
    let error = store.dead_letters(one, None, 1).await.unwrap_err();
    assert!(matches!(error, Error::HookUnknown(_)), "{error}");
}

#[tokio::test]
async fn a_failed_delivery_lets_the_next_one_pass_and_comes_back_when_it_is_due() {
    let (_dir, store) = open();
    store.create_hook(new("hook_a", &[]), at(1)).await.unwrap();
    store.enqueue(documents(2), at(10)).await.unwrap();
    let due = async |now: u64| {
        let backlog = store.backlog(at(now)).await.unwrap();
        backlog.due.into_iter().next().map(|due| due.delivery)
    };
    assert_eq!(due(9).await, None);
    let first = due(10).await.unwrap();
    assert_eq!((first.event.as_str(), first.attempts), ("evt_0", 0));
    store
        .failed(first.id, Some(at(50)), "no".to_owned(), at(10))
        .await
        .unwrap();
    let second = due(10).await.unwrap();
    assert_eq!(second.event, "evt_1");
    store.delivered(second.id).await.unwrap();
    assert_eq!(due(49).await, None);
    let again = due(50).await.unwrap();
    assert_eq!((again.event.as_str(), again.attempts), ("evt_0", 1));
    assert_eq!(again.error.as_deref(), Some("no"));
    let hook = "hook_a".parse().unwrap();
    let patch = HookPatch {
        enabled: Some(false),
        ..HookPatch::default()
    };
    store.update_hook(hook, None, patch).await.unwrap();
    assert_eq!(due(50).await, None, "a disabled hook gets nothing");
    assert_eq!(
        store.enqueue(documents(1), at(50)).await.unwrap(),
        Enqueued::default()
    );
}
