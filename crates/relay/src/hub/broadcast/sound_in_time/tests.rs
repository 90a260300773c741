//! A host's sound in virtual time: frames of 20 ms, each so many milliseconds late.

use bytes::Bytes;
use zongzi_media::TrackId;

use super::*;

const MS: Duration = Duration::from_millis(1);
const LENGTH: i64 = 20;
/// What goes before its time, and a frame.
const AHEAD: i64 = 80;

struct Show {
    start: Instant,
    sound: SoundInTime,
    next: i64,
    /// Of the newest frame.
    came: i64,
    /// Of those that were sent: the host's time, when it came, and the time it was given, in milliseconds.
    sent: Vec<(i64, i64, i64)>,
}

impl Show {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            sound: SoundInTime::default(),
            next: 0,
            came: 0,
            sent: Vec::new(),
        }
    }

    /// The next `count` frames, each `late` ms after its time, but none before the one before it.
    fn frames(&mut self, count: i64, late: impl Fn(i64) -> i64) {
        for number in 0..count {
            let own = self.next * LENGTH;
            self.came = self.came.max(own + late(number));
            self.next += 1;
            let at = self.start + MS * u32::try_from(self.came).unwrap();
            let time = MediaTime::from_millis(own + 7_000);
            let mut frame = Frame {
                track: TrackId::AUDIO,
                dts: time,
                pts: time,
                keyframe: true,
                payload: Bytes::new(),
            };
            if self.sound.admit(at, &mut frame) {
                assert_eq!(frame.dts, frame.pts);
                let given = frame.pts.as_millis() - 7_000;
                self.sent.push((own, self.came, given));
            }
        }
    }

    /// The uplink stands still for so long, and what was sent meanwhile comes at once.
    fn stand_still(&mut self, millis: i64) {
        self.frames(millis / LENGTH, |number| millis - number * LENGTH);
    }

    /// What a browser that plays frames as they come has yet to play when each comes: how long it will wait.
    fn waits(&self) -> Vec<i64> {
        let mut free = i64::MIN;
        let wait = |(_, came, _): &(i64, i64, i64)| {
            let begins = free.max(*came);
            free = begins + LENGTH;
            begins - came
        };
        self.sent.iter().map(wait).collect()
    }

    /// Times given always grow by a frame at least, and are never more than `most` off when the frame came.
    fn check_times(&self, most: i64) {
        for pair in self.sent.windows(2) {
            assert!(pair[1].2 - pair[0].2 >= LENGTH, "{pair:?}");
        }
        for (own, came, given) in &self.sent {
            assert!((given - came).abs() <= most, "{own} came {came}: {given}");
        }
    }
}

#[test]
fn sound_that_comes_unevenly_is_sent_as_it_is() {
    let mut show = Show::new();
    show.frames(3_000, |number| {
        [0, 40, 15, 90, 240][usize::try_from(number).unwrap() % 5]
    });
    assert_eq!(show.sent.len(), 3_000);
    assert!(show.sent.iter().all(|(own, _, given)| own == given));
}

#[test]
fn after_a_burst_sound_is_in_time_at_once() {
    for stood in [260, 400, 1_000, 3_000, 10_000] {
        let mut show = Show::new();
        show.frames(500, |number| number % 3 * 10);
        let before = show.sent.len();
        show.stand_still(stood);
        let burst = show.sent.len() - before;
        show.frames(500, |number| number % 3 * 10);
        let left_out = usize::try_from(show.next).unwrap() - show.sent.len();
        assert!(burst <= 5, "{burst} of {stood} ms");
        assert!(show.waits().iter().all(|wait| *wait <= AHEAD), "{stood} ms");
        let after = show.waits().split_off(before + burst + 5);
        assert!(
            after.iter().all(|wait| *wait <= LENGTH),
            "{stood} ms: {after:?}"
        );
        let most = usize::try_from(stood / LENGTH).unwrap() + 2;
        assert!(left_out <= most, "{left_out} frames for {stood} ms");
        show.check_times(AHEAD);
        assert!(
            show.sent
                .iter()
                .rev()
                .take(400)
                .all(|(own, _, given)| own == given)
        );
    }
}

#[test]
fn what_stays_late_is_sent_with_the_times_at_which_it_is_sent() {
    let mut show = Show::new();
    show.frames(100, |_| 0);
    // A queue of a second stands in the uplink for a minute, now longer and now shorter, and is gone at once.
    show.frames(3_000, |number| {
        1_000 + [0, 50, 150][usize::try_from(number / 7).unwrap() % 3]
    });
    assert_eq!(show.sent.len(), 3_100, "nothing was left out");
    show.frames(200, |_| 0);
    // What a browser has waited for in an uneven uplink it makes up for by itself.
    assert!(show.waits().iter().rev().take(100).all(|wait| *wait <= 150));
    show.check_times(160);
    let (own, _, given) = show.sent.last().unwrap();
    assert_eq!(own, given);
}

#[test]
fn of_who_catches_up_slowly_short_pieces_are_left_out() {
    let mut show = Show::new();
    show.frames(100, |_| 0);
    // Three seconds late, and at one and a half times the speed back.
    show.frames(450, |number| 3_000 - number * LENGTH / 3);
    show.frames(100, |_| 0);
    let longest = show.waits().into_iter().max().unwrap();
    // By what he still is late when he is live again.
    assert!(longest <= 140, "{longest}");
    show.check_times(140);
    let holes = show
        .sent
        .windows(2)
        .filter(|pair| pair[1].0 - pair[0].0 > LENGTH);
    let lengths: Vec<_> = holes.map(|pair| pair[1].0 - pair[0].0 - LENGTH).collect();
    let sum: i64 = lengths.iter().sum();
    // The last one, so that his times are his own again.
    let (last, others) = lengths.split_last().unwrap();
    assert!(*last <= 320, "{lengths:?}");
    assert!(
        others.iter().all(|length| *length <= 2 * AHEAD),
        "{lengths:?}"
    );
    assert!((2_700..=3_100).contains(&sum), "{lengths:?}");
    assert!(show.waits().iter().rev().take(50).all(|wait| *wait <= 140));
}

#[test]
fn a_host_who_is_held_up_again_and_again_is_left_to_the_browser() {
    let mut show = Show::new();
    show.frames(100, |_| 0);
    let mut holes = Vec::new();
    for _ in 0..20 {
        let before = show.sent.len();
        show.stand_still(400);
        show.frames(130, |_| 0);
        holes.push(150 - (show.sent.len() - before));
    }
    assert!((15..=20).contains(&holes[0]), "{holes:?}");
    assert!(holes[1..].iter().all(|hole| *hole == 0), "{holes:?}");
    show.check_times(420);
    // Half a minute without that, and it is heard in time again.
    show.frames(1_600, |_| 0);
    let before = show.sent.len();
    show.stand_still(400);
    assert!(show.sent.len() - before <= 5);
}

#[test]
fn a_host_whose_first_frames_were_held_up_is_in_time_when_they_are_not() {
    let mut show = Show::new();
    show.frames(20, |_| 500);
    show.frames(200, |_| 0);
    assert_eq!(show.sent.len(), 220, "what comes first is no backlog");
    show.stand_still(1_000);
    let after = show.next;
    show.frames(100, |_| 0);
    assert!(show.waits().iter().rev().take(50).all(|wait| *wait == 0));
    assert!(show.sent.iter().any(|(own, ..)| *own >= after * LENGTH));
}

#[test]
fn a_first_frame_that_comes_early_makes_no_other_one_late() {
    let mut show = Show::new();
    show.frames(1, |_| 0);
    show.frames(200, |_| 600);
    assert!(show.sent.iter().all(|(own, _, given)| own == given));
    show.frames(100, |number| 600 + 2_000 - number * LENGTH);
    assert!(show.sent.len() < 210, "and then it is known");
}

#[test]
fn a_slower_clock_is_followed() {
    let mut show = Show::new();
    // An hour, 100 parts in a million.
    show.frames(180_000, |number| number * LENGTH / 10_000);
    assert_eq!(show.sent.len(), 180_000);
    assert!(show.sent.iter().all(|(own, _, given)| own == given));
}

#[test]
fn what_becomes_late_slowly_is_followed_and_moves_no_times() {
    let mut show = Show::new();
    // A clock that is half a percent slow, and an uplink that is 2 % too narrow.
    show.frames(3_000, |number| number * LENGTH / 200);
    show.frames(1_500, |number| 300 + number * LENGTH / 50);
    assert_eq!(show.sent.len(), 4_500);
    assert!(show.sent.iter().all(|(own, _, given)| own == given));
}

#[test]
fn where_a_queue_becomes_longer_times_follow() {
    let mut show = Show::new();
    show.frames(100, |_| 0);
    // From half a second to two within half a minute, and an uneven uplink.
    show.frames(1_500, |number| {
        500 + number + [0, 40, 80][usize::try_from(number).unwrap() % 3]
    });
    assert_eq!(show.sent.len(), 1_600);
    show.check_times(300);
}

#[test]
fn what_was_followed_slowly_and_comes_at_once_waits_half_a_second_at_most() {
    let mut show = Show::new();
    // Nobody is held up: 20 ms later each second, for a minute. Then the uplink is wide.
    show.frames(3_000, |number| number * LENGTH / 50);
    show.frames(60, |number| 1_200 - number * LENGTH);
    show.frames(500, |_| 0);
    let waits = show.waits();
    assert!(waits.iter().all(|wait| *wait <= 540), "{waits:?}");
    assert!(waits.iter().rev().take(400).all(|wait| *wait <= AHEAD));
    assert!(show.sent.iter().all(|(own, _, given)| own == given));
}

#[test]
fn a_faster_clock_fills_no_buffer() {
    let mut show = Show::new();
    // An hour, 500 parts in a million.
    show.frames(180_000, |number| -(number * LENGTH / 2_000));
    assert_eq!(show.sent.len(), 180_000);
}

#[test]
fn while_he_is_late_a_big_keyframe_in_each_group_makes_no_hole() {
    let mut show = Show::new();
    show.frames(100, |_| 0);
    // 200 ms more every two seconds, gone within as many.
    show.frames(3_000, |number| 400 + (200 - number % 100 * LENGTH).max(0));
    // When it begins there is one.
    assert!(show.sent.len() >= 3_085, "{}", show.sent.len());
    let late = show.sent.split_off(show.sent.len() - 2_500);
    assert!(late.windows(2).all(|pair| pair[1].0 - pair[0].0 == LENGTH));
}

#[test]
fn who_stands_still_once_more_while_he_is_late_sends_no_backlog() {
    let mut show = Show::new();
    show.frames(100, |_| 0);
    show.frames(500, |_| 1_000);
    show.frames(150, |number| 4_000 - number * LENGTH);
    show.frames(300, |_| 1_000);
    let waits = show.waits();
    assert!(
        waits.iter().all(|wait| *wait <= AHEAD + LENGTH),
        "{waits:?}"
    );
    show.check_times(160);
}
