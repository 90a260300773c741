use std::collections::BTreeSet;

use super::*;
use crate::broadcast::BroadcastId;

fn peak(viewers: u64) -> What {
    let channel = "demo".parse().unwrap();
    What::ViewersPeak {
        broadcast: BroadcastId::new(&channel, Timestamp::from_unix_ms(7)),
        channel,
        viewers,
    }
}

#[tokio::test]
async fn every_listener_gets_every_event_in_order_and_the_end() {
    let events = Events::default();
    events.emit(peak(1));
    let (mut one, mut other) = (events.subscribe(), events.subscribe());
    events.clone().emit(peak(2));
    events.emit(peak(3));
    events.close();
    events.emit(peak(4));
    for listener in [&mut one, &mut other] {
        let told = [listener.next().await, listener.next().await];
        assert_eq!(told.map(|event| event.unwrap().what), [peak(2), peak(3)]);
        assert_eq!(listener.next().await, None);
        assert_eq!(listener.take_lost(), 0);
    }
    assert_eq!(events.subscribe().next().await, None);
}

#[tokio::test]
async fn a_slow_listener_loses_the_oldest_and_is_told() {
    let events = Events::default();
    let mut slow = events.subscribe();
    let total = u64::try_from(BACKLOG_MAX).unwrap() + 5;
    for viewers in 0..total {
        events.emit(peak(viewers));
    }
    let first = slow.next_batch(2).await;
    let first: Vec<_> = first.into_iter().map(|event| event.what).collect();
    assert_eq!(first, [peak(5), peak(6)]);
    assert_eq!((slow.take_lost(), slow.take_lost()), (5, 0));
}

#[test]
fn names_are_those_of_the_contract_and_read_back() {
    let names: BTreeSet<_> = Kind::ALL.map(Kind::as_str).into();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert_eq!(
            serde_json::from_value::<Kind>(kind.as_str().into()).unwrap(),
            kind
        );
    }
    assert_eq!("broadcast.*".parse::<Kind>(), Err(InvalidKind));
}

#[test]
fn an_event_is_an_object_of_its_fields() {
    let rejected = What::PublishRejected {
        channel: None,
        reason: "bad_key",
        peer: "192.0.2.1".parse().unwrap(),
        suppressed: 0,
    };
    assert_eq!(rejected.channel(), None);
    assert_eq!(
        serde_json::to_value(&rejected).unwrap(),
        serde_json::json!({"channel": null, "reason": "bad_key", "peer": "192.0.2.1", "suppressed": 0})
    );
    assert_eq!(peak(7).kind(), Kind::ViewersPeak);
    let peak = serde_json::to_value(peak(7)).unwrap();
    assert_eq!(
        (&peak["channel"], &peak["viewers"]),
        (&"demo".into(), &7.into())
    );
    assert!(peak["broadcast"].as_str().unwrap().starts_with("brd_"));
}
