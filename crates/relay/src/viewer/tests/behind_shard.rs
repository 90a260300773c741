//! A viewer whose shard has more to send than it can.

use super::*;

#[test]
fn who_falls_behind_on_a_shard_that_cannot_keep_up_goes_to_the_newest_keyframe() {
    let mut lab = Lab::new();
    lab.group(30);
    lab.pump();
    // The shard does not come to him for a while.
    lab.feed.hurry();
    lab.group(30);
    lab.catch_up();
    let got = lab.got();
    continuous(&got);
    let frames = frames(&got);
    let (old, new) = frames.split_at(frames.iter().position(|frame| *frame == 30).unwrap());
    assert!(old.len() < 10, "{old:?}");
    assert_eq!(new, (30..60).collect::<Vec<_>>());
    assert_eq!(lab.tally().groups_skipped, 1);
}

#[test]
fn who_is_at_live_on_such_a_shard_waits_for_no_group_to_grow() {
    let mut lab = Lab::at_live();
    lab.feed.hurry();
    for _ in 0..10 {
        lab.frame(false, 9);
        lab.wait(3);
    }
    let keyframe = lab.frame(true, 9).sequence;
    lab.pump();
    assert_eq!(frames(&lab.got()), [keyframe]);
}

#[test]
fn who_skips_to_a_re_encode_goes_on_where_his_stamps_are() {
    let mut lab = Lab::new();
    lab.rendition = Rendition::InOrder;
    lab.group(30);
    lab.pump();
    let old = lab.now.at;
    let stamp = |lab: &mut Lab| media(&lab.got(), VIDEO).last().unwrap().0.timestamp.0;
    let before = stamp(&mut lab);
    lab.feed.hurry();
    // Its pictures come 130 ms later after their own times.
    lab.rendition = Rendition::Reencoded;
    lab.now.media -= Duration::from_millis(130);
    lab.group(10);
    lab.frame(false, 1);
    let passed = lab.now.at - old;
    lab.pump();
    let frame = media(&lab.got(), VIDEO).first().unwrap().clone();
    assert_eq!(frame_of(&frame.1), 30);
    let ticks = frame.0.timestamp.0.wrapping_sub(before);
    let expected = u32::try_from(passed.as_millis() * 90).unwrap();
    assert!(ticks.abs_diff(expected) < 180, "{ticks} {expected}");
}

#[test]
fn a_link_that_is_being_tried_gets_no_whole_group_for_a_shard_that_was_late() {
    let mut lab = Lab::new();
    for group in 0..9 {
        for frame in 0..30 {
            lab.live(frame == 0);
        }
        lab.catch_up();
        lab.lossy_report(if (2..6).contains(&group) { 120 } else { 0 });
    }
    // The group with which it is tried comes late, and he is behind when the next one makes the rest of it needless.
    lab.live(true);
    for _ in 0..14 {
        lab.frame(false, 9);
        lab.wait(33);
    }
    lab.pump();
    lab.feed.hurry();
    for _ in 0..15 {
        lab.frame(false, 9);
        lab.wait(33);
    }
    lab.got();
    for frame in 0..30 {
        lab.live(frame == 0);
    }
    lab.catch_up();
    let sent = frames(&lab.got());
    assert_eq!((sent[0], sent.len()), (300, 19), "{sent:?}");
}
