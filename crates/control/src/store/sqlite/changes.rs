use rusqlite::{Connection, Row, Transaction};
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use super::channels::ms;
use super::failure::Failure;
use crate::KeyId;
use crate::store::{CHANGES_KEPT_DAYS, Change, Sequence};

const CHANNEL_CREATED: &str = "channel created";
const CHANNEL_UPDATED: &str = "channel updated";
const CHANNEL_DELETED: &str = "channel deleted";
const KEY_CREATED: &str = "key created";
const KEY_REVOKED: &str = "key revoked";

/// Notes a change in the transaction that makes it, and forgets old ones.
pub(super) fn note(
    transaction: &Transaction<'_>,
    change: &Change,
    now: Timestamp,
) -> Result<(), Failure> {
    let (kind, channel, key) = match change {
        Change::ChannelCreated(channel) => (CHANNEL_CREATED, channel, None),
        Change::ChannelUpdated(channel) => (CHANNEL_UPDATED, channel, None),
        Change::ChannelDeleted(channel) => (CHANNEL_DELETED, channel, None),
        Change::KeyCreated { channel, key } => (KEY_CREATED, channel, Some(key)),
        Change::KeyRevoked { channel, key } => (KEY_REVOKED, channel, Some(key)),
    };
    transaction.execute(
        "INSERT INTO change (at_ms, kind, channel, stream_key) VALUES (?1, ?2, ?3, ?4)",
        (ms(now), kind, channel.as_str(), key.map(KeyId::as_str)),
    )?;
    // The log is in the order of time, so the old ones are found at its beginning; a few at a time keep this short.
    let kept_ms = CHANGES_KEPT_DAYS.saturating_mul(86_400_000);
    let oldest = ms(Timestamp::from_unix_ms(
        now.unix_ms().saturating_sub(kept_ms),
    ));
    transaction.execute(
        "DELETE FROM change WHERE sequence IN
        (SELECT sequence FROM change ORDER BY sequence LIMIT 4) AND at_ms < ?1",
        [oldest],
    )?;
    Ok(())
}

pub(super) fn last(connection: &Connection) -> Result<Sequence, Failure> {
    let last =
        connection.query_row("SELECT coalesce(max(sequence), 0) FROM change", [], |row| {
            row.get(0).map(Sequence)
        })?;
    Ok(last)
}

pub(super) fn since(
    connection: &Connection,
    since: Sequence,
    limit: u32,
) -> Result<Vec<(Sequence, Change)>, Failure> {
    connection
        .prepare_cached(
            "SELECT sequence, kind, channel, stream_key FROM change
            WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
        )?
        .query_map((since.0, limit), |row| Ok(read(row)))?
        .map(|row| row?)
        .collect()
}

fn read(row: &Row<'_>) -> Result<(Sequence, Change), Failure> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let channel: ChannelName = text(2)?.parse().map_err(Failure::unsound("channel name"))?;
    let key = || {
        text(3)?
            .parse::<KeyId>()
            .map_err(Failure::unsound("key id"))
    };
    let change = match text(1)? {
        CHANNEL_CREATED => Change::ChannelCreated(channel),
        CHANNEL_UPDATED => Change::ChannelUpdated(channel),
        CHANNEL_DELETED => Change::ChannelDeleted(channel),
        KEY_CREATED => Change::KeyCreated {
            channel,
            key: key()?,
        },
        KEY_REVOKED => Change::KeyRevoked {
            channel,
            key: key()?,
        },
        _ => return Err(Failure::Unsound("it holds a bad change".to_owned())),
    };
    Ok((Sequence(row.get(0)?), change))
}
