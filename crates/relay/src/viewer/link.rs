use std::time::{Duration, Instant};

/// Whether a viewer's link carries the stream, told by his receiver reports, and how much of each group he gets.
///
/// On a link that does not carry it pictures pile up in front of the narrow place, and the sound with them, until both
/// are lost. So he is sent no more than his link takes: from the group he is in nothing more, then the first picture of
/// each group alone, slowly, and all of the sound. Never single pictures or packets from the middle: what he is sent can
/// be decoded. From time to time the first pictures of a group are tried, and if they arrive as they should, whole
/// groups again.
///
/// By then his browser takes sound to be seconds late, and pictures to be due at the wrong times. So for a minute it may not
/// hold pictures back for the sound, and some seconds after his return he comes to live once more.
#[derive(Debug)]
pub(crate) struct Link {
    mode: Mode,
    /// Bad reports in a row.
    strikes: u8,
    /// Tries that failed in a row.
    failed: u8,
    window: Window,
    /// The shortest round trip seen.
    nearest: Option<Duration>,
    /// Bits a second that arrived when the link was full.
    carried: Option<u64>,
    /// When whole groups began to go again, if ever he had less.
    whole_again: Option<Instant>,
    /// When he is to come to live once more.
    anew_from: Option<Instant>,
}

/// How much of a group a viewer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it.
    Whole,
    /// As much as plays for this long.
    First(Duration),
    /// The keyframe.
    Still,
}

/// What a viewer says of his video.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Of the packets since his last report, in 1/256.
    pub(crate) fraction_lost: u8,
    /// Index of the newest packet he has, if that can be.
    pub(crate) highest: Option<u64>,
    /// How long ago the packet after it was sent; zero when there is none.
    pub(crate) overdue: Option<Duration>,
    pub(crate) round_trip: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It carries the stream, as far as is known.
    Whole,
    /// It does not, and is not to be tried before then.
    Stills { try_at: Instant },
    /// The first pictures of a group are tried since then; whether a report has found them well.
    Trying { since: Instant, well: bool },
    /// Whole groups are tried since then.
    Settling { since: Instant },
}

/// Reports that are judged together: some viewers send many, and a share of few packets says little.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    since: Option<Instant>,
    packets: u64,
    /// In 1/256 of a packet.
    lost: u64,
    highest: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Good,
    Bad,
    /// One such report is enough.
    Terrible,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self {
            mode: Mode::Whole,
            strikes: 0,
            failed: 0,
            window: Window::default(),
            nearest: None,
            carried: None,
            whole_again: None,
            anew_from: None,
        }
    }

    /// A report on the video came. Returns whether the link is too narrow from now on, and was not before.
    pub(crate) fn report(&mut self, now: Instant, seen: Seen) -> bool {
        if let Some(time) = seen.round_trip {
            self.nearest = Some(self.nearest.map_or(time, |nearest| nearest.min(time)));
        }
        let Some((lost, carried)) = self.window.take(now, seen) else {
            return false;
        };
        let verdict = self.verdict(lost, seen.overdue.unwrap_or_default());
        self.strikes = match verdict {
            Verdict::Good => 0,
            _ => self.strikes.saturating_add(1),
        };
        let falls = match self.mode {
            Mode::Whole => verdict == Verdict::Terrible || self.strikes >= STRIKES,
            Mode::Stills { try_at } => {
                if verdict > Verdict::Good {
                    let try_at = try_at.max(now + POSTPONED);
                    self.mode = Mode::Stills { try_at };
                }
                false
            }
            Mode::Trying { since, .. } => {
                let told = now.saturating_duration_since(since) >= TOLD_AFTER;
                if verdict == Verdict::Good && told {
                    self.mode = Mode::Trying { since, well: true };
                }
                verdict > Verdict::Good
            }
            Mode::Settling { since } => {
                let settled = now.saturating_duration_since(since) >= SETTLED_AFTER;
                if verdict == Verdict::Good && settled {
                    self.mode = Mode::Whole;
                    self.failed = 0;
                }
                verdict > Verdict::Good
            }
        };
        if falls {
            let before = self.carried.unwrap_or(0) / 2;
            self.carried = carried.map(|carried| carried.max(before));
            let wait = TRY_AFTER * (1 << self.failed.min(DOUBLED_MAX));
            self.failed = self.failed.saturating_add(1);
            self.strikes = 0;
            self.anew_from = None;
            self.mode = Mode::Stills { try_at: now + wait };
        }
        falls
    }

    /// A group begins: how much of it he gets.
    pub(crate) fn group(&mut self, now: Instant) -> Share {
        match self.mode {
            Mode::Stills { try_at } if now >= try_at => {
                self.mode = Mode::Trying {
                    since: now,
                    well: false,
                };
            }
            Mode::Trying { well: true, .. } => {
                self.mode = Mode::Settling { since: now };
                self.whole_again = Some(now);
                self.anew_from = Some(now + CLOCK_AFTER);
            }
            _ => {}
        }
        match self.mode {
            Mode::Whole | Mode::Settling { .. } => Share::Whole,
            Mode::Trying { .. } => Share::First(TRIED),
            Mode::Stills { .. } => Share::Still,
        }
    }

    /// Whether he gets keyframes alone.
    pub(crate) fn is_narrow(&self) -> bool {
        matches!(self.mode, Mode::Stills { .. })
    }

    /// Whether his browser may hold pictures back for the sound: not while he gets single pictures, nor until the sound, which
    /// waited up to two seconds before the narrow place, is on time again.
    ///
    /// See docs/decisions/0007-keyframes-over-a-narrow-link.md.
    pub(crate) fn allows_lip_sync(&self, now: Instant) -> bool {
        let long = |since| now.saturating_duration_since(since) >= SYNC_AFTER;
        match self.mode {
            Mode::Whole | Mode::Settling { .. } => self.whole_again.is_none_or(long),
            Mode::Stills { .. } | Mode::Trying { .. } => false,
        }
    }

    /// Whether he is to come to live once more, with the group that begins now. That is so once after whole groups go again, when his
    /// browser has forgotten the clock that it learned from pictures which came seconds late.
    ///
    /// See docs/decisions/0007-keyframes-over-a-narrow-link.md.
    pub(crate) fn take_anew(&mut self, now: Instant) -> bool {
        self.anew_from.take_if(|from| *from <= now).is_some()
    }

    /// Bits a second for keyframes alone: what the link was seen to carry, with room for the sound.
    pub(crate) fn still_bitrate(&self) -> u64 {
        let carried = self.carried.unwrap_or(CARRIED_ASSUMED);
        (carried / 10 * 6).clamp(STILL_BITS_MIN, STILL_BITS_MAX)
    }

    fn verdict(&self, lost: u64, overdue: Duration) -> Verdict {
        let far = self.nearest.unwrap_or(ROUND_TRIP_ASSUMED);
        let late = match self.mode {
            Mode::Whole | Mode::Stills { .. } => LATE,
            Mode::Trying { .. } | Mode::Settling { .. } => LATE_TRYING,
        };
        if lost >= LOST_TERRIBLE || overdue > far + LATE_TERRIBLE {
            Verdict::Terrible
        } else if lost >= LOST_BAD || overdue > far + late {
            Verdict::Bad
        } else {
            Verdict::Good
        }
    }
}

impl Window {
    /// Adds a report. When enough have come: the share lost in 1/256, and bits a second that arrived, where known.
    fn take(&mut self, now: Instant, seen: Seen) -> Option<(u64, Option<u64>)> {
        let arrived = seen.highest.zip(self.highest);
        let packets = arrived.map_or(1, |(now, before)| now.saturating_sub(before));
        self.packets += packets;
        self.lost += packets * u64::from(seen.fraction_lost);
        self.highest = seen.highest.or(self.highest);
        let since = *self.since.get_or_insert(now - WINDOW);
        let span = now.saturating_duration_since(since);
        if span < WINDOW {
            return None;
        }
        let lost = self.lost.checked_div(self.packets).unwrap_or(0);
        let carried = arrived.map(|_| {
            let packets = self.packets - self.lost / 256;
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
            packets.saturating_mul(PACKET_BITS).saturating_mul(1_000) / millis
        });
        *self = Self {
            since: Some(now),
            highest: self.highest,
            ..Self::default()
        };
        Some((lost, carried))
    }
}

/// Reports of less than this are judged with the next: browsers report once a second, and with each NACK besides.
const WINDOW: Duration = Duration::from_millis(400);
/// Bad reports in a row that are no accident.
const STRIKES: u8 = 2;
/// An eighth of the packets, in 1/256: more than retransmission within its budget can mend.
const LOST_BAD: u64 = 32;
/// A third.
const LOST_TERRIBLE: u64 = 85;
/// Beyond the round trip, so long may pictures wait on their way: browsers hold back no more than that for long.
const LATE: Duration = Duration::from_millis(600);
/// The same while the link is tried: the sound waits behind them.
const LATE_TRYING: Duration = Duration::from_millis(300);
const LATE_TERRIBLE: Duration = Duration::from_millis(2_000);
/// Where no report has told the round trip yet: around the world.
const ROUND_TRIP_ASSUMED: Duration = Duration::from_millis(300);
/// The first try comes so long after the link was found too narrow; doubled with each failure, [`DOUBLED_MAX`] times.
/// A failed try costs the sound up to a second.
const TRY_AFTER: Duration = Duration::from_secs(4);
const DOUBLED_MAX: u8 = 2;
/// Stills that do not arrive as they should put off the next try by this.
const POSTPONED: Duration = Duration::from_secs(2);
/// What is tried first of a group: 190 KB at 2.5 Mb/s, which a link of 1 Mb/s takes a second longer for.
const TRIED: Duration = Duration::from_millis(600);
/// From here on a report can tell how the first pictures have arrived.
const TOLD_AFTER: Duration = Duration::from_millis(900);
/// Whole groups that arrive for so long: the link carries the stream.
const SETTLED_AFTER: Duration = Duration::from_secs(4);
/// So long after the pictures are whole again sound is on time, too: a browser plays it 5 % faster until then.
const SYNC_AFTER: Duration = Duration::from_secs(60);
/// So long browsers take to forget a wrong clock: some 400 pictures.
const CLOCK_AFTER: Duration = Duration::from_secs(14);
/// A packet of our packetizer, with headers down to IP.
const PACKET_BITS: u64 = 1_230 * 8;
/// What a link carries of which nothing else is known but that it is too narrow.
const CARRIED_ASSUMED: u64 = 800_000;
/// A keyframe of 33 kB in 1.3 s.
const STILL_BITS_MIN: u64 = 200_000;
const STILL_BITS_MAX: u64 = 8_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lost(fraction_lost: u8) -> Seen {
        Seen {
            fraction_lost,
            ..Seen::default()
        }
    }

    fn overdue(millis: u64) -> Seen {
        Seen {
            overdue: Some(Duration::from_millis(millis)),
            round_trip: Some(Duration::from_millis(50)),
            ..Seen::default()
        }
    }

    /// A link that has just been found too narrow, and when.
    fn narrow() -> (Link, Instant) {
        let (mut link, now) = (Link::new(), Instant::now());
        assert!(link.report(now, lost(120)));
        (link, now)
    }

    #[test]
    fn one_bad_report_is_an_accident_two_in_a_row_or_a_terrible_one_are_not() {
        let start = Instant::now();
        let falls = |reports: &[Seen]| {
            let mut link = Link::new();
            (0..)
                .zip(reports)
                .any(|(number, seen)| link.report(start + SECOND * number, *seen))
        };
        assert!(!falls(&[lost(40), lost(0), lost(40), lost(31), lost(40)]));
        assert!(falls(&[lost(40), lost(40)]));
        assert!(falls(&[lost(85)]));
        assert!(!falls(&[overdue(640), overdue(640), overdue(640)]));
        assert!(!falls(&[overdue(660), overdue(0), overdue(660)]));
        assert!(falls(&[overdue(660), overdue(660)]));
        assert!(falls(&[overdue(2_060)]));
    }

    #[test]
    fn many_small_reports_are_judged_by_their_packets() {
        let start = Instant::now();
        let mut link = Link::new();
        let mut highest = 1_000;
        let mut report = |link: &mut Link, millis: u64, packets: u64, fraction_lost: u8| {
            highest += packets;
            let seen = Seen {
                fraction_lost,
                highest: Some(highest),
                ..Seen::default()
            };
            link.report(start + Duration::from_millis(millis), seen)
        };
        report(&mut link, 0, 0, 0);
        // A third of ten lost, again and again, and then nothing of many.
        for second in 1..5 {
            assert!(!report(&mut link, second * 1_000, 267, 0));
            assert!(!report(&mut link, second * 1_000 + 30, 10, 85));
        }
    }

    #[test]
    fn stills_go_at_what_the_link_was_seen_to_carry() {
        let (mut link, start) = (Link::new(), Instant::now());
        let seen = |highest, fraction_lost| Seen {
            fraction_lost,
            highest: Some(highest),
            ..Seen::default()
        };
        link.report(start, seen(1_000, 0));
        assert!(link.report(start + SECOND, seen(1_267, 160)));
        // 100 of 267 packets in a second.
        assert_eq!(
            link.still_bitrate() / 1_000,
            101 * 1_230 * 8 * 6 / 10 / 1_000
        );
        let (link, _) = narrow();
        assert_eq!(link.still_bitrate(), 480_000, "nothing is known");
    }

    #[test]
    fn the_link_is_tried_ever_later_and_only_when_stills_arrive() {
        let (mut link, mut now) = narrow();
        for wait in [4, 8, 16, 16] {
            assert_eq!(link.group(now + SECOND * wait - WINDOW), Share::Still);
            now += SECOND * wait;
            assert_eq!(link.group(now), Share::First(TRIED));
            now += SECOND;
            assert!(link.report(now, overdue(400)), "too long for a try");
            assert!(link.is_narrow());
        }
        now += SECOND * 15;
        assert!(!link.report(now, lost(40)));
        assert_eq!(link.group(now + SECOND), Share::Still, "put off");
        assert_eq!(link.group(now + SECOND * 2), Share::First(TRIED));
    }

    #[test]
    fn a_link_that_has_recovered_carries_whole_groups_after_a_try_and_then_all_is_forgotten() {
        let (mut link, mut now) = narrow();
        now += TRY_AFTER;
        assert_eq!(link.group(now), Share::First(TRIED));
        let at = |millis| now + Duration::from_millis(millis);
        assert!(!link.report(at(500), lost(0)));
        assert_eq!(link.group(at(600)), Share::First(TRIED), "not told yet");
        assert!(!link.report(at(1_000), lost(0)));
        assert_eq!(link.group(at(2_000)), Share::Whole);
        assert_eq!(link.mode, Mode::Settling { since: at(2_000) });
        for second in 3..=6 {
            assert!(!link.report(at(second * 1_000), lost(3)));
        }
        assert_eq!((link.mode, link.failed), (Mode::Whole, 0));
    }

    #[test]
    fn nobody_s_pictures_are_held_back_for_sound_that_a_narrow_place_held_up() {
        let start = Instant::now();
        assert!(Link::new().allows_lip_sync(start));
        let (mut link, mut now) = narrow();
        let at = |now, millis| now + Duration::from_millis(millis);
        for _ in 0..2 {
            assert!(!link.allows_lip_sync(at(now, 100_000)), "single pictures");
            now += SECOND * 100;
            assert_eq!(link.group(now), Share::First(TRIED));
            assert!(!link.allows_lip_sync(at(now, 900)), "a try");
            link.report(at(now, 1_000), lost(0));
            now += SECOND * 2;
            assert_eq!(link.group(now), Share::Whole);
            assert!(!link.allows_lip_sync(at(now, 59_999)));
            for second in 1..=5 {
                link.report(now + SECOND * second, lost(0));
            }
            assert_eq!(link.mode, Mode::Whole);
            assert!(!link.allows_lip_sync(at(now, 59_999)));
            assert!(link.allows_lip_sync(at(now, 60_000)));
            now += SECOND * 60;
            assert!(link.report(now, lost(120)));
        }
    }

    #[test]
    fn once_after_whole_groups_go_again_he_comes_to_live_anew() {
        let (mut link, mut now) = narrow();
        let at = |now, millis| now + Duration::from_millis(millis);
        assert!(!link.take_anew(at(now, 100_000)), "single pictures");
        // The first try of whole groups fails, the second does not.
        for fails in [true, false] {
            now += SECOND * 100;
            link.group(now);
            link.report(at(now, 1_000), lost(0));
            now += SECOND * 2;
            assert_eq!(link.group(now), Share::Whole);
            assert!(!link.take_anew(at(now, 13_999)));
            if fails {
                assert!(link.report(at(now, 14_000), lost(120)));
                assert!(!link.take_anew(at(now, 20_000)));
            }
        }
        assert!(link.take_anew(at(now, 14_000)));
        assert!(!link.take_anew(at(now, 20_000)), "once");
    }
}
