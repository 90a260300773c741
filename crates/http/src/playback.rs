//! Private channels: what lets a viewer in, as HTTP says it (RFC 6750).

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use tokio::time::Instant;

use crate::problem::{self, Kind, Problem};

/// By what somebody may see a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is open to everyone, for as long as it is not private.
    Open,
    /// He has shown a playback token.
    ByToken {
        /// When what it opened ends by itself, if it does.
        ends: Option<Instant>,
    },
}

/// Why a private channel is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No playback token was shown.
    Needed,
    /// It is none, or not one of those that are accepted here.
    Invalid,
    /// Its time is over.
    Expired,
    /// Its time begins after the span.
    Early(Duration),
    /// It is good, for another channel.
    OtherChannel,
    /// It could not be checked.
    Unavailable,
}

const NEEDED: Kind = Kind::new(
    "playback-token-needed",
    "This channel is private",
    StatusCode::UNAUTHORIZED,
);
const INVALID: Kind = Kind::new(
    "playback-token-invalid",
    "The playback token is not accepted",
    StatusCode::UNAUTHORIZED,
);
const EXPIRED: Kind = Kind::new(
    "playback-token-expired",
    "The playback token has expired",
    StatusCode::UNAUTHORIZED,
);
const EARLY: Kind = Kind::new(
    "playback-token-early",
    "The playback token is not valid yet",
    StatusCode::UNAUTHORIZED,
);
const OTHER_CHANNEL: Kind = Kind::new(
    "playback-token-other-channel",
    "The playback token is for another channel",
    StatusCode::FORBIDDEN,
);

impl Refusal {
    /// The one place where it becomes HTTP.
    pub fn problem(self) -> Problem {
        let (problem, challenge) = match self {
            Self::Needed => (
                NEEDED.because(
                    "send a playback token as Authorization: Bearer TOKEN, or open the link that the host gives out",
                ),
                "Bearer",
            ),
            Self::Invalid => (
                INVALID.because(
                    "this is no playback token, or its key is not (or no longer) one that this server accepts; ask the \
                     host for a new link",
                ),
                r#"Bearer error="invalid_token""#,
            ),
            Self::Expired => (
                EXPIRED.because("its time is over; ask the host for a new link"),
                r#"Bearer error="invalid_token""#,
            ),
            Self::Early(wait) => (
                EARLY
                    .because("its time has not begun; try again after the time in Retry-After")
                    .retry_after(wait),
                r#"Bearer error="invalid_token""#,
            ),
            Self::OtherChannel => (
                OTHER_CHANNEL.because("ask the host of this channel for a link of its own"),
                r#"Bearer error="insufficient_scope""#,
            ),
            Self::Unavailable => {
                return problem::UNAVAILABLE
                    .because("playback tokens can't be checked right now; try again in a moment")
                    .retry_after(Duration::from_secs(2));
            }
        };
        problem.header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        )
    }
}
