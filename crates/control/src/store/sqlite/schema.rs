use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::failure::Failure;
use crate::store::Error;

/// Each brings the schema from its index to the next number, which `PRAGMA user_version` keeps. What was published is
/// never changed: a change is a new one.
pub(super) const MIGRATIONS: &[&str] = &[
    // 1: channels, keys, the log of changes.
    "CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE channel (
        name TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        takeover TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stream_key (
        id TEXT PRIMARY KEY,
        channel TEXT NOT NULL REFERENCES channel (name) ON DELETE CASCADE,
        hash BLOB NOT NULL UNIQUE,
        prefix TEXT NOT NULL,
        label TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        last_used_ms INTEGER,
        revoked_ms INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX stream_key_of_channel ON stream_key (channel, id);
    CREATE TABLE change (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        channel TEXT NOT NULL,
        stream_key TEXT
    ) STRICT;",
    // 2: keys that expire.
    "ALTER TABLE stream_key ADD COLUMN expires_ms INTEGER;
    CREATE INDEX stream_key_to_expire ON stream_key (expires_ms)
        WHERE expires_ms IS NOT NULL AND revoked_ms IS NULL;",
    // 3: channels whose viewers need a playback token, and the names of the keys that sign them.
    "ALTER TABLE channel ADD COLUMN private INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE playback_key (
        kid TEXT PRIMARY KEY,
        created_ms INTEGER NOT NULL,
        retires_ms INTEGER
    ) STRICT, WITHOUT ROWID;",
    // 4: webhooks and their outbox. A delivery without a next time was given up.
    "CREATE TABLE hook (
        id TEXT PRIMARY KEY,
        url TEXT NOT NULL,
        events TEXT NOT NULL,
        label TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        salt BLOB NOT NULL,
        created_ms INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE hook_delivery (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        hook TEXT NOT NULL REFERENCES hook (id) ON DELETE CASCADE,
        event TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        next_ms INTEGER,
        error TEXT
    ) STRICT;
    CREATE INDEX hook_delivery_to_post ON hook_delivery (hook, next_ms, sequence);",
    // 5: the history of broadcasts, which outlives their channels.
    "CREATE TABLE broadcast (
        id TEXT PRIMARY KEY,
        channel TEXT NOT NULL,
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        reason TEXT,
        seen_ms INTEGER NOT NULL,
        interruptions INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        video_frames INTEGER NOT NULL,
        audio_frames INTEGER NOT NULL,
        average_bitrate_bps INTEGER,
        viewers_peak INTEGER NOT NULL,
        viewers_unique INTEGER NOT NULL,
        details TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX broadcast_of_channel ON broadcast (channel, id);
    CREATE INDEX broadcast_by_end ON broadcast (ended_ms);",
    // 6: channels with places for so many viewers.
    "ALTER TABLE channel ADD COLUMN max_viewers INTEGER;",
    // 7: named tokens for the API, and requests that are met once.
    "CREATE TABLE admin_token (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        scope TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        prefix TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        last_used_ms INTEGER,
        expires_ms INTEGER,
        revoked_ms INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE once (
        key BLOB PRIMARY KEY,
        request BLOB NOT NULL,
        made TEXT NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX once_by_time ON once (at_ms);",
];

/// The schema that this program writes.
const NEWEST: i64 = MIGRATIONS.len() as i64;

/// Brings the schema up to date, in one transaction for all steps.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    // Immediate: of two processes that open a new store at once, the second waits and then finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > NEWEST {
        return Err(Error::TooNew {
            path: path.to_owned(),
            found,
            known: NEWEST,
        }
        .into());
    }
    let done = usize::try_from(found).map_err(Failure::unsound("schema number"))?;
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()?;
    Ok(())
}

/// Notes the secret's check value in a new store; an old one must have the same.
pub(super) fn belongs_together(
    connection: &Connection,
    path: &Path,
    check: [u8; 32],
) -> Result<(), Failure> {
    const NAME: &str = "secret check";
    let read = "SELECT value FROM meta WHERE name = ?1";
    let noted: Option<Vec<u8>> = connection
        .query_row(read, [NAME], |row| row.get(0))
        .optional()?;
    let noted = match noted {
        Some(noted) => noted,
        None => {
            // Another process may note its own between the two statements: then the first stays and is compared.
            connection.execute("INSERT OR IGNORE INTO meta VALUES (?1, ?2)", (NAME, check))?;
            connection.query_row(read, [NAME], |row| row.get(0))?
        }
    };
    if noted == check {
        Ok(())
    } else {
        Err(Error::ForeignSecret(path.to_owned()).into())
    }
}
