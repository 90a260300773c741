//! Which numbers stand on the page under which names.

use std::time::SystemTime;

use zongzi_http::whep;

use super::page::{Page, float};
use super::relay;
use super::snapshot::{Ingest, Listener, MediaPort, Renditions, Store, VideoRenditions};
use super::{Process, Snapshot};
use crate::GateStats;

pub(super) fn write(page: &mut Page, snapshot: &Snapshot) {
    page.gauges(
        "zongzi_build_info",
        "The running version.",
        [([("version", snapshot.version)], 1.0)],
    );
    ingest(page, &snapshot.ingest);
    keys(page, &snapshot.keys);
    page.counts(
        "zongzi_control_playback_checks_total",
        "Playback tokens checked for private channels, by result.",
        snapshot
            .playback
            .by_result()
            .map(|(result, n)| ([("result", result)], n)),
    );
    relay::hub(page, &snapshot.hub);
    renditions(page, &snapshot.renditions);
    video(page, &snapshot.video);
    relay::viewers(page, &snapshot.shards);
    relay::sending(page, &snapshot.shards);
    relay::shards(page, &snapshot.shards);
    relay::channels(page, &snapshot.live, snapshot.channels_max);
    if let Some(port) = &snapshot.media_port {
        media_port(page, port);
    }
    page.counts(
        "zongzi_http_whep_requests_total",
        "WHEP requests by outcome; created is a session made.",
        whep::Outcome::ALL.map(|o| ([("outcome", o.as_str())], snapshot.whep.count(o))),
    );
    listeners(page, &snapshot.listeners);
    super::hooks::write(page, &snapshot.hooks, snapshot.publish_hook);
    if let Some(store) = &snapshot.store {
        self::store(page, store);
    }
    page.counts(
        "zongzi_traces_total",
        "Traces of publishes and joins, by what became of them: sent, failed where the collector did not take them, dropped where too many waited.",
        snapshot
            .traces
            .iter()
            .map(|(result, count)| ([("result", *result)], *count)),
    );
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
    page.count(
        "zongzi_transcode_frames_eased_total",
        "Source frames of sound coded with the least effort because the machine was short of time; among the done ones.",
        renditions.eased,
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
    page.count(
        "zongzi_transcode_video_keyframes_total",
        "Keyframes among the encoded pictures: one in 2 s, and up to one a second while viewers lose pictures.",
        video.keyframes,
    );
    page.float_counts(
        "zongzi_transcode_video_cpu_seconds_total",
        "CPU time used by the processes of video renditions, by user and kernel.",
        [([], video.cpu.as_secs_f64())],
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

fn store(page: &mut Page, store: &Store) {
    page.count(
        "zongzi_store_requests_total",
        "Requests to the store of channels and keys that it has answered.",
        store.done,
    );
    page.counts(
        "zongzi_store_failures_total",
        "Requests to the store that failed by its own fault, by reason.",
        store
            .failed
            .iter()
            .map(|(reason, count)| ([("reason", *reason)], *count)),
    );
    page.float_counts(
        "zongzi_store_request_seconds_total",
        "Time that requests to the store took, waiting for their turn included.",
        [([], store.time.as_secs_f64())],
    );
    page.gauges(
        "zongzi_store_file_bytes",
        "Size of the store's files.",
        [([], float(store.file_bytes))],
    );
    page.gauges(
        "zongzi_store_disk_free_bytes",
        "Room on the disk that the data directory is on.",
        store.disk_free_bytes.map(|bytes| ([], float(bytes))),
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
