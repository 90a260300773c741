use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zongzi_control::events::{Events, What};
use zongzi_media::ChannelName;

/// Tells of hosts that were turned away: each one while they are few, some of them when strangers try keys by the
/// thousand.
#[derive(Debug)]
pub(crate) struct Rejections {
    events: Events,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// Events that may be told at once.
    left: u32,
    filled: Instant,
    suppressed: u64,
}

/// Events that are told at once after a quiet time.
const BURST_MAX: u32 = 20;
/// Past that, one event in so long.
const INTERVAL: Duration = Duration::from_secs(3);

impl Rejections {
    pub(crate) fn new(events: Events) -> Self {
        Self {
            events,
            pace: Mutex::new(Pace {
                left: BURST_MAX,
                filled: Instant::now(),
                suppressed: 0,
            }),
        }
    }

    /// A host at `peer` was turned away; `channel` is what its key opened.
    pub(crate) fn tell(&self, channel: Option<ChannelName>, reason: &'static str, peer: IpAddr) {
        let suppressed = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.take(Instant::now())
        };
        if let Some(suppressed) = suppressed {
            self.events.emit(What::PublishRejected {
                channel,
                reason,
                peer: peer.to_canonical(),
                suppressed,
            });
        }
    }
}

impl Pace {
    /// Takes leave to tell one, and with it how many were not told; `None`: not now.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.filled).as_secs() / INTERVAL.as_secs();
        if passed > 0 {
            let more = u32::try_from(passed).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(BURST_MAX);
            self.filled = now;
        }
        if self.left == 0 {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_in_part_and_counted_in_full() {
        let events = Events::default();
        let mut told = events.subscribe();
        let rejections = Rejections::new(events.clone());
        let flood = |many: u32| {
            for _ in 0..many {
                rejections.tell(None, "bad_key", [192, 0, 2, 1].into());
            }
        };
        flood(BURST_MAX + 7);
        tokio::time::advance(INTERVAL).await;
        flood(2);
        events.close();
        let mut suppressed = Vec::new();
        while let Some(event) = told.next().await {
            match event.what {
                What::PublishRejected { suppressed: n, .. } => suppressed.push(n),
                other => panic!("{other:?}"),
            }
        }
        let mut expected = vec![0; BURST_MAX as usize];
        expected.push(7);
        assert_eq!(suppressed, expected);
    }
}
