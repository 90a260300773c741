use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::packetize::{Batch, BatchKind};

/// What a shard holds of one broadcast: the newest group for joins, and what was sent just before it for
/// retransmission. Viewers have their place in it by the video batches' sequence numbers.
///
/// The batches are shared with the hub and the other shards. Sound is not kept: nobody joins into its past, and
/// browsers don't ask for it again.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Without gaps in their sequence.
    video: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// Sequence of the newest keyframe, if it is still held.
    keyframe: Option<u64>,
    audio_next: Option<u64>,
    clock: Option<MediaClock>,
}

/// What became of a live batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It follows what is there: send it.
    Next,
    /// A batch before it never arrived, and until the next keyframe no video can follow. Counts once for each loss.
    Lost,
    /// It is of no use: it depends on a lost one, or was here already.
    Unusable,
}

impl Feed {
    /// Begins anew with what the hub has cached. Viewers that were somewhere else go on at the next keyframe.
    pub(crate) fn restart(&mut self, batches: Vec<Arc<Batch>>) {
        self.clear();
        for batch in batches {
            let _into_empty_feed = self.push(&batch);
        }
    }

    /// Forgets all media; the clock stays, since the broadcast may come back on it.
    pub(crate) fn clear(&mut self) {
        self.video.clear();
        self.bytes = 0;
        self.keyframe = None;
        self.audio_next = None;
    }

    /// Takes a batch from the hub.
    pub(crate) fn push(&mut self, batch: &Arc<Batch>) -> Pushed {
        let pushed = match batch.kind {
            BatchKind::Video { keyframe } => self.push_video(batch, keyframe),
            BatchKind::Audio => {
                let lost = self.audio_next.is_some_and(|next| batch.sequence > next);
                if self.audio_next.is_some_and(|next| batch.sequence < next) {
                    return Pushed::Unusable;
                }
                self.audio_next = Some(batch.sequence + 1);
                // Sound goes on after a loss: each packet stands for itself.
                if lost { Pushed::Lost } else { Pushed::Next }
            }
        };
        if pushed != Pushed::Unusable {
            MediaClock::observe(&mut self.clock, batch);
        }
        pushed
    }

    /// One past the newest video batch's sequence; `None` when there is none.
    pub(crate) fn end(&self) -> Option<u64> {
        self.video.back().map(|batch| batch.sequence + 1)
    }

    /// Sequence of the newest keyframe: where a viewer starts.
    pub(crate) fn keyframe(&self) -> Option<u64> {
        self.keyframe
    }

    /// A video batch by its sequence.
    pub(crate) fn video(&self, sequence: u64) -> Option<&Arc<Batch>> {
        let first = self.video.front()?.sequence;
        let place = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.video.get(place)
    }

    /// How long the newest group is by now.
    pub(crate) fn group_span(&self) -> Duration {
        let start = self.keyframe.and_then(|keyframe| self.video(keyframe));
        match (start, self.video.back()) {
            (Some(start), Some(end)) => {
                let ticks = end.rtp_time.wrapping_sub(start.rtp_time);
                Duration::from_micros(u64::from(ticks) * 100 / 9)
            }
            _ => Duration::ZERO,
        }
    }

    /// Bytes of the newest group by now.
    pub(crate) fn group_bytes(&self) -> usize {
        let (Some(keyframe), Some(first)) = (self.keyframe, self.video.front()) else {
            return 0;
        };
        let before = usize::try_from(keyframe.saturating_sub(first.sequence)).unwrap_or(usize::MAX);
        self.video.iter().skip(before).map(|batch| batch.bytes()).sum()
    }

    /// The broadcast's clock, once anything was heard of it.
    pub(crate) fn clock(&self) -> Option<MediaClock> {
        self.clock
    }

    fn push_video(&mut self, batch: &Arc<Batch>, keyframe: bool) -> Pushed {
        let mut pushed = Pushed::Next;
        if let Some(end) = self.end() {
            if batch.sequence < end {
                return Pushed::Unusable;
            }
            if batch.sequence > end {
                self.video.clear();
                self.bytes = 0;
                self.keyframe = None;
                pushed = Pushed::Lost;
            }
        }
        if self.video.is_empty() && !keyframe {
            // Nothing to follow. What was lost counts once: from here on there is no `end`.
            return if pushed == Pushed::Lost { pushed } else { Pushed::Unusable };
        }
        if keyframe {
            self.keyframe = Some(batch.sequence);
        }
        self.bytes = self.bytes.saturating_add(batch.bytes());
        self.video.push_back(Arc::clone(batch));
        self.evict(batch.received);
        pushed
    }

    fn evict(&mut self, now: Instant) {
        while let Some(oldest) = self.video.front() {
            let over = self.bytes > BYTES_MAX || self.video.len() > BATCHES_MAX;
            let stale = self.keyframe.is_some_and(|keyframe| oldest.sequence < keyframe)
                && now.saturating_duration_since(oldest.received) > RETRANSMIT_SPAN;
            if !over && !stale {
                return;
            }
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            self.keyframe = self.keyframe.filter(|keyframe| *keyframe != oldest.sequence);
            self.video.pop_front();
        }
    }
}

/// The broadcast's clock: which media time it is at any moment. One clock for both tracks, so that their sender
/// reports agree (RTP.md 32, 33).
///
/// A batch tells its RTP time in 32 bits of its own rate. 15 periods of 2^32 ticks at 90 kHz are 8 periods at 48 kHz,
/// so the clock counts 90 kHz ticks modulo 15 * 2^32, and both tracks' times follow from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MediaClock {
    at: Instant,
    ticks: u64,
}

impl MediaClock {
    /// RTP time of the video at `now`, without any viewer's offset.
    pub(crate) fn video(&self, now: Instant) -> u32 {
        low(self.ticks_at(now))
    }

    /// RTP time of the sound at `now`, without any viewer's offset.
    pub(crate) fn audio(&self, now: Instant) -> u32 {
        low(self.ticks_at(now) * 8 / 15)
    }

    /// Sets the clock by a batch that just came, if it came earlier than the clock expects (the least delayed batches
    /// know the time best), or is far from it, or the clock was not set for a while (clocks drift).
    fn observe(clock: &mut Option<Self>, batch: &Batch) {
        let rtp_time = u64::from(batch.rtp_time);
        let near = clock.map_or(0, |clock| clock.ticks_at(batch.received));
        // Which of its track's periods the time is in, the other track's time tells: it differs in each of them by
        // more than an hour and a half.
        let ticks = match batch.kind {
            _ if clock.is_none() => None,
            BatchKind::Video { .. } => (0..15)
                .map(|period| rtp_time + (period << 32))
                .min_by_key(|ticks| distance(low(ticks * 8 / 15), low(near * 8 / 15))),
            BatchKind::Audio => (0..8)
                .map(|period| (rtp_time + (period << 32)) * 15 / 8)
                .min_by_key(|ticks| distance(low(*ticks), low(near))),
        };
        let ticks = ticks.unwrap_or(match batch.kind {
            BatchKind::Video { .. } => rtp_time,
            BatchKind::Audio => rtp_time * 15 / 8,
        });
        let heard = Self { at: batch.received, ticks: ticks % PERIOD };
        let keep = clock.is_some_and(|clock| {
            let late = difference(clock.ticks_at(batch.received), heard.ticks);
            let recent = batch.received.saturating_duration_since(clock.at) < CLOCK_KEPT;
            (0..JUMP_TICKS).contains(&late) && recent
        });
        if !keep {
            *clock = Some(heard);
        }
    }

    fn ticks_at(&self, now: Instant) -> u64 {
        let micros = now.saturating_duration_since(self.at).as_micros();
        let passed = u64::try_from(micros).unwrap_or(u64::MAX / 9) / 100 * 9;
        (self.ticks + passed % PERIOD) % PERIOD
    }
}

/// How far two RTP times are apart, either way.
fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).cast_signed().unsigned_abs()
}

/// `a - b` on the clock's circle, in ticks.
fn difference(a: u64, b: u64) -> i64 {
    let ahead = (a + PERIOD - b) % PERIOD;
    if ahead < PERIOD / 2 { ahead.cast_signed() } else { ahead.cast_signed() - PERIOD.cast_signed() }
}

#[expect(clippy::cast_possible_truncation, reason = "RTP time counts modulo 2^32")]
fn low(ticks: u64) -> u32 {
    ticks as u32
}

/// 2^32 ticks of the 90 kHz clock, 15 times: a whole number of periods of the 48 kHz clock too.
const PERIOD: u64 = 15 << 32;
/// A batch this far from the clock (1 s) is a new start, not a late one.
const JUMP_TICKS: i64 = 90_000;
/// In this time two good clocks drift apart by less than 1 ms.
const CLOCK_KEPT: Duration = Duration::from_secs(10);
/// Batches are kept for this long at least for retransmission: several round trips around the world.
const RETRANSMIT_SPAN: Duration = Duration::from_secs(2);
/// Bytes of video kept: 8 s at 32 Mb/s; one shard's copy of the references, the bytes are shared.
const BYTES_MAX: usize = 32 << 20;
/// Video batches kept: 68 s at 60 frames a second.
const BATCHES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(kind: BatchKind, sequence: u64, rtp_time: u32, received: Instant) -> Arc<Batch> {
        Arc::new(Batch::new(kind, sequence, 0, rtp_time, received, vec![0; 10].into(), vec![10].into()))
    }

    fn video(sequence: u64, keyframe: bool, received: Instant) -> Arc<Batch> {
        let rtp_time = u32::try_from(sequence * 3_000 % (1 << 32)).unwrap();
        batch(BatchKind::Video { keyframe }, sequence, rtp_time, received)
    }

    #[test]
    fn after_a_lost_batch_video_waits_for_the_next_keyframe() {
        let now = Instant::now();
        let mut feed = Feed::default();
        let check = |feed: &mut Feed, sequence, keyframe, expected| {
            assert_eq!(feed.push(&video(sequence, keyframe, now)), expected, "{sequence}");
        };
        check(&mut feed, 4, false, Pushed::Unusable);
        check(&mut feed, 5, true, Pushed::Next);
        check(&mut feed, 6, false, Pushed::Next);
        check(&mut feed, 6, false, Pushed::Unusable);
        check(&mut feed, 8, false, Pushed::Lost);
        check(&mut feed, 9, false, Pushed::Unusable);
        assert_eq!((feed.end(), feed.keyframe()), (None, None));
        check(&mut feed, 10, true, Pushed::Next);
        assert_eq!((feed.end(), feed.keyframe()), (Some(11), Some(10)));
        check(&mut feed, 12, true, Pushed::Lost);
        assert_eq!((feed.end(), feed.keyframe()), (Some(13), Some(12)));
    }

    #[test]
    fn the_newest_group_stays_and_older_ones_go_when_nobody_can_ask_for_them() {
        let start = Instant::now();
        let mut feed = Feed::default();
        for sequence in 0..300_u64 {
            let at = start + Duration::from_millis(sequence * 33);
            feed.push(&video(sequence, sequence % 250 == 0, at));
        }
        assert_eq!(feed.keyframe(), Some(250));
        assert!(feed.video(230).is_none(), "older than two seconds");
        assert!(feed.video(245).is_some());
        assert!(feed.video(299).is_some());
        assert_eq!(feed.group_span(), Duration::from_micros(49 * 3_000 * 100 / 9));
        assert_eq!(feed.group_bytes(), 500);
    }

    #[test]
    fn an_endless_group_is_cut_and_then_no_start_until_the_next_keyframe() {
        let now = Instant::now();
        let mut feed = Feed::default();
        for sequence in 0..=BATCHES_MAX as u64 {
            feed.push(&video(sequence, sequence == 0, now));
        }
        assert_eq!(feed.keyframe(), None);
        assert_eq!(feed.end(), Some(BATCHES_MAX as u64 + 1));
    }

    #[test]
    fn both_tracks_have_one_clock_through_their_roll_overs() {
        let start = Instant::now();
        // Ten days of media, a batch of each kind every 40 minutes, the sound always 30 ms late; the shard comes to it
        // on the third day.
        let mut feed = Feed::default();
        for step in 100..460_u64 {
            let seconds = step * 2_400;
            let at = start + Duration::from_secs(seconds);
            let wrapped = |rate: u64| low(seconds * rate);
            feed.push(&batch(BatchKind::Video { keyframe: true }, step, wrapped(90_000), at));
            let late = at + Duration::from_millis(30);
            feed.push(&batch(BatchKind::Audio, step, wrapped(48_000), late));
            if step == 100 {
                continue;
            }
            let clock = feed.clock().unwrap();
            let now = at + Duration::from_millis(500);
            assert_eq!(clock.video(now), wrapped(90_000).wrapping_add(45_000), "{step}");
            assert!(clock.audio(now).wrapping_sub(wrapped(48_000)).abs_diff(24_000) <= 1, "{step}");
        }
    }
}
