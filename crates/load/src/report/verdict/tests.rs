//! One run that keeps every threshold; then one broken figure at a time, and the line that it makes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::host;
use crate::plan::{Plan, Settings};
use crate::report::summary::{
    Crowd, Generator, Joins, Machine, Media, Quantiles, Server, Summary, Viewers,
};
use crate::run::QuietPoint;

/// All thresholds that have no default, at 10.
fn plan() -> Plan {
    let text = "max_loss = 10.0
        max_gap_ms = 10.0
        max_crowd_gap_ms = 10.0
        max_transit_p99_ms = 10.0
        max_cpu_ms = 10.0
        max_net_cpu_ms = 10.0
        max_floor_ratio = 10.0
        max_memory_kib = 10.0
        max_memory_growth_mib = 10.0
        max_descriptor_growth = 10.0
        max_thread_growth = 10.0
        max_join_cpu_ms = 10.0
        max_keyframe_p50_ms = 10.0
        max_keyframe_p99_ms = 10.0";
    let settings: Settings = toml::from_str(text).expect("settings");
    settings.plan().expect("makes sense")
}

/// A run with every figure at its threshold.
fn good() -> Summary {
    let ten = Quantiles {
        count: 1,
        p50: 10.0,
        p95: 10.0,
        p99: 10.0,
        max: 10.0,
    };
    let held = |each| Held {
        seconds: 1.0,
        memory_mib: each,
        descriptors: each,
        threads: each,
    };
    Summary {
        plan: plan(),
        machine: Machine {
            cores: 1,
            cpu: String::new(),
            kernel: String::new(),
            unix_time: 0,
        },
        viewers: Viewers::default(),
        media: Media {
            frames_expected: 100,
            loss_percent: 10.0,
            gap_ms: ten,
            transit_to_last_ms: ten,
            ..Media::default()
        },
        joins: Joins {
            first_keyframe_ms: ten,
            ..Joins::default()
        },
        crowd: Some(Crowd {
            offered_per_second: 1.0,
            served_per_second: 1.0,
            first_keyframe_ms: ten,
            watchers_gap_ms: 10.0,
        }),
        quiet_points: vec![QuietPoint {
            truth: 7,
            counted: Some(7),
            after_ms: 0,
        }],
        server: Some(Server {
            cpu_ms_per_viewer_second: 10.0,
            net_cpu_ms_per_viewer_second: Some(10.0),
            cpu_ms_per_join: Some(10.0),
            memory_kib_per_viewer: Some(10.0),
            growth: Some([held(5.0), held(15.0)]),
            ..Server::default()
        }),
        generator: Generator::default(),
        hosts: Some(host::Figures::default()),
        floor: None,
        floor_ratio: Some(10.0),
        net_floor_ratio: None,
        errors: BTreeMap::new(),
        failures: Vec::new(),
    }
}

/// Breaks one thing in a run; gives the only line that comes of it.
fn line(name: &str, how: &str, break_it: impl Fn(&mut Summary)) -> String {
    let mut summary = good();
    break_it(&mut summary);
    let mut lines = failures(&summary);
    assert_eq!(lines.len(), 1, "{name}, {how}: {lines:?}");
    lines.remove(0)
}

#[test]
fn a_run_that_keeps_everything_passes() {
    assert_eq!(failures(&good()), Vec::<String>::new());
}

/// Breaks a figure.
type Break = fn(&mut Summary);
/// Threshold, how its line begins, a figure that is too large, and the same not measured.
type Threshold = (&'static str, &'static str, Break, Break);

#[test]
fn each_threshold_has_its_line_when_it_is_broken_and_when_it_is_not_measured() {
    fn server(summary: &mut Summary) -> &mut Server {
        summary.server.as_mut().expect("a server")
    }
    fn late(summary: &mut Summary) -> &mut Held {
        let growth = server(summary).growth.as_mut().expect("growth");
        &mut growth[1]
    }
    let at_most: [Threshold; 11] = [
        (
            "max_loss",
            "frames lost: ",
            |of| of.media.loss_percent = 11.0,
            |of| of.media.frames_expected = 0,
        ),
        (
            "max_gap_ms",
            "longest gap: ",
            |of| of.media.gap_ms.max = 11.0,
            |of| of.media.gap_ms.count = 0,
        ),
        (
            "max_crowd_gap_ms",
            "longest gap in the crowd: ",
            |of| of.crowd.as_mut().expect("a crowd").watchers_gap_ms = 11.0,
            |of| of.crowd = None,
        ),
        (
            "max_transit_p99_ms",
            "transit to the last viewer, p99: ",
            |of| of.media.transit_to_last_ms.p99 = 11.0,
            |of| of.media.transit_to_last_ms.count = 0,
        ),
        (
            "max_net_cpu_ms",
            "server CPU per viewer-second without hosts and audio: ",
            |of| server(of).net_cpu_ms_per_viewer_second = Some(11.0),
            |of| server(of).net_cpu_ms_per_viewer_second = None,
        ),
        (
            "max_floor_ratio",
            "server CPU by floor: ",
            |of| of.floor_ratio = Some(11.0),
            |of| of.floor_ratio = None,
        ),
        (
            "max_memory_kib",
            "server memory per viewer: ",
            |of| server(of).memory_kib_per_viewer = Some(11.0),
            |of| server(of).memory_kib_per_viewer = None,
        ),
        (
            "max_join_cpu_ms",
            "server CPU per join: ",
            |of| server(of).cpu_ms_per_join = Some(11.0),
            |of| server(of).cpu_ms_per_join = None,
        ),
        // These are measured together or not at all.
        (
            "max_memory_growth_mib",
            "server memory, from the second minute to the last: ",
            |of| late(of).memory_mib = 16.0,
            |of| {
                server(of).growth = None;
                of.plan.max_descriptor_growth = f64::INFINITY;
                of.plan.max_thread_growth = f64::INFINITY;
            },
        ),
        (
            "max_descriptor_growth",
            "server descriptors, from the second minute to the last: ",
            |of| late(of).descriptors = 16.0,
            |of| {
                server(of).growth = None;
                of.plan.max_memory_growth_mib = f64::INFINITY;
                of.plan.max_thread_growth = f64::INFINITY;
            },
        ),
        (
            "max_thread_growth",
            "server threads, from the second minute to the last: ",
            |of| late(of).threads = 16.0,
            |of| {
                server(of).growth = None;
                of.plan.max_memory_growth_mib = f64::INFINITY;
                of.plan.max_descriptor_growth = f64::INFINITY;
            },
        ),
    ];
    for (name, begin, break_it, unmeasure) in at_most {
        let text = line(name, "broken", break_it);
        assert!(text.starts_with(begin), "{name}: {text}");
        assert!(text.contains("11.00 "), "{name}: {text}");
        assert!(text.contains("at most 10.00 "), "{name}: {text}");
        let text = line(name, "not measured", unmeasure);
        assert_eq!(text, format!("{begin}not measured"), "{name}");
    }
    // What has no figure of its own that can be missing.
    let rules: [(&str, &str, Break); 6] = [
        ("max_cpu_ms", "server CPU per viewer-second: 11.00", |of| {
            server(of).cpu_ms_per_viewer_second = 11.0;
        }),
        ("max_keyframe_p50_ms", "first keyframe, p50: 11.00", |of| {
            of.joins.first_keyframe_ms.p50 = 11.0;
        }),
        ("max_keyframe_p99_ms", "first keyframe, p99: 11.00", |of| {
            of.joins.first_keyframe_ms.p99 = 11.0;
        }),
        (
            "max_miscounts",
            "7 viewers are there, and the server counts 8",
            |of| of.quiet_points[0].counted = Some(8),
        ),
        ("max_failed", "1 viewers failed", |of| of.viewers.failed = 1),
        ("max_smeared", "1 frames are smeared (", |of| {
            of.media.frames_unreferenced = 1;
        }),
    ];
    for (name, begin, break_it) in rules {
        let text = line(name, "broken", break_it);
        assert!(text.starts_with(begin), "{name}: {text}");
    }
    // And none was forgotten.
    let tried = at_most.iter().map(|each| each.0);
    let tried: BTreeSet<_> = tried.chain(rules.iter().map(|each| each.0)).collect();
    let plan = serde_json::to_value(plan()).expect("JSON");
    let all = plan.as_object().expect("an object").keys();
    let all: BTreeSet<_> = all.map(String::as_str).collect();
    let all: BTreeSet<_> = all
        .into_iter()
        .filter(|name| name.starts_with("max_"))
        .collect();
    assert_eq!(tried, all);
}

#[test]
fn what_no_threshold_allows_has_its_line() {
    let rules: [(&str, Break); 5] = [
        ("3 viewers saw nothing: ", |of| {
            of.media.viewers_who_saw_nothing = 3;
        }),
        ("1 hosts of 1 ended before the run did: cut off", |of| {
            let hosts = of.hosts.as_mut().expect("hosts");
            hosts.ended = 1;
            hosts.errors = vec!["cut off".to_owned()];
        }),
        ("2 frames are not what the host sent", |of| {
            of.media.frames_corrupt = 2;
        }),
        ("2 frames are smeared on slow links (", |of| {
            of.media.slow_frames_unreferenced = 2;
            of.plan.slow_loss = 0.0;
            of.plan.slow_kbps = 1000;
        }),
        ("7 viewers are there, and the server counts nothing", |of| {
            of.quiet_points[0].counted = None;
        }),
    ];
    for (begin, break_it) in rules {
        let text = line(begin, "broken", break_it);
        assert!(text.starts_with(begin), "{begin}: {text}");
    }
}

#[test]
fn what_was_not_asked_for_is_not_judged() {
    let mut summary = good();
    summary.plan = Settings::default().plan().expect("makes sense");
    summary.server = None;
    summary.crowd = None;
    summary.hosts = None;
    summary.floor_ratio = None;
    summary.media.loss_percent = 100.0;
    // The link's own doing: it loses 5 % of what it is given.
    summary.media.slow_frames_unreferenced = 9;
    assert_eq!(failures(&summary), Vec::<String>::new());

    let mut summary = good();
    summary.plan.floor = false;
    summary.floor_ratio = None;
    assert_eq!(failures(&summary), Vec::<String>::new());
}
