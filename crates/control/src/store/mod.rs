//! Where channels and keys are kept.

mod error;
mod outbox;
mod sqlite;
mod stats;
mod tokens;

use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

pub use error::Error;
pub use outbox::{DEAD_KEPT_DAYS, DEAD_MAX, Enqueued, HOOKS_MAX, Outbox, WAITING_MAX};
pub use sqlite::Sqlite;
pub use stats::{Counters, Stats};
pub use tokens::{NewToken, TOKENS_DEAD_MAX, TOKENS_MAX, Tokens};

use crate::broadcast::{Broadcast, BroadcastId, EndReason};
use crate::{Channel, ChannelPatch, Key, KeyId, NewChannel, Once, Text};

/// The most channels in a store: a page of them in memory is what every server holds.
pub const CHANNELS_MAX: u32 = 100_000;
/// The most keys of a channel that are not revoked.
pub const KEYS_MAX: u32 = 1_000;
/// The most keys for playback tokens that are accepted at one time.
pub const PLAYBACK_KEYS_MAX: u32 = 8;
/// How long the log of changes is kept. A server that could not read it for this long must be started anew.
pub const CHANGES_KEPT_DAYS: u64 = 7;
/// How long it is known what an `Idempotency-Key` has made, in milliseconds: a day.
pub(crate) const ONCE_KEPT_MS: i64 = 86_400_000;
/// The most `Idempotency-Key`s that are known at one time.
pub(crate) const ONCE_MAX: u32 = 100_000;

/// What is needed to make a key. The secret itself never reaches the store.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its public name.
    pub id: KeyId,
    /// The channel that it opens.
    pub channel: ChannelName,
    /// The keyed hash of its secret.
    pub hash: [u8; 32],
    /// How the secret begins.
    pub prefix: String,
    /// What its owner calls it.
    pub label: Text,
    /// The request that is met once.
    pub once: Option<Once>,
}

/// A key that signs playback tokens, as the store holds it: no secret, only its name (`playback::Material` makes the
/// secrets of it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackKeyRow {
    /// Its name in tokens.
    pub kid: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its tokens stop being accepted, if another has taken its place.
    pub retires: Option<Timestamp>,
}

/// Which broadcasts of the history are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BroadcastQuery {
    /// Of this channel alone.
    pub channel: Option<ChannelName>,
    /// Those that have ended, or those that have not.
    pub ended: Option<bool>,
    /// Older than this one.
    pub after: Option<BroadcastId>,
}

/// Something that happened to the store, by whichever process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A channel was made.
    ChannelCreated(ChannelName),
    /// A channel has other settings.
    ChannelUpdated(ChannelName),
    /// A channel and its keys are gone.
    ChannelDeleted(ChannelName),
    /// A key was made.
    KeyCreated {
        /// The channel that it opens.
        channel: ChannelName,
        /// Its id.
        key: KeyId,
    },
    /// A key opens nothing any more.
    KeyRevoked {
        /// The channel that it opened.
        channel: ChannelName,
        /// Its id.
        key: KeyId,
    },
}

/// A place in the log of changes. Later changes have greater numbers, in every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Sequence(pub i64);

/// Keeps channels, keys, and a log of what changed.
///
/// Each call is one transaction: when it has returned, its effect is on disk and every other process sees it; when it has
/// failed, it has no effect. What is made by a request that is met once ([`Once`]) is made once: a repetition gives what there
/// is, and another request under the same name is refused. The log of changes lets several servers follow one store. Nothing in this trait asks for
/// SQLite: another database stands behind it as well.
pub trait Store: Outbox + Tokens + Send + Sync + 'static {
    /// Makes a channel.
    fn create_channel(
        &self,
        channel: NewChannel,
        now: Timestamp,
    ) -> impl Future<Output = Result<Channel, Error>> + Send;

    /// One channel.
    fn channel(
        &self,
        name: ChannelName,
    ) -> impl Future<Output = Result<Option<Channel>, Error>> + Send;

    /// Channels in the order of their names, from behind `after`, at most `limit`.
    fn channels(
        &self,
        after: Option<ChannelName>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Channel>, Error>> + Send;

    /// Changes a channel's settings, if it still is at `version`; `None` changes it whatever it is at.
    fn update_channel(
        &self,
        name: ChannelName,
        version: Option<u64>,
        patch: ChannelPatch,
        now: Timestamp,
    ) -> impl Future<Output = Result<Channel, Error>> + Send;

    /// Deletes a channel and its keys, if it still is at `version`.
    fn delete_channel(
        &self,
        name: ChannelName,
        version: Option<u64>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Makes a key.
    fn create_key(
        &self,
        key: NewKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Key, Error>> + Send;

    /// Keys of one channel or of all in the order of their ids, from behind `after`, at most `limit`, revoked ones too.
    fn keys(
        &self,
        channel: Option<ChannelName>,
        after: Option<KeyId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Key>, Error>> + Send;

    /// One key, revoked or not.
    fn key(&self, id: KeyId) -> impl Future<Output = Result<Option<Key>, Error>> + Send;

    /// Makes a key of the same channel and label in the place of `old`, which stops being good at `expires`. What `new`
    /// says of channel and label does not count.
    fn rotate_key(
        &self,
        old: KeyId,
        new: NewKey,
        expires: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<Key, Error>> + Send;

    /// Revokes the keys that have expired by `now`.
    fn expire_keys(&self, now: Timestamp) -> impl Future<Output = Result<(), Error>> + Send;

    /// Revokes a key. Revoking it again changes nothing.
    fn revoke_key(
        &self,
        id: KeyId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Key, Error>> + Send;

    /// The key with this hash, unless it is revoked or has expired by `now`, and its channel.
    ///
    /// What is looked up is a keyed hash, so how long the look-up takes says nothing of the key.
    fn find_key(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(KeyId, Channel)>, Error>> + Send;

    /// Notes that a key was used.
    fn touch_key(
        &self,
        id: KeyId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Keys for playback tokens that are accepted at `now`, the newest first.
    fn playback_keys(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<PlaybackKeyRow>, Error>> + Send;

    /// The key that signs playback tokens; if there is none yet, it is `kid` from now on.
    fn current_playback_key(
        &self,
        kid: String,
        now: Timestamp,
    ) -> impl Future<Output = Result<PlaybackKeyRow, Error>> + Send;

    /// Lets `kid` sign from now on; the others are accepted until `retire` at the longest.
    fn rotate_playback_key(
        &self,
        kid: String,
        retire: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<PlaybackKeyRow, Error>> + Send;

    /// The end of the log.
    fn last_change(&self) -> impl Future<Output = Result<Sequence, Error>> + Send;

    /// Changes behind `since`, the oldest first, at most `limit`.
    fn changes(
        &self,
        since: Sequence,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(Sequence, Change)>, Error>> + Send;

    /// Notes broadcasts as they are at `now`, in the place of what was noted of them before.
    fn save_broadcasts(
        &self,
        broadcasts: Vec<Broadcast>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Broadcasts, the newest first, at most `limit`.
    fn broadcasts(
        &self,
        query: BroadcastQuery,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Broadcast>, Error>> + Send;

    /// One broadcast.
    fn broadcast(
        &self,
        id: BroadcastId,
    ) -> impl Future<Output = Result<Option<Broadcast>, Error>> + Send;

    /// Ends all broadcasts that have no end, at the moment when they were last noted. How many those were.
    fn close_broadcasts(
        &self,
        reason: EndReason,
    ) -> impl Future<Output = Result<usize, Error>> + Send;

    /// Forgets some of the broadcasts that ended before `before`, and some of the oldest past `most`: repeated, all.
    fn forget_broadcasts(
        &self,
        before: Option<Timestamp>,
        most: u32,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Makes the first channel and its key, the first time this is called on a store and never again, even if they are
    /// deleted. Says whether it did.
    fn seed(
        &self,
        channel: NewChannel,
        key: NewKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Key>, Error>> + Send;
}
