use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host_clock::HostClock;
use crate::packetize::Batch;

/// Makes a host's pictures come evenly: one that comes early waits for the time at which the late ones come.
///
/// ffmpeg's `-re` sends 13 ms early or late, a phone's uplink more. A browser learns the host's clock from when pictures
/// come, and where they come unevenly it may show a stream with one picture in eight left out (decision 0006). Each of
/// them costs it a delay for the worst of all besides. So the wait stands here, once for all viewers, and is no longer
/// than this host makes it: one who sends evenly has none.
///
/// Sans-IO: the shard wakes for [`Dejitter::due`].
#[derive(Debug)]
pub(crate) struct Dejitter {
    clock: HostClock,
    /// Of 100 pictures 98 come no later than this after the time that the clock says. In microseconds.
    lateness: i64,
    /// The same of the worst picture since the clock began, while it is not settled.
    worst: i64,
    early: VecDeque<Arc<Batch>>,
}

impl Default for Dejitter {
    fn default() -> Self {
        Self {
            clock: HostClock::default(),
            // What a browser makes of the first second decides (decision 0006), and nothing is known of the host yet.
            lateness: LATENESS_MAX,
            worst: 0,
            early: VecDeque::new(),
        }
    }
}

impl Dejitter {
    /// The host's next picture came; it waits for [`Dejitter::pop`].
    pub(crate) fn push(&mut self, batch: &Arc<Batch>) {
        self.learn(batch);
        self.early.push_back(Arc::clone(batch));
    }

    /// A picture that waits for nothing came: how even the host is, is seen from it all the same.
    pub(crate) fn learn(&mut self, batch: &Batch) {
        let settled = self.clock.is_settled();
        let late = self.clock.picture(batch);
        if self.clock.weight() < CRUDE {
            self.worst = 0;
            return;
        }
        self.worst = self.worst.max(late);
        let lateness = match (settled, self.clock.is_settled()) {
            (true, true) if late > self.lateness => self.lateness + LONGER,
            (true, true) => self.lateness - SHORTER,
            (false, true) => self.worst,
            (_, false) => self.lateness,
        };
        self.lateness = lateness.clamp(0, LATENESS_MAX);
    }

    /// The hub's clock of a host who is held up: his pictures alone do not say it. Of any other one what they say is as good.
    pub(crate) fn adopt(&mut self, clock: HostClock) {
        if clock.held_up().is_some() {
            self.clock = clock;
        }
    }

    /// Whether the newest picture is held up on its way from the host.
    pub(crate) fn is_held_up(&self) -> bool {
        self.clock.held_up().is_some()
    }

    /// The next picture whose time has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Arc<Batch>> {
        let due = self.due()?;
        let near = due.saturating_duration_since(now) < WORTH_A_WAKE;
        if near || self.early.len() > EARLY_MAX {
            self.early.pop_front()
        } else {
            None
        }
    }

    /// Until when the next picture waits; `None`: none does.
    pub(crate) fn due(&self) -> Option<Instant> {
        let next = self.early.front()?;
        let expected = self.clock.when(next.rtp_time).unwrap_or(next.received);
        let due = expected + self.latest();
        Some(due.min(next.received + HELD_MAX))
    }

    /// Takes all that wait, in their order.
    pub(crate) fn take(&mut self) -> VecDeque<Arc<Batch>> {
        std::mem::take(&mut self.early)
    }

    /// The RTP time of a picture that would be let go at `now`; `None` before the first.
    pub(crate) fn rtp_time(&self, now: Instant) -> Option<u32> {
        self.clock.rtp_time(now.checked_sub(self.latest())?)
    }

    fn latest(&self) -> Duration {
        Duration::from_micros(self.lateness.unsigned_abs())
    }
}

/// A clock of fewer pictures is too crude to tell which are late.
const CRUDE: i64 = 8;
/// What a picture that was later than expected adds, and any other one takes off, in microseconds: 2 of 100 are later in the
/// end, and the wait shrinks by 0.3 ms in a second at most, which no clock estimate notices.
const LONGER: i64 = 500;
const SHORTER: i64 = 10;
/// Pictures that come later than this, 10 ms, go late: the browser's own buffer is for them.
const LATENESS_MAX: i64 = 10_000;
/// No picture waits longer, whatever the clock says: a host who was held up and is on time again.
const HELD_MAX: Duration = Duration::from_millis(30);
/// To make up for less than this is not worth a wake of the shard.
const WORTH_A_WAKE: Duration = Duration::from_millis(2);
/// Pictures that wait: [`HELD_MAX`] at 120 a second, and more.
const EARLY_MAX: usize = 8;

#[cfg(test)]
mod tests;
