use serde::Serialize;
use utoipa::ToSchema;
use zongzi_http::Timestamp;

use super::{SigningKey, Url};
use crate::events::Kind;
use crate::{Once, Text, id};

id::names! {
    /// A hook's public name.
    HookId: "hook_", else InvalidHookId: "a hook's id begins with hook_, as `zongzi hook list` shows it"
}

/// An endpoint that is told of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hook {
    /// Its public name.
    #[schema(value_type = String)]
    pub id: HookId,
    /// Where events are posted to.
    #[schema(value_type = String, pattern = "^https?://")]
    pub url: Url,
    /// Which events; none named: all of them.
    pub events: Vec<Kind>,
    /// What its owner calls it; may be empty.
    #[schema(value_type = String, max_length = 200)]
    pub label: Text,
    /// Whether it is told anything. An endpoint that answers 410 Gone is disabled.
    pub enabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Counts its changes from 1.
    pub version: u64,
    /// What its signing key is made from.
    #[serde(skip)]
    pub salt: [u8; 16],
}

/// What is needed to make a hook.
#[derive(Debug, Clone)]
pub struct NewHook {
    /// Its public name.
    pub id: HookId,
    /// Where events are posted to.
    pub url: Url,
    /// Which events; none named: all of them.
    pub events: Vec<Kind>,
    /// What its owner calls it.
    pub label: Text,
    /// What its signing key is made from.
    pub salt: [u8; 16],
    /// The request that is met once.
    pub once: Option<Once>,
}

/// What may be changed of a hook; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct HookPatch {
    /// Another address.
    pub url: Option<Url>,
    /// Other events.
    pub events: Option<Vec<Kind>>,
    /// Another label.
    pub label: Option<Text>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// A hook that was just made, with the key that its owner checks messages with.
#[derive(Debug, Clone)]
pub struct MintedHook {
    /// The hook.
    pub hook: Hook,
    /// Its key.
    pub key: SigningKey,
}

impl Hook {
    /// Whether it is told of such events.
    pub fn wants(&self, kind: Kind) -> bool {
        self.enabled && (self.events.is_empty() || self.events.contains(&kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = HookId::new(crate::random::bytes());
        assert_eq!(id.as_str().parse(), Ok(id));
        for bad in ["", "hook_", "key_abc", "hook_A", "hook_a/b"] {
            assert_eq!(bad.parse::<HookId>(), Err(InvalidHookId), "{bad}");
        }
    }
}
