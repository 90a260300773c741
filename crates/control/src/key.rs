use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use crate::channel::name_as_text;
use crate::{Text, id, random};

/// The secret that a host types into its encoder. Shown once, when it is made; never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(String);

impl StreamKey {
    /// How every key begins, so that people and scanners know one when they see it.
    pub const START: &'static str = "sk_";
    /// Random bytes in a key: 160 bits, which no one guesses.
    const RANDOM_BYTES: usize = 20;
    /// Characters of a key that may be shown to tell keys apart. Four of them after the start leave 140 bits.
    const SHOWN_CHARS: usize = Self::START.len() + 4;

    pub(crate) fn new(bytes: [u8; Self::RANDOM_BYTES]) -> Self {
        Self(format!("{}{}", Self::START, random::base32(&bytes)))
    }

    /// The secret itself, to show it once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The part of it that may be shown for good.
    pub(crate) fn prefix(&self) -> String {
        self.0.chars().take(Self::SHOWN_CHARS).collect()
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(…)")
    }
}

id::names! {
    /// A key's public name.
    KeyId: "key_", else InvalidKeyId: "a key's id begins with key_, as `zongzi key list` shows it"
}

/// A stream key as the store holds it: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Key {
    /// Its public name.
    #[schema(value_type = String)]
    pub id: KeyId,
    /// The one channel that it opens.
    #[schema(value_type = String)]
    #[serde(serialize_with = "name_as_text")]
    pub channel: ChannelName,
    /// How the secret begins, to tell keys apart.
    pub prefix: String,
    /// What its owner calls it; may be empty.
    #[schema(value_type = String, max_length = 200)]
    pub label: Text,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When a host last came with it, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
    /// When it stops being good by itself, if it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When it was revoked, or had expired.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked: Option<Timestamp>,
}

/// A key that was just made, with its secret, which can't be had again.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The key.
    pub key: Key,
    /// Its secret.
    pub secret: StreamKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_show_only_their_beginning() {
        let (one, other) = (
            StreamKey::new(random::bytes()),
            StreamKey::new(random::bytes()),
        );
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), "sk_".len() + 32);
        assert!(one.expose().starts_with(&one.prefix()));
        assert_eq!(one.prefix().len(), 7);
        assert_eq!(format!("{one:?}"), "StreamKey(…)");
    }

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = KeyId::new(random::bytes());
        assert_eq!(id.as_str().parse(), Ok(id));
        for bad in [
            "",
            "key_",
            "sk_abc",
            "key_A",
            &format!("key_{}", "a".repeat(64)),
        ] {
            assert_eq!(bad.parse::<KeyId>(), Err(InvalidKeyId), "{bad}");
        }
    }
}
