//! Live media: what the hub sends goes to every viewer of its broadcast, and those who are behind catch up.

use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use zongzi_transport::Sender;

use super::{Channel, Worker};
use crate::host_clock::HostClock;
use crate::packetize::{Batch, BatchKind};
use crate::shard::counters::{ShardCounters, add};
use crate::shard::feed::{Feed, Pushed};
use crate::shard::viewers::{Out, Viewer, ViewerKey};
use crate::shard::{BroadcastId, FromHub};
use crate::viewer::{Egress, Tally, Tick};

/// What a viewer may be sent now.
#[derive(Clone, Copy)]
pub(super) struct Due<'a> {
    feed: &'a Feed,
    /// There may be new pictures in the feed.
    pictures: bool,
    sound: &'a [Arc<Batch>],
}

impl<'a> Due<'a> {
    pub(super) fn pictures(feed: &'a Feed) -> Self {
        Self {
            feed,
            pictures: true,
            sound: &[],
        }
    }
}

impl Worker {
    /// Handles live messages in a turn that began then, for [`LIVE_BUDGET`]. A shard that is behind would else send and
    /// send, and meanwhile lose what its viewers say: that they are there. Not for so many: what comes too late costs next
    /// to nothing, and a shard that took only some of it each turn would never come back to now.
    pub(super) fn take_live(&mut self, began: Instant) -> bool {
        let mut taken = 0;
        let more = loop {
            if taken > 0 && began.elapsed() > LIVE_BUDGET {
                break true;
            }
            let Ok(message) = self.inbox.live.try_recv() else {
                break false;
            };
            taken += 1;
            match message {
                FromHub::Snapshot {
                    broadcast,
                    batches,
                    clock,
                } => self.restart(broadcast, batches, clock),
                FromHub::Batch { broadcast, batch } => self.live(broadcast, &batch),
                FromHub::Ended { broadcast } => self.ended(broadcast),
            }
        };
        self.inbox.took(taken);
        more
    }

    fn live(&mut self, broadcast: BroadcastId, batch: &Arc<Batch>) {
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        match batch.kind {
            BatchKind::Video { .. } => {
                channel.feed.arrive(batch);
                self.let_pictures_go(broadcast);
            }
            BatchKind::Audio => {
                let pushed = channel.feed.push(batch);
                if self.takes(broadcast, batch, pushed) {
                    self.hold_sound(broadcast, batch);
                }
            }
        }
    }

    /// Sends the pictures whose time has come.
    fn let_pictures_go(&mut self, broadcast: BroadcastId) {
        let now = self.clock.now().at;
        while let Some(channel) = self.broadcasts.get_mut(&broadcast) {
            let Some((picture, pushed)) = channel.feed.next_live(now) else {
                let due = channel.feed.live_due();
                if let Some(due) = due.filter(|_| channel.pictures_due.is_none()) {
                    channel.pictures_due = Some(due);
                    self.due.push(Reverse((due, broadcast)));
                }
                return;
            };
            if !self.takes(broadcast, &picture, pushed) {
                continue;
            }
            let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
                return;
            };
            if picture.is_keyframe() {
                channel.feed.in_time();
            }
            channel.cadence.picture(now, &picture);
            if !channel.viewers.is_empty() {
                self.sent.push(picture.received);
            }
            self.fan_out(broadcast, true);
        }
    }

    /// Whether a live batch that the feed has is to be sent at its turn.
    fn takes(&mut self, broadcast: BroadcastId, batch: &Batch, pushed: Pushed) -> bool {
        let now = self.clock.now().at;
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return false;
        };
        if pushed == Pushed::Lost {
            add(&self.counters.gaps, 1);
            let lost_video =
                matches!(batch.kind, BatchKind::Video { .. }) && channel.feed.end().is_none();
            let again = now.saturating_duration_since(channel.subscribed) > RESUBSCRIBE_AFTER;
            if lost_video && again {
                channel.subscribed = now;
                channel.audience = self.source.subscribe(self.id, broadcast);
            }
        }
        if pushed == Pushed::Unusable {
            return false;
        }
        if now.saturating_duration_since(batch.received) > LATE_AFTER {
            // The shard has more to send than it can. Taking what waits without sending it brings it back to now;
            // viewers go on from the feed, and leave out what a newer keyframe makes needless.
            add(&self.counters.late, 1);
            channel.feed.hurry();
            self.capacity.late();
            return false;
        }
        true
    }

    /// Keeps a packet of sound for a picture that is about to come.
    fn hold_sound(&mut self, broadcast: BroadcastId, batch: &Arc<Batch>) {
        let now = self.clock.now().at;
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        // Nobody is there to hear it, or nothing is there to ride with: sound alone.
        if channel.viewers.is_empty() {
            return;
        }
        channel.sound.push(Arc::clone(batch));
        let wait = channel.cadence.wait(now);
        let rides = channel.feed.end().is_some() && !self.capacity.is_quiet();
        let until = wait.filter(|_| rides);
        match until {
            Some(until) if channel.sound.len() < SOUND_HELD_MAX => {
                if channel.sound_due.is_none() {
                    channel.sound_due = Some(until);
                    self.due.push(Reverse((until, broadcast)));
                }
            }
            _ => self.fan_out(broadcast, false),
        }
    }

    /// Sends what waited for its time: pictures that came early, and sound that no picture came for.
    pub(super) fn let_go(&mut self) {
        let now = self.clock.now().at;
        while let Some(Reverse((due, broadcast))) = self.due.peek().copied() {
            let channel = self.broadcasts.get_mut(&broadcast);
            // Otherwise it has left with a picture.
            let channel = channel.filter(|channel| {
                channel.sound_due == Some(due) || channel.pictures_due == Some(due)
            });
            if channel.is_some() && due > now {
                return;
            }
            self.due.pop();
            let Some(channel) = channel else {
                continue;
            };
            if channel.pictures_due == Some(due) {
                channel.pictures_due = None;
                self.let_pictures_go(broadcast);
            }
            let waits = |channel: &Channel| channel.sound_due == Some(due);
            if self.broadcasts.get(&broadcast).is_some_and(waits) {
                self.fan_out(broadcast, false);
            }
        }
    }

    fn restart(&mut self, broadcast: BroadcastId, batches: Vec<Arc<Batch>>, clock: HostClock) {
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        channel.feed.restart(batches, clock);
        self.fan_out(broadcast, true);
    }

    fn ended(&mut self, broadcast: BroadcastId) {
        let now = self.clock.now().at;
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        channel.feed.all_live();
        self.fan_out(broadcast, true);
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        channel.feed.clear();
        for key in &channel.viewers {
            if let Some(egress) = self
                .viewers
                .viewer(*key)
                .and_then(|viewer| viewer.egress.as_mut())
            {
                egress.restart(now);
            }
        }
    }

    /// The pictures of this turn are with the kernel: how old they are now.
    pub(super) fn note_delay(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let now = Instant::now();
        for received in self.sent.drain(..) {
            let delay = now.saturating_duration_since(received);
            self.counters.times.relay.observe(delay);
        }
    }

    /// Gives every viewer of the broadcast the sound that was held, behind the pictures that are due if there are new
    /// ones.
    fn fan_out(&mut self, broadcast: BroadcastId, pictures: bool) {
        let now = self.clock.now();
        let Some(channel) = self.broadcasts.get_mut(&broadcast) else {
            return;
        };
        let mut broken = Vec::new();
        for key in &channel.viewers {
            let Some(viewer) = self.viewers.viewer(*key) else {
                continue;
            };
            let due = Due {
                feed: &channel.feed,
                pictures,
                sound: &channel.sound,
            };
            let sender = &mut self.sender;
            let served = catch_unwind(AssertUnwindSafe(|| serve(viewer, now, due, sender)));
            match served {
                Ok(behind) => {
                    if behind && !viewer.catching_up {
                        viewer.catching_up = true;
                        self.backlogs.push_from_live(*key);
                    }
                    settle(viewer, now.at, &self.counters);
                }
                Err(_panic) => broken.push(*key),
            }
        }
        channel.sound.clear();
        channel.sound_due = None;
        for key in broken {
            self.panicked(key);
        }
    }

    /// Says what this shard could carry, every second.
    pub(super) fn weigh(&mut self, now: Instant) {
        if !self.capacity.is_due(now) {
            return;
        }
        // Who is sent less than all costs less than he may tomorrow.
        let viewers = &self.viewers;
        let whole = |key: &&ViewerKey| {
            let egress = viewers.get(**key).and_then(|viewer| viewer.egress.as_ref());
            egress.is_some_and(Egress::is_whole)
        };
        let live = self
            .broadcasts
            .values()
            .filter(|channel| channel.feed.has_media());
        let carried = live.filter_map(|channel| {
            let viewers = u64::try_from(channel.viewers.iter().filter(whole).count()).ok()?;
            Some(channel.audience.as_ref()?.bitrate().saturating_mul(viewers))
        });
        let carried = carried.fold(0, u64::saturating_add);
        let capacity = self.capacity.close(now, carried).unwrap_or(0);
        self.counters.capacity.store(capacity, Relaxed);
        if self.capacity.stays_behind() {
            // Sending what is late costs more than sending it in time: bursts, and what they make receivers lose. It would
            // go on for as long as all watch.
            for channel in self.broadcasts.values_mut() {
                channel.feed.leave_out();
            }
            add(&self.counters.left_out, 1);
        }
    }

    /// Goes on with the backlogs. Returns whether some have waited for it and had no turn yet.
    pub(super) fn catch_up(&mut self) -> bool {
        let now = self.clock.now();
        if !self.backlogs.go_on(now.at) {
            return false;
        }
        let mut at = now.at;
        while let Some(key) = self.backlogs.next(at) {
            if self.go_on(key, now) {
                self.backlogs.push(key);
            }
            at = Instant::now();
        }
        self.backlogs.pause(at)
    }

    /// Sends a viewer more of his backlog. Returns whether there still is one.
    fn go_on(&mut self, key: ViewerKey, now: Tick) -> bool {
        let Some(viewer) = self.viewers.viewer(key) else {
            return false;
        };
        let Some(channel) = self.broadcasts.get(&viewer.session.broadcast) else {
            return false;
        };
        let due = Due::pictures(&channel.feed);
        let sender = &mut self.sender;
        let served = catch_unwind(AssertUnwindSafe(|| serve(viewer, now, due, sender)));
        let Ok(behind) = served else {
            self.panicked(key);
            return false;
        };
        viewer.catching_up = behind;
        settle(viewer, now.at, &self.counters);
        behind
    }
}

/// Sends a viewer what is due. Returns whether he has a backlog.
pub(super) fn serve(viewer: &mut Viewer, now: Tick, due: Due<'_>, sender: &mut Sender) -> bool {
    let (Some(egress), Some(path)) = (&mut viewer.egress, viewer.path) else {
        return false;
    };
    let mut out = Out { sender, path };
    if due.pictures {
        egress.pump(now, due.feed, &mut out);
    }
    for batch in due.sound {
        egress.audio(now, batch, &mut out);
    }
    egress.poll_timeout(due.feed).is_some()
}

/// Counts what a viewer caused.
pub(super) fn settle(viewer: &mut Viewer, now: Instant, counters: &ShardCounters) {
    let Some(egress) = &mut viewer.egress else {
        return;
    };
    let tally = egress.take_tally();
    if tally == Tally::default() {
        return;
    }
    counters.absorb(&tally);
    let join = &mut viewer.join;
    if !join.done && tally.packets > 0 {
        join.done = true;
        // Who waited for the host did not wait for us.
        if let Some(keyed) = join.keyed.filter(|_| !join.waited) {
            let since = |at| now.saturating_duration_since(at);
            counters.times.join.observe(since(viewer.session.created));
            counters.times.media.observe(since(keyed));
        }
        viewer.session.tell(join, Some(now), None);
    }
}

/// Live messages begin within this of a turn's begin, so that datagrams have their turn after one keyframe to a thousand
/// viewers at the latest.
const LIVE_BUDGET: Duration = Duration::from_millis(20);
/// A lost message is healed by a new snapshot, unless the last one is as young as this: then by the next keyframe.
const RESUBSCRIBE_AFTER: Duration = Duration::from_secs(1);
/// A batch that waited this long for the shard is not sent at its turn: sound would be heard late for good, and every
/// picture sent late makes the next one later.
const LATE_AFTER: Duration = Duration::from_millis(400);
/// Packets of sound held at a time: one AAC frame makes two now and then.
const SOUND_HELD_MAX: usize = 2;

#[cfg(test)]
mod tests;
