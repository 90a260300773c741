//! Many come and go at once, then everything stands still and the server's count is held against the truth.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hyper::{Method, StatusCode, Uri};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Course, LEAVES_AT_ONCE};
use crate::director::{Seat, SharedGate};
use crate::viewer::record::Kind;
use crate::whep::http;

/// How often is looked while something is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Our own viewers have their keys, or have failed, within this.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// The count is right within this of the last change; twice a busy machine's second.
const COUNT_MAX: Duration = Duration::from_secs(3);
/// The count knows within this that somebody went without a word: 15 s of silence, a look around each second.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long the count is watched once it is right: it must stay so.
const HOLD: Duration = Duration::from_secs(1);
/// One in so many newcomers goes as soon as he has an answer, keys or not.
const HASTY: usize = 8;

/// The truth and the count while nobody comes or goes, of all channels together.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct QuietPoint {
    /// Viewers who are there: ours, and nobody else's.
    pub(crate) truth: u64,
    /// What the server says: `None` when it can't be asked.
    pub(crate) counted: Option<u64>,
    /// From the last change to the count that was right, or to when it was given up.
    pub(crate) after_ms: u64,
}

impl QuietPoint {
    /// The count was the truth and stayed so.
    pub(crate) fn is_right(&self) -> bool {
        self.counted == Some(self.truth)
    }
}

impl Course {
    /// All rounds of the plan; afterwards as many watch as before.
    pub(super) async fn rounds(&mut self, seats: &mut Vec<Seat>) {
        let mut random = StdRng::seed_from_u64(self.plan.seed ^ 0x0c);
        for round in 1..=self.plan.rounds {
            self.progress(&format!("round {round}"));
            let silent = self.come_and_go(seats, &mut random).await;
            let patience = if silent { SILENCE_MAX } else { COUNT_MAX };
            let point = self.quiet_point(seats.len(), patience).await;
            self.quiet_points.push(point);
        }
    }

    /// A share of those who are there goes, each in his own way, while as many come and some of these go again. Whether
    /// somebody went without a word.
    async fn come_and_go(&self, seats: &mut Vec<Seat>, random: &mut StdRng) -> bool {
        seats.shuffle(random);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of at most 28,000"
        )]
        let going = (seats.len() as f64 * self.plan.round_share).round() as usize;
        let gone = seats.split_off(seats.len().saturating_sub(going));
        let newcomers = gone.len();
        let mut silent = false;
        let mut leaves = JoinSet::new();
        for mut seat in gone {
            if leaves.len() >= LEAVES_AT_ONCE {
                leaves.join_next().await;
            }
            let silently = random.random_bool(self.plan.vanish);
            silent |= silently;
            if random.random_bool(0.5) {
                seat.forget_session();
            }
            let gate = SharedGate::clone(&self.gate);
            leaves.spawn(async move { gate.leave(seat, silently).await });
        }
        let mut joins = JoinSet::new();
        let span = Duration::from_secs_f64(1.0 / self.plan.join_rate);
        let mut ticks = tokio::time::interval(span);
        for number in 0..newcomers.saturating_add(newcomers / HASTY) {
            ticks.tick().await;
            let gate = SharedGate::clone(&self.gate);
            let channel = random.random_range(0..self.gate.channels.len().max(1));
            let hasty = number >= newcomers;
            joins.spawn(async move {
                let seat = gate.join(channel, Kind::Churning, false).await?;
                if !hasty {
                    return Some(seat);
                }
                gate.leave(seat, false).await;
                None
            });
        }
        seats.extend(joins.join_all().await.into_iter().flatten());
        leaves.join_all().await;
        silent
    }

    /// Waits until all our viewers have their keys, then until the server counts as many, and sees that it stays so.
    async fn quiet_point(&self, seats: usize, patience: Duration) -> QuietPoint {
        let begin = Instant::now();
        let is_settled = |course: &Self| {
            let snapshots = course.snapshots();
            let joining: usize = snapshots.iter().map(|each| each.joining).sum();
            let live: usize = snapshots.iter().map(|each| each.live).sum();
            let failed: u64 = snapshots.iter().map(|each| each.failed).sum();
            joining == 0 && (live == seats || failed > 0)
        };
        while !is_settled(self) && begin.elapsed() < SETTLE_MAX {
            sleep(LOOK_EVERY).await;
        }
        let truth = u64::try_from(seats).unwrap_or(u64::MAX);
        let still = Instant::now();
        let mut right_since: Option<Instant> = None;
        let mut point = QuietPoint {
            truth,
            counted: None,
            after_ms: 0,
        };
        loop {
            point.counted = match self.count().await {
                Ok(count) => Some(count),
                Err(error) => {
                    self.gate.tally.error(&format!("count: {error:#}"));
                    None
                }
            };
            let now = Instant::now();
            right_since = right_since.or(Some(now)).filter(|_| point.is_right());
            let until = right_since.unwrap_or(now);
            let after = until.saturating_duration_since(still);
            point.after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            let held = right_since.is_some_and(|since| now.duration_since(since) >= HOLD);
            if held || (right_since.is_none() && after >= patience) {
                return point;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// What the server counts, all channels together.
    async fn count(&self) -> Result<u64> {
        let template = self.count_url.as_deref().context("no --count-url")?;
        let mut sum = 0;
        for channel in &self.gate.channels {
            let url: Uri = template.replace("{channel}", channel).parse()?;
            let to = http::resolve(&url).await?;
            if !self.gate.reach.permits(to.ip()) {
                bail!("the count is at {to}, which was not given: --allow ADDRESS permits it");
            }
            let token = self.gate.token.as_deref();
            let reply = http::request(to, Method::GET, &url, token, None).await?;
            if reply.status != StatusCode::OK {
                bail!("GET: {}", reply.status);
            }
            let told: Told = serde_json::from_str(&reply.body).context("no `viewers` in it")?;
            sum += told.viewers;
        }
        Ok(sum)
    }
}

/// The public JSON of a channel, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Told {
    viewers: u64,
}
