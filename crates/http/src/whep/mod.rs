//! WHEP: a viewer's session as an HTTP resource.
//!
//! The shape of RFC 9725 (WHIP), turned round as draft-ietf-wish-whep does it: `POST /whep/{channel}` with an SDP offer
//! makes a session and answers it, PATCH on the session's own address trickles candidates or restarts ICE (RFC 9725
//! §4.3), DELETE ends it. What a session is, a [`Sessions`] knows; here stands only what HTTP asks for.

mod handlers;
mod precondition;
mod refusal;
mod session;
mod stats;

use std::borrow::Cow;

pub use handlers::router;
pub use refusal::Refusal;
pub use session::{EntityTag, InvalidSessionId, SessionId};
pub use stats::{Counters, Outcome, Stats};

use crate::{Bearer, Connection};

/// The longest offer or fragment that is read, in bytes. Chromium's offer with every codec is about 12 KiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// A viewer's offer.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The channel as the address names it, percent-decoded and otherwise untouched.
    pub channel: String,
    /// The SDP, at most [`BODY_BYTES_MAX`] bytes.
    pub sdp: String,
    /// The playback token that was shown, unchecked.
    pub token: Option<Bearer>,
    /// Where the request came from; `None` outside [`crate::server`].
    pub connection: Option<Connection>,
}

/// A session that was made.
#[derive(Debug, Clone)]
pub struct Created {
    /// Its id, which alone lets someone change or end it.
    pub session: SessionId,
    /// Names its present ICE credentials (RFC 9725 §4.3.1).
    pub etag: EntityTag,
    /// The SDP answer.
    pub answer: String,
}

/// Which session a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The channel as the address names it. The implementation checks that the session is one of this channel's.
    pub channel: String,
    /// The session.
    pub session: SessionId,
}

/// A change of a session, its body an `application/trickle-ice-sdpfrag` (RFC 8840 §9) of at most [`BODY_BYTES_MAX`].
#[derive(Debug, Clone)]
pub enum Change {
    /// More candidates for the ICE session that `etag` names (RFC 9725 §4.3.2). If that is not the present one, the
    /// answer is [`Refusal::StaleTag`].
    Trickle {
        /// The tag in `If-Match`.
        etag: EntityTag,
        /// The candidates.
        fragment: String,
    },
    /// New ICE credentials, whatever the present ones are (`If-Match: *`, RFC 9725 §4.3.3).
    Restart {
        /// The viewer's new credentials and perhaps candidates.
        fragment: String,
    },
}

/// What a change has led to.
#[derive(Debug, Clone)]
pub enum Changed {
    /// The candidates were taken.
    Trickled,
    /// ICE starts anew.
    Restarted {
        /// Names the new credentials.
        etag: EntityTag,
        /// The server's new credentials and candidates, as `application/trickle-ice-sdpfrag`.
        fragment: String,
    },
}

/// The sessions behind the resources.
///
/// When a request's connection breaks, its future is dropped: an implementation must not leave a session without an
/// owner then (one that never sees its viewer's first ICE check ends by itself).
pub trait Sessions: Send + Sync + 'static {
    /// Makes a session for a viewer, or refuses it.
    fn create(&self, offer: Offer) -> impl Future<Output = Result<Created, Refusal>> + Send;

    /// Changes a session. `connection` is where the request came from; `None` outside [`crate::server`].
    fn change(
        &self,
        address: Address,
        change: Change,
        connection: Option<Connection>,
    ) -> impl Future<Output = Result<Changed, Refusal>> + Send;

    /// Ends a session.
    fn delete(&self, address: Address) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// Words for a refusal's detail.
pub type Words = Cow<'static, str>;

#[cfg(test)]
mod tests;
