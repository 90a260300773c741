use std::time::Instant;

use crate::packetize::Batch;
use crate::packetize::video_clock::ticks;
use crate::viewer::steps::{SPAN_MAX, Steps};

/// The RTP times of one viewer's pictures, and the turns of the last ones before live.
///
/// At live a picture has its own time. One that is sent late, from the cached group, has the time at which it is sent:
/// what a picture would have that came from the host at that moment. A browser learns the sender's clock from when
/// pictures come (libwebrtc's `TimestampExtrapolator`, a straight line through all of them that forgets none), and a
/// group's true times at eight times their speed teach it a wrong one: for half a minute and more it then takes every
/// picture for late, shows it at once whatever delay was asked for, and does not bring sound and picture together. A step
/// of one frame between backlog and live is enough to bend the line, so there is none.
///
/// The way to live ends with a **leap**: the last [`LEAP`] is made up for by one picture, and those of the next second come
/// a little slower than they should. Chromium shows a video at its own rate instead of the screen's if the mean time of 32
/// pictures is within 0.56 % of a whole number of refreshes when it looks, which is each time that mean has moved by 2 ms;
/// then, in every other show, it leaves out one picture in eight. The leap takes the mean over that span in one step, and
/// the slow second keeps it out of it until the leap is forgotten. A **gap** at live (the host comes again, or left pictures
/// out) moves the mean twice, and the second time to what it is at live: so a slow second follows it where pictures come
/// evenly (`steps`); the same for who comes back from single pictures.
///
/// See docs/decisions/0006-sound-with-its-picture.md.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    phase: Phase,
    last: Option<u32>,
    /// Between the pictures' own times.
    steps: Steps,
    /// From one picture to the next while [`Phase::Near`] or [`Phase::Slow`].
    step: i32,
    /// A moment on the way to live, or in a slow second after a gap, and the time of a picture that would have come from the
    /// host at it.
    anchor: Option<(Instant, u32)>,
    /// What stamps are later than the pictures' own times say.
    shift: i32,
    /// When the last picture was sent.
    last_at: Option<Instant>,
    /// He was not sent all pictures, and is from the next one on.
    comes_back: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Pictures of the backlog go as fast as may be.
    #[default]
    Behind,
    /// The last ones before live come one by one, each in less than its time, until the next one's own time has come.
    Near,
    /// The first ones after the leap, or a gap, each in a little more than its time.
    Slow(Slow),
    Live,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slow {
    /// For how long a picture stood as it began. The turn of the one behind a longer one is no later for that.
    span: i32,
    /// So much after its own time the last one came.
    lag: i32,
}

impl Stamps {
    /// A group begins for one who was waiting for it.
    pub(crate) fn begin(&mut self) {
        self.fall_behind();
        self.steps.begin();
        self.comes_back = false;
    }

    /// After a time in which he was not sent all pictures he is from the next one on.
    pub(crate) fn come_back(&mut self) {
        self.comes_back = true;
    }

    fn fall_behind(&mut self) {
        self.phase = Phase::Behind;
        self.anchor = None;
    }

    /// From here on pictures come a little slower than they should.
    fn slow_down(&mut self, span: i32) {
        self.phase = Phase::Slow(Slow { span, lag: 0 });
    }

    /// Another rendition begins for one who watches, at a time when a picture that comes from the host has the time `said`.
    /// Returns whether he comes to live anew.
    ///
    /// Its pictures come later after their own times than those before. From here on stamps go on where his are, and not
    /// with the pictures' own times, or a browser would learn a clock from the difference that takes it seconds to forget.
    /// Not so where he was `reported` another clock and this one is far off it: his reports' times would jump.
    pub(crate) fn begin_another(&mut self, now: Instant, said: u32, reported: bool) -> bool {
        let Some((last, at)) = self.last.zip(self.last_at) else {
            return false;
        };
        let since = ticks(now.saturating_duration_since(at));
        let shift = distance(said, last.wrapping_add(since));
        let jump = shift.saturating_sub(self.shift);
        if reported && !(-JUMP_MAX..=JUMP_MAX).contains(&jump) {
            return false;
        }
        self.shift = shift;
        self.begin();
        // Of that rendition nothing is known.
        self.steps = Steps::default();
        true
    }

    /// What stamps are later than the pictures' own times say, in ticks of 90 kHz.
    pub(crate) fn shift(&self) -> i32 {
        self.shift
    }

    /// The time of a picture that would come from the host at `now`, when by what is known of him now it is `said`.
    ///
    /// On the way to live that is asked once, and once more after a gap, and from then on time passes as it does: the host's
    /// clock may still be found out meanwhile, and stamps that follow it would run at another speed than the pictures are sent.
    pub(crate) fn current(&mut self, now: Instant, said: u32) -> u32 {
        self.last_at = Some(now);
        let said = said.wrapping_add_signed(self.shift);
        if self.phase == Phase::Live {
            return said;
        }
        let (at, then) = *self.anchor.get_or_insert((now, said));
        then.wrapping_add(ticks(now.saturating_duration_since(at)))
    }

    /// The time for `batch`, always later than the one before. It is sent when a picture of the time `current` would
    /// come from the host, and has `behind` others after it; while the host is `held_up` the newest is late, too.
    pub(crate) fn next(&mut self, current: u32, batch: &Batch, behind: u64, held_up: bool) -> u32 {
        let own = batch.rtp_time.wrapping_add_signed(self.shift);
        let late = distance(own, current);
        let step = self.steps.next(batch.sequence, own);
        let mut span = step.span;
        let back = std::mem::take(&mut self.comes_back) && step.even;
        let follows_gap = match self.phase {
            Phase::Slow(_) | Phase::Live => step.gap || back,
            // The single picture before it was late, but nothing is left to catch up.
            Phase::Behind | Phase::Near => back && late <= ON_TIME_MAX,
        };
        if follows_gap {
            self.slow_down(span);
            // Since he came to live the host's clock may have gone on in another way than time has passed here.
            self.anchor = None;
        }
        // The group once more, one who was left behind, or a host who was held up.
        let lost = match self.phase {
            Phase::Behind => i32::MAX,
            Phase::Near => NEAR_AT_FIRST,
            Phase::Slow(_) | Phase::Live => LOST_MIN,
        };
        if late > lost && (behind > 0 || held_up) {
            self.fall_behind();
        }
        // The host's clock has jumped since the way to live was begun: by the one of then this is a time to come.
        if late < -SPAN_MAX {
            self.phase = Phase::Live;
        }
        let wanted = match (self.phase, self.last) {
            (Phase::Near, Some(last))
                if distance(own, last.wrapping_add_signed(self.step)) > ROUNDED.of(span) =>
            {
                last.wrapping_add_signed(self.step)
            }
            // The only one there is of a slow host is live, however long ago it came.
            (Phase::Behind, last) if late > ON_TIME_MAX && (behind > 0 || last.is_some()) => {
                // With nothing behind it, and nobody held up, it can't become less late by waiting.
                let near = if step.first { NEAR_AT_FIRST } else { NEAR_MAX };
                if late < near || (behind == 0 && !held_up) {
                    self.phase = Phase::Near;
                }
                current
            }
            (Phase::Slow(slow), _) if slow.lag < LAG_MAX.of(slow.span) => {
                span = span.min(slow.span);
                let lag = slow.lag.saturating_add(SLOWER.of(span).max(1));
                self.phase = Phase::Slow(Slow { lag, ..slow });
                own.wrapping_add_signed(lag)
            }
            (Phase::Near, _) => {
                // What ends the way is often a picture that stands for two.
                span = step.least;
                self.slow_down(span);
                own
            }
            (Phase::Behind | Phase::Slow(_) | Phase::Live, _) => {
                self.phase = Phase::Live;
                own
            }
        };
        let stamp = match self.last {
            // A longer way back is none: after hours without a picture the difference has wrapped.
            Some(last) if (-BACK_MAX..STEP).contains(&distance(last, wanted)) => {
                last.wrapping_add_signed(STEP)
            }
            _ => wanted,
        };
        let late = distance(own, stamp);
        let gain = (late / GAIN_SHARE).max(GAIN_MIN).min(span / 5);
        let gain = match self.phase {
            Phase::Slow(_) => -SLOWER.of(span),
            _ if late.saturating_sub(gain) > LEAP.of(span) => gain,
            _ => late.max(0),
        };
        self.step = span.saturating_sub(gain).max(STEP);
        self.last = Some(stamp);
        stamp
    }

    /// Before a picture of this time would come from the host, the next one must not be sent, live or not; `None` where
    /// it may go at once.
    ///
    /// A browser that gets the last pictures before live at once shows one of them and leaves out the others, just when
    /// the viewer takes what he sees for live.
    pub(crate) fn turn(&self) -> Option<u32> {
        let one_by_one = matches!(self.phase, Phase::Near | Phase::Slow(_));
        let last = self.last.filter(|_| one_by_one)?;
        Some(last.wrapping_add_signed(self.step))
    }
}

/// A part of a picture's time.
#[derive(Debug, Clone, Copy)]
struct Share(i32, i32);

impl Share {
    /// Of a picture that stands for `span` ticks.
    fn of(self, span: i32) -> i32 {
        span.saturating_mul(self.0) / self.1
    }
}

/// From one time to another, modulo 2^32.
pub(crate) fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

/// The least between two pictures, a third of a millisecond: a group of 60 that leaves in one burst is not far ahead of its
/// time then.
const STEP: i32 = 30;
/// Each of the last pictures before live makes up for this share of what it is late, at most a fifth of its own time...
const GAIN_SHARE: i32 = 8;
/// ...and for this at least, 0.2 ms.
const GAIN_MIN: i32 = 20;
/// The leap makes up for so much, 17.7 ms at 30 a second.
const LEAP: Share = Share(17, 32);
/// How much more than its time each picture after the leap takes, 0.33 ms...
const SLOWER: Share = Share(1, 100);
/// ...until it comes this long after its own time, 11 ms: after 34 pictures.
const LAG_MAX: Share = Share(1, 3);
/// Reports' times do not jump by more, 300 ms.
const JUMP_MAX: i32 = 27_000;
/// A picture that is off its own time by less, 2 ms, is not late: a host's times are rounded to milliseconds.
const ROUNDED: Share = Share(2, 32);
/// A picture sent this late, 210 ms, is soon shown as live, 300 ms after it came from the host: a browser holds it for 60
/// or 100 ms.
const NEAR_MAX: i32 = 18_900;
/// The same where a group begins, 300 ms: its first picture is shown when it comes.
const NEAR_AT_FIRST: i32 = 27_000;
/// Later than this, 40 ms, is a picture that was waiting here, and not one that the host sent a little late.
const ON_TIME_MAX: i32 = 3_600;
/// With this much to catch up, 250 ms, somebody is at live no more.
const LOST_MIN: i32 = 22_500;
/// Stamps run ahead of the timeline by a replayed group's pictures at [`STEP`] each; far less than this, 10 s.
const BACK_MAX: i32 = 900_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::packetize::BatchKind;

    const FIRST: u32 = u32::MAX - 5_000;

    fn batch(sequence: u32) -> Batch {
        Batch::new(
            BatchKind::Video {
                keyframe: sequence == 0,
            },
            u64::from(sequence),
            0,
            own(sequence),
            Instant::now(),
            Box::default(),
            Box::default(),
        )
    }

    /// The time of picture `sequence`.
    fn own(sequence: u32) -> u32 {
        FIRST.wrapping_add(sequence * 3_000)
    }

    /// The time of a picture that comes `millis` after the first.
    fn at(millis: u32) -> u32 {
        FIRST.wrapping_add(millis * 90)
    }

    #[test]
    fn at_live_times_are_the_pictures_own() {
        let mut stamps = Stamps::default();
        for sequence in 0..10 {
            // The thousandth viewer's turn comes later; his browser sees a constant delay.
            let turn = own(sequence).wrapping_add(15 * 90);
            assert_eq!(
                stamps.next(turn, &batch(sequence), u64::from(sequence % 2), false),
                own(sequence)
            );
            assert_eq!(stamps.turn(), None);
        }
        // A host who was held up: his picture comes 150 ms late, and another one with it.
        let turn = own(10).wrapping_add(150 * 90);
        assert_eq!(stamps.next(turn, &batch(10), 1, false), own(10));
        assert_eq!(stamps.next(turn, &batch(11), 0, false), own(11));
    }

    #[test]
    fn a_late_group_is_stamped_when_it_is_sent_and_comes_to_live_one_by_one_with_a_leap_at_the_end()
    {
        let mut stamps = Stamps::default();
        // 50 pictures, 2 ms apart where nothing holds them.
        let (mut now, mut sequence, mut last) = (1_640_u32, 0_u32, None);
        let (mut near, mut gaps) = (0, Vec::new());
        loop {
            let newest = (now / 100) * 3 + (now % 100) * 3 / 100;
            let stamp = stamps.next(
                at(now),
                &batch(sequence),
                u64::from(newest - sequence),
                false,
            );
            let gap = last.map_or(STEP, |last| distance(last, stamp));
            assert!(gap >= STEP, "{sequence}");
            let off = distance(at(now), stamp);
            // To the millisecond that a turn is rounded up to.
            assert!(off.abs() <= 90, "{sequence}: {off}");
            if near > 0 {
                gaps.push(gap / 90);
            }
            if stamp == own(sequence) {
                break;
            }
            last = Some(stamp);
            sequence += 1;
            now += 2;
            if let Some(turn) = stamps.turn() {
                near += 1;
                let wait = distance(at(now), turn).max(0).unsigned_abs();
                now += wait.div_ceil(90);
            }
            // The next one must have come.
            now = now.max(sequence * 100 / 3 + 1);
        }
        assert!((20..80).contains(&near), "{near}");
        let leap = gaps.pop().unwrap();
        assert!((13..=16).contains(&leap), "{leap}");
        assert!(gaps.iter().all(|gap| (26..=33).contains(gap)), "{gaps:?}");
        // Then a second in which each picture takes a little more than its time, and live.
        for after in 1..=34 {
            let (live, turn) = (batch(sequence + after), stamps.turn().unwrap());
            let stamp = stamps.next(turn, &live, 0, false);
            assert_eq!((stamp, turn), (own(sequence + after) + after * 30, stamp));
        }
        let live = batch(sequence + 35);
        assert_eq!(stamps.next(live.rtp_time, &live, 0, false), live.rtp_time);
        assert_eq!(stamps.turn(), None);
    }

    #[test]
    fn pictures_that_come_unevenly_from_the_host_come_to_live_evenly() {
        let mut stamps = Stamps::default();
        // 20 ms early and late by turns, from 6 behind on.
        let came = |sequence: u32| sequence * 100 / 3 + 1_000 + 20 * (sequence % 2);
        let (mut now, mut sequence, mut last) = (1_000 + 190, 0, None);
        let mut short = 0;
        while stamps.turn().is_some() || last.is_none() {
            let newest = (sequence..).find(|next| came(next + 1) > now).unwrap();
            let behind = u64::from(newest - sequence);
            let stamp = stamps.next(at(now - 1_010), &batch(sequence), behind, false);
            if let Some(last) = last {
                let gap = distance(last, stamp) / 90;
                assert!((13..=53).contains(&gap), "{sequence}: {gap}");
                short += usize::from(gap < 25);
            }
            last = Some(stamp);
            sequence += 1;
            let turn = stamps
                .turn()
                .map_or(0, |turn| distance(at(now - 1_010), turn));
            now = (now + u32::try_from(turn.max(0) / 90).unwrap()).max(came(sequence));
        }
        assert!((10..90).contains(&sequence), "{sequence}");
        assert_eq!(short, 2, "the leap, and where the slow second ends");
    }

    #[test]
    fn each_of_the_last_ones_makes_up_for_a_share_of_what_it_is_late_and_a_fifth_of_its_time_at_most()
     {
        // Ticks of a picture, how late the first one is sent, from the second one to the third one's turn.
        let cases = [
            (3_000, 100 * 90, 2_400..=2_400),
            (3_000, 41 * 90, 2_500..=2_700),
            (1_500, 100 * 90, 1_200..=1_200),
        ];
        for (ticks, late, turns) in cases {
            let mut stamps = Stamps::default();
            let picture = |sequence: u32| {
                let mut batch = batch(sequence);
                batch.rtp_time = FIRST.wrapping_add(sequence * ticks);
                batch
            };
            let (first, second) = (picture(0), picture(1));
            let current = first.rtp_time.wrapping_add(late);
            stamps.next(current, &first, 100, false);
            let stamp = stamps.next(stamps.turn().unwrap(), &second, 99, false);
            let wait = distance(stamp, stamps.turn().unwrap());
            assert!(turns.contains(&wait), "{ticks} {late}: {wait}");
        }
    }

    #[test]
    fn what_a_host_who_was_held_up_sends_at_once_is_stamped_when_it_is_sent() {
        let mut stamps = Stamps::default();
        for sequence in 0..10 {
            stamps.next(own(sequence), &batch(sequence), 0, false);
        }
        // Three seconds later 90 pictures come within 180 ms, and those after them in time.
        let came = |sequence: u32| {
            (100 * 100 / 3 + 2 * sequence.saturating_sub(10)).max(sequence * 100 / 3)
        };
        let (mut last, mut sequence) = (own(9), 10);
        let mut now = came(sequence);
        while sequence < 110 || stamps.turn().is_some() {
            let stamp = stamps.next(at(now), &batch(sequence), 0, true);
            let (off, step) = (distance(at(now), stamp), distance(last, stamp));
            // Where the slow second ends there are 11 ms to go back.
            let back = if stamps.turn().is_some() { 0 } else { 1_000 };
            assert!((-90 - back..=90).contains(&off), "{sequence}: {off}");
            assert!(step >= 2 * 90 - 2, "{sequence}: {step}");
            last = stamp;
            sequence += 1;
            let turn = stamps.turn().map_or(0, |turn| distance(at(now), turn));
            let wait = u32::try_from(turn).unwrap_or(0).div_ceil(90);
            now = (now + wait).max(came(sequence));
        }
        assert_eq!(last, own(sequence - 1), "live again");
        assert!((130..180).contains(&sequence), "{sequence}");
    }

    #[test]
    fn who_waited_for_a_group_comes_to_live_as_if_he_joined() {
        let mut stamps = Stamps::default();
        for sequence in 0..10 {
            stamps.next(own(sequence), &batch(sequence), 0, false);
        }
        stamps.begin();
        let current = own(10).wrapping_add(110 * 90);
        assert_eq!(stamps.next(current, &batch(10), 3, false), current);
        assert!(stamps.turn().is_some());
    }

    #[test]
    fn a_group_sent_again_takes_turns_by_the_time_that_its_pictures_are_known_to_take() {
        let mut stamps = Stamps::default();
        let picture = |sequence: u32| {
            let mut batch = batch(sequence);
            batch.rtp_time = FIRST.wrapping_add(sequence * 1_500);
            batch
        };
        for sequence in 0..20 {
            let live = picture(sequence);
            stamps.next(live.rtp_time, &live, 0, false);
        }
        stamps.begin();
        let again = picture(10);
        let current = again.rtp_time.wrapping_add(180 * 90);
        let stamp = stamps.next(current, &again, 10, false);
        assert_eq!(stamps.turn().map(|turn| distance(stamp, turn)), Some(1_200));
    }

    #[test]
    fn of_another_rendition_it_is_not_known_how_long_its_pictures_stand() {
        let mut viewer = Viewer::at_live(9_000);
        let start = Instant::now();
        let said = viewer.own.wrapping_add(9_000);
        viewer.stamps.current(start, said);
        assert!(viewer.stamps.begin_another(start, said, true));
        let live = batch(0);
        let current = live.rtp_time.wrapping_add(100 * 90);
        let stamp = viewer.stamps.next(current, &live, 3, false);
        let turn = viewer.stamps.turn().map(|turn| distance(stamp, turn));
        assert!(
            turn.is_some_and(|turn| (2_400..2_700).contains(&turn)),
            "{turn:?}"
        );
    }

    #[test]
    fn who_begins_with_a_group_of_less_than_300_ms_comes_to_live_by_one_way() {
        let (mut stamps, start) = (Stamps::default(), Instant::now());
        let said = own(0).wrapping_add(290 * 90);
        for sequence in 0..4 {
            let at = start + Duration::from_millis(u64::from(sequence) * 27);
            // Whatever is found out of his host meanwhile.
            let current = stamps.current(at, said.wrapping_add(sequence * 7_000));
            assert_eq!(distance(said, current), (sequence * 27 * 90).cast_signed());
            stamps.next(current, &batch(sequence), 5, false);
            assert_eq!(stamps.phase, Phase::Near);
        }
    }

    #[test]
    fn on_the_way_to_live_time_passes_as_it_does_whatever_is_found_out_of_the_host() {
        let (mut stamps, start) = (Stamps::default(), Instant::now());
        let said = own(5);
        assert_eq!(stamps.current(start, said), said);
        stamps.next(said, &batch(0), 5, false);
        let later = start + Duration::from_millis(40);
        assert_eq!(stamps.current(later, own(9)), said + 40 * 90);
        stamps.phase = Phase::Live;
        assert_eq!(stamps.current(later, own(9)), own(9));
        stamps.begin();
        assert_eq!(stamps.current(later, own(9)), own(9));
    }

    #[test]
    fn another_rendition_goes_on_where_his_stamps_are() {
        let (mut stamps, start) = (Stamps::default(), Instant::now());
        let now = stamps.current(start, own(150));
        stamps.next(now, &batch(150), 0, false);
        stamps.phase = Phase::Live;
        // Its first picture comes 130 ms late, and two more have come when it may go.
        let later = start + Duration::from_millis(400);
        let said = own(162).wrapping_sub(130 * 90);
        assert!(stamps.begin_another(later, said, true));
        let now = stamps.current(later, said);
        let stamp = stamps.next(now, &batch(154), 4, false);
        assert_eq!(stamp, own(162), "time passed as it does");
        assert_eq!(stamps.shift(), 130 * 90);
        assert!(
            !stamps.begin_another(later, own(12), true),
            "5 s are a jump"
        );
        let mut fresh = Stamps::default();
        let now = fresh.current(start, own(150));
        fresh.next(now, &batch(150), 0, false);
        assert!(fresh.begin_another(later, own(12), false));
        assert_eq!(fresh.shift(), 150 * 3_000);
        stamps.phase = Phase::Near;
        // The way to live is the same, by times that are so much earlier.
        let (mut stamp, mut sequence) = (stamp, 155);
        while let Some(turn) = stamps.turn() {
            stamp = stamps.next(turn, &batch(sequence), 0, false);
            sequence += 1;
        }
        assert_eq!(stamp, own(sequence - 1).wrapping_add_signed(stamps.shift()));
    }

    #[test]
    fn who_joins_where_nothing_is_behind_comes_to_live_whatever_his_first_moment_said() {
        let mut stamps = Stamps::default();
        // The host's pictures come 230 ms later than the clock said when he came, and that stays so.
        for sequence in 0..200 {
            let behind = u64::from(10_u32.saturating_sub(sequence));
            let current = own(sequence).wrapping_add(230 * 90);
            stamps.next(current, &batch(sequence), behind, false);
        }
        let current = own(200).wrapping_add(230 * 90);
        assert_eq!(stamps.next(current, &batch(200), 0, false), own(200));
    }

    #[test]
    fn a_pause_within_the_group_holds_nothing_up() {
        let mut stamps = Stamps::default();
        // The host has paused for a second before the last three, and two more follow at once.
        let picture = |sequence: u32| {
            let mut batch = batch(sequence);
            batch.rtp_time = own(sequence + if sequence < 3 { 0 } else { 30 });
            batch
        };
        let newest = picture(5);
        for sequence in 0..=3 {
            stamps.next(
                newest.rtp_time,
                &picture(sequence),
                u64::from(5 - sequence),
                false,
            );
        }
        let wait = distance(newest.rtp_time, stamps.turn().unwrap());
        assert!((0..=SPAN_MAX).contains(&wait), "{wait}");
    }

    /// A viewer whose pictures come `ticks` apart, in time, and are sent at once.
    struct Viewer {
        stamps: Stamps,
        ticks: u32,
        sequence: u32,
        own: u32,
    }

    impl Viewer {
        fn at_live(ticks: u32) -> Self {
            let mut viewer = Self {
                stamps: Stamps::default(),
                ticks,
                sequence: 0,
                own: FIRST,
            };
            for _ in 0..40 {
                assert_eq!(viewer.next(ticks), (0, None));
            }
            viewer
        }

        /// A picture `apart` from the one before: how much later it is stamped, and from there to the turn of the next.
        fn next(&mut self, apart: u32) -> (i32, Option<i32>) {
            self.own = self.own.wrapping_add(apart);
            let mut batch = batch(self.sequence);
            batch.rtp_time = self.own;
            self.sequence += 1;
            let stamp = self.stamps.next(self.own, &batch, 0, false);
            let turn = self.stamps.turn();
            (
                distance(self.own, stamp),
                turn.map(|turn| distance(stamp, turn)),
            )
        }
    }

    #[test]
    fn after_a_gap_at_live_comes_a_slow_second() {
        for ticks in [3_000, 1_500] {
            let mut viewer = Viewer::at_live(ticks);
            let (ticks, each) = (ticks.cast_signed(), ticks.cast_signed() / 100);
            // The host comes again after a minute; another gap begins the second anew.
            for gap in [60 * 90_000, viewer.ticks + 6_000] {
                for picture in 1..=20 {
                    let apart = if picture == 1 { gap } else { viewer.ticks };
                    let expected = (picture * each, Some(ticks + each));
                    assert_eq!(viewer.next(apart), expected, "{ticks}");
                }
            }
            for _ in 21..=34 {
                assert_ne!(viewer.next(viewer.ticks).0, 0);
            }
            assert_eq!(viewer.next(viewer.ticks), (0, None));
        }
    }

    #[test]
    fn who_comes_back_from_single_pictures_has_a_slow_second_too() {
        let mut viewer = Viewer::at_live(3_000);
        // Two single pictures, none of which follows the one before; another one begins his first group.
        viewer.sequence += 60;
        assert_eq!(viewer.next(180_000), (0, None));
        viewer.sequence += 60;
        viewer.stamps.come_back();
        for picture in 1..=34 {
            let apart = if picture == 1 { 180_000 } else { 3_000 };
            assert_eq!(viewer.next(apart).0, picture * 30);
        }
        assert_eq!(viewer.next(3_000), (0, None));
        assert_eq!(viewer.next(3_000), (0, None), "it comes once");
    }

    #[test]
    fn who_comes_back_to_uneven_pictures_or_to_few_is_at_live_at_once() {
        for aparts in [[9_000, 9_000, 3_000, 9_000], [9_000; 4]] {
            let mut viewer = Viewer::at_live(3_000);
            for apart in aparts.into_iter().cycle().take(80) {
                viewer.next(apart);
            }
            viewer.sequence += 60;
            viewer.stamps.come_back();
            assert_eq!(viewer.next(180_000), (0, None));
        }
    }

    #[test]
    fn who_begins_anew_comes_back_no_more() {
        let mut viewer = Viewer::at_live(3_000);
        viewer.stamps.come_back();
        viewer.stamps.begin();
        assert_eq!(viewer.next(3_000), (0, None));
    }

    #[test]
    fn who_comes_back_from_behind_has_it_at_once_where_he_has_nothing_to_catch_up() {
        for (late, phase) in [(40, "slow"), (41, "near"), (240, "behind")] {
            let mut viewer = Viewer::at_live(3_000);
            viewer.sequence += 60;
            viewer.stamps.fall_behind();
            viewer.stamps.come_back();
            viewer.own = viewer.own.wrapping_add(180_000);
            let mut batch = batch(viewer.sequence);
            batch.rtp_time = viewer.own;
            let current = viewer.own.wrapping_add(late * 90);
            let stamp = viewer.stamps.next(current, &batch, 3, false);
            let (is, expected) = match viewer.stamps.phase {
                Phase::Slow(_) => ("slow", viewer.own.wrapping_add(30)),
                Phase::Near => ("near", current),
                Phase::Behind => ("behind", current),
                Phase::Live => ("live", viewer.own),
            };
            assert_eq!((is, stamp), (phase, expected), "{late}");
        }
    }

    #[test]
    fn in_a_slow_second_nobody_waits_longer_for_the_picture_behind_one_that_is_missing() {
        let mut viewer = Viewer::at_live(3_000);
        viewer.next(12_000);
        assert_eq!(viewer.next(3_000), (60, Some(3_030)));
        assert_eq!(viewer.next(8_000), (90, Some(3_030)));
        for _ in 4..=25 {
            viewer.next(3_000);
        }
        // Nor where more a second come; and the second goes on.
        assert_eq!(viewer.next(1_500), (765, Some(1_515)));
    }

    #[test]
    fn the_same_where_a_longer_picture_ends_the_way_to_live() {
        let Viewer {
            mut stamps, own, ..
        } = Viewer::at_live(3_000);
        stamps.begin();
        let mut sequence = 0;
        let mut next = |stamps: &mut Stamps, time: u32, late: u32| {
            let mut batch = batch(sequence);
            sequence += 1;
            batch.rtp_time = time;
            let stamp = stamps.next(time.wrapping_add(late), &batch, 1, false);
            let turn = stamps.turn().unwrap_or(stamp);
            (distance(time, stamp), distance(stamp, turn))
        };
        let mut time = own.wrapping_add(3_000);
        next(&mut stamps, time, 3_650);
        assert_eq!(stamps.phase, Phase::Near);
        // The next one is left out.
        time = time.wrapping_add(6_000);
        assert_eq!(next(&mut stamps, time, 0), (0, 3_030));
        let mut pictures = 0;
        while matches!(stamps.phase, Phase::Slow(_)) {
            pictures += 1;
            time = time.wrapping_add(3_000);
            next(&mut stamps, time, 0);
        }
        assert_eq!(pictures, 35);
    }

    #[test]
    fn a_slow_second_ends_also_where_pictures_have_next_to_no_time() {
        let mut viewer = Viewer::at_live(90);
        viewer.next(9_000);
        let mut pictures = 0;
        while viewer.next(90).1.is_some() {
            pictures += 1;
            assert!(pictures < 40);
        }
    }

    #[test]
    fn the_turns_of_a_slow_second_are_by_the_host_s_clock_of_then() {
        for drift in [-30_000, 30_000] {
            let (mut viewer, start) = (Viewer::at_live(3_000), Instant::now());
            viewer.stamps.begin();
            let said = viewer.own.wrapping_add(9_000);
            let behind = viewer.stamps.current(start, said);
            assert_eq!(behind, said, "the clock of his way to live");
            viewer.stamps.phase = Phase::Live;
            for _ in 0..6 {
                viewer.next(3_000);
            }
            viewer.next(90_000);
            // Two hours later by his clock, which is not ours.
            let later = start + Duration::from_secs(7_200);
            let said = viewer.own.wrapping_add_signed(drift);
            assert_eq!(viewer.stamps.current(later, said), said);
        }
    }

    #[test]
    fn a_group_sent_again_does_not_turn_back_time() {
        let (mut stamps, newest) = (Stamps::default(), batch(20));
        let mut last = stamps.next(newest.rtp_time, &newest, 0, false);
        for sequence in 0..=20 {
            let stamp = stamps.next(
                newest.rtp_time,
                &batch(sequence),
                u64::from(20 - sequence),
                false,
            );
            let gap = distance(last, stamp);
            assert_eq!(gap == STEP, sequence < 15, "{sequence}: {gap}");
            assert!(gap == STEP || (2_400..3_000).contains(&gap), "{gap}");
            last = stamp;
        }
    }
}
