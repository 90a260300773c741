//! The public JSON of a channel, its changes as server-sent events, and what its host may know besides.

mod events;
mod handlers;
mod host;
mod status;

use crate::Bearer;
use crate::playback::{self, Admission};

pub(crate) use handlers::look_up;
pub use handlers::router;
pub use host::{
    Advisory, HostStatus, HostTrack, Hosts, KeyRefused, Languages, router as host_router,
};
pub use status::{ChannelStatus, Reason, State, VideoStatus};

/// The channels as the public may see them.
pub trait Channels: Send + Sync + 'static {
    /// What is known of `channel` now; `None` when there is none of that name. To whom it may be told, [`Channels::admit`]
    /// says.
    ///
    /// It is asked for each page and each public request, and twice a second for each channel that someone follows by
    /// events, so it should be answered from memory.
    fn status(
        &self,
        channel: &str,
    ) -> impl Future<Output = Result<Option<ChannelStatus>, Unavailable>> + Send;

    /// Whether somebody who shows `token` may see `channel`, which is there.
    fn admit(
        &self,
        channel: &str,
        token: Option<&Bearer>,
    ) -> impl Future<Output = Result<Admission, playback::Refusal>> + Send;
}

/// The store could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("channels can't be looked up right now")]
pub struct Unavailable;

/// Whether `channel` could be a channel's name at all: no store is asked for, and no header or page is made of, anything
/// else. The names that exist are a subset.
pub(crate) fn is_plain(channel: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !channel.is_empty() && channel.len() <= NAME_BYTES_MAX && channel.bytes().all(plain)
}

/// The longest name that is looked up, in bytes.
const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests;
