use std::fmt;
use std::time::Instant;

use super::{BroadcastId, Closed};

/// A viewer's way in, step by step; told once, with the first packet of media or with the end before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    /// What he watches.
    pub broadcast: BroadcastId,
    /// The offer came.
    pub asked: Instant,
    /// It was answered.
    pub answered: Instant,
    /// The first connectivity check was valid.
    pub reached: Option<Instant>,
    /// The keys stood.
    pub keyed: Option<Instant>,
    /// The first packet of media went.
    pub media: Option<Instant>,
    /// There was no picture yet when the keys stood: he waited for the host.
    pub waited: bool,
    /// Why it ended before.
    pub closed: Option<Closed>,
}

/// Who wants to see each viewer's way in. Called on a shard's thread: it may not block.
pub trait JoinWatch: Send + Sync + 'static {
    /// A viewer has got in, or has not.
    fn joined(&self, join: Join);
}

impl fmt::Debug for dyn JoinWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinWatch")
    }
}
