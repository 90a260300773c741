//! The metrics page: plain snapshots in, Prometheus text out.
//!
//! Who counts (shards, hub, listeners) knows nothing of Prometheus; the binary reads the counters and fills a
//! [`Snapshot`], at each scrape anew. Each name is explained in `docs/metrics.md`, which a test compares with a scrape.
//! Labels come from closed sets; `channel` alone is bounded by [`Snapshot::channels_max`].

mod families;
mod hooks;
mod page;
mod process;
mod relay;
mod snapshot;

pub use process::Process;
pub use snapshot::{
    Hub, Ingest, Listener, LiveChannel, MediaPort, Renditions, Shard, Shards, Snapshot, Store,
    Times, VideoRenditions,
};

use self::page::Page;

/// The text of the metrics page.
pub fn encode(snapshot: &Snapshot) -> String {
    let mut page = Page::default();
    families::write(&mut page, snapshot);
    page.text()
}

#[cfg(test)]
mod tests;
