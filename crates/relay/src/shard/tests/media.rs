//! What viewers get: groups, live pictures, sound, and what was lost again.

use super::*;

/// Sound begins so long after the first picture, with room.
const BEFORE_SOUND: Duration = Duration::from_millis(600);
/// Pictures, each with a packet of sound, whose messages are counted together, and how often that is tried.
const ROUND: usize = 5;
const ROUNDS_MAX: usize = 40;

#[test]
fn a_viewer_of_another_engine_gets_the_newest_group_and_then_live_byte_for_byte() {
    let house = House::open(2);
    // 30 frames before he comes: the second group is the newest.
    for frame in 0..30 {
        house.stage.frame(frame % 20 == 0, 9);
    }
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    player.live(BEFORE_SOUND);
    for frame in 0..60 {
        house
            .stage
            .frame(frame % 20 == 10, if frame == 30 { BIG } else { 9 });
        house.stage.sound();
        player.live(Duration::from_millis(4));
    }
    // 10 frames of the group, 60 live ones.
    let packets = 69 * 9 + 4 + BIG;
    player.live_until("all packets", |player| {
        player.video().len() >= packets && player.sound().len() >= 60
    });
    expect_video(&player, &house, 20, 89);
    let show = house.stage.show.lock().unwrap();
    assert!(player.sound().values().eq(show.sound.iter()));
    drop(show);
    assert_eq!(house.stage.audience.turnout().waiting, 1);
    let times = |of: fn(&Times) -> &Histogram| house.sum(|c| of(&c.times).counts().sum());
    assert_eq!(
        [
            times(|t| &t.join),
            times(|t| &t.ice),
            times(|t| &t.dtls),
            times(|t| &t.media)
        ],
        [1; 4]
    );
    assert_eq!(times(|t| &t.relay), 60, "each live picture once");
    assert!(times(|t| &t.turn) >= 60);
    let whole = house.shards.counters().iter();
    let parts = whole.map(|counters| {
        let times = &counters.times;
        let steps = times.ice.sum() + times.dtls.sum() + times.media.sum();
        (times.join.sum(), steps)
    });
    assert!(
        parts.into_iter().all(|(join, steps)| join == steps),
        "the steps are the join"
    );
    assert_eq!(house.sum(|counters| count(&counters.viewers_opened)), 1);
    // Both by the kernel's segmentation: far fewer messages than datagrams.
    let sockets = house.shards.socket_counters();
    let of = |of: fn(&zongzi_transport::SocketCounters) -> u64| -> u64 {
        sockets.iter().map(|counters| of(counters)).sum()
    };
    let (messages, datagrams) = (
        of(|c| count(&c.sent_messages)),
        of(|c| count(&c.sent_datagrams)),
    );
    assert!(
        messages * 3 < datagrams,
        "{messages} messages for {datagrams} datagrams"
    );
    house.shards.shutdown();
}

#[test]
fn sound_rides_with_the_picture_and_goes_alone_when_none_comes() {
    let house = House::open(1);
    house.stage.frame(true, 9);
    let mut player = house.join();
    player.live_until("connected", |player| {
        player.connected && player.video().len() >= 10
    });
    player.live(BEFORE_SOUND);
    // A busy machine brings picture and sound to the shard too far apart: then sound goes alone, as it should. Without
    // riding no round gets by with fewer messages than it has pictures and packets of sound.
    let messages = || count(&house.shards.socket_counters()[0].sent_messages);
    let (mut pictures, mut fewest) = (0, u64::MAX);
    for _ in 0..ROUNDS_MAX {
        let before = messages();
        for _ in 0..ROUND {
            house.stage.sound();
            house.stage.frame(false, 9);
            player.live(Duration::from_millis(4));
        }
        pictures += ROUND;
        player.live_until("the round's pictures and sound", |player| {
            player.sound().len() >= pictures && player.video().len() >= 10 + 9 * pictures
        });
        // Reports and answers to checks are messages, too.
        fewest = fewest.min(messages() - before);
        if fewest < 7 {
            break;
        }
    }
    assert!(
        fewest < 7,
        "at least {fewest} messages for {ROUND} pictures and {ROUND} packets of sound"
    );

    let asked = Instant::now();
    house.stage.sound();
    player.live_until("sound alone", |player| player.sound().len() > pictures);
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "held for {:?}",
        asked.elapsed()
    );
    let show = house.stage.show.lock().unwrap();
    assert!(player.sound().values().eq(show.sound.iter()));
    let last = show.videos - 1;
    drop(show);
    expect_video(&player, &house, 0, last);
    house.shards.shutdown();
}

#[test]
fn on_a_quiet_shard_sound_goes_at_once() {
    let house = House::with(Config {
        shards: 1,
        quiet: 1_000,
        ..Config::new("127.0.0.1:0".parse().unwrap())
    });
    house.stage.frame(true, 9);
    let mut player = house.join();
    player.live_until("connected", |player| {
        player.connected && player.video().len() >= 10
    });
    // From the end of its first second on a shard knows that it is.
    player.live(BEFORE_SOUND.max(Duration::from_millis(1_200)));
    let messages = || count(&house.shards.socket_counters()[0].sent_messages);
    let before = messages();
    for _ in 0..ROUND {
        house.stage.sound();
        house.stage.frame(false, 9);
        player.live(Duration::from_millis(4));
    }
    player.live_until("pictures and sound", |player| {
        player.sound().len() >= ROUND && player.video().len() >= 10 + 9 * ROUND
    });
    let sent = messages() - before;
    assert!(
        sent >= 2 * ROUND as u64,
        "{sent} messages for {ROUND} of each"
    );
    house.shards.shutdown();
}

#[test]
fn what_is_lost_on_the_way_is_asked_for_and_comes_again() {
    let house = House::open(1);
    house.stage.frame(true, 9);
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    player.loses = 23;
    for _ in 0..60 {
        house.stage.frame(false, 9);
        player.live(Duration::from_millis(6));
    }
    // What is lost last shows only by what comes after it, and the budget lives on what is sent.
    player.loses = 0;
    player.live_until("no hole", |player| {
        house.stage.frame(false, 9);
        let came = player.video();
        let span = came.keys().next_back().unwrap() - came.keys().next().unwrap();
        came.len() as u64 == span + 1
    });
    let last = house.stage.show.lock().unwrap().videos - 1;
    let packets = usize::try_from(last).unwrap() * 9 + 10;
    player.live_until("all packets", |player| player.video().len() == packets);
    expect_video(&player, &house, 0, last);
    assert!(house.sum(|counters| count(&counters.retransmitted)) >= 20);
    house.shards.shutdown();
}

#[test]
fn of_a_long_group_a_keyframe_is_asked_for_once_a_second_and_not_by_each_viewer() {
    let house = House::open(1);
    house.stage.frame(true, 2);
    let mut players = [house.join(), house.join(), house.join()];
    for player in &mut players {
        player.live_until("the first picture", |player| player.video().len() == 3);
    }
    // A request that comes at once has crossed the first packets on its way.
    players[0].live(Duration::from_millis(50));
    let replayed = || house.sum(|counters| count(&counters.groups_replayed));
    let expect = |player: &mut Player, replays: u64, asked: usize| {
        player.request_keyframe();
        player.live_until("the group again", |_| replayed() == replays);
        player.live(Duration::from_millis(20));
        assert_eq!(house.stage.show.lock().unwrap().asked, asked);
    };
    let [first, second, third] = &mut players;
    expect(first, 1, 0);
    house.stage.show.lock().unwrap().ahead = Duration::from_millis(1_100);
    house.stage.frame(false, 2);
    // The first has the keyframe twice by then.
    first.live_until("the later picture", |player| {
        player.video().len() == 2 * 3 + 2
    });
    expect(second, 2, 1);
    expect(third, 3, 1);
    house.shards.shutdown();
}
