use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use super::channels::{self, ms, timestamp};
use super::failure::Failure;
use super::{changes, once};
use crate::store::{Change, Error, KEYS_MAX, NewKey};
use crate::{Channel, Key, KeyId};

/// How much later than the last note a use must be to be noted: a host that reconnects each second writes no more.
const TOUCH_INTERVAL_MS: i64 = 60_000;
/// How many keys are revoked in one transaction because they have expired; the rest follow at the next poll.
const EXPIRE_MAX: u32 = 100;

pub(super) fn create(
    transaction: &Transaction<'_>,
    new: NewKey,
    now: Timestamp,
) -> Result<Key, Failure> {
    let made = one(transaction, &new.id)?;
    if let Some(made) = once::again(transaction, new.once.as_ref(), made, now)? {
        return Ok(made);
    }
    if channels::one(transaction, &new.channel)?.is_none() {
        return Err(Error::ChannelUnknown(new.channel).into());
    }
    let count: u32 = transaction.query_row(
        "SELECT count(*) FROM stream_key WHERE channel = ?1 AND revoked_ms IS NULL",
        [new.channel.as_str()],
        |row| row.get(0),
    )?;
    if count >= KEYS_MAX {
        return Err(Error::Limit {
            what: "keys of this channel",
            max: KEYS_MAX,
        }
        .into());
    }
    transaction.execute(
        "INSERT INTO stream_key (id, channel, hash, prefix, label, created_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            new.id.as_str(),
            new.channel.as_str(),
            new.hash,
            &new.prefix,
            new.label.as_str(),
            ms(now),
        ),
    )?;
    once::note(transaction, new.once.as_ref(), new.id.as_str(), now)?;
    let change = Change::KeyCreated {
        channel: new.channel.clone(),
        key: new.id.clone(),
    };
    changes::note(transaction, &change, now)?;
    Ok(Key {
        id: new.id,
        channel: new.channel,
        prefix: new.prefix,
        label: new.label,
        created: now,
        last_used: None,
        expires: None,
        revoked: None,
    })
}

pub(super) fn list(
    connection: &Connection,
    channel: Option<&ChannelName>,
    after: Option<&KeyId>,
    limit: u32,
) -> Result<Vec<Key>, Failure> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM stream_key
            WHERE (?1 IS NULL OR channel = ?1) AND id > ?2 ORDER BY id LIMIT ?3"
        ))?
        .query_map(
            (
                channel.map(ChannelName::as_str),
                after.map_or("", KeyId::as_str),
                limit,
            ),
            |row| Ok(read(row)),
        )?
        .map(|row| row?)
        .collect()
}

pub(super) fn one(connection: &Connection, id: &KeyId) -> Result<Option<Key>, Failure> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM stream_key WHERE id = ?1"))?
        .query_row([id.as_str()], |row| Ok(read(row)))
        .optional()?;
    row.transpose()
}

pub(super) fn rotate(
    transaction: &Transaction<'_>,
    old: KeyId,
    new: NewKey,
    expires: Timestamp,
    now: Timestamp,
) -> Result<Key, Failure> {
    let made = one(transaction, &new.id)?;
    if let Some(made) = once::again(transaction, new.once.as_ref(), made, now)? {
        return Ok(made);
    }
    let Some(old) = one(transaction, &old)? else {
        return Err(Error::KeyUnknown(old).into());
    };
    if old.revoked.is_some() {
        return Err(Error::KeyRevoked(old.id).into());
    }
    // A key that was rotated before keeps the earlier end.
    transaction.execute(
        "UPDATE stream_key SET expires_ms = min(coalesce(expires_ms, ?2), ?2) WHERE id = ?1",
        (old.id.as_str(), ms(expires)),
    )?;
    create(
        transaction,
        NewKey {
            channel: old.channel,
            label: old.label,
            ..new
        },
        now,
    )
}

pub(super) fn expire(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), Failure> {
    let due: Vec<Key> = transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM stream_key WHERE expires_ms <= ?1 AND revoked_ms IS NULL LIMIT ?2"
        ))?
        .query_map((ms(now), EXPIRE_MAX), |row| Ok(read(row)))?
        .map(|row| row?)
        .collect::<Result<_, Failure>>()?;
    for key in due {
        revoke(transaction, key.id, now)?;
    }
    Ok(())
}

/// Whether [`expire`] has something to do: asked often, and answered from an index without a write.
pub(super) fn any_expired(connection: &Connection, now: Timestamp) -> Result<bool, Failure> {
    let any = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM stream_key WHERE expires_ms <= ?1 AND revoked_ms IS NULL)",
        )?
        .query_row([ms(now)], |row| row.get(0))?;
    Ok(any)
}

pub(super) fn revoke(
    transaction: &Transaction<'_>,
    id: KeyId,
    now: Timestamp,
) -> Result<Key, Failure> {
    let Some(mut key) = one(transaction, &id)? else {
        return Err(Error::KeyUnknown(id).into());
    };
    if key.revoked.is_some() {
        return Ok(key);
    }
    transaction.execute(
        "UPDATE stream_key SET revoked_ms = ?2 WHERE id = ?1",
        (key.id.as_str(), ms(now)),
    )?;
    let change = Change::KeyRevoked {
        channel: key.channel.clone(),
        key: key.id.clone(),
    };
    changes::note(transaction, &change, now)?;
    key.revoked = Some(now);
    Ok(key)
}

pub(super) fn find(
    connection: &Connection,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<(KeyId, Channel)>, Failure> {
    let row = connection
        .prepare_cached(&format!(
            "SELECT stream_key.id, {columns} FROM stream_key
            JOIN channel ON channel.name = stream_key.channel
            WHERE stream_key.hash = ?1 AND stream_key.revoked_ms IS NULL
            AND (stream_key.expires_ms IS NULL OR stream_key.expires_ms > ?2)",
            columns = channels::COLUMNS
        ))?
        .query_row((hash, ms(now)), |row| {
            Ok(id(row).and_then(|id| Ok((id, channels::read(row, 1)?))))
        })
        .optional()?;
    row.transpose()
}

pub(super) fn touch(
    transaction: &Transaction<'_>,
    id: &KeyId,
    now: Timestamp,
) -> Result<(), Failure> {
    transaction.execute(
        "UPDATE stream_key SET last_used_ms = ?2
        WHERE id = ?1 AND (last_used_ms IS NULL OR last_used_ms < ?2 - ?3)",
        (id.as_str(), ms(now), TOUCH_INTERVAL_MS),
    )?;
    Ok(())
}

/// The columns that [`read`] reads, in its order.
const COLUMNS: &str =
    "id, channel, prefix, label, created_ms, last_used_ms, expires_ms, revoked_ms";

fn read(row: &Row<'_>) -> Result<Key, Failure> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let instant = |index: usize| row.get::<_, Option<i64>>(index)?.map(timestamp).transpose();
    Ok(Key {
        id: id(row)?,
        channel: text(1)?.parse().map_err(Failure::unsound("channel name"))?,
        prefix: row.get(2)?,
        label: text(3)?.parse().map_err(Failure::unsound("label"))?,
        created: timestamp(row.get(4)?)?,
        last_used: instant(5)?,
        expires: instant(6)?,
        revoked: instant(7)?,
    })
}

/// The id in a row's first column.
fn id(row: &Row<'_>) -> Result<KeyId, Failure> {
    let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    text.parse().map_err(Failure::unsound("key id"))
}
