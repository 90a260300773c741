use std::fmt::Write as _;

use super::Summary;
use super::summary::Quantiles;

/// The summary for people.
pub(super) fn of(summary: &Summary) -> String {
    let mut rows = Rows::default();
    viewers(summary, &mut rows);
    media(summary, &mut rows);
    joins(summary, &mut rows);
    server(summary, &mut rows);
    floor(summary, &mut rows);
    generator(summary, &mut rows);
    for (error, count) in &summary.errors {
        rows.row("error", format!("{count} x {error}"));
    }
    if summary.failures.is_empty() {
        rows.row("verdict", "all thresholds kept".to_owned());
    }
    for failure in &summary.failures {
        rows.row("FAILED", failure.clone());
    }
    rows.text
}

#[derive(Default)]
struct Rows {
    text: String,
}

impl Rows {
    fn row(&mut self, name: &str, value: String) {
        let _ = writeln!(self.text, "{name:<34} {value}");
    }

    fn quantiles(&mut self, name: &str, of: &Quantiles) {
        if of.count > 0 {
            let text = format!(
                "p50 {:.1}  p95 {:.1}  p99 {:.1}  max {:.1} ms",
                of.p50, of.p95, of.p99, of.max
            );
            self.row(name, text);
        }
    }
}

fn viewers(summary: &Summary, rows: &mut Rows) {
    let viewers = &summary.viewers;
    rows.row(
        "viewers",
        format!(
            "{} at once; {} answered, {} with keys, {} failed, {} told to wait, {} sampled",
            viewers.live_most,
            viewers.answered,
            viewers.keyed,
            viewers.failed,
            viewers.told_to_wait,
            viewers.sampled
        ),
    );
    let srtp: Vec<_> = viewers
        .srtp
        .iter()
        .map(|(profile, count)| format!("{count} x {profile}"))
        .collect();
    rows.row("protection", srtp.join(", "));
    let points = &summary.quiet_points;
    if !points.is_empty() {
        let right = points.iter().filter(|point| point.is_right());
        let latest = right.clone().map(|point| point.after_ms).max();
        rows.row(
            "server's count after a round",
            format!(
                "right {} times of {}, {} ms after the last change at the latest",
                right.count(),
                points.len(),
                latest.unwrap_or_default()
            ),
        );
    }
}

fn media(summary: &Summary, rows: &mut Rows) {
    let media = &summary.media;
    rows.row(
        "each viewer gets",
        format!(
            "{:.2} Mb/s, {:.0} packets/s",
            media.bits_per_second / 1e6,
            media.packets_per_viewer_second
        ),
    );
    rows.row(
        "frames lost",
        format!(
            "{} of {} ({:.4} %), at {} viewers",
            media.frames_lost, media.frames_expected, media.loss_percent, media.viewers_with_loss
        ),
    );
    if media.backlog_frames_skipped > 0 {
        rows.row(
            "  of the backlog left out",
            format!(
                "{} frames, at {} viewers",
                media.backlog_frames_skipped, media.viewers_with_backlog_skipped
            ),
        );
    }
    if media.slow_frames_expected > 0 {
        rows.row(
            "frames lost on slow links",
            format!(
                "{} of {}, {} of the backlog; {} smeared (their reference never came)",
                media.slow_frames_lost,
                media.slow_frames_expected,
                media.slow_backlog_frames_skipped,
                media.slow_frames_unreferenced
            ),
        );
    }
    rows.row(
        "packets lost",
        format!(
            "video {} of {}, audio {} of {}; {} audio jumps, {} reordered, {} twice",
            media.video_packets_lost,
            media.video_packets,
            media.audio_packets_lost,
            media.audio_packets,
            media.audio_jumps,
            media.reordered,
            media.duplicates
        ),
    );
    rows.row(
        "frames compared",
        format!(
            "{} equal, {} not; {} smeared (their reference never came), {} of no host, {} datagrams refused, {} packets before the keys",
            media.frames_verified,
            media.frames_corrupt,
            media.frames_unreferenced,
            media.frames_of_no_host,
            media.refused_datagrams,
            media.packets_before_keys
        ),
    );
    if media.viewers_without_host_frame > 0 {
        rows.row(
            "no host's frame recognised",
            format!("at {} viewers", media.viewers_without_host_frame),
        );
    }
    rows.quantiles("between two frames", &media.gap_ms);
    rows.row(
        "longest gap, whole run",
        format!("{:.1} ms", media.longest_gap_ms),
    );
    rows.quantiles("transit", &media.transit_ms);
    rows.quantiles("transit to the last viewer", &media.transit_to_last_ms);
    if let Some(hosts) = &summary.hosts {
        rows.row(
            "hosts",
            format!(
                "{} publishing, {} frames sent, longest pause {:.1} ms, latest {:.1} ms",
                hosts.publishing, hosts.frames, hosts.longest_pause_ms, hosts.latest_ms
            ),
        );
    }
}

fn joins(summary: &Summary, rows: &mut Rows) {
    rows.quantiles("POST to answer", &summary.joins.answer_ms);
    rows.quantiles("POST to keys", &summary.joins.keys_ms);
    rows.quantiles("POST to first packet", &summary.joins.first_packet_ms);
    rows.quantiles("POST to first keyframe", &summary.joins.first_keyframe_ms);
    if let Some(crowd) = &summary.crowd {
        rows.row(
            "crowd",
            format!(
                "{:.0} joins/s offered, {:.0} served; watchers' longest gap {:.1} ms",
                crowd.offered_per_second, crowd.served_per_second, crowd.watchers_gap_ms
            ),
        );
        rows.quantiles("crowd's first keyframe", &crowd.first_keyframe_ms);
    }
}

fn server(summary: &Summary, rows: &mut Rows) {
    let Some(server) = &summary.server else {
        rows.row("server", "not measured: give --server-pid".to_owned());
        return;
    };
    rows.row(
        "server CPU",
        format!(
            "{:.3} ms per viewer-second, {:.0} ns per packet, {:.2} cores",
            server.cpu_ms_per_viewer_second, server.cpu_ns_per_packet, server.cores
        ),
    );
    if let (Some(net), Some(channel)) = (
        server.net_cpu_ms_per_viewer_second,
        server.cpu_ms_per_channel_second,
    ) {
        rows.row(
            "  without hosts and audio",
            format!("{net:.3} ms per viewer-second; {channel:.2} ms a second for each channel"),
        );
    }
    if let Some(join) = server.cpu_ms_per_join {
        rows.row("  for a join", format!("{join:.2} ms"));
    }
    let threads: Vec<_> = server
        .cores_by_thread
        .iter()
        .take(8)
        .map(|(name, cores)| format!("{name} {cores:.2}"))
        .collect();
    rows.row("  cores by thread", threads.join(", "));
    rows.row(
        "server memory",
        format!(
            "{:.1} MiB at first, {:.1} steady, {:.1} at the end{}",
            server.memory_mib_start,
            server.memory_mib_steady,
            server.memory_mib_end,
            server
                .memory_kib_per_viewer
                .map_or(String::new(), |kib| format!(
                    "; {kib:.1} KiB for each viewer"
                ))
        ),
    );
    rows.row(
        "server descriptors, threads",
        format!(
            "{} -> {}, {} -> {}",
            server.descriptors[0], server.descriptors[1], server.threads[0], server.threads[1]
        ),
    );
    if let Some([early, late]) = server.growth {
        rows.row(
            "  second minute to last",
            format!(
                "{:.1} -> {:.1} MiB, {} -> {} descriptors, {} -> {} threads",
                early.memory_mib,
                late.memory_mib,
                early.descriptors,
                late.descriptors,
                early.threads,
                late.threads
            ),
        );
    }
}

fn floor(summary: &Summary, rows: &mut Rows) {
    let Some(floor) = &summary.floor else { return };
    for (name, floor) in [
        ("floor, the server's sends", &floor.same_sends),
        ("floor, one send a frame", &floor.send_per_frame),
    ] {
        rows.row(
            name,
            format!(
                "{:.3} ms per viewer-second, {:.0} ns per packet ({:.1} packets a send)",
                floor.cpu_ms_per_viewer_second, floor.cpu_ns_per_packet, floor.packets_per_send
            ),
        );
    }
    if let Some(ratio) = summary.floor_ratio {
        let net = summary.net_floor_ratio.map_or(String::new(), |net| {
            format!("; {net:.2} without hosts and audio")
        });
        rows.row("server by floor", format!("{ratio:.2} times{net}"));
    }
    rows.row("  receiving sockets", floor.sockets.clone());
}

fn generator(summary: &Summary, rows: &mut Rows) {
    let generator = &summary.generator;
    rows.row(
        "this generator",
        format!(
            "{:.2} cores, {:.1} % of rounds late, {} datagrams dropped at full sockets{}",
            generator.cores,
            generator.late_rounds_percent,
            generator.udp_drops,
            if generator.is_the_limit {
                ": THE GENERATOR IS THE LIMIT, its figures are not the server's"
            } else {
                ""
            }
        ),
    );
}
