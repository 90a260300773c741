//! Sessions: waiting, leaving, passes, other addresses, and what operators see of them.

use super::*;

#[test]
fn the_waiting_room_stands_until_a_host_comes_and_a_delete_ends_it() {
    let house = House::open(1);
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    player.live_until("counted", |_| house.stage.audience.turnout().waiting == 1);
    assert!(player.packets.is_empty());
    house.stage.frame(true, 3);
    player.live_until("the first picture", |player| player.video().len() == 4);
    let times = |of: fn(&Times) -> &Histogram| house.sum(|c| of(&c.times).counts().sum());
    assert_eq!(
        [times(|t| &t.dtls), times(|t| &t.media), times(|t| &t.join)],
        [1, 0, 0],
        "the host's time is none of a join"
    );
    house.whep.delete(&player.session).unwrap();
    player.live_until("gone", |_| house.stage.audience.turnout().waiting == 0);
    player.live_until("closed", |player| player.closed);
    assert_eq!(house.shards.sessions(), 0);
    assert!(house.stage.show.lock().unwrap().subscribed.is_empty());
    let left = house.sum(|counters| count(&counters.sessions_closed[Closed::Left.index()]));
    assert_eq!(left, 1);
    assert!(matches!(
        house.whep.delete(&player.session),
        Err(whep::Error::NoSession)
    ));
    house.shards.shutdown();
}

#[test]
fn a_session_ends_with_the_pass_that_let_it_in_and_others_go_on() {
    let house = House::open(2);
    let mut stays = house.join_with(Some(Pass::default()));
    stays.live_until("connected", |player| player.connected);
    let mut goes = house.join_with(Some(Pass {
        ends: Some(Instant::now() + Duration::from_millis(1_500)),
        ..Pass::default()
    }));
    goes.live_until("connected", |player| player.connected);
    goes.live_until("closed", |player| player.closed);
    goes.live_until("gone", |_| house.stage.audience.turnout().waiting == 1);
    let expired = house.sum(|counters| count(&counters.sessions_closed[Closed::Expired.index()]));
    assert_eq!((expired, house.shards.sessions()), (1, 1));
    stays.live(Duration::from_millis(10));
    assert!(!stays.closed);
    house.shards.shutdown();
}

#[test]
fn when_a_pass_is_asked_for_those_without_are_sent_away() {
    let house = House::open(2);
    let mut with = house.join_with(Some(Pass::default()));
    let mut without = house.join();
    with.live_until("connected", |player| player.connected);
    without.live_until("connected", |player| player.connected);
    house.join(); // one who has not connected yet
    assert_eq!(house.whep.end_without_pass(BroadcastId(SHOW.0 + 1)), 0);
    assert_eq!(house.whep.end_without_pass(SHOW), 2);
    without.live_until("closed", |player| player.closed);
    with.live_until("alone", |_| house.stage.audience.turnout().waiting == 1);
    assert_eq!((house.shards.sessions(), with.closed), (1, false));
    house.shards.shutdown();
}

#[test]
fn after_an_ice_restart_from_another_address_the_session_goes_on_whichever_socket_hears_it() {
    let house = House::open(4);
    house.stage.frame(true, 2);
    let mut player = house.join();
    player.live_until("the first picture", |player| player.video().len() == 3);
    // Several new addresses: with four sockets some of them are heard by another shard than the session's.
    for round in 1..=6 {
        let mut change = player.rtc.sdp_api();
        change.ice_restart(true);
        let (offer, pending) = change.apply().unwrap();
        let offer = offer.to_sdp_string();
        let lines = offer
            .lines()
            .filter(|line| line.starts_with("a=ice-") || line.starts_with("m="));
        let fragment: String = lines.flat_map(|line| [line, "\r\n"]).collect();
        let old_tag = house.whep.etag(&player.session).unwrap();
        let asked = Some("127.0.0.1:80".parse().unwrap());
        let patched = house.whep.patch(&player.session, &fragment, asked).unwrap();
        let Patched::Restarted { fragment, etag } = patched else {
            panic!("no restart: {patched:?}");
        };
        let reached = format!(" 127.0.0.1 {} typ host", house.shards.local_addr().port());
        assert!(fragment.contains(&reached), "{fragment}");
        assert_ne!(etag, old_tag);
        let of = |name: &str| {
            fragment
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap()
                .to_owned()
        };
        let (ufrag, pwd) = (of("a=ice-ufrag:"), of("a=ice-pwd:"));
        let line = |line: &str| match line {
            line if line.starts_with("a=ice-ufrag:") => format!("{ufrag}\r\n"),
            line if line.starts_with("a=ice-pwd:") => format!("{pwd}\r\n"),
            line => format!("{line}\r\n"),
        };
        player.answer = player.answer.lines().map(line).collect();
        player.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        player.accept(pending);
        let before = player.video().len();
        player.live_until("media at the new address", |player| {
            house.stage.frame(false, 2);
            player.video().len() >= before + 5
        });
        assert_eq!(
            house.sum(|counters| count(&counters.viewers_opened)),
            1,
            "the same viewer, round {round}"
        );
    }
    assert!(house.sum(|counters| count(&counters.datagrams_forwarded)) > 0);
    house.shards.shutdown();
}

#[test]
fn how_far_a_viewer_is_away_is_known_from_his_handshake() {
    let house = House::open(1);
    let distance = |player: &mut Player| {
        player.live_until("connected", |player| player.connected);
        let page = house.shards.roster().page(None, None, 10);
        let newest = page.iter().max_by_key(|entry| entry.created).unwrap();
        newest.figures.unwrap().round_trip.unwrap()
    };
    let mut near = house.join();
    let near = distance(&mut near);
    let mut far = house.join();
    far.away = Duration::from_millis(120);
    let far = distance(&mut far);
    assert!(far >= Duration::from_millis(110), "{far:?}");
    assert!(near < Duration::from_millis(60), "{near:?}");
    house.shards.shutdown();
}

#[test]
fn ice_restarts_take_no_one_s_place_however_many_there_are() {
    let house = House::with(Config {
        shards: 1,
        sessions_max: 2,
        ..Config::new("127.0.0.1:0".parse().unwrap())
    });
    house.stage.frame(true, 2);
    let mut player = house.join();
    player.live_until("the first picture", |player| player.video().len() == 3);
    let waits = house.join();
    for round in 0..100 {
        for session in [&player.session, &waits.session] {
            let fragment = format!(
                "a=ice-ufrag:again{round}\r\na=ice-pwd:{}\r\n",
                "p".repeat(22)
            );
            let patched = house.whep.patch(session, &fragment, None);
            assert!(
                matches!(patched, Ok(Patched::Restarted { .. })),
                "{patched:?}"
            );
        }
    }
    house.whep.delete(&waits.session).unwrap();
    let mut next = house.join();
    next.live_until("the first picture", |player| player.video().len() == 3);
    // The first one's restarts have led nowhere: it goes on where it was.
    let before = player.video().len();
    house.stage.frame(false, 2);
    player.live_until("the next picture", |player| {
        player.video().len() == before + 2
    });
    house.shards.shutdown();
}

#[test]
fn a_fragment_with_candidates_only_is_noted() {
    let house = House::open(1);
    let player = house.join();
    let fragment = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n";
    assert_eq!(
        house.whep.patch(&player.session, fragment, None).unwrap(),
        Patched::Noted
    );
    let unknown = house.whep.patch("00", fragment, None);
    assert!(matches!(unknown, Err(whep::Error::NoSession)));
    house.shards.shutdown();
}

#[test]
fn operators_see_how_a_viewer_fares_and_can_end_his_session() {
    let house = House::open(2);
    let roster = house.shards.roster();
    house.stage.frame(true, 9);
    let mut players: Vec<Player> = (0..5).map(|_| house.join()).collect();
    assert!(
        roster
            .page(None, None, 10)
            .iter()
            .all(|entry| entry.figures.is_none())
    );
    for player in &mut players {
        player.live_until("connected", |player| player.connected);
    }
    // The shards leave their figures once a second.
    let start = Instant::now();
    let watching = loop {
        assert!(start.elapsed() < PATIENCE, "no figures");
        for player in &mut players {
            player.live(Duration::from_millis(10));
        }
        let page = roster.page(Some(SHOW), None, 10);
        let sent = |entry: &Entry| {
            entry
                .figures
                .is_some_and(|f| f.packets >= 9 && f.bytes > 9_000)
        };
        if page.iter().filter(|entry| sent(entry)).count() == 5 {
            break page;
        }
    };
    let peers: BTreeSet<SocketAddr> = watching
        .iter()
        .filter_map(|entry| entry.figures.map(|figures| figures.peer))
        .collect();
    let here: BTreeSet<SocketAddr> = players.iter().map(|player| player.local).collect();
    assert_eq!(peers, here);
    assert!(roster.page(Some(BroadcastId(8)), None, 10).is_empty());

    // Page by page it is the same.
    let mut paged = Vec::new();
    loop {
        let page = roster.page(None, paged.last().map(|entry: &Entry| entry.id), 2);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    let ids = |page: &[Entry]| page.iter().map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(ids(&paged), ids(&watching));

    let out = watching[0];
    assert_eq!(roster.kick(out.id).map(|entry| entry.id), Some(out.id));
    assert_eq!(roster.kick(out.id), None);
    assert_eq!(roster.session(out.id), None);
    let peer = out.figures.unwrap().peer;
    let kicked = players
        .iter_mut()
        .find(|player| player.local == peer)
        .unwrap();
    kicked.live_until("told that it is over", |player| player.closed);
    assert_eq!(roster.page(None, None, 10).len(), 4);
    assert_eq!(
        house.sum(|counters| count(&counters.sessions_closed[Closed::Server.index()])),
        1
    );
    house.shards.shutdown();
}

#[test]
fn garbage_and_strangers_on_the_media_port_are_counted_and_harm_nobody() {
    let house = House::open(1);
    house.stage.frame(true, 9);
    let mut player = house.join();
    player.live_until("connected", |player| player.connected);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = house.shards.local_addr();
    for first in 0..=255_u8 {
        for length in [1, 2, 12, 20, 60, 1_400] {
            let mut datagram = noise(u64::from(first), length, length);
            datagram[0] = first;
            stranger.send_to(&datagram, to).unwrap();
            // From the viewer's own address too.
            player.socket.send_to(&datagram, to).unwrap();
        }
        player.live(Duration::from_micros(200));
    }
    house.stage.frame(false, 9);
    player.live_until("all packets", |player| player.video().len() == 19);
    expect_video(&player, &house, 0, 1);
    assert!(house.sum(|counters| count(&counters.datagrams_unknown)) > 1_000);
    assert_eq!(house.sum(|counters| count(&counters.panics)), 0);
    house.shards.shutdown();
}
