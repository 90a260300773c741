//! DTLS has its turn within a budget, in the order in which it came.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use zongzi_transport::Path;

use super::Worker;
use crate::shard::counters::add;
use crate::shard::viewers::ViewerKey;

/// A DTLS datagram that waits for its turn.
pub(super) struct Handshake {
    viewer: ViewerKey,
    path: Path,
    datagram: Box<[u8]>,
    /// It came then, or later.
    came: Instant,
}

impl Worker {
    /// A DTLS datagram has come: it waits for its turn, or is dropped when too many do.
    pub(super) fn queue_handshake(&mut self, viewer: ViewerKey, path: Path, data: &[u8]) {
        if self.handshakes.len() < HANDSHAKES_MAX {
            let datagram = data.into();
            self.handshakes.push_back(Handshake {
                viewer,
                path,
                datagram,
                came: self.heard_all,
            });
        } else {
            // The client sends it again, in 50 ms or more.
            add(&self.counters.datagrams_dropped, 1);
        }
    }

    pub(super) fn take_handshakes(&mut self) -> bool {
        let started = Instant::now();
        while let Some(handshake) = self.handshakes.pop_front() {
            if let Some(viewer) = self.viewers.viewer(handshake.viewer) {
                viewer.flights.came(handshake.came, &handshake.datagram);
            }
            self.feed_peer(handshake.viewer, handshake.path, &handshake.datagram);
            if started.elapsed() > HANDSHAKE_BUDGET {
                break;
            }
        }
        let waiting = u64::try_from(self.handshakes.len()).unwrap_or(u64::MAX);
        let counter = &self.counters.handshakes_waiting;
        counter.store(waiting, Ordering::Relaxed);
        waiting > 0
    }
}

/// DTLS in one turn. A handshake costs 0.15 ms (DEPENDENCIES), a tick of live media comes every 10 ms or so.
const HANDSHAKE_BUDGET: Duration = Duration::from_millis(2);
/// DTLS datagrams that wait: 1,000 joins' first flights of two; 1.4 MB at the most.
const HANDSHAKES_MAX: usize = 2_048;
