//! Traces of publishes and joins, step by step, by OpenTelemetry's protocol (OTLP over HTTP, as JSON).
//!
//! Who takes the steps (connections of hosts, shards) notes when each was done and hands the whole over once, over a
//! bounded queue; spans are made from it here, by one task. Unset (`traces.otlp`), nobody is told anything.

mod counts;
mod endpoint;
mod otlp;
mod post;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use zongzi_ingest::{Arrival, ArrivalWatch};
use zongzi_relay::hub::Hub;
use zongzi_relay::shard::{Join, JoinWatch};

pub(super) use self::counts::Counts;
pub(super) use self::endpoint::Endpoint;
use self::trace::{Clock, Trace};

/// The door for those who have steps to tell.
#[derive(Debug)]
pub(super) struct Traces {
    queue: mpsc::Sender<Told>,
    counts: Arc<Counts>,
}

/// What was told.
#[derive(Debug)]
enum Told {
    Arrival(Arrival),
    Join(Join),
}

/// Makes spans of what was told, and sends them.
pub(super) struct Export {
    endpoint: Endpoint,
    hub: Hub,
    clock: Clock,
    queue: mpsc::Receiver<Told>,
    counts: Arc<Counts>,
}

impl Traces {
    /// Both ends, for a collector at `endpoint`.
    pub(super) fn new(endpoint: Endpoint, hub: Hub) -> (Arc<Self>, Export) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let counts = Arc::<Counts>::default();
        let export = Export {
            endpoint,
            hub,
            clock: Clock::now(),
            queue,
            counts: Arc::clone(&counts),
        };
        let traces = Self {
            queue: sender,
            counts,
        };
        (Arc::new(traces), export)
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    fn tell(&self, told: Told) {
        if self.queue.try_send(told).is_err() {
            self.counts.dropped(1);
        }
    }
}

impl ArrivalWatch for Traces {
    fn arrived(&self, arrival: Arrival) {
        self.tell(Told::Arrival(arrival));
    }
}

impl JoinWatch for Traces {
    fn joined(&self, join: Join) {
        self.tell(Told::Join(join));
    }
}

impl Export {
    /// Sends until `stop` resolves, and then once more what is there.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut complained = false;
        loop {
            let first = tokio::select! {
                () = &mut stop => None,
                told = self.queue.recv() => told,
            };
            let stopping = first.is_none();
            let mut batch = Vec::new();
            if let Some(told) = first {
                // Whoever else comes with him goes in the same request.
                tokio::time::sleep(GATHER).await;
                batch.push(self.trace(told));
            }
            while batch.len() < BATCH_MAX
                && let Ok(told) = self.queue.try_recv()
            {
                batch.push(self.trace(told));
            }
            if !batch.is_empty() {
                let sent = post::post(&self.endpoint, otlp::request(&batch, self.clock)).await;
                match &sent {
                    Ok(()) => self.counts.sent(batch.len()),
                    Err(_) => self.counts.failed(batch.len()),
                }
                // Said when it begins, not each second.
                if let Err(error) = &sent
                    && !complained
                {
                    tracing::warn!(%error, endpoint = %self.endpoint, "traces can't be sent");
                }
                complained = sent.is_err();
            }
            if stopping {
                return;
            }
        }
    }

    fn trace(&self, told: Told) -> Trace {
        match told {
            Told::Arrival(arrival) => Trace::of_publish(&arrival),
            Told::Join(join) => Trace::of_join(&join, self.hub.channel(join.broadcast)),
        }
    }
}

/// Traces that wait; the next ones are dropped and counted. A crowd of 1,000 joins in a second, 150 bytes each.
const QUEUE_MAX: usize = 1_024;
/// Traces in one request: about 1 MB of JSON.
const BATCH_MAX: usize = 512;
/// How long traces are gathered for one request.
const GATHER: Duration = Duration::from_millis(500);
