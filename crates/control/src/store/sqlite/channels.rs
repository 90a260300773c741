use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use super::failure::Failure;
use super::{changes, once};
use crate::store::{CHANNELS_MAX, Change, Error};
use crate::{Channel, ChannelPatch, NewChannel};

pub(super) fn create(
    transaction: &Transaction<'_>,
    new: NewChannel,
    now: Timestamp,
) -> Result<Channel, Failure> {
    if let Some(made) = once::made(transaction, new.once.as_ref(), now)? {
        let made: ChannelName = made.parse().map_err(Failure::unsound("channel name"))?;
        return one(transaction, &made)?.ok_or_else(|| Error::Reused.into());
    }
    if one(transaction, &new.name)?.is_some() {
        return Err(Error::ChannelExists(new.name).into());
    }
    let count: u32 = transaction.query_row("SELECT count(*) FROM channel", [], |row| row.get(0))?;
    if count >= CHANNELS_MAX {
        return Err(Error::Limit {
            what: "channels",
            max: CHANNELS_MAX,
        }
        .into());
    }
    transaction.execute(
        "INSERT INTO channel (name, title, takeover, private, max_viewers, created_ms, version)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)",
        (
            new.name.as_str(),
            new.title.as_str(),
            new.takeover.as_str(),
            new.private,
            new.max_viewers,
            ms(now),
        ),
    )?;
    once::note(transaction, new.once.as_ref(), new.name.as_str(), now)?;
    changes::note(transaction, &Change::ChannelCreated(new.name.clone()), now)?;
    Ok(Channel {
        name: new.name,
        title: new.title,
        takeover: new.takeover,
        private: new.private,
        max_viewers: new.max_viewers,
        created: now,
        version: 1,
    })
}

pub(super) fn one(connection: &Connection, name: &ChannelName) -> Result<Option<Channel>, Failure> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM channel WHERE name = ?1"))?
        .query_row([name.as_str()], |row| Ok(read(row, 0)))
        .optional()?;
    row.transpose()
}

pub(super) fn list(
    connection: &Connection,
    after: Option<&ChannelName>,
    limit: u32,
) -> Result<Vec<Channel>, Failure> {
    let after = after.map_or("", ChannelName::as_str);
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM channel WHERE name > ?1 ORDER BY name LIMIT ?2"
        ))?
        .query_map((after, limit), |row| Ok(read(row, 0)))?
        .map(|row| row?)
        .collect()
}

pub(super) fn update(
    transaction: &Transaction<'_>,
    name: ChannelName,
    version: Option<u64>,
    patch: ChannelPatch,
    now: Timestamp,
) -> Result<Channel, Failure> {
    let mut channel = at_version(transaction, name, version)?;
    let before = channel.clone();
    channel.title = patch.title.unwrap_or(channel.title);
    channel.takeover = patch.takeover.unwrap_or(channel.takeover);
    channel.private = patch.private.unwrap_or(channel.private);
    channel.max_viewers = patch.max_viewers.unwrap_or(channel.max_viewers);
    if channel == before {
        return Ok(channel);
    }
    channel.version = channel.version.saturating_add(1);
    transaction.execute(
        "UPDATE channel SET title = ?2, takeover = ?3, private = ?4, max_viewers = ?5,
            version = version + 1
        WHERE name = ?1",
        (
            channel.name.as_str(),
            channel.title.as_str(),
            channel.takeover.as_str(),
            channel.private,
            channel.max_viewers,
        ),
    )?;
    changes::note(
        transaction,
        &Change::ChannelUpdated(channel.name.clone()),
        now,
    )?;
    Ok(channel)
}

pub(super) fn delete(
    transaction: &Transaction<'_>,
    name: ChannelName,
    version: Option<u64>,
    now: Timestamp,
) -> Result<(), Failure> {
    let name = at_version(transaction, name, version)?.name;
    transaction.execute("DELETE FROM channel WHERE name = ?1", [name.as_str()])?;
    changes::note(transaction, &Change::ChannelDeleted(name), now)
}

/// The channel, which must be at `version` if one is named.
fn at_version(
    connection: &Connection,
    name: ChannelName,
    version: Option<u64>,
) -> Result<Channel, Failure> {
    match one(connection, &name)? {
        None => Err(Error::ChannelUnknown(name).into()),
        Some(channel) if version.is_some_and(|version| version != channel.version) => {
            Err(Error::Changed(name).into())
        }
        Some(channel) => Ok(channel),
    }
}

/// The columns that [`read`] reads, in its order.
pub(super) const COLUMNS: &str = "channel.name, channel.title, channel.takeover, channel.private, channel.max_viewers, \
    channel.created_ms, channel.version";

/// Reads a channel from the columns of a row that begin at `first`.
pub(super) fn read(row: &Row<'_>, first: usize) -> Result<Channel, Failure> {
    let text = |index: usize| {
        row.get_ref(first + index)?
            .as_str()
            .map_err(rusqlite::Error::from)
    };
    Ok(Channel {
        name: text(0)?.parse().map_err(Failure::unsound("channel name"))?,
        title: text(1)?.parse().map_err(Failure::unsound("title"))?,
        takeover: text(2)?.parse().map_err(Failure::unsound("takeover"))?,
        private: row.get(first + 3)?,
        max_viewers: row.get(first + 4)?,
        created: timestamp(row.get(first + 5)?)?,
        version: u64::try_from(row.get::<_, i64>(first + 6)?)
            .map_err(Failure::unsound("version"))?,
    })
}

/// An instant as it is stored.
pub(super) fn ms(at: Timestamp) -> i64 {
    i64::try_from(at.unix_ms()).expect("the year 9999 fits")
}

/// An instant as it was stored.
pub(super) fn timestamp(ms: i64) -> Result<Timestamp, Failure> {
    u64::try_from(ms)
        .map(Timestamp::from_unix_ms)
        .map_err(Failure::unsound("time"))
}
