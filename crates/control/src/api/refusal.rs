use std::time::Duration;

use http::StatusCode;
use zongzi_http::Problem;
use zongzi_http::problem::{self, Kind};

use crate::store::Error;

const KEY_UNKNOWN: Kind = Kind::new("key-unknown", "No such key", StatusCode::NOT_FOUND);
const CHANNEL_EXISTS: Kind = Kind::new("channel-exists", "The name is taken", StatusCode::CONFLICT);
const KEY_REVOKED: Kind = Kind::new("key-revoked", "The key is revoked", StatusCode::CONFLICT);
const HOOK_UNKNOWN: Kind = Kind::new("hook-unknown", "No such hook", StatusCode::NOT_FOUND);
const DELIVERY_UNKNOWN: Kind = Kind::new(
    "delivery-unknown",
    "No such dead letter",
    StatusCode::NOT_FOUND,
);
const TOKEN_UNKNOWN: Kind = Kind::new("token-unknown", "No such token", StatusCode::NOT_FOUND);
const REUSED: Kind = Kind::new(
    "idempotency-key-reused",
    "The Idempotency-Key is taken",
    StatusCode::UNPROCESSABLE_ENTITY,
);
const LIMIT: Kind = Kind::new("limit", "The limit is reached", StatusCode::CONFLICT);

/// The one place where what the store says becomes HTTP.
pub(super) fn problem(error: Error) -> Problem {
    let kind = match &error {
        Error::ChannelUnknown(_) => problem::CHANNEL_UNKNOWN,
        Error::KeyUnknown(_) => KEY_UNKNOWN,
        Error::ChannelExists(_) => CHANNEL_EXISTS,
        Error::KeyRevoked(_) => KEY_REVOKED,
        Error::HookUnknown(_) => HOOK_UNKNOWN,
        Error::DeliveryUnknown(_) => DELIVERY_UNKNOWN,
        Error::TokenUnknown(_) => TOKEN_UNKNOWN,
        Error::Reused => REUSED,
        Error::Changed(_) | Error::HookChanged(_) => problem::PRECONDITION_FAILED,
        Error::Limit { .. } => LIMIT,
        _ => {
            tracing::error!(%error, "the store failed a request of the API");
            return problem::UNAVAILABLE
                .because(error.to_string())
                .retry_after(Duration::from_secs(5));
        }
    };
    kind.because(error.to_string())
}
