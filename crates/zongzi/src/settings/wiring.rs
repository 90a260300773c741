//! Sections of the settings as the parts they are for want them.

use zongzi_control::chronicle::Keep;
use zongzi_control::playback::{GateSettings, IssuerKey};
use zongzi_http::cors::Origins;
use zongzi_http::server::Limits as HttpLimits;
use zongzi_ingest::rtmp;
use zongzi_relay::{hub, shard};

use super::{Broadcast, Http, Limits, Media, Playback, Rtmp};

impl Rtmp {
    /// For the RTMP listener.
    pub(crate) fn ingest_settings(&self) -> rtmp::Settings {
        let mut settings = rtmp::Settings {
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_ip,
            publish_deadline: self.publish_timeout,
            idle_timeout: self.idle_timeout,
            ..rtmp::Settings::default()
        };
        settings.limits.video_message_bytes = self.max_message_bytes;
        settings.limits.preauth_bytes = self.max_preauth_bytes;
        settings.limits.preauth_messages = self.max_preauth_messages;
        settings
    }
}

impl Http {
    /// Whose pages may call the public front.
    pub(crate) fn origins(&self) -> Origins {
        if self.cors_origins.iter().any(|origin| origin == "*") {
            Origins::Any
        } else {
            Origins::Only(self.cors_origins.clone())
        }
    }

    /// For each HTTP listener.
    pub(crate) fn limits(&self) -> HttpLimits {
        HttpLimits {
            connections_max: self.max_connections,
            connections_per_address_max: self.max_connections_per_ip,
            ..HttpLimits::default()
        }
    }
}

impl Broadcast {
    /// For the hub.
    pub(crate) fn hub_config(&self, limits: &Limits) -> hub::Config {
        let mut config = hub::Config::default();
        config.grace = self.grace;
        config.grace_orderly = self.grace_orderly;
        config.broadcasts_max = limits.broadcasts;
        config
    }
}

impl Playback {
    /// For the gate of viewers. The error names the settings key.
    pub(crate) fn gate_settings(&self) -> Result<GateSettings, String> {
        if self.public_keys.len() > IssuerKey::MAX {
            return Err(format!(
                "playback.public_keys has {} files; at most {} are taken",
                self.public_keys.len(),
                IssuerKey::MAX
            ));
        }
        let read =
            |path| IssuerKey::read(path).map_err(|error| format!("playback.public_keys: {error}"));
        Ok(GateSettings {
            issuers: self
                .public_keys
                .iter()
                .map(|path| read(path))
                .collect::<Result<_, _>>()?,
            end_expired: self.end_expired,
        })
    }
}

impl Broadcast {
    /// For the chronicle.
    pub(crate) fn history(&self) -> Keep {
        Keep {
            span: self.history,
            broadcasts: self.history_max,
        }
    }
}

impl Media {
    /// For the media port.
    pub(crate) fn shard_config(&self, limits: &Limits) -> shard::Config {
        let mut config = shard::Config::new(self.listen);
        if self.shards > 0 {
            config.shards = self.shards;
        }
        config.sessions_max = limits.viewers;
        config.bitrate_max = limits.egress_bitrate;
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_rtmp_reach_its_core() {
        let limits = Rtmp {
            max_message_bytes: 1_000_001,
            max_preauth_bytes: 10_001,
            max_preauth_messages: 101,
            ..Rtmp::default()
        }
        .ingest_settings()
        .limits;
        let expected = rtmp::Limits {
            video_message_bytes: 1_000_001,
            preauth_bytes: 10_001,
            preauth_messages: 101,
            ..rtmp::Limits::default()
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn the_defaults_of_rtmp_are_those_of_its_core() {
        let limits = Rtmp::default().ingest_settings().limits;
        assert_eq!(limits, rtmp::Limits::default());
    }
}
