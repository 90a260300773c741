use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::viewer::Tick;

/// Ties the moments of this process to the world's time, once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    epoch: Instant,
    pub(super) started: Instant,
    started_unix: Duration,
}

impl Clock {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            started: Instant::now(),
            started_unix: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    pub(super) fn now(&self) -> Tick {
        let at = Instant::now();
        Tick {
            at,
            unix: self.started_unix + at.saturating_duration_since(self.started),
            media: at.saturating_duration_since(self.epoch),
        }
    }
}
