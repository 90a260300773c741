use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use zongzi_http::Timestamp;

use super::{Hook, HookId};
use crate::events::Kind;

/// A document on its way into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The event's name; the receiver knows a repetition by it.
    pub event: String,
    /// Its kind.
    pub kind: Kind,
    /// The document.
    pub body: String,
}

/// One document for one endpoint, in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Delivery {
    /// Its name in the outbox; later ones have greater numbers.
    #[schema(value_type = String)]
    pub id: DeliveryId,
    /// Whose it is.
    #[schema(value_type = String)]
    pub hook: HookId,
    /// The event's name, sent as `webhook-id`.
    pub event: String,
    /// The event's kind.
    pub kind: Kind,
    /// When it came into the outbox.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// How often it was posted.
    pub attempts: u32,
    /// Why the last post failed.
    pub error: Option<String>,
    /// The document.
    #[serde(skip)]
    pub body: String,
}

/// A delivery that may be posted now, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The endpoint.
    pub hook: Hook,
    /// What for it.
    pub delivery: Delivery,
}

/// How the outbox stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The first delivery of each endpoint that may be posted now.
    pub due: Vec<Due>,
    /// Deliveries that will be tried, or tried again.
    pub waiting: u64,
    /// Deliveries that were given up and are kept.
    pub dead: u64,
}

/// A [`Delivery`]'s name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

/// The text is not a [`DeliveryId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery's id is a number, as the list of dead letters shows it")]
pub struct InvalidDeliveryId;

impl FromStr for DeliveryId {
    type Err = InvalidDeliveryId;

    fn from_str(text: &str) -> Result<Self, InvalidDeliveryId> {
        let number: i64 = text.parse().map_err(|_bad| InvalidDeliveryId)?;
        (number >= 0)
            .then_some(Self(number))
            .ok_or(InvalidDeliveryId)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for DeliveryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
