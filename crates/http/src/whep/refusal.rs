use std::time::Duration;

use http::StatusCode;

use super::stats::Outcome;
use super::{Words, precondition};
use crate::playback;
use crate::problem::{self, Kind, Problem};

/// Why a request about a session is refused. `detail`s go to the viewer: what is wrong and what to do, no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such channel.
    UnknownChannel,
    /// There is no such session, or no longer.
    UnknownSession,
    /// The SDP can't be understood, or says what no WebRTC peer may say.
    BadSdp(Words),
    /// The SDP is fine, but names no codec or transport that this server has.
    NothingInCommon(Words),
    /// The `If-Match` tag is not the present one.
    StaleTag,
    /// A limit is reached, which the words name; a place may be free after the span.
    Full(Duration, Words),
    /// As many watch the channel as may at a time; a place may be free after the span.
    ChannelFull(Duration, Words),
    /// The channel is private, and what the viewer shows does not let him in.
    NotAdmitted(playback::Refusal),
    /// The server can't make sessions right now, for instance because it is stopping.
    Unavailable(Words),
}

const BAD_SDP: Kind = Kind::new("sdp-bad", "The SDP can't be used", StatusCode::BAD_REQUEST);
const NOTHING_IN_COMMON: Kind = Kind::new(
    "nothing-in-common",
    "Nothing in common to play",
    StatusCode::NOT_ACCEPTABLE,
);
const SESSION_UNKNOWN: Kind =
    Kind::new("session-unknown", "No such session", StatusCode::NOT_FOUND);
const CHANNEL_FULL: Kind = Kind::new(
    "channel-full",
    "Every place on this channel is taken",
    StatusCode::SERVICE_UNAVAILABLE,
);

impl Refusal {
    /// The one place where a refusal becomes HTTP.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::UnknownChannel => problem::CHANNEL_UNKNOWN
                .because("no channel has this name; check its spelling, or ask the host"),
            Self::UnknownSession => {
                SESSION_UNKNOWN.because("this session is over or never was; start a new one")
            }
            Self::BadSdp(detail) => BAD_SDP.because(detail),
            Self::NothingInCommon(detail) => NOTHING_IN_COMMON.because(detail),
            Self::StaleTag => precondition::stale(),
            Self::Full(wait, detail) => problem::FULL.because(detail).retry_after(wait),
            Self::ChannelFull(wait, detail) => CHANNEL_FULL.because(detail).retry_after(wait),
            Self::NotAdmitted(refusal) => refusal.problem(),
            Self::Unavailable(detail) => problem::UNAVAILABLE
                .because(detail)
                .retry_after(Duration::from_secs(2)),
        }
    }

    /// As what it is counted.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::UnknownChannel => Outcome::UnknownChannel,
            Self::UnknownSession => Outcome::UnknownSession,
            Self::BadSdp(_) => Outcome::BadSdp,
            Self::NothingInCommon(_) => Outcome::NothingInCommon,
            Self::StaleTag => Outcome::BadRequest,
            Self::Full(..) | Self::ChannelFull(..) => Outcome::Full,
            Self::NotAdmitted(playback::Refusal::Unavailable) => Outcome::Unavailable,
            Self::NotAdmitted(_) => Outcome::NotAllowed,
            Self::Unavailable(_) => Outcome::Unavailable,
        }
    }
}
