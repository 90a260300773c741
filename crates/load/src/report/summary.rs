use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::account::Delays;
use crate::engine::Phase;
use crate::floor;
use crate::host;
use crate::plan::Plan;
use crate::run::{Findings, Held, Mark, QuietPoint};
use crate::server::Usage;
use crate::viewer::Outcome;
use crate::viewer::record::{Hole, Kind};

/// A share of the cores that it may use above which the generator is taken to be the limit.
const BUSY: f64 = 0.90;
/// A share of rounds begun late above which it is, too.
const LATE: f64 = 0.20;

/// Viewers with losses that are listed.
const LOSSES_MAX: usize = 50;

/// All figures of a run, in milliseconds, bytes and counts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) plan: Plan,
    pub(crate) machine: Machine,
    pub(crate) viewers: Viewers,
    pub(crate) media: Media,
    pub(crate) joins: Joins,
    /// How the server took a crowd.
    pub(crate) crowd: Option<Crowd>,
    /// After each round: the truth, and what the server counted.
    pub(crate) quiet_points: Vec<QuietPoint>,
    pub(crate) server: Option<Server>,
    pub(crate) generator: Generator,
    pub(crate) hosts: Option<host::Figures>,
    pub(crate) floor: Option<floor::Floors>,
    /// Server's CPU for a viewer-second by the floor's for the same sends.
    pub(crate) floor_ratio: Option<f64>,
    /// The same without what hosts and audio cost the server.
    pub(crate) net_floor_ratio: Option<f64>,
    pub(crate) errors: BTreeMap<String, u64>,
    /// What was not as the thresholds want it.
    pub(crate) failures: Vec<String>,
}

/// Where it ran.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    /// Those that the generator may use.
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) unix_time: u64,
}

/// Who was there.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Viewers {
    pub(crate) live_most: usize,
    pub(crate) answered: u64,
    pub(crate) keyed: u64,
    pub(crate) failed: u64,
    pub(crate) told_to_wait: u64,
    pub(crate) undeleted: u64,
    pub(crate) sampled: u64,
    pub(crate) by_kind: BTreeMap<Kind, u64>,
    pub(crate) srtp: BTreeMap<String, u64>,
}

/// What arrived.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Media {
    /// Of frames that the hosts sent while each viewer was there: how many should have come, and did not. Slow
    /// viewers are not in it.
    pub(crate) frames_expected: u64,
    pub(crate) frames_lost: u64,
    pub(crate) loss_percent: f64,
    /// Frames from before a viewer came that he was not sent though he was sent earlier ones, and at how many viewers.
    pub(crate) backlog_frames_skipped: u64,
    pub(crate) viewers_with_backlog_skipped: u64,
    pub(crate) viewers_with_loss: u64,
    /// Some of these.
    pub(crate) losses: Vec<Loss>,
    /// The same for viewers with a slow link.
    pub(crate) slow_frames_expected: u64,
    pub(crate) slow_frames_lost: u64,
    pub(crate) slow_backlog_frames_skipped: u64,
    /// Whole frames there that refer to one that never came.
    pub(crate) slow_frames_unreferenced: u64,
    pub(crate) video_packets: u64,
    pub(crate) video_packets_lost: u64,
    pub(crate) audio_packets: u64,
    pub(crate) audio_packets_lost: u64,
    pub(crate) audio_jumps: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicates: u64,
    pub(crate) frames_verified: u64,
    pub(crate) frames_corrupt: u64,
    /// Whole frames that refer to one that never came.
    pub(crate) frames_unreferenced: u64,
    pub(crate) frames_of_no_host: u64,
    pub(crate) viewers_without_host_frame: u64,
    /// With keys while their host sent for two seconds and more, and without a frame or a keyframe. Slow viewers are not
    /// in it.
    pub(crate) viewers_who_saw_nothing: u64,
    pub(crate) refused_datagrams: u64,
    /// RTP packets of light viewers that came before their keys: a browser drops them.
    pub(crate) packets_before_keys: u64,
    pub(crate) sender_reports: u64,
    pub(crate) bits_per_second: f64,
    pub(crate) packets_per_viewer_second: f64,
    pub(crate) longest_gap_ms: f64,
    pub(crate) gap_ms: Quantiles,
    pub(crate) transit_ms: Quantiles,
    pub(crate) transit_to_last_ms: Quantiles,
}

/// A viewer who did not get everything.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Loss {
    pub(crate) kind: Kind,
    pub(crate) sampled: bool,
    pub(crate) frames_expected: u64,
    pub(crate) frames_lost: u64,
    /// `None` when only the end is missing.
    pub(crate) first_hole: Option<Hole>,
}

/// How long viewers waited, from the POST.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Joins {
    pub(crate) answer_ms: Quantiles,
    pub(crate) keys_ms: Quantiles,
    pub(crate) first_packet_ms: Quantiles,
    pub(crate) first_keyframe_ms: Quantiles,
}

/// A crowd: offered and served.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Crowd {
    pub(crate) offered_per_second: f64,
    pub(crate) served_per_second: f64,
    pub(crate) first_keyframe_ms: Quantiles,
    /// Of those who watched before.
    pub(crate) watchers_gap_ms: f64,
}

/// What the server used.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Server {
    /// The whole process, by viewer-seconds of the steady phase.
    pub(crate) cpu_ms_per_viewer_second: f64,
    /// The same without what hosts and audio cost.
    pub(crate) net_cpu_ms_per_viewer_second: Option<f64>,
    /// What one channel's host and audio cost, in milliseconds of CPU a second.
    pub(crate) cpu_ms_per_channel_second: Option<f64>,
    pub(crate) cpu_ns_per_packet: f64,
    pub(crate) cores: f64,
    pub(crate) cpu_ms_per_join: Option<f64>,
    pub(crate) memory_kib_per_viewer: Option<f64>,
    pub(crate) memory_mib_start: f64,
    pub(crate) memory_mib_steady: f64,
    pub(crate) memory_mib_end: f64,
    pub(crate) descriptors: [usize; 2],
    pub(crate) threads: [usize; 2],
    /// In the second minute while all watch, and in the last.
    pub(crate) growth: Option<[Held; 2]>,
    /// All that was seen of it, every ten seconds.
    pub(crate) held: Vec<Held>,
    /// Cores that each of its threads took in the steady phase, the busiest first.
    pub(crate) cores_by_thread: Vec<(String, f64)>,
}

/// What we used ourselves, and whether we were the limit.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Generator {
    pub(crate) cores: f64,
    pub(crate) late_rounds_percent: f64,
    /// Datagrams that found a viewer's receive buffer full; those of viewers who left before the end are not known.
    pub(crate) udp_drops: u64,
    pub(crate) is_the_limit: bool,
}

/// Of a distribution.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Quantiles {
    fn of(delays: &Delays) -> Self {
        let at = |permille| delays.quantile(permille).map_or(0.0, ms);
        Self {
            count: delays.count(),
            p50: at(500),
            p95: at(950),
            p99: at(990),
            max: delays.max().map_or(0.0, ms),
        }
    }

    fn over(spans: impl Iterator<Item = Duration>) -> Self {
        let mut delays = Delays::default();
        spans.for_each(|span| delays.add(span));
        Self::of(&delays)
    }
}

impl Loss {
    fn of(outcome: &Outcome) -> Self {
        Self {
            kind: outcome.kind,
            sampled: outcome.sampled,
            frames_expected: outcome.frames_expected,
            frames_lost: outcome.frames_lost,
            first_hole: outcome.first_hole,
        }
    }
}

impl Summary {
    /// From what a run found.
    pub(crate) fn new(
        plan: &Plan,
        findings: &Findings,
        hosts: Option<host::Figures>,
        floor: Option<floor::Floors>,
    ) -> Self {
        let server = server(plan, findings);
        let by_floor = |cpu: Option<f64>| {
            let floor = floor.as_ref()?.same_sends.cpu_ms_per_viewer_second;
            cpu.filter(|_| floor > 0.0).map(|cpu| cpu / floor)
        };
        let of = |pick: fn(&Server) -> Option<f64>| by_floor(server.as_ref().and_then(pick));
        let floor_ratio = of(|server| Some(server.cpu_ms_per_viewer_second));
        let net_floor_ratio = of(|server| server.net_cpu_ms_per_viewer_second);
        let machine = Machine::here();
        let mut summary = Self {
            plan: plan.clone(),
            viewers: viewers(findings),
            media: media(findings),
            joins: joins(&findings.outcomes, |outcome| outcome.kind != Kind::Slow),
            crowd: crowd(plan, findings),
            quiet_points: findings.quiet_points.clone(),
            server,
            generator: generator(findings, machine.cores),
            machine,
            hosts,
            floor,
            floor_ratio,
            net_floor_ratio,
            errors: findings.errors.clone(),
            failures: Vec::new(),
        };
        summary.failures = super::verdict::failures(&summary);
        summary
    }

    /// As a table for people.
    pub(crate) fn table(&self) -> String {
        super::table::of(self)
    }
}

impl Machine {
    fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or(String::new(), |(_, name)| name.trim().to_owned());
        Self {
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            cpu,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            unix_time: crate::clock::Stamp::now().0 / 1_000_000_000,
        }
    }
}

fn viewers(findings: &Findings) -> Viewers {
    let mut viewers = Viewers {
        live_most: findings.live_most,
        answered: findings.answered,
        failed: findings.failed_joins + findings.failed_sessions,
        told_to_wait: findings.told_to_wait,
        undeleted: findings.undeleted,
        ..Viewers::default()
    };
    for outcome in &findings.outcomes {
        *viewers.by_kind.entry(outcome.kind).or_default() += 1;
        viewers.keyed += u64::from(outcome.keyed.is_some());
        viewers.sampled += u64::from(outcome.sampled);
        if let Some(profile) = &outcome.profile {
            *viewers.srtp.entry(profile.clone()).or_default() += 1;
        }
    }
    viewers
}

fn media(findings: &Findings) -> Media {
    let mut media = Media::default();
    let recognisable = findings.outcomes.iter().any(|each| each.aligned);
    for outcome in &findings.outcomes {
        if outcome.kind == Kind::Slow {
            media.slow_frames_expected += outcome.frames_expected;
            media.slow_frames_lost += outcome.frames_lost;
            media.slow_backlog_frames_skipped += outcome.backlog_skipped;
            media.slow_frames_unreferenced += outcome.unreferenced;
        } else {
            media.frames_expected += outcome.frames_expected;
            media.frames_lost += outcome.frames_lost;
            media.backlog_frames_skipped += outcome.backlog_skipped;
            media.viewers_with_backlog_skipped += u64::from(outcome.backlog_skipped > 0);
            if outcome.frames_lost > 0 {
                media.viewers_with_loss += 1;
                if media.losses.len() < LOSSES_MAX {
                    media.losses.push(Loss::of(outcome));
                }
            }
            media.video_packets_lost += outcome.video_lost;
            media.audio_packets_lost += outcome.audio_lost;
            media.audio_jumps += outcome.audio_jumps;
            media.reordered += outcome.reordered;
            media.longest_gap_ms = media.longest_gap_ms.max(ms(outcome.longest_gap));
            media.frames_unreferenced += outcome.unreferenced;
            media.viewers_without_host_frame +=
                u64::from(!outcome.aligned && outcome.first_packet.is_some());
            media.viewers_who_saw_nothing += u64::from(outcome.saw_nothing(recognisable));
            media.frames_of_no_host += outcome.unmatched;
        }
        media.video_packets += outcome.video_packets;
        media.audio_packets += outcome.audio_packets;
        media.duplicates += outcome.duplicates;
        media.frames_verified += outcome.verified;
        media.frames_corrupt += outcome.corrupt;
        media.refused_datagrams += outcome.refused;
        media.packets_before_keys += outcome.before_keys;
        media.sender_reports += outcome.sender_reports;
    }
    media.loss_percent = share(media.frames_lost, media.frames_expected) * 100.0;
    let steady = &findings.stats[Phase::Steady as usize];
    if steady.viewer_seconds > 0.0 {
        media.packets_per_viewer_second = float(steady.packets) / steady.viewer_seconds;
        media.bits_per_second = float(steady.bytes) * 8.0 / steady.viewer_seconds;
    }
    media.gap_ms = Quantiles::of(&steady.gaps);
    media.transit_ms = Quantiles::of(&steady.transit);
    media.transit_to_last_ms = Quantiles::of(&steady.transit_last);
    media
}

fn joins(outcomes: &[Outcome], wanted: impl Fn(&Outcome) -> bool) -> Joins {
    let over = |of: fn(&Outcome) -> Option<Duration>| {
        Quantiles::over(outcomes.iter().filter(|each| wanted(each)).filter_map(of))
    };
    Joins {
        answer_ms: over(|each| Some(each.answered)),
        keys_ms: over(|each| each.keyed),
        first_packet_ms: over(|each| each.first_packet),
        first_keyframe_ms: over(|each| each.first_keyframe),
    }
}

fn crowd(plan: &Plan, findings: &Findings) -> Option<Crowd> {
    let came: Vec<_> = findings
        .outcomes
        .iter()
        .filter(|each| each.kind == Kind::Crowd)
        .collect();
    let first = came.iter().map(|each| each.posted).min()?;
    let served = |each: &&Outcome| Some(each.posted.plus(each.first_keyframe?).since(first));
    let last = came.iter().filter_map(served).max().unwrap_or_default();
    let count = came
        .iter()
        .filter(|each| each.first_keyframe.is_some())
        .count();
    let gaps = &findings.stats[Phase::Crowd as usize].gaps;
    Some(Crowd {
        offered_per_second: float(plan.crowd) / plan.crowd_seconds,
        served_per_second: float(count as u64) / last.as_secs_f64().max(0.001),
        first_keyframe_ms: joins(&findings.outcomes, |each| each.kind == Kind::Crowd)
            .first_keyframe_ms,
        watchers_gap_ms: gaps.max().map_or(0.0, ms),
    })
}

fn server(plan: &Plan, findings: &Findings) -> Option<Server> {
    let (steady_begin, steady_end) = findings.marks.get(&Phase::Steady)?;
    let (begin, end) = (steady_begin.server?, steady_end.server?);
    let steady = &findings.stats[Phase::Steady as usize];
    let wall = seconds(steady_begin, steady_end);
    let cpu = ms(end.cpu.saturating_sub(begin.cpu));
    let live = steady.viewer_seconds / wall;
    let first = findings
        .marks
        .values()
        .filter_map(|(mark, _)| mark.server)
        .min_by_key(|each| each.cpu)?;
    let last = findings
        .marks
        .get(&Phase::Leaving)
        .and_then(|(_, mark)| mark.server)
        .unwrap_or(end);
    let mut server = Server {
        cpu_ms_per_viewer_second: ratio(cpu, steady.viewer_seconds),
        cpu_ns_per_packet: ratio(cpu * 1e6, float(steady.packets)),
        cores: cpu / 1000.0 / wall,
        memory_mib_start: mebibytes(first),
        memory_mib_steady: mebibytes(end),
        memory_mib_end: mebibytes(last),
        descriptors: [first.descriptors, last.descriptors],
        threads: [first.threads, last.threads],
        growth: findings.drift.ends(),
        held: findings.drift.held().to_vec(),
        cores_by_thread: by_thread(steady_begin, steady_end, wall),
        ..Server::default()
    };
    let channels = float(plan.channels);
    if let Some((base_begin, base_end)) = findings.marks.get(&Phase::Base)
        && let (Some(before), Some(after)) = (base_begin.server, base_end.server)
        && live > channels * 2.0
    {
        let base_wall = seconds(base_begin, base_end);
        let base_cpu = ms(after.cpu.saturating_sub(before.cpu)) / base_wall;
        // Sound costs a channel the same for every viewer, but not at all times: a server that is short of time may make
        // it with less effort.
        let sound = sound_of(steady_begin, steady_end) / wall;
        let base_sound = sound_of(base_begin, base_end) / base_wall;
        let base_stats = &findings.stats[Phase::Base as usize];
        let base_live = base_stats.viewer_seconds / base_wall.max(0.001);
        let base_live = base_live.min(channels);
        // Two equations, two unknowns: a channel's cost and a viewer's.
        let grown = (cpu / wall - sound) - (base_cpu - base_sound);
        let net = ratio(grown, live - base_live);
        server.net_cpu_ms_per_viewer_second = Some(net);
        server.cpu_ms_per_channel_second = Some((base_cpu - net * base_live) / channels);
        if let Some((join_begin, join_end)) = findings.marks.get(&Phase::Joining)
            && let (Some(start), Some(done)) = (join_begin.server, join_end.server)
        {
            let joined = live - base_live;
            let watching = findings.stats[Phase::Joining as usize].viewer_seconds * net;
            let hosts = base_cpu - base_sound - net * base_live;
            let hosts = hosts * seconds(join_begin, join_end);
            let cpu = ms(done.cpu.saturating_sub(start.cpu)) - sound_of(join_begin, join_end);
            server.cpu_ms_per_join = Some(ratio(cpu - watching - hosts, joined));
            let grown = float(done.memory) - float(start.memory);
            server.memory_kib_per_viewer = Some(ratio(grown / 1024.0, joined));
        }
    }
    Some(server)
}

/// What the threads took on which zongzi turns AAC into Opus, in milliseconds of CPU. Other servers have none of that name.
fn sound_of(begin: &Mark, end: &Mark) -> f64 {
    let threads = spent(begin, end);
    let sound = threads
        .iter()
        .filter(|(name, _)| name.starts_with("rendition-"));
    sound.map(|(_, cpu)| ms(*cpu)).sum()
}

/// What each of the server's threads took from one mark to the other.
fn spent(begin: &Mark, end: &Mark) -> Vec<(String, Duration)> {
    let mut before = begin.server_threads.clone();
    let threads = end.server_threads.iter().map(|(name, cpu)| {
        let at = before
            .iter()
            .position(|(other, earlier)| other == name && earlier <= cpu);
        let earlier = at.map_or(Duration::ZERO, |at| before.remove(at).1);
        (name.clone(), cpu.saturating_sub(earlier))
    });
    threads.collect()
}

fn by_thread(begin: &Mark, end: &Mark, wall: f64) -> Vec<(String, f64)> {
    let cores = |cpu: Duration| cpu.as_secs_f64() / wall;
    let threads = spent(begin, end).into_iter();
    let mut used: Vec<(String, f64)> = threads
        .map(|(name, cpu)| (name, cores(cpu)))
        .filter(|(_, cores)| *cores >= 0.005)
        .collect();
    used.sort_by(|left, right| right.1.total_cmp(&left.1));
    used
}

/// What we used of the `cores` that we may use.
fn generator(findings: &Findings, cores: usize) -> Generator {
    let late = share(findings.late_rounds, findings.rounds);
    let mut generator = Generator {
        late_rounds_percent: late * 100.0,
        udp_drops: findings.udp_drops,
        ..Generator::default()
    };
    if let Some((begin, end)) = findings.marks.get(&Phase::Steady)
        && let (Some(before), Some(after)) = (begin.generator, end.generator)
    {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        generator.cores = cpu / seconds(begin, end);
    }
    generator.is_the_limit = generator.is_the_limit_of(cores);
    generator
}

impl Generator {
    fn is_the_limit_of(&self, cores: usize) -> bool {
        let allowed = float(u64::try_from(cores).unwrap_or(u64::MAX));
        self.late_rounds_percent > LATE * 100.0 || self.udp_drops > 0 || self.cores > BUSY * allowed
    }
}

fn seconds(begin: &Mark, end: &Mark) -> f64 {
    end.at
        .saturating_duration_since(begin.at)
        .as_secs_f64()
        .max(0.001)
}

/// Resident memory.
pub(crate) fn mebibytes(usage: Usage) -> f64 {
    float(usage.memory) / (1024.0 * 1024.0)
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn share(part: u64, whole: u64) -> f64 {
    ratio(float(part), float(whole))
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_limit_when_it_uses_all_that_it_may() {
        let used = |cores| Generator {
            cores,
            ..Generator::default()
        };
        for (of, cores, limit) in [
            (used(0.85), 1, false),
            (used(0.95), 1, true),
            (used(1.75), 2, false),
            (used(1.85), 2, true),
        ] {
            assert_eq!(of.is_the_limit_of(cores), limit, "{of:?} of {cores}");
        }
        let late = Generator {
            late_rounds_percent: 21.0,
            ..used(0.1)
        };
        let dropping = Generator {
            udp_drops: 1,
            ..used(0.1)
        };
        assert!(late.is_the_limit_of(8) && dropping.is_the_limit_of(8));
    }
}
