use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use zongzi_control::broadcast::BroadcastId;
use zongzi_control::events::{Events, Host, What};
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;
use zongzi_relay::advice::Language;
use zongzi_relay::hub::{self, Event, Hub, Status};

/// Makes events of what happens in the hub.
pub(crate) struct News {
    hub: Hub,
    events: Events,
    /// The broadcasts that began and did not end: at most as many as the hub carries.
    live: BTreeMap<ChannelName, Run>,
}

/// One live run of a channel.
struct Run {
    id: BroadcastId,
    started: Timestamp,
    /// The most viewers at a time, as it was last seen.
    peak: u64,
    /// What was last told of it.
    told: u64,
    told_at: Option<Instant>,
}

/// How often the numbers of viewers are looked at.
const PEAK_POLL: Duration = Duration::from_secs(1);
/// A broadcast that fills up tells its peak so often, at most.
const PEAK_INTERVAL: Duration = Duration::from_secs(60);
/// How long the ends of broadcasts are waited for when the server stops.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

impl News {
    pub(crate) fn new(hub: Hub, events: Events) -> Self {
        Self {
            hub,
            events,
            live: BTreeMap::new(),
        }
    }

    /// Tells what happens until `stop` resolves and the broadcasts have ended; then closes the stream of events.
    pub(crate) fn run(mut self, stop: impl Future<Output = ()>) -> impl Future<Output = ()> {
        // Before anything can happen, so that nothing is missed.
        let mut happenings = self.hub.events();
        async move {
            let mut stop = std::pin::pin!(stop);
            let mut poll = interval(PEAK_POLL);
            poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    happened = happenings.recv() => match happened {
                        Ok(event) => self.happened(event),
                        Err(RecvError::Lagged(lost)) => self.catch_up(lost),
                        Err(RecvError::Closed) => break,
                    },
                    _ = poll.tick() => self.look_at_viewers(),
                    () = &mut stop => break,
                }
            }
            let _ = timeout(LAST_WORDS_MAX, async {
                while !self.live.is_empty() {
                    match happenings.recv().await {
                        Ok(event) => self.happened(event),
                        Err(_lagged_or_closed) => break,
                    }
                }
            })
            .await;
            self.events.close();
        }
    }

    fn happened(&mut self, event: Event) {
        let channel = event.channel;
        match event.what {
            hub::What::Started => self.started(&event.status),
            hub::What::Ended(reason) => {
                self.ended(channel, reason.code(), event.status.audience.peak);
            }
            what => {
                let Some(broadcast) = self.live.get(&channel).map(|run| run.id.clone()) else {
                    return;
                };
                let what = match what {
                    hub::What::Interrupted => What::BroadcastInterrupted { channel, broadcast },
                    hub::What::Resumed => What::BroadcastResumed {
                        host: host(&event.status),
                        channel,
                        broadcast,
                    },
                    hub::What::AdvisoryRaised(advisory) => {
                        let words = advisory.words(Language::English);
                        What::AdvisoryRaised {
                            channel,
                            broadcast,
                            advisory: advisory.code(),
                            words: words.effect,
                            hint: words.setting.to_owned(),
                        }
                    }
                    hub::What::AdvisoryCleared(advisory) => What::AdvisoryCleared {
                        channel,
                        broadcast,
                        advisory: advisory.code(),
                    },
                    _ => return,
                };
                self.events.emit(what);
            }
        }
    }

    fn started(&mut self, status: &Status) {
        let Some(started) = status.since.map(Timestamp::from) else {
            return;
        };
        let channel = status.channel.clone();
        let id = BroadcastId::new(&channel, started);
        let run = Run {
            id: id.clone(),
            started,
            peak: 0,
            told: 0,
            told_at: None,
        };
        self.live.insert(channel.clone(), run);
        self.events.emit(What::BroadcastStarted {
            host: host(status),
            channel,
            broadcast: id,
        });
    }

    fn ended(&mut self, channel: ChannelName, reason: &'static str, peak: u64) {
        let Some(run) = self.live.remove(&channel) else {
            return;
        };
        self.events.emit(What::BroadcastEnded {
            channel,
            broadcast: run.id,
            reason,
            started: run.started,
            viewers_peak: peak.max(run.peak),
        });
    }

    fn look_at_viewers(&mut self) {
        let now = Instant::now();
        for status in self.hub.live() {
            let Some(run) = self.live.get_mut(&status.channel) else {
                continue;
            };
            if let Some(viewers) = run.new_peak(status.audience.peak, now) {
                self.events.emit(What::ViewersPeak {
                    channel: status.channel,
                    broadcast: run.id.clone(),
                    viewers,
                });
            }
        }
    }

    /// Some of the hub's events were missed: begins and ends what they told of.
    fn catch_up(&mut self, lost: u64) {
        tracing::warn!(lost, "too much happened at once, some events are not told");
        let present = self.hub.live();
        let mut gone: Vec<_> = self.live.keys().cloned().collect();
        gone.retain(|channel| present.iter().all(|status| status.channel != *channel));
        for channel in gone {
            self.ended(channel, "unknown", 0);
        }
        for status in &present {
            if !self.live.contains_key(&status.channel) {
                self.started(status);
            }
        }
    }
}

fn host(status: &Status) -> Option<Host> {
    let host = status.host.as_ref()?;
    Some(Host {
        key: host.key_id.clone(),
        protocol: host.protocol,
        peer: host.peer.ip().to_canonical(),
        client: host.client.clone(),
    })
}

impl Run {
    /// A peak that is to be told now.
    fn new_peak(&mut self, viewers: u64, now: Instant) -> Option<u64> {
        self.peak = self.peak.max(viewers);
        let rested = self
            .told_at
            .is_none_or(|told| now.saturating_duration_since(told) >= PEAK_INTERVAL);
        if !rested || self.peak <= self.told {
            return None;
        }
        self.told = self.peak;
        self.told_at = Some(now);
        Some(self.peak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_grows_is_told_at_once_and_then_once_a_minute() {
        let mut run = Run {
            id: BroadcastId::new(&"demo".parse().unwrap(), Timestamp::MAX),
            started: Timestamp::MAX,
            peak: 0,
            told: 0,
            told_at: None,
        };
        let mut told = Vec::new();
        for (second, viewers) in [
            (0, 0),
            (1, 3),
            (2, 9),
            (30, 40),
            (61, 40),
            (90, 70),
            (200, 9),
        ] {
            let now = Instant::now() + Duration::from_secs(second);
            told.push(run.new_peak(viewers, now));
        }
        assert_eq!(
            told,
            [None, Some(3), None, None, Some(40), None, Some(70)],
            "the last one is the peak that was not told at 90 s"
        );
    }
}
