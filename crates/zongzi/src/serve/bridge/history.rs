use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use zongzi_control::broadcast::{Advisory, EndReason, Host, Languages, Track};
use zongzi_control::chronicle::{Keep, SAMPLE_INTERVAL, SAVE_INTERVAL, Seen};
use zongzi_control::store::{Error, Sqlite};
use zongzi_control::{Chronicle, Control};
use zongzi_media::Kind;
use zongzi_relay::advice::Language;
use zongzi_relay::hub::{self, Event, Hub, Raised, Status, TrackStatus, What};

/// Tells the chronicle what happens in the hub.
#[derive(Debug)]
pub(crate) struct History {
    chronicle: Arc<Chronicle<Sqlite>>,
    hub: Hub,
}

/// How long the ends of broadcasts are waited for when the server stops.
const ENDS_WAIT_MAX: Duration = Duration::from_secs(2);

/// The history in the store.
pub(crate) async fn open(
    control: &Control<Sqlite>,
    keep: Keep,
) -> Result<Arc<Chronicle<Sqlite>>, Error> {
    Chronicle::open(control.store().clone(), keep)
        .await
        .map(Arc::new)
}

impl History {
    pub(crate) fn new(chronicle: Arc<Chronicle<Sqlite>>, hub: Hub) -> Self {
        Self { chronicle, hub }
    }

    /// Runs until `stop` resolves and what was live has ended.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut events = self.hub.events();
        let mut sample = interval(SAMPLE_INTERVAL);
        sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saved = Instant::now();
        loop {
            // Biased: what happened is told before what is, so that an end has its reason.
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Ok(event) => {
                        if self.happened(&event) {
                            self.chronicle.save().await;
                        }
                    }
                    // The next sample mends what was missed.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
                _ = sample.tick() => {
                    let live: Vec<Seen> = self.hub.live().iter().filter_map(seen).collect();
                    self.chronicle.sample(&live);
                    if saved.elapsed() >= SAVE_INTERVAL {
                        saved = Instant::now();
                        self.chronicle.save().await;
                    }
                }
                () = &mut stop => break,
            }
        }
        let deadline = Instant::now() + ENDS_WAIT_MAX;
        while !self.chronicle.running().is_empty() {
            match timeout_at(deadline, events.recv()).await {
                Ok(Ok(event)) => {
                    self.happened(&event);
                }
                Ok(Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) | Err(_) => break,
            }
        }
        self.chronicle.close().await;
    }

    /// Whether a broadcast has begun or ended.
    fn happened(&self, event: &Event) -> bool {
        let Some(seen) = seen(&event.status) else {
            return false;
        };
        match event.what {
            What::Ended(reason) => {
                self.chronicle.end(&seen, end_reason(reason));
                true
            }
            what => {
                // A broadcast that is about to end says so in its next event; until then it stands as it stood.
                if event.status.state != hub::State::Waiting {
                    self.chronicle.see(&seen);
                }
                what == What::Started
            }
        }
    }
}

fn seen(status: &Status) -> Option<Seen> {
    let traffic = &status.traffic;
    Some(Seen {
        channel: status.channel.clone(),
        started: status.since?.into(),
        interrupted: status.state == hub::State::Interrupted,
        host: status.host.as_ref().map(|host| Host {
            protocol: host.protocol.to_owned(),
            client: host.client.clone(),
            key: host.key_id.clone(),
        }),
        tracks: status.tracks.iter().map(track).collect(),
        advisories: status.advisories.iter().map(advisory).collect(),
        bytes: traffic.bytes,
        video_frames: traffic.video_frames,
        audio_frames: traffic.audio_frames,
        viewers: status.audience.viewers,
        viewers_peak: status.audience.peak,
        viewers_unique: status.audience.unique,
    })
}

fn advisory(raised: &Raised) -> Advisory {
    let english = raised.advisory.words(Language::English);
    let chinese = raised.advisory.words(Language::Chinese);
    Advisory {
        code: raised.advisory.code().to_owned(),
        since: raised.since.into(),
        effect: Languages {
            en: english.effect,
            zh: chinese.effect,
        },
        setting: Languages {
            en: english.setting.to_owned(),
            zh: chinese.setting.to_owned(),
        },
        active: true,
    }
}

fn track(track: &TrackStatus) -> Track {
    Track {
        kind: match track.kind {
            Kind::Video => "video",
            Kind::Audio => "audio",
        }
        .to_owned(),
        codec: track.codec.to_owned(),
        rfc6381: track.rfc6381.clone(),
        width: track.size.map(|(width, _)| width),
        height: track.size.map(|(_, height)| height),
    }
}

fn end_reason(reason: hub::EndReason) -> EndReason {
    match reason {
        hub::EndReason::HostFinished => EndReason::HostFinished,
        hub::EndReason::HostLost | hub::EndReason::Server(hub::Ended::TakenOver) => {
            EndReason::HostLost
        }
        hub::EndReason::Server(hub::Ended::KeyRevoked) => EndReason::KeyRevoked,
        hub::EndReason::Server(hub::Ended::Shutdown) => EndReason::Shutdown,
        hub::EndReason::Server(_) => EndReason::Kicked,
    }
}
