//! A viewer whose link does not carry the stream, and then does again: a model of a link that has a rate, a queue that
//! drops what does not fit, and stray losses by chance; and of a browser that asks for what is missing, and reports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zongzi_webrtc::rtcp::Report;

use super::*;
use crate::fixture::Chance;

/// Pictures of a group: 2 s.
const GROUP: u64 = 60;
/// Packets of a keyframe without its parameter sets, and of any other picture: 2.5 Mb/s in all.
const KEYFRAME_PACKETS: u64 = 30;
const PICTURE_PACKETS: u64 = 9;
/// Bytes that wait before the narrow place, as in a cheap router.
const QUEUE_BYTES: u64 = 256 << 10;
/// One way, in milliseconds.
const WAY: u64 = 20;

struct Life {
    lab: Lab,
    millis: u64,
    chance: Chance,
    bits_per_second: u64,
    /// When the narrow place is free again, in microseconds.
    busy: u64,
    on_the_way: VecDeque<(u64, Got)>,
    feedback: VecDeque<(u64, Feedback)>,
    /// So long the server takes to read them, and whether it knows.
    read_late: u64,
    waited: Duration,
    browser: Browser,
    /// The picture whose packets are being sent, and how many of them were.
    sending: Option<(u64, u64)>,
    /// When each packet of sound was sent.
    sound: BTreeMap<u16, u64>,
    /// When each picture came to the server.
    pictures: Vec<u64>,
}

#[derive(Debug)]
enum Feedback {
    Nack(u16),
    Keyframe,
    Report(Report),
}

#[derive(Debug, Default)]
struct Browser {
    /// Video packets missed: when each was asked for last, and how often.
    missed: BTreeMap<u16, (u64, u8)>,
    highest: Option<u16>,
    received: u64,
    /// Numbers of the packets that came of each picture.
    pictures: BTreeMap<u64, BTreeSet<u16>>,
    /// Pictures shown, and when.
    shown: Vec<(u64, u64)>,
    asked_at: u64,
    /// When each packet of sound came.
    sound: BTreeMap<u16, u64>,
    /// When reports came, of which stream, and whether they said the time.
    reports: Vec<(u64, Ssrc, bool)>,
    sender_report: Option<(u32, u64)>,
    reported_at: u64,
    /// Highest number and packets received at the last report.
    reported: Option<(u16, u64)>,
}

fn is_keyframe(picture: u64) -> bool {
    picture.is_multiple_of(GROUP)
}

fn packets(picture: u64) -> u64 {
    if is_keyframe(picture) {
        KEYFRAME_PACKETS + 1
    } else {
        PICTURE_PACKETS
    }
}

impl Life {
    fn new(seed: u64) -> Self {
        Self {
            lab: Lab::with(Some(AGAIN), 100),
            millis: 0,
            chance: Chance::of(seed),
            bits_per_second: 20_000_000,
            busy: 0,
            on_the_way: VecDeque::new(),
            feedback: VecDeque::new(),
            read_late: 0,
            waited: Duration::ZERO,
            browser: Browser::default(),
            sending: None,
            sound: BTreeMap::new(),
            pictures: Vec::new(),
        }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 1_000 {
            let picture = self.lab.video;
            if self.millis * 30 / 1_000 >= picture {
                let keyframe = is_keyframe(picture);
                let count = packets(picture) - u64::from(keyframe);
                self.lab.frame(keyframe, usize::try_from(count).unwrap());
                self.pictures.push(self.millis);
                self.lab.pump();
            }
            if self.millis.is_multiple_of(20) {
                self.lab.sound();
            }
            let behind = self.lab.egress.poll_timeout(&self.lab.feed).is_some();
            if behind && self.millis.is_multiple_of(4) {
                self.lab.pump();
            }
            self.send();
            self.arrive();
            self.answer();
            self.lab.wait(1);
            self.millis += 1;
        }
    }

    /// What the server sends goes into the queue, if it fits.
    fn send(&mut self) {
        let now = self.millis * 1_000;
        for got in self.lab.got() {
            let mut bytes = 120;
            if let Got::Media { header, payload } = &got {
                bytes = u64::try_from(payload.len()).unwrap() + 70;
                match header.ssrc {
                    VIDEO => self.check(picture_of(payload)),
                    AUDIO => {
                        self.sound.insert(header.sequence.0, self.millis);
                    }
                    _ => {}
                }
            }
            self.busy = self.busy.max(now);
            let queued = (self.busy - now) * self.bits_per_second / 8_000_000;
            if queued + bytes > QUEUE_BYTES || self.chance.below(2_000) == 0 {
                continue;
            }
            self.busy += bytes * 8_000_000 / self.bits_per_second;
            let at = self.busy / 1_000 + WAY;
            self.on_the_way.push_back((at, got));
        }
    }

    /// Pictures go whole, and each that is no keyframe right behind the one that it needs.
    fn check(&mut self, picture: u64) {
        self.sending = match self.sending {
            Some((sending, sent)) if sending == picture => Some((sending, sent + 1)),
            before => {
                if let Some((sending, sent)) = before {
                    assert_eq!(sent, packets(sending), "of picture {sending}");
                }
                let follows = before.is_some_and(|(sending, _)| sending + 1 == picture);
                assert!(
                    follows || is_keyframe(picture),
                    "{before:?}, then {picture}"
                );
                Some((picture, 1))
            }
        };
    }

    fn arrive(&mut self) {
        let now = self.millis;
        while self.on_the_way.front().is_some_and(|(at, _)| *at <= now) {
            match self.on_the_way.pop_front().unwrap().1 {
                Got::Media { header, payload } => match header.ssrc {
                    AUDIO => {
                        self.browser.sound.insert(header.sequence.0, now);
                    }
                    VIDEO => self.browser.video(now, header.sequence.0, &payload, false),
                    _ => {
                        let original = u16::from_be_bytes([payload[0], payload[1]]);
                        self.browser.video(now, original, &payload[2..], true);
                    }
                },
                Got::Report { ssrc, ntp, .. } => {
                    let says_time = ntp != NtpTime::UNKNOWN;
                    self.browser.reports.push((now, ssrc, says_time));
                    if ssrc == VIDEO {
                        self.browser.sender_report = Some((ntp.compact(), now));
                    }
                }
                _ => {}
            }
        }
        for feedback in self.browser.feedback(now) {
            self.feedback
                .push_back((now + WAY + self.read_late, feedback));
        }
    }

    fn answer(&mut self) {
        while self
            .feedback
            .front()
            .is_some_and(|(at, _)| *at <= self.millis)
        {
            match self.feedback.pop_front().unwrap().1 {
                Feedback::Nack(number) => self.lab.nack(SeqNo(number), 0),
                Feedback::Keyframe => {
                    self.lab.keyframe_request();
                }
                Feedback::Report(report) => {
                    self.lab.egress.report(self.lab.now, self.waited, &report);
                }
            }
        }
    }

    /// Of the sound that was sent between two moments (in ms): the share in percent that came, and how long the middle
    /// one and the one in twenty that took longest were on their way, in ms.
    fn sound_between(&self, from: u64, to: u64) -> (usize, u64, u64) {
        let sent: Vec<_> = self
            .sound
            .iter()
            .filter(|(_, at)| (from..to).contains(*at))
            .collect();
        let mut took: Vec<u64> = sent
            .iter()
            .filter_map(|(number, at)| Some(self.browser.sound.get(number)? - **at))
            .collect();
        took.sort_unstable();
        let share = took.len() * 100 / sent.len();
        (share, took[took.len() / 2], took[took.len() * 19 / 20])
    }

    /// How many pictures were shown that came to the server between two moments, and how late the latest was.
    fn pictures_between(&self, from: u64, to: u64) -> (usize, u64) {
        let came = |picture: u64| self.pictures[usize::try_from(picture).unwrap()];
        let shown = self.browser.shown.iter();
        let late: Vec<u64> = shown
            .filter(|(picture, _)| (from..to).contains(&came(*picture)))
            .map(|(picture, at)| at - came(*picture))
            .collect();
        (late.len(), late.iter().copied().max().unwrap_or(0))
    }
}

fn picture_of(payload: &[u8]) -> u64 {
    u64::from_be_bytes(payload[..8].try_into().unwrap())
}

impl Browser {
    fn video(&mut self, now: u64, number: u16, payload: &[u8], again: bool) {
        if !again {
            self.received += 1;
            let highest = self.highest.unwrap_or(number);
            for missed in highest + 1..number {
                self.missed.insert(missed, (0, 0));
            }
            self.highest = Some(highest.max(number));
        }
        self.missed.remove(&number);
        let picture = picture_of(payload);
        self.pictures.entry(picture).or_default().insert(number);
        self.show(now);
    }

    /// Shows what is whole and has what it needs.
    fn show(&mut self, now: u64) {
        loop {
            let newest = self.shown.last().map(|(picture, _)| *picture);
            let whole = |picture: &u64| {
                let came = self.pictures.get(picture);
                came.is_some_and(|came| came.len() as u64 == packets(*picture))
            };
            let next = newest.map(|newest| newest + 1).filter(&whole);
            let keyframe = self.pictures.keys().rev().find(|picture| {
                is_keyframe(**picture)
                    && newest.is_none_or(|newest| **picture > newest)
                    && whole(picture)
            });
            let Some(picture) = next.or_else(|| keyframe.copied()) else {
                return;
            };
            if is_keyframe(picture) {
                // What was missed before it is of no use any more.
                let first = *self.pictures[&picture].first().unwrap();
                self.missed = self.missed.split_off(&first);
            }
            self.pictures = self.pictures.split_off(&(picture + 1));
            self.shown.push((picture, now));
        }
    }

    fn feedback(&mut self, now: u64) -> Vec<Feedback> {
        let mut feedback = Vec::new();
        for (number, (asked, times)) in &mut self.missed {
            if *times < 10 && (*times == 0 || now - *asked >= 100) {
                (*asked, *times) = (now, *times + 1);
                feedback.push(Feedback::Nack(*number));
            }
        }
        let shown = self.shown.last().map_or(0, |(_, at)| *at);
        if self.highest.is_some() && now - shown > 3_000 && now - self.asked_at > 1_000 {
            self.asked_at = now;
            feedback.push(Feedback::Keyframe);
        }
        if let Some(highest) = self.highest
            && now - self.reported_at >= 1_000
        {
            let (before, received) = self
                .reported
                .replace((highest, self.received))
                .unwrap_or((highest, self.received));
            let expected = u64::from(highest - before);
            let lost = expected.saturating_sub(self.received - received);
            let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
            let (last_report, at) = self.sender_report.unwrap_or((0, now));
            self.reported_at = now;
            feedback.push(Feedback::Report(Report {
                ssrc: VIDEO,
                fraction_lost: u8::try_from(fraction).unwrap(),
                lost: 0,
                highest_sequence: highest.into(),
                jitter: 0,
                last_report,
                since_last_report: u32::try_from((now - at) * 65_536 / 1_000).unwrap(),
            }));
        }
        feedback
    }
}

#[test]
fn on_a_link_that_is_too_narrow_the_sound_goes_on_over_single_pictures_until_it_is_wide_again() {
    for seed in 1..=12 {
        let mut life = Life::new(seed);
        life.run(10);
        let (shown, late) = life.pictures_between(2_000, 9_000);
        assert!(
            shown == 210 && late < 200,
            "{seed}: at live {shown}, {late} ms late"
        );

        life.bits_per_second = 1_000_000;
        life.run(60);
        // What had piled up is gone after some seconds.
        let (share, middle, long) = life.sound_between(18_000, 69_000);
        assert!(share >= 97, "{seed}: {share} % of the sound came");
        assert!(
            middle < 100 && long < 1_000,
            "{seed}: sound took {middle}, {long} ms"
        );
        let (stills, _) = life.pictures_between(18_000, 69_000);
        assert!(stills >= 18, "{seed}: {stills} pictures in 25 groups");

        life.bits_per_second = 10_000_000;
        life.run(30);
        let end = life.millis;
        let (shown, late) = life.pictures_between(end - 8_000, end - 1_000);
        assert!(
            shown == 210 && late < 200,
            "{seed}: {shown} pictures, {late} ms late"
        );
        let (share, _, long) = life.sound_between(end - 8_000, end - 1_000);
        assert!(share >= 99 && long < 60, "{seed}: {share} %, {long} ms");
        println!(
            "{seed}: narrow: sound {share} % in {middle} ms, 1 in 20 over {long}; {stills} pictures; {:?}",
            life.lab.tally()
        );
    }
}

#[test]
fn sound_is_tied_to_pictures_only_where_they_are_whole_and_it_is_on_time() {
    let mut life = Life::new(5);
    life.run(10);
    life.bits_per_second = 1_000_000;
    life.run(30);
    life.bits_per_second = 10_000_000;
    life.run(90);
    let all = |of: Ssrc, from: u64, to: u64, expected: bool| {
        let reports = life.browser.reports.iter();
        let reports: Vec<bool> = reports
            .filter(|(at, ssrc, _)| *ssrc == of && (from * 1_000..to * 1_000).contains(at))
            .map(|(.., says_time)| *says_time)
            .collect();
        assert!(reports.len() as u64 + 3 >= to - from, "one a second");
        reports.iter().all(|says_time| *says_time == expected)
    };
    assert!(all(AUDIO, 0, 10, true));
    // What had piled up when the link was found to be narrow is gone after some seconds; a try may be 16 s away.
    assert!(all(AUDIO, 15, 100, false));
    assert!(all(AUDIO, 121, 130, true));
    assert!(
        all(VIDEO, 0, 130, true),
        "a link is judged by their answers"
    );
}

#[test]
fn who_comes_back_comes_to_live_once_more_with_a_group_some_seconds_later() {
    for seed in 1..=4 {
        let mut life = Life::new(seed);
        life.run(10);
        life.bits_per_second = 1_000_000;
        life.run(30);
        life.bits_per_second = 10_000_000;
        life.run(50);
        let shown = &life.browser.shown;
        let holes = shown
            .windows(2)
            .rposition(|pair| pair[0].0 + 1 != pair[1].0);
        let whole = &shown[holes.unwrap() + 1..];
        let held: Vec<(u64, u64)> = whole
            .windows(2)
            .filter(|pair| pair[1].1 - pair[0].1 >= 100)
            .map(|pair| (pair[1].0, pair[1].1 - whole[0].1))
            // Others wait for a packet that was lost.
            .filter(|(picture, _)| is_keyframe(*picture))
            .collect();
        let [(_, after)] = held[..] else {
            panic!("{seed}: {held:?}");
        };
        assert!((14_000..17_000).contains(&after), "{seed}: {after} ms");
    }
}

#[test]
fn a_link_that_carries_the_stream_just_so_gets_all_of_it() {
    let mut life = Life::new(7);
    life.bits_per_second = 3_500_000;
    life.run(40);
    let (shown, late) = life.pictures_between(20_000, 38_000);
    assert!(
        shown == 540 && late < 400,
        "{shown} pictures, {late} ms late"
    );
}

#[test]
fn a_server_that_reads_reports_late_takes_no_link_for_a_narrow_one() {
    let skipped = |waited| {
        let mut life = Life::new(3);
        life.run(10);
        life.read_late = 900;
        life.waited = Duration::from_millis(waited);
        life.run(10);
        life.lab.tally().groups_skipped
    };
    assert_eq!(skipped(900), 0);
    assert!(skipped(0) > 0, "it would without knowing that it is late");
}
