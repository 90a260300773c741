//! What a run is to do: a preset, and what the command line changes in it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Viewers of one process at most: each has a socket, and one address has no more ports than this to give.
const VIEWERS_MAX: u64 = 28_000;

/// Makes the type that files and flags share (all optional), the type that the run uses (all present), and the way from
/// one to the other. One list, so that a new setting can't be forgotten in one of them.
macro_rules! settings {
    ($($(#[doc = $doc:expr])+ $name:ident: $type:ty = $default:expr;)+) => {
        /// Settings that a preset or the command line gives.
        #[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Settings {
            $($(#[doc = $doc])+
            #[arg(long)]
            pub(crate) $name: Option<$type>,)+
        }

        /// All settings of a run.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        pub(crate) struct Plan {
            $($(#[doc = $doc])+
            pub(crate) $name: $type,)+
        }

        impl Settings {
            /// These, and where they say nothing, `below`.
            pub(crate) fn over(self, below: Self) -> Self {
                Self { $($name: self.$name.or(below.$name),)+ }
            }

            /// These, and where they say nothing, the defaults.
            fn complete(self) -> Plan {
                Plan { $($name: self.$name.unwrap_or($default),)+ }
            }
        }
    };
}

settings! {
    /// What this run is for, in a sentence
    about: String = String::new();
    /// Channels with a host each [default: 1]
    channels: u64 = 1;
    /// Viewers of each channel [default: 10]
    viewers: u64 = 10;
    /// Viewers who join each second, all channels together [default: 100]
    join_rate: f64 = 100.0;
    /// Seconds of measuring while all watch [default: 20]
    seconds: f64 = 20.0;
    /// Seconds of measuring before, with one viewer for each channel [default: 5]
    base_seconds: f64 = 5.0;
    /// Seconds between the last join and measuring [default: 3]
    settle_seconds: f64 = 3.0;
    /// Share of viewers who decrypt everything and compare every frame, 0 to 1 [default: 0.02]
    sampled: f64 = 0.02;
    /// Share of viewers with a slow link, 0 to 1; they are sampled viewers too [default: 0]
    slow: f64 = 0.0;
    /// Percent of datagrams that a slow link loses [default: 5 unless slow_kbps is given]
    slow_loss: f64 = 0.0;
    /// What a slow link carries, in kilobits per second; 0 is no limit [default: 0]
    slow_kbps: u64 = 0;
    /// Share of viewers who vanish without a word while all watch, 0 to 1 [default: 0]
    vanish: f64 = 0.0;
    /// Viewers who come each second, for a short while, while all watch [default: 0]
    churn_rate: f64 = 0.0;
    /// Seconds that such a viewer stays, on average [default: 5]
    churn_stay: f64 = 5.0;
    /// Rounds, while all watch, in which a share of them goes and as many come; after each all stands still, and what
    /// the server counts is compared (--count-url). Who vanishes does so in these rounds [default: 0]
    rounds: u64 = 0;
    /// Share of viewers who go in a round, 0 to 1 [default: 0.5]
    round_share: f64 = 0.5;
    /// Viewers who come all at once, a third into the measuring [default: 0]
    crowd: u64 = 0;
    /// Seconds within which they come [default: 2]
    crowd_seconds: f64 = 2.0;
    /// How often a viewer who is told 503 tries again [default: 20]
    retries: u32 = 20;
    /// Threads for viewers [default: 1]
    threads: usize = 1;
    /// Let the kernel hand over whole bursts (UDP_GRO): cheaper for both sides, since nothing cuts the burst [default: false]
    coalesce: bool = false;
    /// Measure the floor after the run [default: true]
    floor: bool = true;
    /// Seed of everything random [default: 1]
    seed: u64 = 1;
    /// Fail when more frames than this are lost, in percent of those that the hosts sent
    max_loss: f64 = f64::INFINITY;
    /// Fail when a viewer sees no new frame for longer, in milliseconds
    max_gap_ms: f64 = f64::INFINITY;
    /// Fail when, while a crowd comes, one who watches sees no new frame for longer, in milliseconds
    max_crowd_gap_ms: f64 = f64::INFINITY;
    /// Fail when 1 % of frames reach their last viewer later than this after the host sent them, in milliseconds
    max_transit_p99_ms: f64 = f64::INFINITY;
    /// Fail when the server takes more CPU than this for one viewer-second, in milliseconds
    max_cpu_ms: f64 = f64::INFINITY;
    /// The same without what hosts and audio cost
    max_net_cpu_ms: f64 = f64::INFINITY;
    /// Fail when the server takes more than this many times the floor
    max_floor_ratio: f64 = f64::INFINITY;
    /// Fail when a viewer costs more of the server's memory, in KiB
    max_memory_kib: f64 = f64::INFINITY;
    /// Fail when the server's memory in the last minute of watching is so many MiB above that in the second minute; the
    /// run must last 4 minutes or more
    max_memory_growth_mib: f64 = f64::INFINITY;
    /// The same for its open descriptors
    max_descriptor_growth: f64 = f64::INFINITY;
    /// The same for its threads
    max_thread_growth: f64 = f64::INFINITY;
    /// Fail when a join takes more of the server's CPU, in milliseconds
    max_join_cpu_ms: f64 = f64::INFINITY;
    /// Fail when half of the viewers wait longer for their first keyframe, in milliseconds
    max_keyframe_p50_ms: f64 = f64::INFINITY;
    /// Fail when 1 % of the viewers wait longer for their first keyframe, in milliseconds
    max_keyframe_p99_ms: f64 = f64::INFINITY;
    /// Fail when the server's count is wrong after more rounds than this [default: 0]
    max_miscounts: u64 = 0;
    /// Fail when more joins than this fail [default: 0]
    max_failed: u64 = 0;
    /// Fail when more frames than this come whole though one that they refer to never did; those of slow links count
    /// when these lose nothing by themselves (slow_loss 0) [default: 0]
    max_smeared: u64 = 0;
}

impl Settings {
    /// Reads a preset.
    ///
    /// # Errors
    /// When it can't be read or has a key that is none.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("can't read preset {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("preset {}", path.display()))
    }

    /// The plan that these make.
    ///
    /// # Errors
    /// When a value makes no sense; the text names it.
    pub(crate) fn plan(self) -> Result<Plan> {
        let slow_without_how = self.slow_loss.is_none() && self.slow_kbps.is_none();
        let mut plan = self.complete();
        if slow_without_how {
            plan.slow_loss = 5.0;
        }
        for (name, share) in [
            ("sampled", plan.sampled),
            ("slow", plan.slow),
            ("vanish", plan.vanish),
            ("round_share", plan.round_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                bail!("{name} = {share}: a share is between 0 and 1");
            }
        }
        for (name, value) in [("join_rate", plan.join_rate), ("seconds", plan.seconds)] {
            if !(value > 0.0 && value.is_finite()) {
                bail!("{name} = {value}: must be above 0");
            }
        }
        let all = plan
            .channels
            .saturating_mul(plan.viewers)
            .saturating_add(plan.crowd);
        if plan.channels == 0 || all > VIEWERS_MAX {
            bail!(
                "{all} viewers of {} channels: at least 1 channel, at most {VIEWERS_MAX} viewers",
                plan.channels
            );
        }
        if plan.threads == 0 || plan.threads > 64 {
            bail!("threads = {}: 1 to 64", plan.threads);
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Settings {
        toml::from_str(text).expect("a preset")
    }

    #[test]
    fn flags_win_over_the_preset_and_the_preset_over_defaults() {
        let preset = parsed("viewers = 1000\nseconds = 30");
        let flags = parsed("viewers = 5");
        let plan = flags.over(preset).plan().expect("makes sense");
        assert_eq!((plan.viewers, plan.channels), (5, 1));
        assert!((plan.seconds - 30.0).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (text, name) in [
            ("sampled = 1.5", "sampled"),
            ("join_rate = 0.0", "join_rate"),
            ("viewers = 100000", "viewers"),
            ("channels = 0", "channel"),
            ("threads = 0", "threads"),
        ] {
            let error = parsed(text).plan().expect_err(text).to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(toml::from_str::<Settings>("viewer = 3").is_err());
    }

    #[test]
    fn every_preset_of_the_repository_makes_a_plan() {
        let presets = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/presets");
        let mut count = 0;
        for file in std::fs::read_dir(presets).expect("the presets") {
            let path = file.expect("a file").path();
            let plan = Settings::read(&path).and_then(Settings::plan);
            assert!(!plan.expect("makes sense").about.is_empty());
            count += 1;
        }
        assert!(count >= 7, "{count}");
    }
}
