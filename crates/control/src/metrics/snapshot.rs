use std::time::{Duration, SystemTime};

use zongzi_http::{server, whep};

use super::Process;
use crate::playback::Checks;
use crate::{GateStats, hooks};

/// Everything that the page shows, at one instant. What does not run is empty or `None` and leaves no series, rather than
/// a zero for good.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// This program's version.
    pub version: &'static str,
    /// What the kernel says.
    pub process: Option<Process>,
    /// Each ingest protocol that has a listener.
    pub ingest: Vec<Ingest>,
    /// The checks of stream keys.
    pub keys: GateStats,
    /// Checks of playback tokens.
    pub playback: Checks,
    /// The hub of broadcasts.
    pub hub: Hub,
    /// The renditions.
    pub renditions: Renditions,
    /// The renditions of video.
    pub video: VideoRenditions,
    /// All shards, summed.
    pub shards: Shards,
    /// All media sockets, summed; `None` before there is one.
    pub media_port: Option<MediaPort>,
    /// WHEP requests.
    pub whep: whep::Stats,
    /// Each HTTP listener.
    pub listeners: Vec<Listener>,
    /// Webhooks.
    pub hooks: hooks::Stats,
    /// Whether another program is asked about hosts.
    pub publish_hook: bool,
    /// The store; `None` before there is one.
    pub store: Option<Store>,
    /// Traces of publishes and joins by what became of them; empty where none are made.
    pub traces: Vec<(&'static str, u64)>,
    /// The live broadcasts.
    pub live: Vec<LiveChannel>,
    /// Broadcasts that get a series of their own, those with the most viewers first; the rest is summed as `other`.
    pub channels_max: usize,
}

/// One ingest protocol.
#[derive(Debug, Clone, Default)]
pub struct Ingest {
    /// Its name, such as `rtmp`.
    pub protocol: &'static str,
    /// Connections accepted, those closed unheard included.
    pub connections_opened: u64,
    /// Connections closed, by reason.
    pub connections_closed: Vec<(&'static str, u64)>,
    /// Publishes granted.
    pub publishes: u64,
    /// Bytes received.
    pub received_bytes: u64,
}

/// The hub of broadcasts.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    /// Publications begun.
    pub publications_opened: u64,
    /// Publications over.
    pub publications_closed: u64,
    /// Hosts that took a channel over from another.
    pub takeovers: u64,
    /// Hosts refused though their key was good, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Video frames received.
    pub video_frames: u64,
    /// Audio frames received.
    pub audio_frames: u64,
    /// Bytes of media received.
    pub media_bytes: u64,
    /// Frames not sent on: unplayable tracks, second tracks, pictures before a keyframe.
    pub frames_skipped: u64,
    /// Frames that could not be read.
    pub frames_broken: u64,
    /// Frames of sound left out because they would have been heard late: the host's uplink had stood still.
    pub sound_frames_late: u64,
    /// Groups too long to be kept for joins.
    pub group_overruns: u64,
    /// Jumps of hosts' timestamps.
    pub timestamp_jumps: u64,
    /// Advisories raised, by code.
    pub advisories_raised: Vec<(&'static str, u64)>,
    /// Advisories cleared, by code.
    pub advisories_cleared: Vec<(&'static str, u64)>,
}

/// Tracks that are made from other tracks.
#[derive(Debug, Clone, Default)]
pub struct Renditions {
    /// Started.
    pub opened: u64,
    /// Ended.
    pub closed: u64,
    /// Source frames worked on.
    pub frames: u64,
    /// Those among them that were coded with the least effort.
    pub eased: u64,
    /// Source frames dropped because a rendition was too slow.
    pub dropped: u64,
    /// Source frames that could not be decoded.
    pub failed: u64,
}

/// Video that is encoded again, each in a process of its own.
#[derive(Debug, Clone, Default)]
pub struct VideoRenditions {
    /// Started.
    pub opened: u64,
    /// Ended, by reason.
    pub closed: Vec<(&'static str, u64)>,
    /// Not started because as many ran as may.
    pub no_place: u64,
    /// Running now, by how much of the work they do.
    pub running: Vec<(&'static str, u64)>,
    /// Pictures decoded without complaint.
    pub decoded: u64,
    /// Pictures that were broken or referred to lost ones.
    pub broken: u64,
    /// Pictures encoded.
    pub encoded: u64,
    /// Of them, keyframes.
    pub keyframes: u64,
    /// CPU time used by their processes.
    pub cpu: Duration,
}

/// The shards, which send to viewers.
#[derive(Debug, Clone, Default)]
pub struct Shards {
    /// Viewers begun: sessions whose transport was proved.
    pub viewers_opened: u64,
    /// Viewers gone.
    pub viewers_closed: u64,
    /// Sessions that a first valid address brought to a shard.
    pub sessions_opened: u64,
    /// Sessions over, by reason.
    pub sessions_closed: Vec<(&'static str, u64)>,
    /// RTP packets sent, retransmissions included.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Video frames sent, counted once for each viewer.
    pub frames: u64,
    /// Packets sent again for a NACK.
    pub retransmitted: u64,
    /// Packets asked for by NACK and not sent again.
    pub not_retransmitted: u64,
    /// Requests for a keyframe.
    pub keyframe_requests: u64,
    /// Newest groups sent again for such a request.
    pub groups_replayed: u64,
    /// Groups that viewers did without because their link was too slow.
    pub groups_skipped: u64,
    /// Batches that found a shard's queue full.
    pub queue_dropped: u64,
    /// Batches that a shard came to too late to send them at once.
    pub late: u64,
    /// Times that a shard stayed behind, and left out the groups that it was at.
    pub left_out: u64,
    /// Gaps in a broadcast's batches.
    pub gaps: u64,
    /// Datagrams of nobody.
    pub datagrams_unknown: u64,
    /// Datagrams dropped because a queue was full.
    pub datagrams_dropped: u64,
    /// Panics caught; each ended one viewer.
    pub panics: u64,
    /// Packets that viewers have reported on.
    pub reported: u64,
    /// Those of them that had not come.
    pub reported_lost: u64,
    /// From a viewer's POST to his first media packet.
    pub join: Times,
    /// The steps of that, by name.
    pub join_steps: Vec<(&'static str, Times)>,
    /// From a live picture's arrival to its sending to a shard's last viewer.
    pub relay: Times,
    /// Round trips to viewers.
    pub round_trip: Times,
    /// Turns of the shards' loops.
    pub turn: Times,
    /// Each shard by itself.
    pub each: Vec<Shard>,
}

/// Times in buckets.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// The buckets' upper bounds.
    pub bounds: Vec<Duration>,
    /// Times in each bucket alone, one place more than there are bounds.
    pub counts: Vec<u64>,
    /// All times together.
    pub sum: Duration,
}

/// One shard by itself: whether the work is shared evenly, and whether one has too much.
#[derive(Debug, Clone, Default)]
pub struct Shard {
    /// Viewers now.
    pub viewers: u64,
    /// Time in which it did not sleep.
    pub busy: Duration,
    /// Bits a second of viewers that it could carry, as far as its time tells; 0 while it has so much left that nobody
    /// can tell.
    pub capacity: u64,
    /// DTLS datagrams that wait for their turn.
    pub handshakes_waiting: u64,
}

/// The store of channels and keys.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// Requests done.
    pub done: u64,
    /// Requests that failed by the store's own fault, by reason.
    pub failed: Vec<(&'static str, u64)>,
    /// Time that requests took, waiting for their turn included.
    pub time: Duration,
    /// Bytes of its files.
    pub file_bytes: u64,
    /// Bytes free on the file system of the data directory; `None` where the system does not say.
    pub disk_free_bytes: Option<u64>,
}

/// The media sockets.
#[derive(Debug, Clone, Default)]
pub struct MediaPort {
    /// Datagrams that the kernel took.
    pub sent_datagrams: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages that the kernel took; a GSO message carries many datagrams.
    pub sent_messages: u64,
    /// `sendmmsg` calls.
    pub send_calls: u64,
    /// Times the send buffer was full.
    pub send_waits: u64,
    /// Datagrams given up because the send buffer stayed full.
    pub dropped_full: u64,
    /// Datagrams that the kernel refused.
    pub dropped_refused: u64,
    /// Messages that the kernel would not segment.
    pub segmented_here: u64,
    /// Datagrams received.
    pub received_datagrams: u64,
    /// Datagrams received that were too long.
    pub received_oversize: u64,
}

/// One HTTP listener.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its name in the settings, such as `http` and `admin`.
    pub name: &'static str,
    /// Its counts.
    pub stats: server::Stats,
}

/// One live broadcast.
#[derive(Debug, Clone, Default)]
pub struct LiveChannel {
    /// Its channel.
    pub channel: String,
    /// Its viewers now.
    pub viewers: u64,
    /// The most at a time since it began.
    pub viewers_peak: u64,
    /// Its host is there; otherwise it is waited for.
    pub host: bool,
    /// When it began; `None` when nobody knows.
    pub since: Option<SystemTime>,
}
