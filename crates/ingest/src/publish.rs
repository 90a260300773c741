use std::net::SocketAddr;

use zongzi_media::{ChannelName, Frame, Track};

/// Which protocol a host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// RTMP over plain TCP.
    Rtmp,
}

impl Protocol {
    /// Its name in logs, JSON and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
        }
    }
}

/// A host whose key was good asks to go live.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// The channel that its key opened.
    pub channel: ChannelName,
    /// Public id of that key: revoking it ends this publication.
    pub key_id: String,
    /// What the host speaks.
    pub protocol: Protocol,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it calls itself (RTMP's `flashVer` or the encoder in its metadata), at most 128 bytes.
    pub client: Option<String>,
}

/// Why a good key may not go live now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishRefusal {
    /// The channel is set to keep its first host.
    #[error("channel {0} is already live and does not let a second host take over")]
    Busy(ChannelName),
    /// Two hosts have taken the channel from each other too often.
    #[error(
        "two encoders are taking channel {0} from each other; stop one of them and try again in {1} s"
    )]
    TakeoverStorm(ChannelName, u64),
    /// The limit of live broadcasts is reached.
    #[error("this server already carries {0} broadcasts, its limit")]
    Full(usize),
    /// Who was asked about this host does not let it; one line for people.
    #[error("{0}")]
    Denied(String),
    /// The channel was deleted or the server is about to stop.
    #[error("channel {0} is not available")]
    Unavailable(ChannelName),
}

/// What a publication carries, in the order the host sent it.
#[derive(Debug, Clone)]
pub enum Media {
    /// A track's configuration, at first and whenever it changes.
    Track(Track),
    /// One frame of a track announced before.
    Frame(Frame),
}

/// Why the server ends a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// Another host with a good key took the channel over.
    TakenOver,
    /// The stream key was revoked.
    KeyRevoked,
    /// An operator ended it, or the channel was deleted.
    Kicked,
    /// The server is stopping.
    Shutdown,
}

/// How a host left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It said so (`deleteStream`, `FCUnpublish`, `closeStream`).
    Orderly,
    /// The connection broke or fell silent.
    Lost,
}

/// Takes in hosts whose keys were good.
pub trait Publish: Send + Sync + 'static {
    /// A live publication.
    type Publication: Publication;

    /// Begins a publication, taking the channel over from an older one where its settings allow that.
    fn begin(
        &self,
        request: PublishRequest,
    ) -> impl Future<Output = Result<Self::Publication, PublishRefusal>> + Send;
}

/// A live publication. Dropping it without [`Publication::finish`] counts as [`Finish::Lost`].
pub trait Publication: Send + 'static {
    /// Hands media on. Waits where the broadcast's bounded queue is full, so that a host who sends faster than can be
    /// handled is slowed by TCP.
    ///
    /// # Errors
    /// When the server has ended this publication: tell the host why and close.
    fn send(&mut self, media: Media) -> impl Future<Output = Result<(), End>> + Send;

    /// Resolves when the server wants this publication to end, also while nothing is sent. Cancel-safe.
    fn ended(&mut self) -> impl Future<Output = End> + Send;

    /// The host is gone.
    fn finish(self, how: Finish);
}
