use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host_clock::HostClock;
use crate::packetize::{Batch, BatchKind, video_clock};
use crate::shard::dejitter::Dejitter;

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
    /// Sequence of the keyframe before it, and when the newest one came: who joined just before is still being sent the
    /// old group.
    before: Option<(u64, Instant)>,
    audio_next: Option<u64>,
    dejitter: Dejitter,
    /// The shard is behind: see [`Feed::hurry`].
    hurried: bool,
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
    /// Begins anew with what the hub has cached, and what it knows of when the host's pictures come. Viewers that were
    /// somewhere else go on at the next keyframe.
    pub(crate) fn restart(&mut self, batches: Vec<Arc<Batch>>, clock: HostClock) {
        self.clear();
        for batch in batches {
            let _into_empty_feed = self.push(&batch);
        }
        self.dejitter.adopt(clock);
    }

    /// Takes a live picture from the hub. It is there for viewers when [`Feed::next_live`] has given it.
    pub(crate) fn arrive(&mut self, picture: &Arc<Batch>) {
        self.dejitter.push(picture);
    }

    /// The next live picture whose time has come, now there for viewers.
    pub(crate) fn next_live(&mut self, now: Instant) -> Option<(Arc<Batch>, Pushed)> {
        let picture = self.dejitter.pop(now)?;
        let pushed = self.push_video(&picture);
        Some((picture, pushed))
    }

    /// When [`Feed::next_live`] has something, whatever else comes; `None`: no picture waits for its time.
    pub(crate) fn live_due(&self) -> Option<Instant> {
        self.dejitter.due()
    }

    /// The host has ended: all that waits for its time is there for viewers now.
    pub(crate) fn all_live(&mut self) {
        for picture in self.dejitter.take() {
            let _counted_when_it_is_late: Pushed = self.push_video(&picture);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.leave_out();
        self.audio_next = None;
        self.dejitter = Dejitter::default();
    }

    /// Takes a batch from the hub; it is there for viewers at once.
    pub(crate) fn push(&mut self, batch: &Arc<Batch>) -> Pushed {
        match batch.kind {
            BatchKind::Video { .. } => {
                self.dejitter.learn(batch);
                self.push_video(batch)
            }
            BatchKind::Audio => {
                let expected = self.audio_next.unwrap_or(batch.sequence);
                if batch.sequence < expected {
                    return Pushed::Unusable;
                }
                self.audio_next = Some(batch.sequence + 1);
                // Sound goes on after a loss: each packet stands for itself.
                if batch.sequence > expected {
                    Pushed::Lost
                } else {
                    Pushed::Next
                }
            }
        }
    }

    /// The shard can't keep up: until the next keyframe that it sends in time, viewers who are behind leave out what a
    /// newer keyframe makes needless.
    pub(crate) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// The shard stays behind: nothing of this group is sent any more, and viewers go on at the next keyframe.
    pub(crate) fn leave_out(&mut self) {
        self.video.clear();
        self.bytes = 0;
        self.keyframe = None;
        self.before = None;
    }

    /// Whether viewers should rather skip to a newer keyframe than be sent all there is.
    pub(crate) fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// When the newest video batch came to the server.
    pub(crate) fn newest(&self) -> Option<Instant> {
        self.video.back().map(|batch| batch.received)
    }

    /// The RTP time of a picture that is live at `now`; `None` where none has come.
    pub(crate) fn rtp_time(&self, now: Instant) -> Option<u32> {
        self.dejitter.rtp_time(now)
    }

    /// Whether the newest picture is held up on its way from the host.
    pub(crate) fn is_held_up(&self) -> bool {
        self.dejitter.is_held_up()
    }

    /// A keyframe is sent in time.
    pub(crate) fn in_time(&mut self) {
        self.hurried = false;
    }

    /// Whether there is something to send: pictures to begin with, or sound that comes.
    pub(crate) fn has_media(&self) -> bool {
        self.keyframe.is_some() || self.audio_next.is_some()
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
                video_clock::span(end.rtp_time.wrapping_sub(start.rtp_time))
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
        self.video
            .iter()
            .skip(before)
            .map(|batch| batch.bytes())
            .sum()
    }

    fn push_video(&mut self, batch: &Arc<Batch>) -> Pushed {
        let keyframe = batch.is_keyframe();
        let mut pushed = Pushed::Next;
        if let Some(end) = self.end() {
            if batch.sequence < end {
                return Pushed::Unusable;
            }
            if batch.sequence > end {
                self.leave_out();
                pushed = Pushed::Lost;
            }
        }
        if self.video.is_empty() && !keyframe {
            // Nothing to follow. What was lost counts once: from here on there is no `end`.
            return if pushed == Pushed::Lost {
                pushed
            } else {
                Pushed::Unusable
            };
        }
        if keyframe {
            self.before = self.keyframe.map(|before| (before, batch.received));
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
            let stale = self
                .needed_from(now)
                .is_some_and(|needed| oldest.sequence < needed)
                && now.saturating_duration_since(oldest.received) > RETRANSMIT_SPAN;
            if !over && !stale {
                return;
            }
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            self.keyframe = self
                .keyframe
                .filter(|keyframe| *keyframe != oldest.sequence);
            self.video.pop_front();
        }
    }

    /// The oldest batch that joins have a use for: the newest keyframe, or for a while the one before it.
    fn needed_from(&self, now: Instant) -> Option<u64> {
        let before = self
            .before
            .filter(|(_, replaced)| now.saturating_duration_since(*replaced) < JOIN_SPAN);
        before.map(|(before, _)| before).or(self.keyframe)
    }
}

/// Batches are kept for this long at least for retransmission: several round trips around the world.
const RETRANSMIT_SPAN: Duration = Duration::from_secs(2);
/// How long a group is kept behind its successor's first picture: at eight times real time a join's backlog of a group
/// of 8 s is sent in 1 s.
const JOIN_SPAN: Duration = Duration::from_millis(1_500);
/// Bytes of video kept: 8 s at 32 Mb/s; one shard's copy of the references, the bytes are shared.
const BYTES_MAX: usize = 32 << 20;
/// Video batches kept: 68 s at 60 frames a second.
const BATCHES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(kind: BatchKind, sequence: u64, rtp_time: u32, received: Instant) -> Arc<Batch> {
        Arc::new(Batch::new(
            kind,
            sequence,
            0,
            rtp_time,
            received,
            vec![0; 10].into(),
            vec![10].into(),
        ))
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
            assert_eq!(
                feed.push(&video(sequence, keyframe, now)),
                expected,
                "{sequence}"
            );
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
    fn what_is_left_out_of_a_group_takes_the_rest_of_it_along() {
        let now = Instant::now();
        let mut feed = Feed::default();
        assert_eq!(feed.push(&video(1, true, now)), Pushed::Next);
        assert_eq!(feed.push(&video(2, false, now)), Pushed::Next);
        feed.leave_out();
        assert_eq!((feed.end(), feed.keyframe()), (None, None));
        assert_eq!(feed.push(&video(3, false, now)), Pushed::Unusable);
        assert_eq!(feed.push(&video(4, true, now)), Pushed::Next);
        assert_eq!((feed.end(), feed.keyframe()), (Some(5), Some(4)));
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
        assert_eq!(
            feed.group_span(),
            Duration::from_micros(49 * 3_000 * 100 / 9)
        );
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
}
