use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zongzi_ingest::Arrival;
use zongzi_media::ChannelName;
use zongzi_relay::shard::Join;

/// One publish or join: a span over all, and one under it for each step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) name: &'static str,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) begin: Instant,
    /// Each step's name and end; it begins where the one before it ended.
    pub(super) steps: Vec<(&'static str, Instant)>,
    /// Why it did not get to its end.
    pub(super) error: Option<&'static str>,
}

/// Ties the moments of this process to the world's time, once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    at: Instant,
    world: SystemTime,
}

impl Trace {
    pub(super) fn of_publish(arrival: &Arrival) -> Self {
        let steps = [
            ("handshake", arrival.asked),
            ("key check", arrival.checked),
            ("admission", arrival.granted),
            ("first keyframe", arrival.keyframe),
        ];
        let mut attributes = vec![("network.protocol.name", arrival.protocol.to_owned())];
        attributes.extend(of_channel(arrival.channel.as_ref()));
        Self {
            name: "publish",
            attributes,
            begin: arrival.accepted,
            steps: done(steps),
            error: arrival.closed,
        }
    }

    pub(super) fn of_join(join: &Join, channel: Option<ChannelName>) -> Self {
        let last = if join.waited {
            "wait for the host"
        } else {
            "first packet"
        };
        let steps = [
            ("POST", Some(join.answered)),
            ("ICE", join.reached),
            ("DTLS", join.keyed),
            (last, join.media),
        ];
        let mut attributes = vec![("network.protocol.name", "webrtc".to_owned())];
        attributes.extend(of_channel(channel.as_ref()));
        Self {
            name: "join",
            attributes,
            begin: join.asked,
            steps: done(steps),
            error: join.closed.map(zongzi_relay::shard::Closed::code),
        }
    }

    /// When its last step was done.
    pub(super) fn end(&self) -> Instant {
        self.steps.last().map_or(self.begin, |(_, end)| *end)
    }
}

fn of_channel(channel: Option<&ChannelName>) -> Option<(&'static str, String)> {
    Some(("zongzi.channel", channel?.to_string()))
}

/// The steps up to the first that was not done.
fn done(steps: [(&'static str, Option<Instant>); 4]) -> Vec<(&'static str, Instant)> {
    let steps = steps.into_iter();
    steps.map_while(|(name, end)| Some((name, end?))).collect()
}

impl Clock {
    pub(super) fn now() -> Self {
        Self {
            at: Instant::now(),
            world: SystemTime::now(),
        }
    }

    /// Nanoseconds since 1970.
    pub(super) fn unix_nanos(&self, at: Instant) -> u128 {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let zero = since(self.world);
        let then = match at.checked_duration_since(self.at) {
            Some(after) => zero.saturating_add(after),
            None => zero.saturating_sub(self.at.saturating_duration_since(at)),
        };
        then.as_nanos()
    }
}
