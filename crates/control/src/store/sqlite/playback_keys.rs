use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use zongzi_http::Timestamp;

use super::channels::{ms, timestamp};
use super::failure::Failure;
use crate::store::{Error, PLAYBACK_KEYS_MAX, PlaybackKeyRow};

/// Those that are accepted at `now`, the newest first.
pub(super) fn accepted(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<PlaybackKeyRow>, Failure> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM playback_key WHERE retires_ms IS NULL OR retires_ms > ?1
            ORDER BY created_ms DESC, kid LIMIT ?2"
        ))?
        .query_map((ms(now), PLAYBACK_KEYS_MAX), |row| Ok(read(row)))?
        .map(|row| row?)
        .collect()
}

/// The one that signs; `kid` if there is none yet.
pub(super) fn current(
    transaction: &Transaction<'_>,
    kid: String,
    now: Timestamp,
) -> Result<PlaybackKeyRow, Failure> {
    let row = transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM playback_key WHERE retires_ms IS NULL LIMIT 1"
        ))?
        .query_row((), |row| Ok(read(row)))
        .optional()?;
    match row {
        Some(row) => row,
        None => insert(transaction, kid, now),
    }
}

/// Puts `kid` in the place of all others, which are accepted until `retire` at the longest.
pub(super) fn rotate(
    transaction: &Transaction<'_>,
    kid: String,
    retire: Timestamp,
    now: Timestamp,
) -> Result<PlaybackKeyRow, Failure> {
    transaction.execute(
        "UPDATE playback_key SET retires_ms = ?1 WHERE retires_ms IS NULL OR retires_ms > ?1",
        [ms(retire)],
    )?;
    transaction.execute("DELETE FROM playback_key WHERE retires_ms <= ?1", [ms(now)])?;
    let count: u32 =
        transaction.query_row("SELECT count(*) FROM playback_key", [], |row| row.get(0))?;
    if count >= PLAYBACK_KEYS_MAX {
        return Err(Error::Limit {
            what: "keys for playback tokens that are still accepted",
            max: PLAYBACK_KEYS_MAX,
        }
        .into());
    }
    insert(transaction, kid, now)
}

fn insert(
    transaction: &Transaction<'_>,
    kid: String,
    now: Timestamp,
) -> Result<PlaybackKeyRow, Failure> {
    transaction.execute(
        "INSERT INTO playback_key (kid, created_ms) VALUES (?1, ?2)",
        (&kid, ms(now)),
    )?;
    Ok(PlaybackKeyRow {
        kid,
        created: now,
        retires: None,
    })
}

const COLUMNS: &str = "kid, created_ms, retires_ms";

fn read(row: &Row<'_>) -> Result<PlaybackKeyRow, Failure> {
    let retires: Option<i64> = row.get(2)?;
    Ok(PlaybackKeyRow {
        kid: row.get(0)?,
        created: timestamp(row.get(1)?)?,
        retires: retires.map(timestamp).transpose()?,
    })
}
