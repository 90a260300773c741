use super::Summary;
use crate::run::Held;

/// What is not as the plan's thresholds want it: a line each, empty when all is well.
///
/// A threshold whose figure could not be measured fails too: silence is no success.
pub(super) fn failures(summary: &Summary) -> Vec<String> {
    let plan = &summary.plan;
    let media = &summary.media;
    let server = summary.server.as_ref();
    let mut failures = Vec::new();
    let mut at_most = |what: &str, value: Option<f64>, limit: f64, unit: &str| {
        if limit.is_infinite() {
            return;
        }
        match value {
            Some(value) if value <= limit => {}
            Some(value) => {
                failures.push(format!(
                    "{what}: {value:.2} {unit}, at most {limit:.2} wanted"
                ));
            }
            None => failures.push(format!("{what}: not measured")),
        }
    };
    let frames = media.frames_expected > 0;
    at_most(
        "frames lost",
        frames.then_some(media.loss_percent),
        plan.max_loss,
        "%",
    );
    let seen = media.gap_ms.count > 0;
    at_most(
        "longest gap",
        seen.then_some(media.gap_ms.max),
        plan.max_gap_ms,
        "ms",
    );
    let crowd_gap = summary.crowd.as_ref().map(|crowd| crowd.watchers_gap_ms);
    at_most(
        "longest gap in the crowd",
        crowd_gap,
        plan.max_crowd_gap_ms,
        "ms",
    );
    let transit = media.transit_to_last_ms;
    let transit = (transit.count > 0).then_some(transit.p99);
    at_most(
        "transit to the last viewer, p99",
        transit,
        plan.max_transit_p99_ms,
        "ms",
    );
    let cpu = server.map(|server| server.cpu_ms_per_viewer_second);
    at_most("server CPU per viewer-second", cpu, plan.max_cpu_ms, "ms");
    let net = server.and_then(|server| server.net_cpu_ms_per_viewer_second);
    at_most(
        "server CPU per viewer-second without hosts and audio",
        net,
        plan.max_net_cpu_ms,
        "ms",
    );
    // Without a floor, by the user's own wish, there is nothing to hold against it.
    if plan.floor {
        at_most(
            "server CPU by floor",
            summary.floor_ratio,
            plan.max_floor_ratio,
            "times",
        );
    }
    let memory = server.and_then(|server| server.memory_kib_per_viewer);
    at_most(
        "server memory per viewer",
        memory,
        plan.max_memory_kib,
        "KiB",
    );
    let growth = server.and_then(|server| server.growth);
    let grown = |of: fn(&Held) -> f64| growth.map(|[early, late]| of(&late) - of(&early));
    at_most(
        "server memory, from the second minute to the last",
        grown(|held| held.memory_mib),
        plan.max_memory_growth_mib,
        "MiB more",
    );
    at_most(
        "server descriptors, from the second minute to the last",
        grown(|held| held.descriptors),
        plan.max_descriptor_growth,
        "more",
    );
    at_most(
        "server threads, from the second minute to the last",
        grown(|held| held.threads),
        plan.max_thread_growth,
        "more",
    );
    let join = server.and_then(|server| server.cpu_ms_per_join);
    at_most("server CPU per join", join, plan.max_join_cpu_ms, "ms");
    let keyframe = summary.joins.first_keyframe_ms;
    let known = keyframe.count > 0;
    at_most(
        "first keyframe, p50",
        known.then_some(keyframe.p50),
        plan.max_keyframe_p50_ms,
        "ms",
    );
    at_most(
        "first keyframe, p99",
        known.then_some(keyframe.p99),
        plan.max_keyframe_p99_ms,
        "ms",
    );
    let wrong: Vec<_> = summary
        .quiet_points
        .iter()
        .filter(|point| !point.is_right())
        .collect();
    if u64::try_from(wrong.len()).unwrap_or(u64::MAX) > plan.max_miscounts {
        failures.extend(wrong.into_iter().map(|point| {
            let counted = point
                .counted
                .map_or_else(|| "nothing".to_owned(), |count| count.to_string());
            format!(
                "{} viewers are there, and the server counts {counted}",
                point.truth
            )
        }));
    }
    if summary.viewers.failed > plan.max_failed {
        failures.push(format!(
            "{} viewers failed, at most {} wanted",
            summary.viewers.failed, plan.max_failed
        ));
    }
    if media.viewers_who_saw_nothing > 0 {
        failures.push(format!(
            "{} viewers saw nothing: they had their keys while their host sent for 2 s and more, and got no frame or no keyframe",
            media.viewers_who_saw_nothing
        ));
    }
    if let Some(hosts) = summary.hosts.as_ref().filter(|hosts| hosts.ended > 0) {
        failures.push(format!(
            "{} hosts of {} ended before the run did: {}",
            hosts.ended,
            plan.channels,
            hosts.errors.join("; ")
        ));
    }
    if media.frames_unreferenced > plan.max_smeared {
        failures.push(format!(
            "{} frames are smeared (their reference never came), at most {} wanted",
            media.frames_unreferenced, plan.max_smeared
        ));
    }
    // A link that loses datagrams by itself makes smears that no server can help.
    if plan.slow_loss <= 0.0 && media.slow_frames_unreferenced > plan.max_smeared {
        failures.push(format!(
            "{} frames are smeared on slow links (their reference never came), at most {} wanted",
            media.slow_frames_unreferenced, plan.max_smeared
        ));
    }
    if media.frames_corrupt > 0 {
        failures.push(format!(
            "{} frames are not what the host sent",
            media.frames_corrupt
        ));
    }
    failures
}

#[cfg(test)]
mod tests;
