//! The page against `docs/metrics.md`, and what it may not become.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::GateStats;

/// A server on which everything runs.
fn full() -> Snapshot {
    Snapshot {
        version: "1.2.3",
        process: Process::read(),
        ingest: vec![Ingest {
            protocol: "rtmp",
            connections_closed: vec![("bad_key", 3), ("orderly", 1)],
            ..Ingest::default()
        }],
        keys: GateStats {
            good: 1,
            wrong: 3,
            ..GateStats::default()
        },
        hub: Hub {
            publications_opened: 5,
            publications_closed: 3,
            refused: vec![("busy", 1)],
            advisories_raised: vec![("b_frames", 2)],
            advisories_cleared: vec![("b_frames", 1)],
            ..Hub::default()
        },
        shards: Shards {
            viewers_opened: 10,
            viewers_closed: 4,
            sessions_closed: vec![("left", 4)],
            join: times(),
            join_steps: vec![("ice", times()), ("dtls", times())],
            relay: times(),
            round_trip: times(),
            turn: times(),
            each: vec![
                Shard {
                    viewers: 2,
                    busy: Duration::from_millis(1_500),
                    capacity: 3_000_000_000,
                    handshakes_waiting: 3,
                },
                Shard::default(),
            ],
            ..Shards::default()
        },
        video: VideoRenditions {
            opened: 3,
            closed: vec![("stopped", 2)],
            running: vec![("full", 1)],
            ..VideoRenditions::default()
        },
        media_port: Some(MediaPort::default()),
        listeners: vec![Listener {
            name: "http",
            stats: zongzi_http::server::Stats::default(),
        }],
        live: vec![LiveChannel {
            channel: "demo".to_owned(),
            viewers: 6,
            viewers_peak: 9,
            host: true,
            since: Some(UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
        }],
        publish_hook: true,
        traces: vec![("sent", 4)],
        store: Some(Store {
            failed: vec![("disk_full", 1)],
            disk_free_bytes: Some(5),
            ..Store::default()
        }),
        channels_max: 200,
        ..Snapshot::default()
    }
}

/// Ten times, one of them longer than the last bound.
fn times() -> Times {
    Times {
        bounds: vec![Duration::from_millis(50), Duration::from_secs(1)],
        counts: vec![7, 2, 1],
        sum: Duration::from_millis(4500),
    }
}

/// What `# TYPE` lines say: names and types.
fn types(text: &str) -> BTreeSet<(String, String)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

#[test]
fn the_page_and_its_documentation_name_the_same_metrics() {
    // The table's rows: | `name` | type | labels | meaning |
    let documented: BTreeSet<_> = include_str!("../../../../docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(' ')?.0.to_owned())))
        .collect();
    let served = types(&encode(&full()));
    assert_eq!(
        served.difference(&documented).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "served and not in docs/metrics.md"
    );
    assert_eq!(
        documented.difference(&served).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "in docs/metrics.md and not served"
    );
}

#[test]
fn names_follow_the_rules_of_the_house() {
    for (name, kind) in types(&encode(&full())) {
        assert!(
            name.starts_with("zongzi_") || name.starts_with("process_"),
            "{name}"
        );
        assert_eq!(
            name.ends_with("_total"),
            kind == "counter",
            "{name} is a {kind}"
        );
    }
}

#[test]
fn live_numbers_are_the_difference_of_what_came_and_went() {
    let text = encode(&full());
    for line in [
        "zongzi_relay_hosts 2",
        "zongzi_relay_viewers 6",
        "zongzi_relay_channel_viewers{channel=\"demo\"} 6",
        "zongzi_ingest_connections_closed_total{protocol=\"rtmp\",reason=\"bad_key\"} 3",
        "zongzi_relay_join_seconds_bucket{le=\"0.05\"} 7",
        "zongzi_relay_join_seconds_bucket{le=\"1\"} 9",
        "zongzi_relay_join_seconds_bucket{le=\"+Inf\"} 10",
        "zongzi_relay_join_seconds_sum 4.5",
        "zongzi_relay_join_seconds_count 10",
        "zongzi_relay_join_step_seconds_bucket{step=\"dtls\",le=\"1\"} 9",
        "zongzi_relay_shard_viewers{shard=\"0\"} 2",
        "zongzi_relay_shard_busy_seconds_total{shard=\"0\"} 1.5",
        "zongzi_relay_shard_capacity_bytes_per_second{shard=\"0\"} 375000000",
        "zongzi_relay_shard_capacity_bytes_per_second{shard=\"1\"} 0",
        "zongzi_relay_channel_start_time_seconds{channel=\"demo\"} 1800000000",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no line {line:?} in\n{text}"
        );
    }
}

#[test]
fn what_does_not_run_leaves_no_series() {
    let text = encode(&Snapshot::default());
    for absent in [
        "zongzi_ingest_",
        "zongzi_transport_",
        "process_",
        "zongzi_relay_channel_viewers",
        "zongzi_traces_",
    ] {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
}

#[test]
fn a_thousand_channels_and_ten_thousand_viewers_make_a_bounded_page() {
    let live = |channels: u64| {
        let live = (0..channels).map(|n| LiveChannel {
            channel: format!("c{n:04}"),
            viewers: 10,
            viewers_peak: 12,
            host: n > 0,
            since: Some(UNIX_EPOCH),
        });
        let text = encode(&Snapshot {
            live: live.collect(),
            ..full()
        });
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let gauges = 4;
    let lines = live(1_000);
    // The start's times have no sum.
    assert_eq!(lines.len() - live(1).len(), 200 * gauges - 1);
    assert_eq!(lines.len(), live(201).len());
    assert!(lines.len() < 1_200, "{} series", lines.len());
    for line in [
        "zongzi_relay_channel_viewers{channel=\"other\"} 8000",
        "zongzi_relay_channel_viewers_peak{channel=\"other\"} 9600",
        "zongzi_relay_channel_hosts{channel=\"other\"} 800",
        "zongzi_relay_channel_hosts{channel=\"c0000\"} 0",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}");
    }
}

#[test]
fn a_channel_called_other_does_not_make_a_series_twice() {
    let live = [("other", 5), ("a", 3), ("b", 1)]
        .map(|(name, viewers)| LiveChannel {
            channel: name.to_owned(),
            viewers,
            ..LiveChannel::default()
        })
        .to_vec();
    let text = encode(&Snapshot {
        live,
        channels_max: 1,
        ..full()
    });
    let found: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("zongzi_relay_channel_viewers{"))
        .collect();
    assert_eq!(
        found,
        [
            "zongzi_relay_channel_viewers{channel=\"a\"} 3",
            "zongzi_relay_channel_viewers{channel=\"other\"} 6",
        ]
    );
}
