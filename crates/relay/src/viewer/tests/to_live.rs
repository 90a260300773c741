//! How a viewer comes from a group's first picture to live.

use super::*;

/// From frame `first` on pictures come to live as after a join: one by one, with one leap.
fn assert_comes_to_live(got: &[Got], first: u64) {
    let mut times: Vec<u32> = media(got, VIDEO)
        .iter()
        .filter(|(_, payload)| frame_of(payload) >= first)
        .map(|(header, _)| header.timestamp.0)
        .collect();
    times.dedup();
    let gaps: Vec<u32> = times
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]) / 90)
        .collect();
    assert_eq!(gaps.iter().filter(|gap| **gap < 20).count(), 1, "{gaps:?}");
    assert!(
        gaps[..10].iter().all(|gap| (26..=33).contains(gap)),
        "{gaps:?}"
    );
}

#[test]
fn a_group_is_begun_when_it_is_110_ms_old_also_where_each_picture_is_a_keyframe() {
    for every in [60, 1] {
        let mut lab = Lab::new();
        let mut took = None;
        for frame in 0..20 {
            lab.live(frame % every == 0);
            let sent = !media(&lab.got(), VIDEO).is_empty();
            took = took.or_else(|| sent.then_some(frame));
        }
        assert_eq!(
            took,
            Some(3),
            "the fourth picture's 33 ms are the first with 110 ms in them"
        );
    }
    // Who comes later waits for nothing.
    let mut lab = Lab::new();
    lab.group(5);
    lab.pump();
    assert!(!media(&lab.got(), VIDEO).is_empty());
}

#[test]
fn where_pictures_begin_to_come_at_another_rate_he_comes_to_live_anew() {
    let mut lab = Lab::at_live();
    lab.rendition = Rendition::Reencoded;
    lab.frame(true, 1);
    lab.pump();
    assert!(media(&lab.got(), VIDEO).is_empty(), "there is no way yet");
    lab.wait(33);
    for _ in 0..60 {
        lab.live(false);
    }
    let got = lab.got();
    continuous(&got);
    assert_comes_to_live(&got, 0);
}

#[test]
fn who_joins_before_a_keyframe_gets_the_old_group_whole_and_the_new_one() {
    let mut lab = Lab::new();
    lab.group(60);
    lab.pump();
    lab.group(10);
    lab.catch_up();
    let got = lab.got();
    continuous(&got);
    assert_eq!(frames(&got), (0..70).collect::<Vec<_>>());
    assert_eq!(lab.tally().groups_skipped, 0);
}

#[test]
fn pictures_of_a_group_that_is_live_when_it_begins_come_one_by_one_from_the_first_on() {
    let mut lab = Lab::new();
    lab.group(8);
    for _ in 0..90 {
        lab.live(false);
    }
    assert_comes_to_live(&lab.got(), 0);
}

#[test]
fn who_joins_a_long_group_just_before_its_end_comes_to_live_like_everyone() {
    let mut lab = Lab::new();
    lab.group(238);
    lab.pump();
    // More is missing of it than he could still use.
    for frame in 0..90 {
        lab.live(frame == 0);
    }
    let got = lab.got();
    continuous(&got);
    let new = frames(&got).into_iter().find(|frame| *frame >= 200);
    assert_eq!((new, lab.tally().groups_skipped), (Some(238), 1));
    assert_comes_to_live(&got, 238);
}

#[test]
fn a_host_s_clock_that_jumps_holds_up_nobody_who_is_on_the_way_to_live() {
    let mut lab = Lab::new();
    lab.group(8);
    lab.live(false);
    lab.now.media += Duration::from_millis(4_900);
    for _ in 0..10 {
        lab.live(false);
    }
    lab.got();
    for _ in 0..10 {
        lab.live(false);
    }
    assert!(frames(&lab.got()).len() >= 9);
}
