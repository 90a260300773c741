use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use crate::account::frames::Whole;
use crate::account::matching::Matcher;
use crate::account::sequence::Arrival;
use crate::account::{Assembler, Delays, Sequence, Sound};
use crate::clock::Stamp;
use crate::host::log::{FRAMES_MAX, Log, Sent};
use crate::rtp::Header;
use crate::whep::Answer;

/// Frames that the host sent this shortly before a viewer left may still have been on their way to him.
pub(crate) const GRACE: Duration = Duration::from_millis(500);
/// Who has his keys while the host sends for this long has a picture, or is shown none: a server that waits for the next
/// keyframe has one by then, too.
const PICTURE_MAX: Duration = Duration::from_secs(2);

/// What a viewer is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Comes, watches, says goodbye.
    Normal,
    /// Has a link that loses or delays.
    Slow,
    /// Goes without a word.
    Vanished,
    /// Stays a short while only.
    Churning,
    /// Comes with many others at once.
    Crowd,
}

/// What a viewer may look at while it takes a datagram.
pub(crate) struct Context<'a> {
    /// The time.
    pub(crate) now: Stamp,
    /// What the host of its channel sent.
    pub(crate) log: &'a Log,
    /// A copy of it, which may be behind.
    pub(crate) copy: &'a mut VecDeque<Sent>,
    /// What is counted over all viewers of one engine in one phase.
    pub(crate) stats: &'a mut Stats,
}

impl Context<'_> {
    /// What the host sent, all that can have arrived by now: it notes a frame before it sends it.
    pub(crate) fn sent(&mut self) -> &VecDeque<Sent> {
        self.log.copy_new(self.copy);
        self.copy
    }
}

/// Figures over all viewers of one engine in one phase of the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stats {
    /// Datagrams that carried RTP.
    pub(crate) packets: u64,
    /// Their bytes, UDP payload.
    pub(crate) bytes: u64,
    /// Seconds that viewers with keys were there, summed.
    pub(crate) viewer_seconds: f64,
    /// Host's send to last packet's arrival, of each live frame at each viewer.
    pub(crate) transit: Delays,
    /// The same at the viewer whom it reached last, of each frame.
    pub(crate) transit_last: Delays,
    /// Between the arrivals of two whole frames at one viewer.
    pub(crate) gaps: Delays,
    worst: Worst,
}

impl Stats {
    /// Takes over all that `other` counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.viewer_seconds += other.viewer_seconds;
        self.transit.merge(&other.transit);
        self.transit_last.merge(&other.transit_last);
        self.gaps.merge(&other.gaps);
    }

    /// Counts the frames that are still open for [`Stats::transit_last`]: call it once, at the end.
    pub(crate) fn finish(&mut self) {
        for (_, span) in std::mem::take(&mut self.worst.open) {
            self.transit_last.add(span);
        }
    }

    fn note_transit(&mut self, channel: usize, index: u64, span: Duration) {
        self.transit.add(span);
        if let Some(closed) = self.worst.note(channel, index, span) {
            self.transit_last.add(closed);
        }
    }
}

/// The longest transit of each of the newest frames.
#[derive(Debug, Clone, Default)]
struct Worst {
    open: std::collections::BTreeMap<(u64, usize), Duration>,
}

impl Worst {
    fn note(&mut self, channel: usize, index: u64, span: Duration) -> Option<Duration> {
        let worst = self.open.entry((index, channel)).or_default();
        *worst = span.max(*worst);
        if self.open.len() > FRAMES_MAX {
            return self.open.pop_first().map(|(_, span)| span);
        }
        None
    }
}

/// Everything known of one viewer.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) channel: usize,
    pub(crate) kind: Kind,
    pub(crate) sampled: bool,
    pub(crate) posted: Stamp,
    pub(crate) answered: Stamp,
    pub(crate) connected: Option<Stamp>,
    pub(crate) keyed: Option<Stamp>,
    pub(crate) first_packet: Option<Stamp>,
    pub(crate) first_keyframe: Option<Stamp>,
    pub(crate) profile: Option<dimpl::SrtpProfile>,
    pub(crate) video: Sequence,
    pub(crate) audio: Sequence,
    pub(crate) frames: Assembler,
    pub(crate) matcher: Matcher,
    /// Frames whose bytes are none that the host sent.
    pub(crate) corrupt: u64,
    /// Frames compared byte for byte and found equal.
    pub(crate) verified: u64,
    pub(crate) sound: Sound,
    pub(crate) sender_reports: u64,
    /// Datagrams that could not be authenticated or understood.
    pub(crate) refused: u64,
    /// RTP packets that came before the keys: a browser drops them.
    pub(crate) before_keys: u64,
    pub(crate) longest_gap: Duration,
    last_frame: Option<Stamp>,
}

impl Record {
    /// Of a viewer that has its answer.
    pub(crate) fn new(
        id: u64,
        channel: usize,
        kind: Kind,
        sampled: bool,
        posted: Stamp,
        answered: Stamp,
    ) -> Self {
        Self {
            id,
            channel,
            kind,
            sampled,
            posted,
            answered,
            connected: None,
            keyed: None,
            first_packet: None,
            first_keyframe: None,
            profile: None,
            video: Sequence::new(90_000),
            audio: Sequence::new(48_000),
            frames: Assembler::default(),
            matcher: Matcher::default(),
            corrupt: 0,
            verified: 0,
            sound: Sound::default(),
            sender_reports: 0,
            refused: 0,
            before_keys: 0,
            longest_gap: Duration::ZERO,
            last_frame: None,
        }
    }

    /// Takes an RTP packet of `bytes` bytes; gives its extended number if it is video that was not seen before, and
    /// the frame that is whole now.
    pub(crate) fn rtp(
        &mut self,
        header: &Header,
        answer: &Answer,
        bytes: usize,
        at: Stamp,
        stats: &mut Stats,
    ) -> Option<(u64, Option<Whole>)> {
        self.first_packet.get_or_insert(at);
        stats.packets += 1;
        stats.bytes += bytes as u64;
        let stream = if Some(header.payload_type) == answer.video {
            &mut self.video
        } else if Some(header.payload_type) == answer.audio {
            &mut self.audio
        } else {
            return None;
        };
        let arrival = stream.arrived(header.sequence, header.timestamp, bytes, at);
        let Arrival::New(number) = arrival else {
            return None;
        };
        if Some(header.payload_type) == answer.audio {
            self.sound.packet(number, header.timestamp);
            return None;
        }
        let whole = self
            .frames
            .packet(number, header.timestamp, header.marker, at);
        Some((number, whole))
    }

    /// Counts a frame that came whole; gives the host's frame, if it is known which.
    pub(crate) fn whole(&mut self, whole: &Whole, context: &mut Context<'_>) -> Option<Sent> {
        if let Some(last) = self.last_frame.replace(whole.at) {
            let gap = whole.at.since(last);
            self.longest_gap = self.longest_gap.max(gap);
            if self.watches_in_peace() {
                context.stats.gaps.add(gap);
            }
        }
        let came = self.first_packet?;
        let (sent, fresh) = self.matcher.whole(context.sent(), whole.rtp_time, came)?;
        // What was sent before he came is backlog: it took as long as he was late.
        let live = sent.at >= came;
        if fresh && live && self.kind != Kind::Slow {
            context
                .stats
                .note_transit(self.channel, sent.index, whole.at.since(sent.at));
        }
        Some(sent)
    }

    /// Counts the gap that is still open at `read`, until which everything that came has been read.
    ///
    /// Only one that is longer than all that are closed: those that are cut off would make the others look shorter.
    pub(crate) fn note_open_gap(&mut self, read: Stamp, stats: &mut Stats) {
        let Some(last) = self.last_frame else { return };
        let gap = read.since(last);
        self.longest_gap = self.longest_gap.max(gap);
        if self.watches_in_peace() && stats.gaps.max().is_none_or(|longest| gap > longest) {
            stats.gaps.add(gap);
        }
    }

    /// Whether its gaps are the server's: a slow link's are its own, and a crowd's newcomers are not those whom it may
    /// disturb.
    fn watches_in_peace(&self) -> bool {
        !matches!(self.kind, Kind::Slow | Kind::Crowd)
    }

    /// Whether it had its keys for [`PICTURE_MAX`] of its host's sending, and whether the host sent a keyframe in that
    /// time; what may have been on its way to it when it left is no such keyframe.
    fn was_sent_to(&self, log: &VecDeque<Sent>, now: Stamp) -> (bool, bool) {
        let Some(keyed) = self.keyed else {
            return (false, false);
        };
        let there = || {
            let sent = log.iter().rev().skip_while(|sent| sent.at > now);
            sent.take_while(|sent| sent.at >= keyed)
        };
        let span = there().next().zip(there().last());
        let long = span.is_some_and(|(newest, oldest)| newest.at.since(oldest.at) >= PICTURE_MAX);
        let keyframe = there().any(|sent| sent.keyframe && now.since(sent.at) > GRACE);
        (long, long && keyframe)
    }

    /// What is left of it when it goes, `log` being what its host sent.
    pub(crate) fn outcome(
        &self,
        log: &VecDeque<Sent>,
        now: Stamp,
        error: Option<String>,
    ) -> Outcome {
        let last = log
            .iter()
            .rev()
            .find(|sent| now.since(sent.at) > GRACE)
            .map_or(0, |sent| sent.index);
        let ms = |at: Option<Stamp>| at.map(|at| at.since(self.posted));
        let (frames_due, keyframe_due) = self.was_sent_to(log, now);
        Outcome {
            kind: self.kind,
            sampled: self.sampled,
            answered: self.answered.since(self.posted),
            keyed: ms(self.keyed),
            first_packet: ms(self.first_packet),
            first_keyframe: ms(self.first_keyframe),
            posted: self.posted,
            video_packets: self.video.packets,
            video_lost: self.video.lost(),
            reordered: self.video.reordered + self.audio.reordered,
            duplicates: self.video.duplicates + self.audio.duplicates,
            audio_packets: self.audio.packets,
            audio_lost: self.audio.lost(),
            audio_jumps: self.sound.jumps(),
            frames_expected: self.matcher.expected(last),
            frames_lost: self.matcher.lost(last),
            first_hole: self.matcher.first.zip(self.matcher.first_hole).map(
                |(first, (index, frames))| Hole {
                    after_frames: index.saturating_sub(first),
                    frames,
                },
            ),
            backlog_skipped: self.matcher.backlog_skipped(),
            unreferenced: self.matcher.unreferenced,
            unmatched: self.matcher.unmatched,
            aligned: self.matcher.first.is_some(),
            frames_due,
            keyframe_due,
            corrupt: self.corrupt,
            verified: self.verified,
            sender_reports: self.sender_reports,
            refused: self.refused,
            before_keys: self.before_keys,
            longest_gap: self.longest_gap,
            profile: self.profile.map(|profile| profile.to_string()),
            error,
        }
    }
}

/// Frames in a row that did not come.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Hole {
    /// Frames of the host from the viewer's first to the hole.
    pub(crate) after_frames: u64,
    /// How many are missing.
    pub(crate) frames: u64,
}

/// What is left of a viewer who is gone.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) kind: Kind,
    pub(crate) sampled: bool,
    pub(crate) posted: Stamp,
    pub(crate) answered: Duration,
    pub(crate) keyed: Option<Duration>,
    pub(crate) first_packet: Option<Duration>,
    pub(crate) first_keyframe: Option<Duration>,
    pub(crate) video_packets: u64,
    pub(crate) video_lost: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicates: u64,
    pub(crate) audio_packets: u64,
    pub(crate) audio_lost: u64,
    pub(crate) audio_jumps: u64,
    pub(crate) frames_expected: u64,
    pub(crate) frames_lost: u64,
    pub(crate) first_hole: Option<Hole>,
    pub(crate) backlog_skipped: u64,
    pub(crate) unreferenced: u64,
    pub(crate) unmatched: u64,
    /// Whether a frame of his was recognised as the host's.
    pub(crate) aligned: bool,
    /// Whether he was there for so long that he must have got frames, or a keyframe.
    pub(crate) frames_due: bool,
    pub(crate) keyframe_due: bool,
    pub(crate) corrupt: u64,
    pub(crate) verified: u64,
    pub(crate) sender_reports: u64,
    pub(crate) refused: u64,
    /// RTP packets that came before the keys: a browser drops them.
    pub(crate) before_keys: u64,
    pub(crate) longest_gap: Duration,
    pub(crate) profile: Option<String>,
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// Whether he saw nothing though he was there for long enough. `recognisable` says whether frames of this server can
    /// be recognised as the host's: where they can't, as when it encodes them again, who got whole frames saw something.
    pub(crate) fn saw_nothing(&self, recognisable: bool) -> bool {
        if recognisable {
            self.frames_due && !self.aligned || self.keyframe_due && self.first_keyframe.is_none()
        } else {
            self.frames_due && !self.aligned && self.unmatched == 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: f64) -> Stamp {
        Stamp(SECOND).plus(Duration::from_secs_f64(seconds))
    }

    fn viewer(kind: Kind) -> Record {
        let mut record = Record::new(1, 0, kind, false, at(0.0), at(0.0));
        record.keyed = Some(at(0.0));
        record
    }

    /// 30 frames a second, every 60th a keyframe, over this many seconds.
    fn log(seconds: u64) -> VecDeque<Sent> {
        (0..seconds * 30)
            .map(|index| Sent {
                index,
                pts_ms: i64::try_from(index * 1000 / 30).expect("small"),
                at: Stamp(SECOND + index * SECOND / 30),
                digest: index,
                keyframe: index % 60 == 0,
            })
            .collect()
    }

    /// What became of one who came when the host began and left after `stayed` seconds.
    fn outcome(record: &Record, stayed: f64) -> Outcome {
        record.outcome(&log(10), at(stayed), None)
    }

    #[test]
    fn who_was_there_for_two_seconds_and_got_nothing_saw_nothing() {
        for recognisable in [true, false] {
            for (stayed, wanted) in [(1.5, false), (2.1, true), (9.0, true)] {
                let outcome = outcome(&viewer(Kind::Normal), stayed);
                assert_eq!(outcome.saw_nothing(recognisable), wanted, "{stayed} s");
            }
        }
        let mut keyless = viewer(Kind::Normal);
        keyless.keyed = None;
        assert!(!outcome(&keyless, 9.0).saw_nothing(true));
        // Somebody else's hosts: nobody knows what they sent.
        let unknown = viewer(Kind::Normal).outcome(&VecDeque::new(), at(9.0), None);
        assert!(!unknown.saw_nothing(true) && !unknown.saw_nothing(false));
    }

    #[test]
    fn who_got_frames_but_no_keyframe_saw_nothing_and_with_both_he_saw_something() {
        let mut record = viewer(Kind::Normal);
        record.matcher.first = Some(3);
        assert!(outcome(&record, 4.0).saw_nothing(true));
        record.first_keyframe = Some(at(2.1));
        assert!(!outcome(&record, 4.0).saw_nothing(true));
        // He came after the keyframe, and the next was still on its way when he left.
        let mut late = viewer(Kind::Normal);
        late.keyed = Some(at(0.1));
        late.matcher.first = Some(3);
        assert!(!outcome(&late, 2.3).saw_nothing(true));
        assert!(outcome(&late, 2.6).saw_nothing(true));
    }

    #[test]
    fn frames_that_are_not_the_hosts_are_something_only_where_none_can_be_recognised() {
        let mut record = viewer(Kind::Normal);
        record.matcher.unmatched = 100;
        record.first_keyframe = Some(at(0.1));
        let outcome = outcome(&record, 5.0);
        assert!(outcome.saw_nothing(true));
        assert!(!outcome.saw_nothing(false));
    }

    #[test]
    fn a_gap_that_is_still_open_counts_when_it_is_the_longest() {
        let mut stats = Stats::default();
        stats.gaps.add(Duration::from_millis(40));
        let mut record = viewer(Kind::Normal);
        record.note_open_gap(at(9.0), &mut stats);
        assert_eq!(
            stats.gaps.count(),
            1,
            "before the first frame there is none"
        );
        record.last_frame = Some(at(1.0));
        record.note_open_gap(at(1.03), &mut stats);
        assert_eq!(stats.gaps.count(), 1, "not the longest");
        record.note_open_gap(at(3.0), &mut stats);
        assert_eq!(stats.gaps.max(), Some(Duration::from_secs(2)));
        assert_eq!(record.longest_gap, Duration::from_secs(2));
        let mut slow = viewer(Kind::Slow);
        slow.last_frame = Some(at(1.0));
        slow.note_open_gap(at(9.0), &mut stats);
        assert_eq!(stats.gaps.max(), Some(Duration::from_secs(2)));
    }
}
