use std::time::Duration;

use zongzi_webrtc::{dtls, sdp};

use crate::shard::Refused;

/// Why a request about a session can't be met.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The offer or fragment can't be used; [`sdp::Error::NoCommonCodec`] is 406, all others 400.
    #[error(transparent)]
    Sdp(#[from] sdp::Error),
    /// As many sessions as there may be: 503, to be tried again after [`Error::retry_after`].
    #[error("as many viewers as this server takes")]
    Full,
    /// All that may be sent is promised to others: 503, as above.
    #[error("as much to send as this server may")]
    Bandwidth,
    /// As many sessions as this broadcast may have: 503, as above.
    #[error("this channel takes {0} viewers at a time, and they are all there")]
    BroadcastFull(u64),
    /// The session's shard, or all of them, have too much to do: 503, as above.
    #[error("the server is busy")]
    Busy,
    /// There is no such session, or not any more: 404.
    #[error("no such session")]
    NoSession,
    /// The system gives no random numbers: 500.
    #[error("no random numbers")]
    NoRandom,
    /// The DTLS engine could not be set up.
    #[error("DTLS: {0}")]
    Engine(#[source] dtls::Error),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Sessions => Self::Full,
            Refused::Bitrate => Self::Bandwidth,
            Refused::Busy => Self::Busy,
            Refused::Broadcast(most) => Self::BroadcastFull(most),
        }
    }
}

impl Error {
    /// When a refused player may ask again (the header `Retry-After`).
    pub fn retry_after(&self) -> Option<Duration> {
        let full = matches!(
            self,
            Self::Full | Self::Bandwidth | Self::BroadcastFull(_) | Self::Busy
        );
        full.then_some(RETRY_AFTER)
    }
}

/// Long enough that refused players cost nothing, short enough that a freed place is soon taken.
const RETRY_AFTER: Duration = Duration::from_secs(5);
