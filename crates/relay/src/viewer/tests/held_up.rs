//! A host whose uplink stood still and who then sends everything at once.

use super::*;

/// What a browser's socket takes at once, and what may go besides: a backlog's burst and a picture.
const AT_ONCE: usize = 64_000 + 20_000 + 2 * 10_000;

#[test]
fn seconds_that_come_at_once_are_paced_and_stamped_as_they_are_sent() {
    let mut lab = Lab::at_live();
    let stood = lab.now;
    lab.wait(3_000);
    let now = lab.now;
    for frame in 0..90 {
        lab.now.media = stood.media + Duration::from_micros(33_333) * frame;
        lab.frame(false, 9);
        lab.now = now;
        lab.pump();
    }
    let at_once: usize = lab.out.0.iter().map(Vec::len).sum();
    assert!((60_000..AT_ONCE).contains(&at_once), "{at_once}");
    let mut got = lab.got();
    for _ in 0..90 {
        lab.live(false);
        got.extend(lab.got());
    }
    continuous(&got);
    assert_eq!(frames(&got).len(), 180, "all of them");
    assert_eq!(lab.egress.poll_timeout(&lab.feed), None, "live again");
    let times: Vec<u32> = media(&got, VIDEO)
        .iter()
        .map(|(header, _)| header.timestamp.0)
        .collect();
    // None bears a time of those three seconds.
    let sent = u32::try_from(now.media.as_micros() * 90 / 1_000 % (1 << 32)).unwrap();
    let first = times[0]
        .wrapping_sub(sent.wrapping_add(OFFSET))
        .cast_signed();
    assert!((-90 * 15..90 * 15).contains(&first), "{first} ticks off");
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) < 9_000)
    );
}

#[test]
fn who_joins_while_the_host_is_held_up_has_the_times_of_those_who_watch() {
    let mut lab = Lab::new();
    let mut clock = HostClock::default();
    let mut group = Vec::new();
    for frame in 0..90 {
        group.push(lab.frame(frame == 0, 9));
        lab.wait(33);
    }
    // A second late from here on.
    let late = Duration::from_secs(1);
    lab.wait(1_000);
    for frame in 0..30 {
        lab.now.media -= late;
        group.push(lab.frame(frame == 0, 9));
        lab.now.media += late;
        lab.wait(33);
    }
    for picture in &group {
        clock.picture(picture);
    }
    assert!(clock.held_up().is_some());
    // His shard has just begun, with what the hub has: the newest group, all of which is late.
    lab.feed = Feed::default();
    lab.feed.restart(group.split_off(90), clock);
    assert!(lab.feed.is_held_up());
    lab.catch_up();
    lab.got();
    lab.now.media -= late;
    lab.frame(false, 9);
    lab.now.media += late;
    lab.pump();
    let stamp = media(&lab.got(), VIDEO)[0].0.timestamp.0;
    let sent = u32::try_from(lab.now.media.as_micros() * 90 / 1_000 % (1 << 32)).unwrap();
    let off = stamp.wrapping_sub(sent.wrapping_add(OFFSET)).cast_signed();
    assert!((-90 * 20..90 * 20).contains(&off), "{off} ticks off");
}
