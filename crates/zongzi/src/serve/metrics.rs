use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::statvfs;
use zongzi_control::metrics::{self, Process, Snapshot};
use zongzi_control::playback::Checks;
use zongzi_control::{GateStats, hooks, store};
use zongzi_http::{server, whep};
use zongzi_ingest::rtmp;
use zongzi_relay::hub::{Hub, Refused, State};
use zongzi_relay::shard::{Closed, Histogram, ShardCounters, Shards, Times};
use zongzi_transport::SocketCounters;

use super::{traces, video};

/// Where all counters of the process are read, at each scrape anew.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) hub: Hub,
    pub(super) video: Arc<video::Counts>,
    pub(super) shards: Vec<Arc<ShardCounters>>,
    pub(super) sockets: Vec<Arc<SocketCounters>>,
    pub(super) rtmp: Arc<rtmp::Counters>,
    /// The checks of stream keys.
    pub(super) keys: Arc<dyn Fn() -> GateStats + Send + Sync>,
    /// The checks of playback tokens.
    pub(super) playback: Arc<dyn Fn() -> Checks + Send + Sync>,
    pub(super) whep: Arc<whep::Counters>,
    pub(super) store: StoreSource,
    /// Each HTTP listener by its name in the settings.
    pub(super) listeners: Vec<(&'static str, Arc<server::Counters>)>,
    pub(super) hooks: Arc<hooks::Counts>,
    /// `hooks.on_publish` is set.
    pub(super) publish_hook: bool,
    /// What became of traces, where they are made.
    pub(super) traces: Option<Arc<traces::Counts>>,
    /// `metrics.max_channels`.
    pub(super) channels_max: usize,
}

/// The store and the disk that it is on.
#[derive(Clone)]
pub(super) struct StoreSource {
    pub(super) counters: Arc<store::Counters>,
    /// Its main file; SQLite keeps two more beside it.
    pub(super) file: PathBuf,
}

impl Sources {
    /// Takes the counters of the media port.
    pub(super) fn of_shards(
        shards: &Shards,
    ) -> (Vec<Arc<ShardCounters>>, Vec<Arc<SocketCounters>>) {
        (
            shards.counters().to_vec(),
            shards.socket_counters().to_vec(),
        )
    }

    /// The page as Prometheus reads it.
    pub(super) fn page(&self) -> String {
        metrics::encode(&Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            process: Process::read(),
            ingest: vec![self.ingest()],
            keys: (self.keys)(),
            playback: (self.playback)(),
            hub: self.hub(),
            renditions: self.renditions(),
            video: self.video.snapshot(),
            shards: self.shards(),
            media_port: Some(self.media_port()),
            whep: self.whep.stats(),
            listeners: self.listeners(),
            hooks: self.hooks.stats(),
            publish_hook: self.publish_hook,
            store: Some(self.store.read()),
            traces: self
                .traces
                .as_ref()
                .map(|counts| counts.read())
                .unwrap_or_default(),
            live: self.live(),
            channels_max: self.channels_max,
        })
    }

    fn ingest(&self) -> metrics::Ingest {
        metrics::Ingest {
            protocol: "rtmp",
            connections_opened: self.rtmp.opened(),
            connections_closed: rtmp::Close::ALL
                .map(|reason| (reason.as_str(), self.rtmp.closed(reason)))
                .to_vec(),
            publishes: self.rtmp.published(),
            received_bytes: self.rtmp.received_bytes(),
        }
    }

    fn hub(&self) -> metrics::Hub {
        let counts = self.hub.counts();
        metrics::Hub {
            publications_opened: counts.publications_opened,
            publications_closed: counts.publications_closed,
            takeovers: counts.takeovers,
            refused: Refused::CODES
                .map(|code| (code, counts.refused.get(code).copied().unwrap_or(0)))
                .to_vec(),
            video_frames: counts.video_frames,
            audio_frames: counts.audio_frames,
            media_bytes: counts.bytes,
            frames_skipped: counts.frames_skipped,
            frames_broken: counts.frames_broken,
            sound_frames_late: counts.sound_frames_late,
            group_overruns: counts.group_overruns,
            timestamp_jumps: counts.timestamp_jumps,
            advisories_raised: counts.advisories_raised.into_iter().collect(),
            advisories_cleared: counts.advisories_cleared.into_iter().collect(),
        }
    }

    fn renditions(&self) -> metrics::Renditions {
        let counts = self.hub.counts().renditions;
        metrics::Renditions {
            opened: counts.opened,
            closed: counts.closed,
            frames: counts.frames,
            eased: counts.eased,
            dropped: counts.dropped,
            failed: counts.failed,
        }
    }

    fn shards(&self) -> metrics::Shards {
        let sum = |counter: fn(&ShardCounters) -> &AtomicU64| sum(&self.shards, counter);
        // Closed before opened: a viewer who comes and goes in between is not counted as gone but never come.
        let viewers_closed = sum(|shard| &shard.viewers_closed);
        metrics::Shards {
            viewers_opened: sum(|shard| &shard.viewers_opened),
            viewers_closed,
            sessions_opened: sum(|shard| &shard.sessions_opened),
            sessions_closed: Closed::ALL
                .map(|reason| {
                    let shards = self
                        .shards
                        .iter()
                        .filter_map(|shard| shard.sessions_closed.get(reason.index()));
                    (reason.code(), shards.map(read).sum())
                })
                .to_vec(),
            packets: sum(|shard| &shard.packets),
            bytes: sum(|shard| &shard.bytes),
            frames: sum(|shard| &shard.frames),
            retransmitted: sum(|shard| &shard.retransmitted),
            not_retransmitted: sum(|shard| &shard.not_retransmitted),
            keyframe_requests: sum(|shard| &shard.keyframe_requests),
            groups_replayed: sum(|shard| &shard.groups_replayed),
            groups_skipped: sum(|shard| &shard.groups_skipped),
            queue_dropped: sum(|shard| &shard.queue_dropped),
            late: sum(|shard| &shard.late),
            left_out: sum(|shard| &shard.left_out),
            gaps: sum(|shard| &shard.gaps),
            datagrams_unknown: sum(|shard| &shard.datagrams_unknown),
            datagrams_dropped: sum(|shard| &shard.datagrams_dropped),
            panics: sum(|shard| &shard.panics),
            reported: sum(|shard| &shard.reported_packets),
            reported_lost: sum(|shard| &shard.reported_lost),
            join: self.times(|times| &times.join),
            join_steps: vec![
                ("ice", self.times(|times| &times.ice)),
                ("dtls", self.times(|times| &times.dtls)),
                ("media", self.times(|times| &times.media)),
            ],
            relay: self.times(|times| &times.relay),
            round_trip: self.times(|times| &times.round_trip),
            turn: self.times(|times| &times.turn),
            each: self.shards.iter().map(|shard| each(shard)).collect(),
        }
    }

    /// One kind of times, of all shards together.
    fn times(&self, of: fn(&Times) -> &Histogram) -> metrics::Times {
        let mut all = metrics::Times::default();
        for histogram in self.shards.iter().map(|shard| of(&shard.times)) {
            all.bounds = histogram.bounds().to_vec();
            all.counts.resize(all.bounds.len() + 1, 0);
            let counts = all.counts.iter_mut().zip(histogram.counts());
            counts.for_each(|(sum, count)| *sum += count);
            all.sum += histogram.sum();
        }
        all
    }

    fn media_port(&self) -> metrics::MediaPort {
        let sum = |counter: fn(&SocketCounters) -> &AtomicU64| sum(&self.sockets, counter);
        metrics::MediaPort {
            sent_datagrams: sum(|socket| &socket.sent_datagrams),
            sent_bytes: sum(|socket| &socket.sent_bytes),
            sent_messages: sum(|socket| &socket.sent_messages),
            send_calls: sum(|socket| &socket.send_calls),
            send_waits: sum(|socket| &socket.send_waits),
            dropped_full: sum(|socket| &socket.dropped_full),
            dropped_refused: sum(|socket| &socket.dropped_refused),
            segmented_here: sum(|socket| &socket.segmented_here),
            received_datagrams: sum(|socket| &socket.received_datagrams),
            received_oversize: sum(|socket| &socket.received_oversize),
        }
    }

    fn listeners(&self) -> Vec<metrics::Listener> {
        let listeners = self.listeners.iter();
        listeners
            .map(|(name, counters)| metrics::Listener {
                name,
                stats: counters.stats(),
            })
            .collect()
    }

    fn live(&self) -> Vec<metrics::LiveChannel> {
        let live = self.hub.live().into_iter();
        live.map(|status| metrics::LiveChannel {
            channel: status.channel.to_string(),
            viewers: status.audience.viewers,
            viewers_peak: status.audience.peak,
            host: status.state == State::Live,
            since: status.since,
        })
        .collect()
    }
}

impl StoreSource {
    fn read(&self) -> metrics::Store {
        let stats = self.counters.stats();
        let beside = ["", "-wal", "-shm"].map(|end| {
            let mut name = self.file.clone().into_os_string();
            name.push(end);
            std::fs::metadata(name).map_or(0, |file| file.len())
        });
        let disk = self.file.parent().and_then(|dir| statvfs(dir).ok());
        metrics::Store {
            done: stats.done,
            failed: stats.failed,
            time: stats.time,
            file_bytes: beside.into_iter().sum(),
            disk_free_bytes: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        }
    }
}

fn each(shard: &ShardCounters) -> metrics::Shard {
    let closed = read(&shard.viewers_closed);
    metrics::Shard {
        viewers: read(&shard.viewers_opened).saturating_sub(closed),
        busy: shard.times.turn.sum(),
        capacity: read(&shard.capacity),
        handshakes_waiting: read(&shard.handshakes_waiting),
    }
}

fn sum<T>(all: &[Arc<T>], counter: fn(&T) -> &AtomicU64) -> u64 {
    all.iter().map(|one| read(counter(one))).sum()
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
