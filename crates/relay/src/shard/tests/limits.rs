//! Who is let in: so many sessions, so many bits, as much as the shards have time for.

use super::*;

#[test]
fn more_sessions_than_allowed_are_refused_with_a_time_to_come_back() {
    let house = House::with(Config {
        shards: 1,
        sessions_max: 2,
        ..Config::new("127.0.0.1:0".parse().unwrap())
    });
    let players = [house.join(), house.join()];
    let (_, offer, _) = Player::offer();
    let refused = house
        .whep
        .create(
            SHOW,
            &house.stage.audience,
            &offer,
            None,
            None,
            None,
            Instant::now(),
        )
        .unwrap_err();
    assert!(matches!(refused, whep::Error::Full));
    assert!(refused.retry_after().is_some());
    house.whep.delete(&players[0].session).unwrap();
    house.join();
    house.shards.shutdown();
}

#[test]
fn more_to_send_than_allowed_is_refused_until_somebody_leaves() {
    let house = House::with(Config {
        shards: 1,
        bitrate_max: 10_000_000,
        ..Config::new("127.0.0.1:0".parse().unwrap())
    });
    let create = || {
        let (_, offer, _) = Player::offer();
        let audience = &house.stage.audience;
        house
            .whep
            .create(SHOW, audience, &offer, None, None, None, Instant::now())
    };
    house.stage.audience.sends(Some(4_000_000));
    let first = create().unwrap();
    create().unwrap();
    assert_eq!(house.shards.reserved_bitrate(), 8_000_000);
    let refused = create().unwrap_err();
    assert!(matches!(refused, whep::Error::Bandwidth), "{refused}");
    assert!(refused.retry_after().is_some());
    house.whep.delete(&first.session_id).unwrap();
    create().unwrap();
    house.shards.shutdown();
}

#[test]
fn shards_that_have_no_time_for_more_take_no_more() {
    let house = House::open(2);
    let create = |capacities: [u64; 2]| {
        let (_, offer, _) = Player::offer();
        let audience = &house.stage.audience;
        // The shards say it anew every second.
        for (shard, capacity) in house.shards.counters().iter().zip(capacities) {
            shard.capacity.store(capacity, Ordering::Relaxed);
        }
        house
            .whep
            .create(SHOW, audience, &offer, None, None, None, Instant::now())
    };
    house.stage.audience.sends(Some(4_000_000));
    create([4_000_000, 4_000_000]).unwrap();
    let second = create([4_000_000, 4_000_000]).unwrap();
    let refused = create([4_000_000, 4_000_000]).unwrap_err();
    assert!(matches!(refused, whep::Error::Busy), "{refused}");
    assert!(refused.retry_after().is_some());
    create([4_000_000, 0]).expect("a shard has time to spare");
    house.whep.delete(&second.session_id).unwrap();
    assert!(create([4_000_000, 4_000_000]).is_err(), "two are left");
    create([4_000_000, 8_000_000]).unwrap();
    house.shards.shutdown();
}

#[test]
fn a_broadcast_has_no_more_sessions_than_it_may_and_a_free_place_is_taken() {
    let house = House::open(1);
    let create = |broadcast| {
        let (_, offer, _) = Player::offer();
        house.whep.create(
            broadcast,
            &house.stage.audience,
            &offer,
            Some(2),
            None,
            None,
            Instant::now(),
        )
    };
    let first = create(SHOW).unwrap();
    create(SHOW).unwrap();
    let refused = create(SHOW).unwrap_err();
    assert!(matches!(refused, whep::Error::BroadcastFull(2)));
    assert!(refused.retry_after().is_some());
    create(BroadcastId(8)).expect("another broadcast has places of its own");
    house.whep.delete(&first.session_id).unwrap();
    // Twice is once: the place is given back a single time.
    assert!(house.whep.delete(&first.session_id).is_err());
    create(SHOW).unwrap();
    assert!(create(SHOW).is_err());
    house.shards.shutdown();
}
