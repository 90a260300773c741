use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params_from_iter};
use serde::{Deserialize, Serialize};
use zongzi_http::Timestamp;

use super::channels::{ms, timestamp};
use super::failure::Failure;
use crate::broadcast::{Advisory, Broadcast, BroadcastId, EndReason, Host, State, Track};
use crate::store::BroadcastQuery;

/// How many are forgotten in one transaction; the rest follow at the next one's end.
const FORGET_MAX: u32 = 200;

/// What is stored as JSON: nobody asks for broadcasts by it.
#[derive(Debug, Serialize, Deserialize)]
struct Details {
    host: Option<Host>,
    tracks: Vec<Track>,
    advisories: Vec<Advisory>,
}

pub(super) fn save(
    transaction: &Transaction<'_>,
    broadcasts: &[Broadcast],
    now: Timestamp,
) -> Result<(), Failure> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO broadcast (id, channel, started_ms, ended_ms, reason, seen_ms,
        interruptions, bytes, video_frames, audio_frames, average_bitrate_bps, viewers_peak,
        viewers_unique, details)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for broadcast in broadcasts {
        let details = Details {
            host: broadcast.host.clone(),
            tracks: broadcast.tracks.clone(),
            advisories: broadcast.advisories.clone(),
        };
        let details = serde_json::to_string(&details).map_err(Failure::unsound("details"))?;
        statement.execute((
            broadcast.id.as_str(),
            broadcast.channel.as_str(),
            ms(broadcast.started),
            broadcast.ended.map(ms),
            broadcast.reason.map(EndReason::as_str),
            ms(now),
            broadcast.interruptions,
            count(broadcast.bytes),
            count(broadcast.video_frames),
            count(broadcast.audio_frames),
            broadcast.average_bitrate_bps.map(count),
            count(broadcast.viewers_peak),
            count(broadcast.viewers_unique),
            details,
        ))?;
    }
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
    query: &BroadcastQuery,
    limit: u32,
) -> Result<Vec<Broadcast>, Failure> {
    let mut wanted = vec!["1"];
    let mut values: Vec<Value> = Vec::new();
    if let Some(channel) = &query.channel {
        wanted.push("channel = ?");
        values.push(channel.as_str().to_owned().into());
    }
    match query.ended {
        Some(true) => wanted.push("ended_ms IS NOT NULL"),
        Some(false) => wanted.push("ended_ms IS NULL"),
        None => {}
    }
    if let Some(after) = &query.after {
        wanted.push("id < ?");
        values.push(after.as_str().to_owned().into());
    }
    values.push(limit.into());
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM broadcast WHERE {} ORDER BY id DESC LIMIT ?",
            wanted.join(" AND ")
        ))?
        .query_map(params_from_iter(values), |row| Ok(read(row)))?
        .map(|row| row?)
        .collect()
}

pub(super) fn one(connection: &Connection, id: &BroadcastId) -> Result<Option<Broadcast>, Failure> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM broadcast WHERE id = ?1"))?
        .query_row([id.as_str()], |row| Ok(read(row)))
        .optional()?;
    row.transpose()
}

/// Ends what has no end, at the time when it was last noted.
pub(super) fn close(transaction: &Transaction<'_>, reason: EndReason) -> Result<usize, Failure> {
    let closed = transaction.execute(
        "UPDATE broadcast SET ended_ms = max(seen_ms, started_ms), reason = ?1
        WHERE ended_ms IS NULL",
        [reason.as_str()],
    )?;
    Ok(closed)
}

/// Forgets what ended before `before`, and the oldest past `most`.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    before: Option<Timestamp>,
    most: u32,
) -> Result<(), Failure> {
    if let Some(before) = before {
        transaction.execute(
            "DELETE FROM broadcast WHERE id IN
            (SELECT id FROM broadcast WHERE ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)",
            (ms(before), FORGET_MAX),
        )?;
    }
    transaction.execute(
        "DELETE FROM broadcast WHERE ended_ms IS NOT NULL AND id IN
        (SELECT id FROM broadcast ORDER BY id DESC LIMIT ?2 OFFSET ?1)",
        (most, FORGET_MAX),
    )?;
    Ok(())
}

/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "id, channel, started_ms, ended_ms, reason, interruptions, bytes, \
    video_frames, audio_frames, average_bitrate_bps, viewers_peak, viewers_unique, details";

fn read(row: &Row<'_>) -> Result<Broadcast, Failure> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let amount = |index: usize| uncount(row.get(index)?);
    let reason = row
        .get_ref(4)?
        .as_str_or_null()
        .map_err(rusqlite::Error::from)?;
    let reason = reason.map(|name| {
        EndReason::named(name).ok_or_else(|| Failure::Unsound("it holds a bad reason".to_owned()))
    });
    let details: Details =
        serde_json::from_str(text(12)?).map_err(Failure::unsound("broadcast's details"))?;
    let ended = row.get::<_, Option<i64>>(3)?.map(timestamp).transpose()?;
    Ok(Broadcast {
        id: text(0)?.parse().map_err(Failure::unsound("broadcast id"))?,
        channel: text(1)?.parse().map_err(Failure::unsound("channel name"))?,
        // Whether its host is there just now is not stored.
        state: if ended.is_some() {
            State::Ended
        } else {
            State::Live
        },
        started: timestamp(row.get(2)?)?,
        ended,
        reason: reason.transpose()?,
        host: details.host,
        tracks: details.tracks,
        advisories: details
            .advisories
            .into_iter()
            .map(|advisory| Advisory {
                active: advisory.active && ended.is_none(),
                ..advisory
            })
            .collect(),
        interruptions: row.get(5)?,
        bytes: amount(6)?,
        video_frames: amount(7)?,
        audio_frames: amount(8)?,
        average_bitrate_bps: row.get::<_, Option<i64>>(9)?.map(uncount).transpose()?,
        viewers_peak: amount(10)?,
        viewers_unique: amount(11)?,
        now: None,
    })
}

/// A count as it is stored.
fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as it was stored.
fn uncount(stored: i64) -> Result<u64, Failure> {
    u64::try_from(stored).map_err(Failure::unsound("count"))
}
