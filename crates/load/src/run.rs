//! The course of a run: base, joining, steady, crowd, leaving, floor.

mod drift;
mod rounds;

pub(crate) use drift::{Drift, Held};
pub(crate) use rounds::QuietPoint;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::director::{Gate, Seat, SharedGate, Tally};
use crate::engine::{COMMANDS_MAX, Engine, PHASES, Phase, Shared, Snapshot};
use crate::floor::Shape;
use crate::host::log::Log;
use crate::net::Reach;
use crate::plan::Plan;
use crate::report;
use crate::server::{self, Usage};
use crate::viewer::dtls::Identity;
use crate::viewer::record::Kind;
use crate::viewer::{Outcome, Stats};

/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// DELETEs under way at once.
const LEAVES_AT_ONCE: usize = 32;

/// Where to find the server and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// WHEP URL with `{channel}` in it.
    pub(crate) whep: String,
    /// URL of the public JSON with `{channel}` in it, where the server says how many watch.
    pub(crate) count: Option<String>,
    /// Playback token.
    pub(crate) token: Option<String>,
    /// Names of the channels.
    pub(crate) channels: Vec<String>,
    /// Where traffic may go.
    pub(crate) reach: Reach,
    /// The server's process.
    pub(crate) pid: Option<u32>,
}

/// What both processes had used at the border of a phase.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) server: Option<Usage>,
    pub(crate) server_threads: Vec<(String, Duration)>,
    pub(crate) generator: Option<Usage>,
}

/// Everything that a run found.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) stats: [Stats; PHASES],
    /// Start and end of each phase that took place.
    pub(crate) marks: BTreeMap<Phase, (Mark, Mark)>,
    pub(crate) answered: u64,
    pub(crate) told_to_wait: u64,
    pub(crate) failed_joins: u64,
    pub(crate) undeleted: u64,
    pub(crate) failed_sessions: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) udp_drops: u64,
    pub(crate) late_rounds: u64,
    pub(crate) rounds: u64,
    pub(crate) live_most: usize,
    pub(crate) quiet_points: Vec<QuietPoint>,
    pub(crate) drift: Drift,
    pub(crate) shape: Shape,
}

/// Runs viewers through all phases.
///
/// # Errors
/// When the run could not take place; what the server does badly is no error.
pub(crate) async fn viewers(plan: &Plan, target: &Target, logs: Vec<Arc<Log>>) -> Result<Findings> {
    str0m::crypto::from_feature_flags().install_process_default();
    let shared = Arc::new(Shared::new(logs));
    let mut senders = Vec::new();
    let mut threads = Vec::new();
    let mut snapshots = Vec::new();
    for index in 0..plan.threads {
        let (sender, commands) = sync_channel(COMMANDS_MAX);
        let snapshot = Arc::<Mutex<Snapshot>>::default();
        let engine = Engine::new(Arc::clone(&shared), commands, Arc::clone(&snapshot));
        let thread = std::thread::Builder::new()
            .name(format!("viewers-{index}"))
            .spawn(move || engine.run())
            .context("no thread")?;
        senders.push(sender);
        threads.push(thread);
        snapshots.push(snapshot);
    }
    let gate = Arc::new(Gate {
        template: target.whep.clone(),
        channels: target.channels.clone(),
        token: target.token.clone(),
        reach: target.reach.clone(),
        identity: Identity::new()?,
        coalesce: plan.coalesce,
        retries: plan.retries,
        slow_loss: plan.slow_loss,
        slow_kbps: plan.slow_kbps,
        seed: plan.seed,
        engines: senders,
        tally: Tally::default(),
    });
    let course = Course {
        plan: plan.clone(),
        pid: target.pid,
        count_url: target.count.clone(),
        gate: Arc::clone(&gate),
        shared: Arc::clone(&shared),
        snapshots,
        marks: BTreeMap::new(),
        live_most: 0,
        quiet_points: Vec::new(),
        drift: Drift::default(),
    };
    course.go(threads).await
}

struct Course {
    plan: Plan,
    pid: Option<u32>,
    count_url: Option<String>,
    gate: SharedGate,
    shared: Arc<Shared>,
    snapshots: Vec<Arc<Mutex<Snapshot>>>,
    marks: BTreeMap<Phase, (Mark, Mark)>,
    live_most: usize,
    quiet_points: Vec<QuietPoint>,
    drift: Drift,
}

impl Course {
    async fn go(mut self, threads: Vec<JoinHandle<Vec<Outcome>>>) -> Result<Findings> {
        let plan = self.plan.clone();
        let seconds = Duration::from_secs_f64;
        let mut seats = Vec::new();

        // One viewer for each channel: what hosts and audio cost without viewers to speak of.
        let first = plan.viewers.min(1) * plan.channels;
        seats.extend(self.join_evenly(0..first).await);
        self.watch(seconds(plan.settle_seconds), "settling").await;
        let base = self.begin(Phase::Base);
        self.watch(seconds(plan.base_seconds), "base").await;
        self.end(Phase::Base, base);

        let joining = self.begin(Phase::Joining);
        let all = plan.viewers * plan.channels;
        seats.extend(self.join_evenly(first..all).await);
        self.watch(seconds(plan.settle_seconds), "settling").await;
        self.end(Phase::Joining, joining);

        let steady = self.begin(Phase::Steady);
        self.drift.begin(steady.at);
        let churn = self.start_churn();
        self.rounds(&mut seats).await;
        let before_crowd = plan.seconds / if plan.crowd > 0 { 3.0 } else { 1.0 };
        self.watch(seconds(before_crowd / 2.0), "watching").await;
        if plan.rounds == 0 {
            self.vanish(&mut seats).await;
        }
        self.watch(seconds(before_crowd / 2.0), "watching").await;
        self.drift.end();
        self.end(Phase::Steady, steady);

        if plan.crowd > 0 {
            let crowd = self.begin(Phase::Crowd);
            let arriving = self.start_crowd();
            self.watch(seconds(plan.seconds - before_crowd), "crowd")
                .await;
            seats.extend(arriving.join_all().await.into_iter().flatten());
            self.end(Phase::Crowd, crowd);
        }

        let ports = seats.iter().map(|seat: &Seat| seat.port).collect();
        let drops = server::udp_drops(&ports);
        let leaving = self.begin(Phase::Leaving);
        churn.end().await;
        self.leave_all(seats).await;
        self.end(Phase::Leaving, leaving);
        self.findings(threads, drops)
    }

    fn findings(self, threads: Vec<JoinHandle<Vec<Outcome>>>, drops: u64) -> Result<Findings> {
        self.shared.stop();
        let mut outcomes = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(ended) => outcomes.extend(ended),
                Err(_) => bail!("a viewers' thread panicked"),
            }
        }
        let mut stats: [Stats; PHASES] = Default::default();
        let (mut late_rounds, mut rounds, mut failed) = (0, 0, 0);
        for snapshot in self.snapshots() {
            for (all, one) in stats.iter_mut().zip(&snapshot.stats) {
                all.merge(one);
            }
            late_rounds += snapshot.late_rounds;
            rounds += snapshot.rounds;
            failed += snapshot.failed;
        }
        let tally = &self.gate.tally;
        let mut errors = tally.errors();
        for error in outcomes.iter().filter_map(|each| each.error.clone()) {
            *errors.entry(format!("session: {error}")).or_default() += 1;
        }
        let shape = self.shared.shape.lock();
        let shape = shape.unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Findings {
            outcomes,
            stats,
            marks: self.marks,
            answered: tally.answered.load(Ordering::Relaxed),
            told_to_wait: tally.told_to_wait.load(Ordering::Relaxed),
            failed_joins: tally.failed.load(Ordering::Relaxed),
            undeleted: tally.undeleted.load(Ordering::Relaxed),
            failed_sessions: failed,
            errors,
            udp_drops: drops,
            late_rounds,
            rounds,
            live_most: self.live_most,
            quiet_points: self.quiet_points,
            drift: self.drift,
            shape,
        })
    }

    fn begin(&self, phase: Phase) -> Mark {
        self.shared.enter(phase);
        Mark::now(self.pid)
    }

    fn end(&mut self, phase: Phase, begin: Mark) {
        self.marks.insert(phase, (begin, Mark::now(self.pid)));
    }

    /// Lets viewers in at the plan's rate, whether or not those before are in already.
    async fn join_evenly(&mut self, numbers: Range<u64>) -> Vec<Seat> {
        let mut joins = JoinSet::new();
        let mut ticks = interval(Duration::from_secs_f64(1.0 / self.plan.join_rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut said = Instant::now();
        for number in numbers {
            ticks.tick().await;
            joins.spawn(self.join(number));
            if said.elapsed() > PROGRESS_EVERY {
                said = Instant::now();
                self.progress("joining");
            }
        }
        joins.join_all().await.into_iter().flatten().collect()
    }

    /// The viewer with this number: its channel and kind follow from it.
    fn join(&self, number: u64) -> impl Future<Output = Option<Seat>> + Send + use<> {
        let gate = Arc::clone(&self.gate);
        let plan = &self.plan;
        // Across the channels first, so that the first viewers of all come before the second of any.
        let (round, channel) = (number / plan.channels, number % plan.channels);
        let slow = is_chosen(round, plan.slow) && round > 0;
        let sampled = slow || is_chosen(number, plan.sampled);
        let kind = if slow { Kind::Slow } else { Kind::Normal };
        let channel = usize::try_from(channel).unwrap_or(0);
        async move { gate.join(channel, kind, sampled).await }
    }

    fn start_crowd(&self) -> JoinSet<Option<Seat>> {
        let plan = &self.plan;
        let mut joins = JoinSet::new();
        let mut random = StdRng::seed_from_u64(plan.seed ^ 0xc0);
        for number in 0..plan.crowd {
            let gate = Arc::clone(&self.gate);
            let after = random.random_range(0.0..plan.crowd_seconds.max(0.001));
            let channel = usize::try_from(number % plan.channels).unwrap_or(0);
            joins.spawn(async move {
                sleep(Duration::from_secs_f64(after)).await;
                gate.join(channel, Kind::Crowd, false).await
            });
        }
        joins
    }

    fn start_churn(&self) -> Churn {
        let (ending, ended) = watch::channel(false);
        let plan = self.plan.clone();
        let gate = Arc::clone(&self.gate);
        let task = tokio::spawn(async move {
            let mut visits = JoinSet::new();
            let mut random = StdRng::seed_from_u64(plan.seed ^ 0xc4);
            let mut waiting = ended.clone();
            if plan.churn_rate <= 0.0 {
                return;
            }
            loop {
                let pause = exponential(&mut random, 1.0 / plan.churn_rate);
                if timeout(pause, waiting.wait_for(|ending| *ending))
                    .await
                    .is_ok()
                {
                    break;
                }
                // Those who are gone need no place.
                while visits.try_join_next().is_some() {}
                let stay = exponential(&mut random, plan.churn_stay);
                let channel = random.random_range(0..plan.channels);
                visits.spawn(visit(
                    Arc::clone(&gate),
                    usize::try_from(channel).unwrap_or(0),
                    stay,
                    ended.clone(),
                ));
            }
            visits.join_all().await;
        });
        Churn { ending, task }
    }

    /// Some of those who watch go without a word.
    async fn vanish(&self, seats: &mut Vec<Seat>) {
        let share = self.plan.vanish;
        let mut number = 0;
        let (gone, stay): (Vec<_>, Vec<_>) = std::mem::take(seats).into_iter().partition(|_| {
            number += 1;
            is_chosen(number, share)
        });
        *seats = stay;
        for seat in gone {
            self.gate.leave(seat, true).await;
        }
    }

    async fn leave_all(&self, seats: Vec<Seat>) {
        let mut leaves = JoinSet::new();
        for seat in seats {
            if leaves.len() >= LEAVES_AT_ONCE {
                leaves.join_next().await;
            }
            let gate = Arc::clone(&self.gate);
            leaves.spawn(async move { gate.leave(seat, false).await });
        }
        leaves.join_all().await;
    }

    async fn watch(&mut self, span: Duration, word: &str) {
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(PROGRESS_EVERY)).await;
            self.progress(word);
        }
    }

    fn progress(&mut self, word: &str) {
        let pid = self.pid;
        let usage = || Usage::of(pid?).ok();
        self.drift.look(Instant::now(), usage);
        let snapshots = self.snapshots();
        let live = snapshots.iter().map(|each| each.live).sum();
        self.live_most = self.live_most.max(live);
        let joining: usize = snapshots.iter().map(|each| each.joining).sum();
        let packets: u64 = snapshots
            .iter()
            .flat_map(|each| &each.stats)
            .map(|stats| stats.packets)
            .sum();
        let failed = self.gate.tally.failed.load(Ordering::Relaxed)
            + snapshots.iter().map(|each| each.failed).sum::<u64>();
        report::progress(&format!(
            "{word:<9} {live:>6} watching {joining:>5} joining {packets:>12} packets {failed:>4} failed"
        ));
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        let copy = |each: &Arc<Mutex<Snapshot>>| {
            let snapshot = each.lock().unwrap_or_else(PoisonError::into_inner);
            snapshot.clone()
        };
        self.snapshots.iter().map(copy).collect()
    }
}

impl Mark {
    fn now(pid: Option<u32>) -> Self {
        Self {
            at: Instant::now(),
            server: pid.and_then(|pid| Usage::of(pid).ok()),
            server_threads: pid.map(server::threads).unwrap_or_default(),
            generator: Usage::of(std::process::id()).ok(),
        }
    }
}

/// Viewers who come and go by themselves.
struct Churn {
    ending: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Churn {
    /// Nobody comes any more, and all who are there leave.
    async fn end(self) {
        let _ = self.ending.send(true);
        let _ = self.task.await;
    }
}

async fn visit(gate: SharedGate, channel: usize, stay: Duration, mut ended: watch::Receiver<bool>) {
    if let Some(seat) = gate.join(channel, Kind::Churning, false).await {
        let _ = timeout(stay, ended.wait_for(|ending| *ending)).await;
        gate.leave(seat, false).await;
    }
}

/// Whether number `number` belongs to a share of all numbers: as evenly spread as can be, number 0 first.
fn is_chosen(number: u64, share: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 viewers")]
    let number = number as f64;
    share > 0.0 && (number * share).fract() < share.min(1.0) - 1e-9 || share >= 1.0
}

/// A random span with this mean, as between the calls of many independent people.
fn exponential(random: &mut StdRng, mean_seconds: f64) -> Duration {
    let uniform: f64 = random.random_range(1e-6..1.0);
    Duration::from_secs_f64((-uniform.ln() * mean_seconds).clamp(0.0, 3600.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly_and_begins_with_the_first() {
        for (share, wanted) in [(0.02, 20), (0.25, 250), (1.0, 1000), (0.0, 0), (0.001, 1)] {
            let chosen: Vec<_> = (0..1000)
                .filter(|number| is_chosen(*number, share))
                .collect();
            assert!(
                chosen.len().abs_diff(wanted) <= 1,
                "{share}: {}",
                chosen.len()
            );
            if share > 0.0 {
                assert_eq!(chosen[0], 0);
            }
        }
    }

    #[test]
    fn spans_have_the_mean_that_was_asked_for() {
        let mut random = StdRng::seed_from_u64(7);
        let sum: f64 = (0..20_000)
            .map(|_| exponential(&mut random, 0.05).as_secs_f64())
            .sum();
        assert!((sum / 20_000.0 - 0.05).abs() < 0.002, "{}", sum / 20_000.0);
    }
}
