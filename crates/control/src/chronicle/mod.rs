//! The history of broadcasts: what is live now, kept in memory and noted in the store as it goes.
//!
//! Whoever carries broadcasts tells a [`Chronicle`] what it sees; the chronicle never asks. What it notes is small and
//! seldom: a broadcast at its start and end, and every ten seconds if it has changed. When the store fails, broadcasts go
//! on, and are noted when it works again.

mod meter;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use self::meter::Meter;
use crate::broadcast::{Advisory, Broadcast, BroadcastId, EndReason, Host, Present, State, Track};
use crate::store::{Error, Store};

/// How often what is live should be told again, so that rates are fresh.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// How often [`Chronicle::save`] should be called.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(10);

/// How much of the history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// For how long after its end.
    pub span: Duration,
    /// How many broadcasts at most, the newest.
    pub broadcasts: u32,
}

/// What is seen of a broadcast at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// On which channel.
    pub channel: ChannelName,
    /// When it started: tells one broadcast of the channel from another.
    pub started: Timestamp,
    /// Its host is gone and is waited for.
    pub interrupted: bool,
    /// Its newest host, where known.
    pub host: Option<Host>,
    /// What its host sends; empty where not known yet, or no longer.
    pub tracks: Vec<Track>,
    /// What viewers can't play now.
    pub advisories: Vec<Advisory>,
    /// Bytes of media since its start.
    pub bytes: u64,
    /// Pictures since its start.
    pub video_frames: u64,
    /// Frames of sound since its start.
    pub audio_frames: u64,
    /// Viewers now.
    pub viewers: u64,
    /// Most viewers at a time.
    pub viewers_peak: u64,
    /// Different viewers.
    pub viewers_unique: u64,
}

/// Follows broadcasts from their start to their end.
#[derive(Debug)]
pub struct Chronicle<S> {
    store: S,
    keep: Keep,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    running: BTreeMap<ChannelName, Running>,
    /// Over, and not in the store yet; the oldest first.
    over: VecDeque<Broadcast>,
    failing: bool,
}

#[derive(Debug)]
struct Running {
    broadcast: Broadcast,
    meter: Meter,
    /// Not in the store as it is.
    changed: bool,
    /// How many times in a row it was not among what is live.
    missed: u8,
}

/// Broadcasts that are over and wait for a store that fails. Past them the oldest are forgotten.
const OVER_MAX: usize = 1_000;
/// A broadcast that is not live this often in a row has ended, even if nobody said so.
const MISSED_MAX: u8 = 3;

impl<S: Store> Chronicle<S> {
    /// Goes on with the history in `store`: what was live when another process died is ended there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(store: S, keep: Keep) -> Result<Self, Error> {
        let lost = store.close_broadcasts(EndReason::ServerLost).await?;
        if lost > 0 {
            tracing::warn!(
                broadcasts = lost,
                "the server had not been stopped in good order; what was live then is noted as ended"
            );
        }
        Ok(Self {
            store,
            keep,
            book: Mutex::default(),
        })
    }

    /// Something has happened to a broadcast, or it was looked at. The first time starts it.
    pub fn see(&self, seen: &Seen) {
        let now = Instant::now();
        let mut book = self.book();
        let replaced = match book.running.get_mut(&seen.channel) {
            Some(running) if running.broadcast.started == seen.started => {
                running.see(seen, now);
                return;
            }
            Some(_) => book.running.remove(&seen.channel),
            None => None,
        };
        if let Some(other) = replaced {
            // Its end was not told.
            book.end(other, EndReason::HostLost, seen.started);
        }
        let running = Running::new(seen, now);
        book.running.insert(seen.channel.clone(), running);
    }

    /// A broadcast has ended; `seen` is how it was at last.
    pub fn end(&self, seen: &Seen, reason: EndReason) {
        self.see(seen);
        let mut book = self.book();
        if let Some(running) = book.running.remove(&seen.channel) {
            book.end(running, reason, SystemTime::now().into());
        }
    }

    /// This is all that is live now. It mends what was missed by [`Chronicle::see`] and [`Chronicle::end`].
    pub fn sample(&self, live: &[Seen]) {
        let now = Instant::now();
        let mut missing = Vec::new();
        {
            let mut book = self.book();
            for running in book.running.values_mut() {
                running.missed = running.missed.saturating_add(1);
            }
            for seen in live {
                match book.running.get_mut(&seen.channel) {
                    Some(running) if running.broadcast.started == seen.started => {
                        running.see(seen, now);
                    }
                    Some(running) if running.missed < MISSED_MAX => {}
                    _ => missing.push(seen),
                }
            }
            let gone = book
                .running
                .extract_if(.., |_, running| running.missed >= MISSED_MAX);
            let gone: Vec<Running> = gone.map(|(_, running)| running).collect();
            for running in gone {
                book.end(running, EndReason::HostLost, SystemTime::now().into());
            }
        }
        for seen in missing {
            self.see(seen);
        }
    }

    /// What has not ended, by channel.
    pub fn running(&self) -> Vec<Broadcast> {
        let book = self.book();
        let running = book.running.values();
        running.map(|running| running.broadcast.clone()).collect()
    }

    /// One broadcast, if it has not ended or its end is not in the store yet.
    pub fn find(&self, id: &BroadcastId) -> Option<Broadcast> {
        let book = self.book();
        let running = book.running.values().map(|running| &running.broadcast);
        let mut known = running.chain(&book.over);
        known.find(|broadcast| broadcast.id == *id).cloned()
    }

    /// Notes in the store what has changed, and lets go there of what is not kept any longer. To be called after
    /// something has started or ended, and every [`SAVE_INTERVAL`].
    pub async fn save(&self) {
        let batch = self.book().take();
        if batch.is_empty() {
            return;
        }
        let now = SystemTime::now();
        let before = now.checked_sub(self.keep.span).map(Into::into);
        let saved = async {
            self.store
                .save_broadcasts(batch.clone(), now.into())
                .await?;
            self.store
                .forget_broadcasts(before, self.keep.broadcasts)
                .await
        };
        match saved.await {
            Ok(()) => self.book().failing = false,
            Err(error) => {
                let mut book = self.book();
                book.put_back(batch);
                if !std::mem::replace(&mut book.failing, true) {
                    tracing::error!(%error, "the history of broadcasts can't be noted; they go on");
                }
            }
        }
    }

    /// The server stops: what is still live ends, and all is noted.
    pub async fn close(&self) {
        {
            let mut book = self.book();
            for running in std::mem::take(&mut book.running).into_values() {
                book.end(running, EndReason::Shutdown, SystemTime::now().into());
            }
        }
        self.save().await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn end(&mut self, running: Running, reason: EndReason, at: Timestamp) {
        let mut broadcast = running.broadcast;
        broadcast.state = State::Ended;
        broadcast.ended = Some(at.max(broadcast.started));
        broadcast.reason = Some(reason);
        broadcast.now = None;
        for advisory in &mut broadcast.advisories {
            advisory.active = false;
        }
        self.push_over(broadcast);
    }

    fn push_over(&mut self, broadcast: Broadcast) {
        if self.over.len() >= OVER_MAX {
            self.over.pop_front();
        }
        self.over.push_back(broadcast);
    }

    /// All that the store does not have.
    fn take(&mut self) -> Vec<Broadcast> {
        let mut batch: Vec<Broadcast> = std::mem::take(&mut self.over).into();
        for running in self.running.values_mut() {
            if std::mem::take(&mut running.changed) {
                batch.push(running.broadcast.clone());
            }
        }
        batch
    }

    /// It could not be noted.
    fn put_back(&mut self, batch: Vec<Broadcast>) {
        for broadcast in batch {
            if broadcast.ended.is_some() {
                self.push_over(broadcast);
            } else if let Some(running) = self.running.get_mut(&broadcast.channel) {
                running.changed = true;
            }
        }
    }
}

impl Running {
    fn new(seen: &Seen, now: Instant) -> Self {
        let broadcast = Broadcast {
            id: BroadcastId::new(&seen.channel, seen.started),
            channel: seen.channel.clone(),
            state: State::Live,
            started: seen.started,
            ended: None,
            reason: None,
            host: None,
            tracks: Vec::new(),
            advisories: Vec::new(),
            interruptions: 0,
            bytes: 0,
            video_frames: 0,
            audio_frames: 0,
            average_bitrate_bps: None,
            viewers_peak: 0,
            viewers_unique: 0,
            now: None,
        };
        let mut running = Self {
            broadcast,
            meter: Meter::new(now),
            changed: true,
            missed: 0,
        };
        running.see(seen, now);
        running
    }

    fn see(&mut self, seen: &Seen, now: Instant) {
        self.missed = 0;
        self.changed = true;
        let broadcast = &mut self.broadcast;
        let state = if seen.interrupted {
            State::Interrupted
        } else {
            State::Live
        };
        if state == State::Interrupted && broadcast.state == State::Live {
            broadcast.interruptions = broadcast.interruptions.saturating_add(1);
        }
        broadcast.state = state;
        if seen.host.is_some() {
            broadcast.host.clone_from(&seen.host);
        }
        if !seen.tracks.is_empty() {
            broadcast.tracks.clone_from(&seen.tracks);
        }
        note_advisories(&mut broadcast.advisories, &seen.advisories);
        broadcast.bytes = broadcast.bytes.max(seen.bytes);
        broadcast.video_frames = broadcast.video_frames.max(seen.video_frames);
        broadcast.audio_frames = broadcast.audio_frames.max(seen.audio_frames);
        broadcast.viewers_peak = broadcast.viewers_peak.max(seen.viewers_peak);
        broadcast.viewers_unique = broadcast.viewers_unique.max(seen.viewers_unique);
        self.meter
            .read(now, broadcast.bytes, broadcast.video_frames);
        broadcast.average_bitrate_bps = self.meter.average_bps(now, broadcast.bytes);
        broadcast.now = Some(Present {
            viewers: seen.viewers,
            bitrate_bps: self.meter.bitrate_bps(),
            frames_per_second: self.meter.frames_per_second(),
        });
    }
}

/// Those that are active now, and those that were once.
fn note_advisories(known: &mut Vec<Advisory>, active: &[Advisory]) {
    for advisory in known.iter_mut() {
        match active.iter().find(|now| now.code == advisory.code) {
            Some(now) => advisory.clone_from(now),
            None => advisory.active = false,
        }
    }
    for advisory in active {
        let new = known.iter().all(|known| known.code != advisory.code);
        if new && known.len() < ADVISORIES_MAX {
            known.push(advisory.clone());
        }
    }
}

/// Different advisories of one broadcast: more than there are kinds.
const ADVISORIES_MAX: usize = 32;

#[cfg(test)]
mod tests;
