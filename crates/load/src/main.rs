//! `zongzi-load`: hosts and viewers by the thousand, on a WebRTC engine that is not the server's.
//!
//! It sees the server as strangers do: RTMP and WHEP on the outside, `/proc` for what it costs. See `docs/load.md`.

#![forbid(unsafe_code)]

mod account;
mod cli;
mod clock;
mod director;
mod engine;
mod floor;
mod host;
mod ice;
mod net;
mod plan;
mod report;
mod rtp;
mod run;
mod server;
mod viewer;
mod whep;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::cli::{Cli, Order};
use crate::host::log::Log;
use crate::host::{Clip, Hosts};
use crate::report::Summary;

/// Descriptors wanted: one for each viewer, and some for hosts and requests.
const DESCRIPTORS: u64 = 65_536;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error), ExitCode::FAILURE),
    };
    let order = match runtime.block_on(cli.order()) {
        Ok(order) => order,
        Err(error) => return failed(&error, ExitCode::from(2)),
    };
    let summary = match runtime.block_on(run(order)) {
        Ok(summary) => summary,
        Err(error) => return failed(&error, ExitCode::FAILURE),
    };
    if let Err(error) = show(&cli, &summary) {
        return failed(&error, ExitCode::FAILURE);
    }
    if summary.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn failed(error: &anyhow::Error, code: ExitCode) -> ExitCode {
    report::progress(&format!("zongzi-load: {error:#}"));
    code
}

fn show(cli: &Cli, summary: &Summary) -> Result<()> {
    let json = serde_json::to_string_pretty(summary).context("no JSON")?;
    if let Some(path) = &cli.json_file {
        std::fs::write(path, format!("{json}\n"))
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    report::print(&if cli.json { json } else { summary.table() });
    Ok(())
}

async fn run(order: Order) -> Result<Summary> {
    raise_descriptors();
    let Order {
        plan,
        target,
        publish,
    } = order;
    let logs: Vec<_> = target
        .channels
        .iter()
        .map(|_| Arc::<Log>::default())
        .collect();
    let hosts = match publish {
        Some(publish) => {
            let clip = Arc::new(Clip::load(&publish.media)?);
            let keys = publish.keys;
            let hosts = Hosts::start(clip, publish.address, publish.to, keys, logs.clone())?;
            hosts.ready(plan.channels).await?;
            Some(hosts)
        }
        None => None,
    };
    let findings = run::viewers(&plan, &target, logs).await?;
    let hosts = hosts.map(Hosts::stop);
    let floor = if plan.floor && findings.live_most > 0 && findings.shape.packets() > 0 {
        report::progress("measuring the floor");
        let aes_256 = findings.outcomes.iter().any(|outcome| {
            let profile = outcome.profile.as_deref().unwrap_or_default();
            profile.contains("256")
        });
        let key_bytes = if aes_256 { 32 } else { 16 };
        let (shape, count) = (&findings.shape, findings.live_most);
        Some(floor::measure(shape, count, key_bytes, plan.coalesce)?)
    } else {
        None
    };
    Ok(Summary::new(&plan, &findings, hosts, floor))
}

/// As many as may be had; too few shows when sockets can't be opened.
fn raise_descriptors() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if soft < DESCRIPTORS
        && setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, hard.max(DESCRIPTORS)).is_err()
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(DESCRIPTORS), hard);
    }
}
