use std::time::Duration;

/// Limits and deadlines of the RTMP listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Connections at once; further ones are closed unheard. A connection that is not publishing costs some 10 KiB.
    pub connections: usize,
    /// Connections at once from one address (IPv6: from one /64), so that one stranger can't take all the places.
    /// Loopback has no such limit: proxies and load tests come from there.
    pub connections_per_address: usize,
    /// From the connection to an accepted publish, key check included.
    pub publish_deadline: Duration,
    /// A host that publishes and sends nothing for so long is taken for lost.
    pub idle_timeout: Duration,
    /// A host that does not take our few bytes for so long is taken for lost.
    pub write_timeout: Duration,
    /// How long a closed connection is kept so that the host can read why.
    pub linger: Duration,
    /// When the server stops: how long its connections have to end.
    pub shutdown_grace: Duration,
    /// Limits of the protocol core.
    pub limits: zongzi_rtmp::Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 2_000,
            connections_per_address: 64,
            publish_deadline: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(5),
            linger: Duration::from_millis(700),
            shutdown_grace: Duration::from_secs(2),
            limits: zongzi_rtmp::Limits::default(),
        }
    }
}
