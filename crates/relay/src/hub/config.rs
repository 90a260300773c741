use std::time::Duration;

use crate::groups::Bounds;

/// The hub's settings. [`Config::default`] is what the settings file's defaults say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// `broadcast.grace`: how long a broadcast waits for a host that was lost. Default 30 s.
    pub grace: Duration,
    /// `broadcast.grace_orderly`: how long it waits after an orderly end. Default 5 s: OBS ends and begins again when
    /// its settings change.
    pub grace_orderly: Duration,
    /// `limits.broadcasts`: hosts live at the same time. Default 200. Each costs up to `queue_bytes` and
    /// `group.bytes_max` of memory.
    pub broadcasts_max: usize,
    /// Channels with a host or with viewers who wait for one. Default 10,000; about 4 KiB each.
    pub channels_max: usize,
    /// Media messages that may wait between a host's connection and its broadcast. Default 256: 3 s of a stream. When
    /// it is full the host's connection is not read, and TCP slows the host.
    pub queue_messages: usize,
    /// The same in bytes. Default 4 MiB.
    pub queue_bytes: usize,
    /// What the cached group of a broadcast may grow to.
    pub group: Bounds,
    /// Threads for renditions (AAC to Opus). Default 2; a stream takes about 0.8 % of a core.
    pub rendition_threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
            grace_orderly: Duration::from_secs(5),
            broadcasts_max: 200,
            channels_max: 10_000,
            queue_messages: 256,
            queue_bytes: 4 << 20,
            group: Bounds::default(),
            rendition_threads: 2,
        }
    }
}
