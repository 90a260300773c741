//! Broadcasts, viewers and shards.

use std::time::SystemTime;

use super::page::{Page, float};
use super::snapshot::{Hub, LiveChannel, Shard, Shards};

/// The label of all channels that get no series of their own; one that is called so is counted among them.
const OTHER: &str = "other";

pub(super) fn hub(page: &mut Page, hub: &Hub) {
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
        "zongzi_relay_late_sound_frames_total",
        "Frames of sound left out because they would have been heard late: the host's uplink had stood still.",
        hub.sound_frames_late,
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
    let by_code = |counts: &[(&'static str, u64)]| {
        let counts = counts.iter();
        counts
            .map(|(code, count)| ([("advisory", *code)], *count))
            .collect::<Vec<_>>()
    };
    page.counts(
        "zongzi_relay_advisories_raised_total",
        "Advisories to hosts raised, by code.",
        by_code(&hub.advisories_raised),
    );
    page.counts(
        "zongzi_relay_advisories_cleared_total",
        "Advisories to hosts cleared, by code; those that hold are the difference.",
        by_code(&hub.advisories_cleared),
    );
}

pub(super) fn viewers(page: &mut Page, shards: &Shards) {
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
    page.histograms(
        "zongzi_relay_join_seconds",
        "From a viewer's POST to his first media packet, of those who did not have to wait for the host.",
        [([], &shards.join)],
    );
    page.histograms(
        "zongzi_relay_join_step_seconds",
        "The steps of a join: ice from the POST to the first valid check, dtls until the keys stand, media until the first packet of media.",
        shards
            .join_steps
            .iter()
            .map(|(step, times)| ([("step", *step)], times)),
    );
}

pub(super) fn sending(page: &mut Page, shards: &Shards) {
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
    page.count(
        "zongzi_relay_reported_packets_total",
        "Packets that viewers have reported on.",
        shards.reported,
    );
    page.count(
        "zongzi_relay_reported_lost_packets_total",
        "Those of them that had not come; what was sent again later is counted too.",
        shards.reported_lost,
    );
    page.histograms(
        "zongzi_relay_round_trip_seconds",
        "There and back between server and viewer, one value for each report.",
        [([], &shards.round_trip)],
    );
    page.histograms(
        "zongzi_relay_delay_seconds",
        "From when a live picture was whole in the server until a shard handed it to the kernel for its last viewer.",
        [([], &shards.relay)],
    );
}

pub(super) fn shards(page: &mut Page, shards: &Shards) {
    let numbers: Vec<String> = (0..shards.each.len()).map(|n| n.to_string()).collect();
    let each = |value: fn(&Shard) -> f64| {
        numbers
            .iter()
            .zip(&shards.each)
            .map(move |(number, shard)| ([("shard", number.as_str())], value(shard)))
    };
    page.gauges(
        "zongzi_relay_shard_viewers",
        "Viewers of each shard.",
        each(|shard| float(shard.viewers)),
    );
    page.float_counts(
        "zongzi_relay_shard_busy_seconds_total",
        "Time in which a shard did not sleep. Its rate is how much of what it can do it does: at 1 it can't keep up.",
        each(|shard| shard.busy.as_secs_f64()),
    );
    page.gauges(
        "zongzi_relay_shard_capacity_bytes_per_second",
        "Bytes a second that each shard could carry to its viewers, by how much of its time it takes to serve those who watch: past it newcomers are told 503. 0 while it has so much time left that nobody can tell.",
        each(|shard| float(shard.capacity) / 8.0),
    );
    page.gauges(
        "zongzi_relay_handshakes_waiting",
        "DTLS datagrams of joining viewers that wait for their turn at each shard.",
        each(|shard| float(shard.handshakes_waiting)),
    );
    page.histograms(
        "zongzi_relay_turn_seconds",
        "Turns of the shards' loops: the time from waking to being done with what was there.",
        [([], &shards.turn)],
    );
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
        "zongzi_relay_left_out_total",
        "Times that a shard stayed behind, and left out the groups that it was at so as to be in time with the next.",
        shards.left_out,
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

pub(super) fn channels(page: &mut Page, live: &[LiveChannel], channels_max: usize) {
    let (mut named, mut rest): (Vec<_>, Vec<_>) = live.iter().partition(|one| one.channel != OTHER);
    named.sort_by(|a, b| (b.viewers, &a.channel).cmp(&(a.viewers, &b.channel)));
    rest.extend(named.split_off(channels_max.min(named.len())));
    let mut summed = |name: &str, help: &str, value: fn(&LiveChannel) -> u64| {
        let sum = |all: &[&LiveChannel]| all.iter().map(|one| value(one)).sum::<u64>();
        let other = (!rest.is_empty()).then(|| (OTHER, sum(&rest)));
        let each = named.iter().map(|one| (one.channel.as_str(), value(one)));
        let all = each.chain(other);
        page.gauges(
            name,
            help,
            all.map(|(channel, value)| ([("channel", channel)], float(value))),
        );
    };
    summed(
        "zongzi_relay_channel_viewers",
        "Viewers of each live broadcast.",
        |one| one.viewers,
    );
    summed(
        "zongzi_relay_channel_viewers_peak",
        "The most viewers at a time of each live broadcast since it began.",
        |one| one.viewers_peak,
    );
    summed(
        "zongzi_relay_channel_hosts",
        "Whether the host of each live broadcast is there: 0 while it is waited for.",
        |one| u64::from(one.host),
    );
    // Times can't be summed: what has no series of its own has none here.
    let begun = named.iter().filter_map(|one| {
        let since = one.since?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(([("channel", one.channel.as_str())], since.as_secs_f64()))
    });
    page.gauges(
        "zongzi_relay_channel_start_time_seconds",
        "When each live broadcast began, since 1970; none for channel=\"other\".",
        begun,
    );
}
