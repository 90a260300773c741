//! Which numbers stand on the page under which names.

use std::time::{Duration, SystemTime};

use zongzi_http::whep;

use super::page::{Page, float};
use super::snapshot::{
    Hub, Ingest, Listener, LiveChannel, MediaPort, Renditions, Shards, VideoRenditions,
};
use super::{Process, Snapshot};
use crate::GateStats;

/// The label of all channels that get no series of their own; one that is called so is counted among them.
const OTHER: &str = "other";

pub(super) fn write(page: &mut Page, snapshot: &Snapshot) {
    page.gauges(
        "zongzi_build_info",
        "The running version.",
        [([("version", snapshot.version)], 1.0)],
    );
    ingest(page, &snapshot.ingest);
    keys(page, &snapshot.keys);
    hub(page, &snapshot.hub);
    renditions(page, &snapshot.renditions);
    video(page, &snapshot.video);
    viewers(page, &snapshot.shards);
    sending(page, &snapshot.shards);
    shards(page, &snapshot.shards);
    channels(page, &snapshot.live, snapshot.channels_max);
    if let Some(port) = &snapshot.media_port {
        media_port(page, port);
    }
    page.counts(
        "zongzi_http_whep_requests_total",
        "WHEP requests by outcome; created is a session made.",
        whep::Outcome::ALL.map(|o| ([("outcome", o.as_str())], snapshot.whep.count(o))),
    );
    listeners(page, &snapshot.listeners);
    if let Some(process) = &snapshot.process {
        self::process(page, process);
    }
}

fn ingest(page: &mut Page, protocols: &[Ingest]) {
    let each = |value: fn(&Ingest) -> u64| {
        protocols
            .iter()
            .map(move |p| ([("protocol", p.protocol)], value(p)))
    };
    page.counts(
        "zongzi_ingest_connections_opened_total",
        "Connections of hosts accepted, those closed unheard included.",
        each(|p| p.connections_opened),
    );
    page.counts(
        "zongzi_ingest_connections_closed_total",
        "Connections of hosts closed, by reason.",
        protocols.iter().flat_map(|p| {
            let reasons = p.connections_closed.iter();
            reasons.map(|(reason, n)| ([("protocol", p.protocol), ("reason", *reason)], *n))
        }),
    );
    page.counts(
        "zongzi_ingest_publishes_total",
        "Publishes granted.",
        each(|p| p.publishes),
    );
    page.counts(
        "zongzi_ingest_received_bytes_total",
        "Bytes received from hosts.",
        each(|p| p.received_bytes),
    );
}

fn keys(page: &mut Page, keys: &GateStats) {
    page.counts(
        "zongzi_control_key_checks_total",
        "Stream keys checked, by result.",
        [
            ([("result", "good")], keys.good),
            ([("result", "wrong")], keys.wrong),
            ([("result", "throttled")], keys.throttled),
            ([("result", "unavailable")], keys.unavailable),
        ],
    );
}

fn hub(page: &mut Page, hub: &Hub) {
    let hosts = hub
        .publications_opened
        .saturating_sub(hub.publications_closed);
    page.gauges(
        "zongzi_relay_hosts",
        "Hosts that are live now.",
        [([], float(hosts))],
    );
    page.count(
        "zongzi_relay_publications_opened_total",
        "Publications begun.",
        hub.publications_opened,
    );
    page.count(
        "zongzi_relay_publications_closed_total",
        "Publications over.",
        hub.publications_closed,
    );
    page.count(
        "zongzi_relay_takeovers_total",
        "Hosts that took a channel over from another.",
        hub.takeovers,
    );
    page.counts(
        "zongzi_relay_publishes_refused_total",
        "Hosts refused though their key was good, by reason.",
        hub.refused
            .iter()
            .map(|(reason, n)| ([("reason", *reason)], *n)),
    );
    page.counts(
        "zongzi_relay_received_frames_total",
        "Frames received from hosts, by kind.",
        [
            ([("kind", "video")], hub.video_frames),
            ([("kind", "audio")], hub.audio_frames),
        ],
    );
    page.count(
        "zongzi_relay_received_bytes_total",
        "Bytes of media received from hosts.",
        hub.media_bytes,
    );
    page.count(
        "zongzi_relay_skipped_frames_total",
        "Frames not sent on: unplayable tracks, second tracks, pictures before a keyframe.",
        hub.frames_skipped,
    );
    page.count(
        "zongzi_relay_broken_frames_total",
        "Frames that could not be read.",
        hub.frames_broken,
    );
    page.count(
        "zongzi_relay_group_overruns_total",
        "Groups too long to be kept for joins.",
        hub.group_overruns,
    );
    page.count(
        "zongzi_relay_timestamp_jumps_total",
        "Jumps of hosts' timestamps, put right.",
        hub.timestamp_jumps,
    );
}

fn renditions(page: &mut Page, renditions: &Renditions) {
    page.count(
        "zongzi_transcode_renditions_opened_total",
        "Renditions started.",
        renditions.opened,
    );
    page.count(
        "zongzi_transcode_renditions_closed_total",
        "Renditions ended.",
        renditions.closed,
    );
    page.counts(
        "zongzi_transcode_frames_total",
        "Source frames of renditions, by result: done, dropped because it was too slow, failed to decode.",
        [
            ([("result", "done")], renditions.frames),
            ([("result", "dropped")], renditions.dropped),
            ([("result", "failed")], renditions.failed),
        ],
    );
}

fn video(page: &mut Page, video: &VideoRenditions) {
    page.gauges(
        "zongzi_transcode_video_running",
        "Broadcasts whose video is being encoded again, by how much of the work is done.",
        video
            .running
            .iter()
            .map(|(level, count)| ([("level", *level)], float(*count))),
    );
    page.count(
        "zongzi_transcode_video_opened_total",
        "Video renditions started.",
        video.opened,
    );
    page.counts(
        "zongzi_transcode_video_closed_total",
        "Video renditions ended, by reason; stopped is that nobody needed it.",
        video
            .closed
            .iter()
            .map(|(reason, count)| ([("reason", *reason)], *count)),
    );
    page.count(
        "zongzi_transcode_video_no_place_total",
        "Video renditions not started because transcode.max_streams ran.",
        video.no_place,
    );
    page.counts(
        "zongzi_transcode_video_pictures_total",
        "Pictures of video renditions, by result; decoded ones are encoded unless they come before the first viewer.",
        [
            ([("result", "decoded")], video.decoded),
            ([("result", "broken")], video.broken),
            ([("result", "encoded")], video.encoded),
        ],
    );
}

fn viewers(page: &mut Page, shards: &Shards) {
    let live = shards.viewers_opened.saturating_sub(shards.viewers_closed);
    page.gauges("zongzi_relay_viewers", "Viewers now.", [([], float(live))]);
    page.count(
        "zongzi_relay_viewers_opened_total",
        "Viewers come.",
        shards.viewers_opened,
    );
    page.count(
        "zongzi_relay_viewers_closed_total",
        "Viewers gone.",
        shards.viewers_closed,
    );
    page.count(
        "zongzi_relay_sessions_opened_total",
        "WebRTC sessions that a first valid address brought to a shard.",
        shards.sessions_opened,
    );
    page.counts(
        "zongzi_relay_sessions_closed_total",
        "WebRTC sessions over, by reason.",
        shards
            .sessions_closed
            .iter()
            .map(|(reason, n)| ([("reason", *reason)], *n)),
    );
    let joins = &shards.joins;
    if !joins.counts.is_empty() {
        let bounds: Vec<f64> = joins.bounds.iter().map(Duration::as_secs_f64).collect();
        page.histogram(
            "zongzi_relay_join_seconds",
            "From a viewer's POST to his first media packet.",
            &bounds,
            &joins.counts,
            joins.sum.as_secs_f64(),
        );
    }
}

fn sending(page: &mut Page, shards: &Shards) {
    page.count(
        "zongzi_relay_sent_packets_total",
        "RTP packets sent to viewers, retransmissions included.",
        shards.packets,
    );
    page.count(
        "zongzi_relay_sent_bytes_total",
        "Bytes of these packets.",
        shards.bytes,
    );
    page.count(
        "zongzi_relay_sent_frames_total",
        "Video frames sent, once for each viewer.",
        shards.frames,
    );
    page.counts(
        "zongzi_relay_nacked_packets_total",
        "Packets that viewers asked for again, by whether they were sent again.",
        [
            ([("result", "sent")], shards.retransmitted),
            ([("result", "refused")], shards.not_retransmitted),
        ],
    );
    page.count(
        "zongzi_relay_keyframe_requests_total",
        "Requests of viewers for a keyframe (PLI, FIR).",
        shards.keyframe_requests,
    );
    page.count(
        "zongzi_relay_replayed_groups_total",
        "Newest groups sent again for such a request.",
        shards.groups_replayed,
    );
    page.count(
        "zongzi_relay_skipped_groups_total",
        "Groups that viewers did without because their link was too slow.",
        shards.groups_skipped,
    );
}

fn shards(page: &mut Page, shards: &Shards) {
    page.count(
        "zongzi_relay_queue_dropped_batches_total",
        "Batches that found a shard's queue full.",
        shards.queue_dropped,
    );
    page.count(
        "zongzi_relay_late_batches_total",
        "Batches that a shard came to too late to send them at once: it has more viewers than it can serve.",
        shards.late,
    );
    page.count(
        "zongzi_relay_batch_gaps_total",
        "Gaps in a broadcast's batches, each healed by a snapshot or the next keyframe.",
        shards.gaps,
    );
    page.counts(
        "zongzi_relay_dropped_datagrams_total",
        "Datagrams received and not used, by reason: of nobody, or a queue was full.",
        [
            ([("reason", "unknown")], shards.datagrams_unknown),
            ([("reason", "queue_full")], shards.datagrams_dropped),
        ],
    );
    page.count(
        "zongzi_relay_panics_total",
        "Panics caught; each ended one viewer. A bug: please report it.",
        shards.panics,
    );
}

fn channels(page: &mut Page, live: &[LiveChannel], channels_max: usize) {
    let (mut named, mut rest): (Vec<_>, Vec<_>) = live.iter().partition(|one| one.channel != OTHER);
    named.sort_by(|a, b| (b.viewers, &a.channel).cmp(&(a.viewers, &b.channel)));
    rest.extend(named.split_off(channels_max.min(named.len())));
    let other =
        (!rest.is_empty()).then(|| (OTHER, rest.iter().map(|one| one.viewers).sum::<u64>()));
    let named = named.iter().map(|one| (one.channel.as_str(), one.viewers));
    page.gauges(
        "zongzi_relay_channel_viewers",
        "Viewers of each live broadcast.",
        named
            .chain(other)
            .map(|(channel, viewers)| ([("channel", channel)], float(viewers))),
    );
}

fn media_port(page: &mut Page, port: &MediaPort) {
    page.count(
        "zongzi_transport_sent_datagrams_total",
        "Datagrams that the kernel took.",
        port.sent_datagrams,
    );
    page.count(
        "zongzi_transport_sent_bytes_total",
        "Bytes of these datagrams.",
        port.sent_bytes,
    );
    page.count(
        "zongzi_transport_sent_messages_total",
        "Messages that the kernel took; one with segmentation carries many datagrams.",
        port.sent_messages,
    );
    page.count(
        "zongzi_transport_send_calls_total",
        "Calls of sendmmsg.",
        port.send_calls,
    );
    page.count(
        "zongzi_transport_send_waits_total",
        "Times the send buffer was full and a shard waited for it.",
        port.send_waits,
    );
    page.counts(
        "zongzi_transport_dropped_datagrams_total",
        "Datagrams not sent, by reason: the send buffer stayed full, or the kernel refused.",
        [
            ([("reason", "buffer_full")], port.dropped_full),
            ([("reason", "refused")], port.dropped_refused),
        ],
    );
    page.count(
        "zongzi_transport_unsegmented_messages_total",
        "Messages that the kernel would not segment and that went out datagram by datagram.",
        port.segmented_here,
    );
    page.count(
        "zongzi_transport_received_datagrams_total",
        "Datagrams received.",
        port.received_datagrams,
    );
    page.count(
        "zongzi_transport_oversize_datagrams_total",
        "Datagrams received that were too long for any protocol here.",
        port.received_oversize,
    );
}

fn listeners(page: &mut Page, listeners: &[Listener]) {
    let each = |value: fn(&Listener) -> u64| {
        listeners
            .iter()
            .map(move |one| ([("listener", one.name)], value(one)))
    };
    page.counts(
        "zongzi_http_connections_opened_total",
        "HTTP connections let in.",
        each(|one| one.stats.opened),
    );
    page.counts(
        "zongzi_http_connections_closed_total",
        "HTTP connections ended.",
        each(|one| one.stats.closed),
    );
    page.counts(
        "zongzi_http_connections_refused_total",
        "HTTP connections turned away, by reason: no place at all, or too many of one address.",
        listeners.iter().flat_map(|one| {
            [
                ("full", one.stats.refused_full),
                ("address_full", one.stats.refused_address),
            ]
            .map(|(reason, n)| ([("listener", one.name), ("reason", reason)], n))
        }),
    );
    page.counts(
        "zongzi_http_responses_total",
        "HTTP answers, by class of status.",
        listeners.iter().flat_map(|one| {
            ["1xx", "2xx", "3xx", "4xx", "5xx"]
                .into_iter()
                .zip(one.stats.answers)
                .map(|(class, n)| ([("listener", one.name), ("class", class)], n))
        }),
    );
}

/// Under the names that every Prometheus client library uses for them.
fn process(page: &mut Page, process: &Process) {
    page.float_counts(
        "process_cpu_seconds_total",
        "CPU time used, by user and kernel.",
        [([], process.cpu.as_secs_f64())],
    );
    let started = process
        .started
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let gauges = [
        (
            "process_start_time_seconds",
            "When the process started, since 1970.",
            started.as_secs_f64(),
        ),
        (
            "process_resident_memory_bytes",
            "Memory in RAM.",
            float(process.resident_bytes),
        ),
        (
            "process_virtual_memory_bytes",
            "Address space.",
            float(process.virtual_bytes),
        ),
        (
            "process_open_fds",
            "Open file descriptors.",
            float(process.open_fds),
        ),
        (
            "process_max_fds",
            "The limit of open file descriptors.",
            float(process.max_fds),
        ),
        ("process_threads", "Threads.", float(process.threads)),
    ];
    for (name, help, value) in gauges {
        page.gauges(name, help, [([], value)]);
    }
}
