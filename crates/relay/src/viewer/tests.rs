mod again;
mod behind_shard;
mod held_up;
mod narrow;
mod reports;
mod to_live;

use std::sync::Arc;
use std::time::{Duration, Instant};

use zongzi_webrtc::rtcp::{self, NackPair, NtpTime};
use zongzi_webrtc::rtp::{self, Extensions, RtpTime, SeqNo, Ssrc, playout_delay};
use zongzi_webrtc::srtp;

use super::{Egress, Outbox, Seeds, StreamSettings, Tally, Tick};
use crate::host_clock::HostClock;
use crate::packetize::{Batch, BatchKind};
use crate::rendition::Rendition;
use crate::shard::Feed;

const VIDEO: Ssrc = Ssrc(100);
const AGAIN: Ssrc = Ssrc(101);
const AUDIO: Ssrc = Ssrc(102);
const OFFSET: u32 = 0xffff_0000;

/// A viewer in virtual time, with a broadcast before him and his receiving end behind him.
struct Lab {
    started: Instant,
    now: Tick,
    feed: Feed,
    egress: Egress,
    receiver: srtp::Receiver,
    out: Sent,
    video: u64,
    audio: u64,
    /// Of the pictures that come.
    rendition: Rendition,
}

/// What the viewer was sent.
#[derive(Debug, Default)]
struct Sent(Vec<Vec<u8>>);

impl Outbox for Sent {
    fn datagram(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let mut datagram = vec![0xee; len];
        let filled = fill(&mut datagram);
        if filled {
            self.0.push(datagram);
        }
        filled
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Got {
    Media {
        header: rtp::Header,
        payload: Vec<u8>,
    },
    /// A datagram that was there before.
    Copy,
    Report {
        ssrc: Ssrc,
        ntp: NtpTime,
        rtp_time: RtpTime,
        packets: u32,
    },
    Bye(usize),
}

impl Lab {
    fn new() -> Self {
        Self::with(Some(AGAIN), 30_000)
    }

    fn with(again: Option<Ssrc>, first_sequence: u16) -> Self {
        Self::of(again, first_sequence, None)
    }

    /// A viewer whose handshake told this of his distance.
    fn at(round_trip: Option<Duration>) -> Self {
        Self::of(Some(AGAIN), 30_000, round_trip)
    }

    fn of(again: Option<Ssrc>, first_sequence: u16, round_trip: Option<Duration>) -> Self {
        let material = [7; 56];
        let keys = srtp::Keys::new(srtp::Profile::AeadAes128Gcm, &material).unwrap();
        let started = Instant::now();
        let now = Tick {
            at: started,
            unix: Duration::from_secs(1_800_000_000),
            media: Duration::from_secs(100_000),
        };
        let delay = |least| Extensions::new(&[(4, b"0"), (5, &playout_delay(least, 30))]).unwrap();
        let settings = |ssrc, payload_type| StreamSettings {
            ssrc,
            payload_type,
            extensions: delay(6),
            reordered_extensions: delay(12),
        };
        let seeds = Seeds {
            sequence: first_sequence,
            timestamp: OFFSET,
        };
        Self {
            started,
            now,
            feed: Feed::default(),
            egress: Egress::new(
                started,
                Box::new(keys.sender(srtp::Side::Server).unwrap()),
                Some((settings(VIDEO, 96), seeds)),
                again.map(|ssrc| (settings(ssrc, 97), seeds)),
                Some((settings(AUDIO, 111), seeds)),
                round_trip,
            ),
            receiver: keys.receiver(srtp::Side::Server).unwrap(),
            out: Sent::default(),
            video: 0,
            audio: 0,
            rendition: Rendition::Source,
        }
    }

    /// A live frame for the broadcast: `packets` of 1,100 bytes, the last shorter, a keyframe's parameter sets in front.
    fn frame(&mut self, keyframe: bool, packets: usize) -> Arc<Batch> {
        let mut sizes = vec![1_100; packets];
        sizes[packets - 1] = 500;
        if keyframe {
            sizes.insert(0, 40);
        }
        let kind = BatchKind::Video { keyframe };
        let batch = self
            .batch(kind, self.video, &sizes, 90_000)
            .with_lead(usize::from(keyframe))
            .with_rendition(self.rendition);
        self.video += 1;
        let batch = Arc::new(batch);
        self.feed.push(&batch);
        batch
    }

    fn batch(&self, kind: BatchKind, sequence: u64, sizes: &[usize], rate: u128) -> Batch {
        let rtp_time =
            u32::try_from(self.now.media.as_micros() * rate / 1_000_000 % (1 << 32)).unwrap();
        let mut data = Vec::new();
        let mut ends = Vec::new();
        for (packet, size) in sizes.iter().enumerate() {
            let mut payload = vec![u8::try_from(packet % 251).unwrap(); *size];
            payload[..8].copy_from_slice(&sequence.to_be_bytes());
            data.extend(payload);
            ends.push(u32::try_from(data.len()).unwrap());
        }
        Batch::new(
            kind,
            sequence,
            0,
            rtp_time,
            self.now.at,
            data.into(),
            ends.into(),
        )
    }

    fn sound(&mut self) {
        let batch = self.batch(BatchKind::Audio, self.audio, &[200], 48_000);
        self.audio += 1;
        self.egress.audio(self.now, &batch, &mut self.out);
    }

    /// A group of frames 33 ms apart, each of 9 packets, that nobody watches yet.
    fn group(&mut self, frames: usize) {
        for frame in 0..frames {
            self.frame(frame == 0, 9);
            self.wait(33);
        }
    }

    fn wait(&mut self, millis: u64) {
        let span = Duration::from_millis(millis);
        self.now.at += span;
        self.now.unix += span;
        self.now.media += span;
    }

    fn pump(&mut self) {
        self.egress.pump(self.now, &self.feed, &mut self.out);
    }

    /// A viewer who has been at live for a while.
    fn at_live() -> Self {
        let mut lab = Self::new();
        lab.live(true);
        for _ in 0..90 {
            lab.live(false);
        }
        assert_eq!(lab.egress.poll_timeout(&lab.feed), None);
        lab.got();
        lab.tally();
        lab
    }

    /// Lives through the 33 ms of a live frame.
    fn live(&mut self, keyframe: bool) {
        self.frame(keyframe, 9);
        let end = self.now.at + Duration::from_millis(33);
        loop {
            self.pump();
            let next = self.egress.poll_timeout(&self.feed);
            let next = next.unwrap_or(end).min(end);
            let span = next.saturating_duration_since(self.now.at);
            let millis = u64::try_from(span.as_millis()).unwrap();
            if next == end {
                self.wait(millis);
                return;
            }
            self.wait(millis + 1);
        }
    }

    /// Pumps at each timeout until there is no backlog; how long it took.
    fn catch_up(&mut self) -> Duration {
        let started = self.now.at;
        for _ in 0..10_000 {
            self.pump();
            let Some(at) = self.egress.poll_timeout(&self.feed) else {
                return self.now.at - started;
            };
            let span = at.saturating_duration_since(self.now.at);
            self.wait(u64::try_from(span.as_millis()).unwrap() + 1);
        }
        panic!("never at live");
    }

    /// Everything sent since the last call, decrypted.
    fn got(&mut self) -> Vec<Got> {
        let mut got = Vec::new();
        let mut plain = [0; 2048];
        for datagram in std::mem::take(&mut self.out.0) {
            if (192..=223).contains(&datagram[1]) {
                let length = self.receiver.unprotect_rtcp(&datagram, &mut plain).unwrap();
                got.extend(
                    rtcp::packets(&plain[..length]).filter_map(|packet| match packet {
                        rtcp::Packet::SenderReport {
                            ssrc,
                            ntp,
                            rtp_time,
                            packets,
                            ..
                        } => Some(Got::Report {
                            ssrc,
                            ntp,
                            rtp_time,
                            packets,
                        }),
                        rtcp::Packet::Bye { sources } => Some(Got::Bye(sources.iter().count())),
                        _ => None,
                    }),
                );
                continue;
            }
            match self.receiver.unprotect(&datagram, &mut plain) {
                Ok((length, _)) => {
                    let packet = rtp::Packet::parse(&plain[..length]).unwrap();
                    let payload = packet.payload.to_vec();
                    got.push(Got::Media {
                        header: packet.header,
                        payload,
                    });
                }
                Err(srtp::Error::Replayed) => got.push(Got::Copy),
                Err(error) => panic!("{error}"),
            }
        }
        got
    }

    fn nack(&mut self, sequence: SeqNo, following: u16) {
        let pair = NackPair {
            first: sequence,
            following,
        };
        self.egress.nack(VIDEO, pair, &self.feed, &mut self.out);
    }

    /// Whether he needs one.
    fn keyframe_request(&mut self) -> bool {
        self.egress
            .keyframe_request(self.now, VIDEO, &self.feed, &mut self.out)
    }

    fn lossy_report(&mut self, fraction_lost: u8) {
        self.report(VIDEO, fraction_lost, 0);
    }

    fn report(&mut self, ssrc: Ssrc, fraction_lost: u8, lost: i32) {
        let report = rtcp::Report {
            ssrc,
            fraction_lost,
            lost,
            highest_sequence: 0,
            jitter: 0,
            last_report: 0,
            since_last_report: 0,
        };
        self.egress.report(self.now, Duration::ZERO, &report);
    }

    fn tally(&mut self) -> Tally {
        self.egress.take_tally()
    }
}

fn media(got: &[Got], ssrc: Ssrc) -> Vec<(rtp::Header, Vec<u8>)> {
    let media = got.iter().filter_map(|got| match got {
        Got::Media { header, payload } if header.ssrc == ssrc => Some((*header, payload.clone())),
        _ => None,
    });
    media.collect()
}

/// The batch numbers of the frames, in the order they came, each once.
fn frames(got: &[Got]) -> Vec<u64> {
    let mut frames: Vec<u64> = media(got, VIDEO)
        .iter()
        .map(|(_, payload)| frame_of(payload))
        .collect();
    frames.dedup();
    frames
}

/// The batch number of a frame that a packet is of.
fn frame_of(payload: &[u8]) -> u64 {
    u64::from_be_bytes(payload[..8].try_into().unwrap())
}

/// The numbers follow each other without a hole; returns the first.
fn continuous(got: &[Got]) -> u16 {
    let media = media(got, VIDEO);
    let first = media[0].0.sequence;
    for (place, (header, _)) in (0_u16..).zip(&media) {
        assert_eq!(header.sequence, first.plus(place));
    }
    first.0
}

#[test]
fn a_join_gets_the_newest_group_at_50_megabits_stamped_as_if_it_came_now() {
    let mut lab = Lab::new();
    lab.group(10);
    lab.group(30);
    let took = lab.catch_up();
    let got = lab.got();
    assert_eq!(frames(&got), (10..40).collect::<Vec<_>>());
    assert_eq!(continuous(&got), 30_000);
    // 30 frames of 9.7 KB with overhead, 20 KB of it and one frame at once; the last before live are 26 ms apart: those
    // of less than 210 ms, which are 6 when they begin and fewer the longer it takes.
    let burst = Duration::from_millis((24 * 97 / 10 - 30) * 8 / 50);
    let steps = Duration::from_millis(26) * 2..=Duration::from_millis(26) * 6;
    assert!(steps.contains(&(took - burst)), "{took:?}");
    let video = media(&got, VIDEO);
    let times: Vec<u32> = video.iter().map(|(header, _)| header.timestamp.0).collect();
    assert!(times.is_sorted(), "{times:?}");
    let span = times[times.len() - 1].wrapping_sub(times[0]);
    assert!(
        (29 * 90..=20_000).contains(&span),
        "the time it took to send, not a second: {span}"
    );
    let markers = video.iter().filter(|(header, _)| header.marker).count();
    assert_eq!(markers, 30, "one for each frame");
    assert!(video[9].0.marker && !video[8].0.marker);
    assert!(video.iter().all(|(header, _)| header.payload_type == 96));
}

#[test]
fn pictures_of_a_host_with_b_frames_are_to_be_shown_later_also_when_sent_again() {
    let mut lab = Lab::new();
    let delays = |lab: &mut Lab| -> Vec<Vec<u8>> {
        let sent = std::mem::take(&mut lab.out.0);
        let packets = sent
            .iter()
            .filter_map(|sent| rtp::Packet::parse_protected(sent));
        let mut delays: Vec<Vec<u8>> = packets
            .filter(|packet| [96, 97].contains(&packet.header.payload_type))
            .map(|packet| packet.extension(5).unwrap_or_default().to_vec())
            .collect();
        delays.dedup();
        delays
    };
    lab.group(5);
    lab.catch_up();
    assert_eq!(delays(&mut lab), [playout_delay(6, 30)]);
    let sizes = [1_100, 500];
    let kind = BatchKind::Video { keyframe: false };
    let picture = lab.batch(kind, lab.video, &sizes, 90_000);
    lab.video += 1;
    lab.feed
        .push(&Arc::new(picture.with_rendition(Rendition::InOrder)));
    lab.catch_up();
    assert_eq!(delays(&mut lab), [playout_delay(12, 30)]);
    let newest = SeqNo(u16::try_from(30_000 + 10 + 4 * 9 + 1).unwrap());
    lab.nack(newest, 0);
    assert_eq!(delays(&mut lab), [playout_delay(12, 30)]);
}

#[test]
fn sound_begins_400_ms_after_the_first_picture_and_at_once_without_one() {
    let mut lab = Lab::new();
    lab.sound();
    assert_eq!(media(&lab.got(), AUDIO).len(), 1, "nothing to wait for");
    lab.group(3);
    lab.catch_up();
    lab.wait(300);
    lab.sound();
    assert!(media(&lab.got(), AUDIO).is_empty());
    lab.wait(100);
    lab.sound();
    assert_eq!(media(&lab.got(), AUDIO).len(), 1);
}

#[test]
fn the_first_datagram_goes_twice_byte_for_byte_and_reports_come_with_it() {
    let mut lab = Lab::new();
    lab.group(5);
    lab.pump();
    assert_eq!(lab.out.0[0], lab.out.0[1]);
    let now = lab.now;
    let got = lab.got();
    assert_eq!(got[1], Got::Copy);
    assert_eq!(got.iter().filter(|got| **got == Got::Copy).count(), 1);
    let ticks = |rate| u32::try_from(now.media.as_micros() * rate / 1_000_000 % (1 << 32)).unwrap();
    // Sound is said to be of 55 ms later than it is.
    for (ssrc, rate, allowed) in [(VIDEO, 90_000, 0), (AUDIO, 48_000, 2_640)] {
        let report = got.iter().find_map(|got| match got {
            Got::Report {
                ssrc: of,
                ntp,
                rtp_time,
                ..
            } if *of == ssrc => Some((*ntp, *rtp_time)),
            _ => None,
        });
        let expected = (
            NtpTime::from_unix(now.unix),
            RtpTime(ticks(rate).wrapping_sub(allowed)).plus(OFFSET),
        );
        assert_eq!(
            report,
            Some(expected),
            "the time of now, not of the last packet"
        );
    }
}

#[test]
fn a_long_group_comes_at_eight_times_its_own_speed() {
    let mut lab = Lab::new();
    lab.group(240);
    let took = lab.catch_up();
    assert_eq!(frames(&lab.got()).len(), 240);
    // 7.9 s; the last frame waits for nothing.
    assert!((900..1_050).contains(&took.as_millis()), "{took:?}");
}

/// When each big keyframe, from its first packet to its last, went to who joins behind it.
fn big_keyframe_of_a_long_quiet_group(round_trip: Option<Duration>) -> (Duration, Duration) {
    let mut lab = Lab::at(round_trip);
    lab.frame(true, 270);
    for _ in 1..240 {
        lab.wait(33);
        lab.frame(false, 1);
    }
    let started = lab.now.at;
    let mut came = Vec::new();
    let mut last = None;
    while last.is_none() {
        lab.pump();
        let got = lab.got();
        came.extend(media(&got, VIDEO).into_iter().map(|_| lab.now.at - started));
        match lab.egress.poll_timeout(&lab.feed) {
            Some(at) => {
                let span = at.saturating_duration_since(lab.now.at);
                lab.wait(u64::try_from(span.as_millis()).unwrap() + 1);
            }
            None => last = Some(lab.now.at - started),
        }
    }
    // Behind the parameter sets; the first datagram goes twice.
    (came[270] - came[0], last.unwrap())
}

#[test]
fn a_big_keyframe_of_a_quiet_group_is_not_paced_like_the_group() {
    let (keyframe, all) = big_keyframe_of_a_long_quiet_group(None);
    // 297 kB at 50 Mb/s.
    assert!((30..90).contains(&keyframe.as_millis()), "{keyframe:?}");
    assert!((600..1_100).contains(&all.as_millis()), "{all:?}");
}

#[test]
fn who_is_far_away_gets_his_first_group_slower_than_a_browser_s_buffer_takes_it() {
    let far = Some(Duration::from_millis(200));
    let (keyframe, _) = big_keyframe_of_a_long_quiet_group(far);
    // The same at 20 Mb/s.
    assert!((95..180).contains(&keyframe.as_millis()), "{keyframe:?}");
    // Of 60; the last ones come one by one.
    let took = |round_trip| {
        let mut lab = Lab::at(round_trip);
        lab.group(60);
        let started = lab.now.at;
        let mut sent = 0;
        while sent < 50 {
            lab.pump();
            sent += frames(&lab.got()).len();
            lab.wait(1);
        }
        lab.now.at - started
    };
    let (near, far) = (took(Some(Duration::from_millis(90))), took(far));
    // 490 kB: 79 ms at 50 Mb/s, 197 at 20.
    assert!((60..110).contains(&near.as_millis()), "{near:?}");
    assert!((160..240).contains(&far.as_millis()), "{far:?}");
}

#[test]
fn who_is_at_live_gets_each_frame_of_up_to_64_kb_at_once() {
    let mut lab = Lab::at_live();
    for packets in [1, 58, 3] {
        lab.frame(false, packets);
        lab.pump();
        assert_eq!(media(&lab.got(), VIDEO).len(), packets);
        assert_eq!(lab.egress.poll_timeout(&lab.feed), None);
        lab.wait(8);
    }
}

#[test]
fn sound_is_live_from_the_first_packet_even_before_the_picture() {
    let mut lab = Lab::new();
    lab.pump();
    assert!(lab.got().is_empty(), "a waiting room is silent");
    lab.sound();
    let got = lab.got();
    assert_eq!(media(&got, AUDIO).len(), 1);
    assert!(!media(&got, AUDIO)[0].0.marker);
    assert_eq!(
        got.iter()
            .filter(|got| matches!(got, Got::Report { .. }))
            .count(),
        2
    );
}

#[test]
fn a_viewer_whose_link_is_bad_gets_keyframes_alone_and_keeps_his_numbers_and_the_sound() {
    let mut lab = Lab::new();
    let (mut seen, mut apart) = (Vec::new(), Vec::new());
    for group in 0..12_u64 {
        for frame in 0..30 {
            lab.live(frame == 0);
        }
        lab.catch_up();
        lab.sound();
        let got = lab.got();
        assert!(!media(&got, AUDIO).is_empty());
        // In groups 2 to 5 much of what is sent is lost.
        lab.lossy_report(if (2..6).contains(&group) { 120 } else { 0 });
        let frames: Vec<u64> = frames(&got)
            .iter()
            .map(|frame| frame - group * 30)
            .collect();
        assert!(
            frames.iter().copied().eq(0..frames.len() as u64),
            "{frames:?}"
        );
        let packets = u16::try_from(media(&got, VIDEO).len()).unwrap();
        seen.push((frames.len(), continuous(&got), packets));
        let times = media(&got, VIDEO).into_iter();
        let mut times: Vec<u32> = times.map(|(header, _)| header.timestamp.0).collect();
        times.dedup();
        apart.push(times.windows(2).map(|pair| pair[1] - pair[0]).max());
    }
    // 33 ms, and when he comes back 1 % more for a second.
    let expected = [(2, 2_970), (9, 2_970), (10, 2_999)];
    for (group, ticks) in expected {
        assert_eq!(apart[group], Some(ticks), "group {group}");
    }
    // The first bad report is enough; it is tried again when stills have arrived, for 600 ms, and then whole.
    let shares: Vec<usize> = seen.iter().map(|(frames, ..)| *frames).collect();
    assert_eq!(shares, [30, 30, 30, 1, 1, 1, 1, 1, 1, 19, 30, 30]);
    for pair in seen.windows(2) {
        assert_eq!(
            pair[1].1 - pair[0].1,
            pair[0].2,
            "no hole for what was left out"
        );
    }
    assert_eq!(lab.tally().groups_skipped, 7);
}

#[test]
fn over_a_narrow_link_a_keyframe_goes_little_by_little_and_sound_between() {
    let mut lab = Lab::new();
    for frame in 0..30 {
        lab.live(frame == 0);
    }
    lab.catch_up();
    lab.lossy_report(120);
    lab.got();
    lab.frame(true, 30);
    lab.pump();
    let at_once = media(&lab.got(), VIDEO).len();
    assert!((1..=4).contains(&at_once), "{at_once} packets at once");
    lab.sound();
    assert_eq!(media(&lab.got(), AUDIO).len(), 1);
    let took = lab.catch_up();
    let rest = media(&lab.got(), VIDEO).len();
    assert_eq!(at_once + rest, 31);
    // 480 kb/s, of what nothing else is known of.
    assert!((450..=750).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn a_big_live_picture_goes_in_parts_and_the_next_behind_it() {
    let mut lab = Lab::at_live();
    lab.frame(true, 250);
    lab.pump();
    let at_once = media(&lab.got(), VIDEO).len();
    assert!((1..=40).contains(&at_once), "{at_once} packets at once");
    lab.wait(10);
    lab.frame(false, 9);
    let took = lab.catch_up();
    let got = lab.got();
    assert_eq!(frames(&got), [91, 92]);
    let video = media(&got, VIDEO);
    assert_eq!(video.len() + at_once, 251 + 9);
    let markers: Vec<usize> = (0..video.len())
        .filter(|packet| video[*packet].0.marker)
        .collect();
    assert_eq!(markers, [video.len() - 10, video.len() - 1]);
    let times: Vec<u32> = video.iter().map(|(header, _)| header.timestamp.0).collect();
    assert!(
        times[..times.len() - 9]
            .iter()
            .all(|time| *time == times[0]),
        "one picture"
    );
    assert!(took >= Duration::from_millis(25), "275 KB in {took:?}");
    // Any of its packets is found again.
    lab.nack(video[3].0.sequence, 0);
    assert_eq!(media(&lab.got(), AGAIN).len(), 1);
}

#[test]
fn numbers_roll_over_with_the_keys_and_old_packets_are_found_behind_the_roll_over() {
    let mut lab = Lab::with(Some(AGAIN), 32_767);
    lab.frame(true, 1);
    lab.pump();
    let mut got = lab.got();
    for _ in 0..(40_000 / 400) {
        lab.frame(false, 400);
        lab.catch_up();
        got.extend(lab.got());
    }
    assert_eq!(media(&got, VIDEO).len(), 40_002);
    continuous(&got);
    let newest = media(&got, VIDEO).last().unwrap().0.sequence;
    assert!(newest.0 < 32_767, "rolled over");
    let behind = media(&got, VIDEO)
        .iter()
        .find(|(header, _)| header.sequence.0 > 65_500)
        .unwrap()
        .clone();
    lab.nack(behind.0.sequence, 0);
    lab.nack(newest, 0);
    let again = media(&lab.got(), AGAIN);
    // The one before is too old for the feed's two seconds, or found right.
    assert_eq!(again.last().unwrap().1[..2], newest.0.to_be_bytes());
}

#[test]
fn after_the_host_comes_back_the_same_streams_go_on_at_a_keyframe() {
    let mut lab = Lab::new();
    lab.group(5);
    lab.catch_up();
    let before = lab.got();
    lab.feed.clear();
    lab.egress.restart(lab.now.at);
    lab.wait(10_000);
    // A picture that depends on what is gone.
    lab.live(false);
    assert!(lab.got().is_empty());
    lab.live(true);
    lab.live(false);
    lab.catch_up();
    let after = lab.got();
    assert_eq!(frames(&after), [6, 7]);
    let (last, first) = (
        media(&before, VIDEO).pop().unwrap().0,
        media(&after, VIDEO)[0].0,
    );
    assert_eq!(first.sequence, last.sequence.plus(1));
    let passed = first.timestamp.0.wrapping_sub(last.timestamp.0);
    assert!((10_000 * 90..10_200 * 90).contains(&passed), "{passed}");
    assert_eq!(after[1], Got::Copy, "the parameter sets twice");
}

#[test]
fn a_loss_between_hub_and_shard_does_not_show_once_the_snapshot_is_there() {
    let mut lab = Lab::new();
    let mut held = Vec::new();
    for frame in 0..6 {
        held.push(lab.frame(frame == 0, 3));
        lab.pump();
        lab.wait(33);
    }
    lab.catch_up();
    lab.got();
    // Frame 6 never comes; frame 7 shows it; the snapshot has all.
    let mut whole = Feed::default();
    std::mem::swap(&mut whole, &mut lab.feed);
    held.push(lab.frame(false, 3));
    held.push(lab.frame(false, 3));
    std::mem::swap(&mut whole, &mut lab.feed);
    lab.feed.push(&held[7]);
    lab.pump();
    assert!(lab.got().is_empty());
    lab.feed.restart(held, HostClock::default());
    lab.catch_up();
    assert_eq!(frames(&lab.got()), [6, 7]);
}

#[test]
fn goodbye_names_both_streams() {
    let mut lab = Lab::new();
    lab.egress.bye(&mut lab.out);
    assert_eq!(lab.got(), [Got::Bye(2)]);
    assert!(lab.now.at >= lab.started);
}
