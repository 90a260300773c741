use std::fmt;
use std::time::Instant;

use zongzi_media::ChannelName;

/// A host's way in, step by step; told once, with his first keyframe or with the end before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What he speaks.
    pub protocol: &'static str,
    /// Where he publishes, once his key was good.
    pub channel: Option<ChannelName>,
    /// His connection was accepted.
    pub accepted: Instant,
    /// Handshake and commands were done: he had asked to publish.
    pub asked: Option<Instant>,
    /// His key was checked.
    pub checked: Option<Instant>,
    /// He was let in, and told so.
    pub granted: Option<Instant>,
    /// His first keyframe was with the hub.
    pub keyframe: Option<Instant>,
    /// Why it ended before.
    pub closed: Option<&'static str>,
}

/// Who wants to see each host's way in. Called on the connection's task: it may not block.
pub trait ArrivalWatch: Send + Sync + 'static {
    /// A host has got in, or has not.
    fn arrived(&self, arrival: Arrival);
}

impl Arrival {
    pub(crate) fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            channel: None,
            accepted: Instant::now(),
            asked: None,
            checked: None,
            granted: None,
            keyframe: None,
            closed: None,
        }
    }
}

impl fmt::Debug for dyn ArrivalWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArrivalWatch")
    }
}
