//! What a host reads in its encoder: short, and with what to do.

use super::Close;
use crate::{End, KeyRefusal, PublishRefusal};

/// The reason to count and the words to send for a key that opens nothing.
pub(super) fn key_refused(refusal: &KeyRefusal) -> (Close, String) {
    match refusal {
        KeyRefusal::Missing => (
            Close::NoKey,
            format!(
                "{refusal}; put it into the encoder's own field for the stream key, and the server's address without it"
            ),
        ),
        KeyRefusal::Unknown => (
            Close::BadKey,
            format!("{refusal}; copy it again into the encoder's stream settings"),
        ),
        KeyRefusal::Throttled(_) => (Close::Throttled, refusal.to_string()),
        KeyRefusal::Unavailable => (
            Close::KeysUnavailable,
            format!("{refusal}; try again in a moment"),
        ),
    }
}

/// The words for a good key that may not publish now.
pub(super) fn publish_refused(refusal: &PublishRefusal) -> (Close, String) {
    (Close::Refused, refusal.to_string())
}

/// The reason to count and the words to send when the server ends a publication.
pub(super) fn ended(end: End) -> (Close, &'static str) {
    match end {
        End::TakenOver => (
            Close::TakenOver,
            "another encoder has taken this channel over with its stream key",
        ),
        End::KeyRevoked => (Close::KeyRevoked, "the stream key was revoked"),
        End::Kicked => (Close::Kicked, "an operator has ended this stream"),
        End::Shutdown => (Close::Shutdown, "the server is stopping"),
    }
}
