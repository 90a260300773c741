use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zongzi_control::hooks::{Fallback, Network, Url};
use zongzi_ingest::rtmp;

use super::values::{address, at_least, duration, list};

/// All settings. Field for field what `config/zongzi.toml` has; a test compares the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) data: Data,
    pub(crate) log: Log,
    pub(crate) rtmp: Rtmp,
    pub(crate) http: Http,
    pub(crate) media: Media,
    pub(crate) admin: Admin,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    pub(crate) broadcast: Broadcast,
    pub(crate) transcode: Transcode,
    pub(crate) playback: Playback,
    pub(crate) hooks: Hooks,
    pub(crate) limits: Limits,
}

/// Where the server keeps what must survive a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Data {
    pub(crate) dir: PathBuf,
}

/// What is written to standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter like `info,zongzi_ingest=debug`.
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

/// How log lines and the ready line look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The RTMP listener and what it lets a stranger take before his key is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rtmp {
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) listen: SocketAddr,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_ip: usize,
    #[serde(with = "duration")]
    pub(crate) publish_timeout: Duration,
    #[serde(with = "duration")]
    pub(crate) idle_timeout: Duration,
    pub(crate) max_message_bytes: usize,
    #[serde(deserialize_with = "at_least::deserialize::<_, { rtmp::Limits::PREAUTH_BYTES_MIN }>")]
    pub(crate) max_preauth_bytes: usize,
    #[serde(
        deserialize_with = "at_least::deserialize::<_, { rtmp::Limits::PREAUTH_MESSAGES_MIN }>"
    )]
    pub(crate) max_preauth_messages: usize,
}

/// The public HTTP listener: pages, WHEP, public JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) listen: SocketAddr,
    #[serde(deserialize_with = "list::deserialize")]
    pub(crate) cors_origins: Vec<String>,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_ip: usize,
}

/// The one UDP port for all WebRTC media.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Media {
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) listen: SocketAddr,
    #[serde(deserialize_with = "list::deserialize")]
    pub(crate) public_ips: Vec<IpAddr>,
    /// Threads that send; 0 is one for each core.
    pub(crate) shards: usize,
}

/// The operator's listener: `/metrics`, health, later API and console.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) listen: SocketAddr,
    pub(crate) allow_remote: bool,
}

/// `/metrics` on a listener of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "address::optional"
    )]
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) max_channels: usize,
}

/// Traces of publishes and joins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Traces {
    /// A collector's base URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) otlp: Option<String>,
}

/// How long a broadcast outlives its host, and how long it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Broadcast {
    #[serde(with = "duration")]
    pub(crate) grace: Duration,
    #[serde(with = "duration")]
    pub(crate) grace_orderly: Duration,
    #[serde(with = "duration")]
    pub(crate) history: Duration,
    pub(crate) history_max: u32,
}

/// Video that is encoded again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Transcode {
    /// Broadcasts at one time; 0 is none.
    pub(crate) max_streams: usize,
    /// The program that does it in the place of this one.
    pub(crate) worker: Option<PathBuf>,
}

/// What private channels ask of viewers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Playback {
    /// Files with the public keys of others who may make playback tokens.
    #[serde(deserialize_with = "list::deserialize")]
    pub(crate) public_keys: Vec<PathBuf>,
    pub(crate) end_expired: bool,
}

/// Webhooks: where they may go, and how patiently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hooks {
    pub(crate) allow_private: bool,
    #[serde(deserialize_with = "list::deserialize")]
    pub(crate) allow: Vec<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(with = "duration")]
    pub(crate) timeout: Duration,
    #[serde(with = "duration")]
    pub(crate) retry_first: Duration,
    pub(crate) max_attempts: u32,
    /// Asked when a host with a good key publishes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_publish: Option<Url>,
    #[serde(with = "duration")]
    pub(crate) on_publish_timeout: Duration,
    pub(crate) on_publish_fallback: Fallback,
}

/// The server's own bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) broadcasts: usize,
    pub(crate) viewers: usize,
    /// Bits a second to all viewers together; 0 is no limit.
    pub(crate) egress_bitrate: u64,
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: "data".into() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

impl Default for Rtmp {
    fn default() -> Self {
        Self {
            listen: any_address(1935),
            max_connections: 2_000,
            max_connections_per_ip: 100,
            publish_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(15),
            max_message_bytes: 4 << 20,
            max_preauth_bytes: 64 << 10,
            max_preauth_messages: 64,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: any_address(8080),
            cors_origins: vec!["*".to_owned()],
            max_connections: 20_000,
            max_connections_per_ip: 2_000,
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            listen: any_address(8444),
            public_ips: Vec::new(),
            shards: 0,
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8090)),
            allow_remote: false,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: None,
            max_channels: 200,
        }
    }
}

impl Default for Broadcast {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
            grace_orderly: Duration::from_secs(5),
            history: Duration::from_secs(90 * 86_400),
            history_max: 10_000,
        }
    }
}

impl Default for Transcode {
    fn default() -> Self {
        Self {
            max_streams: 4,
            worker: None,
        }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow: Vec::new(),
            ca_file: None,
            timeout: Duration::from_secs(10),
            retry_first: Duration::from_secs(5),
            max_attempts: 10,
            on_publish: None,
            on_publish_timeout: Duration::from_secs(3),
            on_publish_fallback: Fallback::Deny,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            broadcasts: 500,
            viewers: 20_000,
            egress_bitrate: 0,
        }
    }
}

/// `[::]`, which takes IPv4 as well.
fn any_address(port: u16) -> SocketAddr {
    SocketAddr::from(([0_u16; 8], port))
}
