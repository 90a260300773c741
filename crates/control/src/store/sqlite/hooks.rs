use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use zongzi_http::Timestamp;

use super::channels::{ms, timestamp};
use super::failure::Failure;
use super::once;
use crate::events::Kind;
use crate::hooks::{Hook, HookId, HookPatch, NewHook};
use crate::store::{Error, HOOKS_MAX};

pub(super) fn create(
    transaction: &Transaction<'_>,
    new: NewHook,
    now: Timestamp,
) -> Result<Hook, Failure> {
    let made = one(transaction, &new.id)?;
    if let Some(made) = once::again(transaction, new.once.as_ref(), made, now)? {
        return Ok(made);
    }
    let count: u32 = transaction.query_row("SELECT count(*) FROM hook", [], |row| row.get(0))?;
    if count >= HOOKS_MAX {
        return Err(Error::Limit {
            what: "hooks",
            max: HOOKS_MAX,
        }
        .into());
    }
    let hook = Hook {
        id: new.id,
        url: new.url,
        events: new.events,
        label: new.label,
        enabled: true,
        created: now,
        version: 1,
        salt: new.salt,
    };
    transaction.execute(
        "INSERT INTO hook (id, url, events, label, enabled, salt, created_ms, version)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
        (
            hook.id.as_str(),
            hook.url.as_str(),
            names(&hook.events),
            hook.label.as_str(),
            hook.enabled,
            hook.salt,
            ms(now),
        ),
    )?;
    once::note(transaction, new.once.as_ref(), hook.id.as_str(), now)?;
    Ok(hook)
}

pub(super) fn one(connection: &Connection, id: &HookId) -> Result<Option<Hook>, Failure> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM hook WHERE id = ?1"))?
        .query_row([id.as_str()], |row| Ok(read(row)))
        .optional()?;
    row.transpose()
}

pub(super) fn list(
    connection: &Connection,
    after: Option<&HookId>,
    limit: u32,
) -> Result<Vec<Hook>, Failure> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM hook WHERE id > ?1 ORDER BY id LIMIT ?2"
        ))?
        .query_map((after.map_or("", HookId::as_str), limit), |row| {
            Ok(read(row))
        })?
        .map(|row| row?)
        .collect()
}

pub(super) fn update(
    transaction: &Transaction<'_>,
    id: HookId,
    version: Option<u64>,
    patch: HookPatch,
) -> Result<Hook, Failure> {
    let before = at_version(transaction, id, version)?;
    let mut hook = Hook {
        url: patch.url.unwrap_or_else(|| before.url.clone()),
        events: patch.events.unwrap_or_else(|| before.events.clone()),
        label: patch.label.unwrap_or_else(|| before.label.clone()),
        enabled: patch.enabled.unwrap_or(before.enabled),
        ..before.clone()
    };
    if hook == before {
        return Ok(hook);
    }
    hook.version = hook.version.saturating_add(1);
    transaction.execute(
        "UPDATE hook SET url = ?2, events = ?3, label = ?4, enabled = ?5, version = version + 1
        WHERE id = ?1",
        (
            hook.id.as_str(),
            hook.url.as_str(),
            names(&hook.events),
            hook.label.as_str(),
            hook.enabled,
        ),
    )?;
    Ok(hook)
}

pub(super) fn delete(
    transaction: &Transaction<'_>,
    id: HookId,
    version: Option<u64>,
) -> Result<(), Failure> {
    let id = at_version(transaction, id, version)?.id;
    transaction.execute("DELETE FROM hook WHERE id = ?1", [id.as_str()])?;
    Ok(())
}

/// The hook, which must be at `version` if one is named.
fn at_version(connection: &Connection, id: HookId, version: Option<u64>) -> Result<Hook, Failure> {
    match one(connection, &id)? {
        None => Err(Error::HookUnknown(id).into()),
        Some(hook) if version.is_some_and(|version| version != hook.version) => {
            Err(Error::HookChanged(id).into())
        }
        Some(hook) => Ok(hook),
    }
}

/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "id, url, events, label, enabled, salt, created_ms, version";

fn read(row: &Row<'_>) -> Result<Hook, Failure> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let events = text(2)?.split_whitespace().map(str::parse::<Kind>);
    Ok(Hook {
        id: text(0)?.parse().map_err(Failure::unsound("hook id"))?,
        url: text(1)?.parse().map_err(Failure::unsound("hook address"))?,
        events: events
            .collect::<Result<_, _>>()
            .map_err(Failure::unsound("event name"))?,
        label: text(3)?.parse().map_err(Failure::unsound("label"))?,
        enabled: row.get(4)?,
        salt: row.get(5)?,
        created: timestamp(row.get(6)?)?,
        version: u64::try_from(row.get::<_, i64>(7)?).map_err(Failure::unsound("version"))?,
    })
}

fn names(events: &[Kind]) -> String {
    let names: Vec<_> = events.iter().map(|kind| kind.as_str()).collect();
    names.join(" ")
}
