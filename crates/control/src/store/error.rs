use std::path::PathBuf;

use zongzi_media::ChannelName;

use crate::hooks::{DeliveryId, HookId};
use crate::secret::SecretError;
use crate::{KeyId, token};

/// Why the store could not do what it was asked. The text is for the operator and names what to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name is taken.
    #[error("channel {0} exists already")]
    ChannelExists(ChannelName),
    /// There is no such channel.
    #[error("there is no channel {0}")]
    ChannelUnknown(ChannelName),
    /// There is no such key.
    #[error("there is no key {0}")]
    KeyUnknown(KeyId),
    /// The key is revoked already, so it can't be rotated.
    #[error("key {0} is revoked; make a new one instead")]
    KeyRevoked(KeyId),
    /// Somebody else has changed it since it was read.
    #[error("channel {0} has been changed meanwhile; read it again")]
    Changed(ChannelName),
    /// There is no such hook.
    #[error("there is no hook {0}")]
    HookUnknown(HookId),
    /// Somebody else has changed the hook since it was read.
    #[error("hook {0} has been changed meanwhile; read it again")]
    HookChanged(HookId),
    /// There is no such delivery, or it was not given up.
    #[error("there is no dead letter {0}; it may wait for another try, or be gone")]
    DeliveryUnknown(DeliveryId),
    /// There is no such token for the API.
    #[error("there is no token {0}")]
    TokenUnknown(token::Id),
    /// The name of a request that is met once was used for another one.
    #[error(
        "this Idempotency-Key was used for another request, or what it made is gone; take a new one"
    )]
    Reused,
    /// The store holds as much as it may.
    #[error("there are {max} {what} already, the limit; delete some first")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many.
        max: u32,
    },
    /// Too many requests wait for the store.
    #[error("the store has too much to do; try again in a moment")]
    Busy,
    /// Another process holds the store for too long.
    #[error("{} is locked by another program; is a backup or an sqlite3 shell open on it?", .0.display())]
    Locked(PathBuf),
    /// The disk is full.
    #[error("can't write {}: the disk is full", .0.display())]
    DiskFull(PathBuf),
    /// The file or its directory can't be opened or written.
    #[error("can't open or write {}: {why}; check its owner and permissions", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is not a sound store.
    #[error("{} is damaged or no Zongzi store ({why}); put back your backup", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What was seen.
        why: String,
    },
    /// The file was written by a later version.
    #[error("{} was written by a newer Zongzi (schema {found}, this one knows {known}); update this program", path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The secret file belongs to another store.
    #[error("{} and the key-secret beside it do not belong together; put back both from one backup", .0.display())]
    ForeignSecret(PathBuf),
    /// The server's secret can't be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store's thread has ended.
    #[error("the store is closed")]
    Closed,
    /// SQLite said something else.
    #[error("{}: {source}", path.display())]
    Other {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

impl Error {
    /// The kinds of failure that are the store's own fault, for metrics.
    pub const FAULTS: [&'static str; 6] = [
        "busy",
        "locked",
        "disk_full",
        "unwritable",
        "corrupt",
        "other",
    ];

    /// Which of [`Error::FAULTS`] it is; `None` where the asker is told no.
    pub fn fault(&self) -> Option<&'static str> {
        match self {
            Self::ChannelExists(_)
            | Self::ChannelUnknown(_)
            | Self::KeyUnknown(_)
            | Self::KeyRevoked(_)
            | Self::TokenUnknown(_)
            | Self::Reused
            | Self::Changed(_)
            | Self::Limit { .. } => None,
            Self::Busy => Some("busy"),
            Self::Locked(_) => Some("locked"),
            Self::DiskFull(_) => Some("disk_full"),
            Self::Unwritable { .. } => Some("unwritable"),
            Self::Corrupt { .. } => Some("corrupt"),
            _ => Some("other"),
        }
    }
}
