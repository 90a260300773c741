use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use zongzi_http::Timestamp;

use super::channels::{ms, timestamp};
use super::failure::Failure;
use super::{Sqlite, hooks};
use crate::hooks::{
    Backlog, Delivery, DeliveryId, Due, Hook, HookId, HookPatch, NewHook, Outgoing,
};
use crate::store::{DEAD_KEPT_DAYS, DEAD_MAX, Enqueued, Error, HOOKS_MAX, Outbox, WAITING_MAX};

impl Outbox for Sqlite {
    async fn create_hook(&self, hook: NewHook, now: Timestamp) -> Result<Hook, Error> {
        self.write(move |transaction| hooks::create(transaction, hook, now))
            .await
    }

    async fn hook(&self, id: HookId) -> Result<Option<Hook>, Error> {
        self.run(move |connection| hooks::one(connection, &id))
            .await
    }

    async fn hooks(&self, after: Option<HookId>, limit: u32) -> Result<Vec<Hook>, Error> {
        self.run(move |connection| hooks::list(connection, after.as_ref(), limit))
            .await
    }

    async fn update_hook(
        &self,
        id: HookId,
        version: Option<u64>,
        patch: HookPatch,
    ) -> Result<Hook, Error> {
        self.write(move |transaction| hooks::update(transaction, id, version, patch))
            .await
    }

    async fn delete_hook(&self, id: HookId, version: Option<u64>) -> Result<(), Error> {
        self.write(move |transaction| hooks::delete(transaction, id, version))
            .await
    }

    async fn enqueue(&self, documents: Vec<Outgoing>, now: Timestamp) -> Result<Enqueued, Error> {
        self.write(move |transaction| enqueue(transaction, &documents, now))
            .await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, Error> {
        self.run(move |connection| backlog(connection, now)).await
    }

    async fn delivered(&self, id: DeliveryId) -> Result<(), Error> {
        self.write(move |transaction| delivered(transaction, id))
            .await
    }

    async fn failed(
        &self,
        id: DeliveryId,
        next: Option<Timestamp>,
        why: String,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(move |transaction| failed(transaction, id, next, &why, now))
            .await
    }

    async fn dead_letters(
        &self,
        hook: HookId,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error> {
        self.run(move |connection| dead(connection, &hook, after, limit))
            .await
    }

    async fn redeliver(
        &self,
        hook: HookId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, Error> {
        self.write(move |transaction| redeliver(transaction, &hook, id, now))
            .await
    }
}

fn enqueue(
    transaction: &Transaction<'_>,
    documents: &[Outgoing],
    now: Timestamp,
) -> Result<Enqueued, Failure> {
    let mut enqueued = Enqueued::default();
    for hook in hooks::list(transaction, None, HOOKS_MAX)? {
        let wanted = documents
            .iter()
            .filter(|document| hook.wants(document.kind));
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            continue;
        }
        let waiting: u32 = transaction
            .prepare_cached(
                "SELECT count(*) FROM hook_delivery WHERE hook = ?1 AND next_ms IS NOT NULL",
            )?
            .query_row([hook.id.as_str()], |row| row.get(0))?;
        let places = usize::try_from(WAITING_MAX.saturating_sub(waiting)).unwrap_or(usize::MAX);
        for document in wanted.iter().take(places) {
            transaction
                .prepare_cached(
                    "INSERT INTO hook_delivery
                    (hook, event, kind, body, created_ms, attempts, next_ms)
                    VALUES (?1, ?2, ?3, ?4, ?5, 0, ?5)",
                )?
                .execute((
                    hook.id.as_str(),
                    &document.event,
                    document.kind.as_str(),
                    &document.body,
                    ms(now),
                ))?;
        }
        let queued = wanted.len().min(places);
        let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        enqueued.queued += count(queued);
        enqueued.refused += count(wanted.len() - queued);
    }
    Ok(enqueued)
}

fn backlog(connection: &Connection, now: Timestamp) -> Result<Backlog, Failure> {
    let (waiting, dead): (i64, i64) = connection
        .prepare_cached("SELECT count(next_ms), count(*) - count(next_ms) FROM hook_delivery")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let count = |many: i64| u64::try_from(many).map_err(Failure::unsound("count"));
    let mut backlog = Backlog {
        due: Vec::new(),
        waiting: count(waiting)?,
        dead: count(dead)?,
    };
    if backlog.waiting == 0 {
        return Ok(backlog);
    }
    for hook in hooks::list(connection, None, HOOKS_MAX)? {
        if !hook.enabled {
            continue;
        }
        let row = connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM hook_delivery WHERE hook = ?1 AND next_ms <= ?2
                ORDER BY next_ms, sequence LIMIT 1"
            ))?
            .query_row((hook.id.as_str(), ms(now)), |row| Ok(read(row)))
            .optional()?;
        if let Some(delivery) = row.transpose()? {
            backlog.due.push(Due { hook, delivery });
        }
    }
    Ok(backlog)
}

fn delivered(transaction: &Transaction<'_>, id: DeliveryId) -> Result<(), Failure> {
    transaction.execute("DELETE FROM hook_delivery WHERE sequence = ?1", [id.0])?;
    Ok(())
}

fn failed(
    transaction: &Transaction<'_>,
    id: DeliveryId,
    next: Option<Timestamp>,
    why: &str,
    now: Timestamp,
) -> Result<(), Failure> {
    transaction.execute(
        "UPDATE hook_delivery SET attempts = attempts + 1, next_ms = ?2, error = ?3
        WHERE sequence = ?1",
        (id.0, next.map(ms), why),
    )?;
    if next.is_none() {
        bury(transaction, id, now)?;
    }
    Ok(())
}

/// Forgets deliveries of the same hook that were given up long ago, or are too many.
fn bury(transaction: &Transaction<'_>, id: DeliveryId, now: Timestamp) -> Result<(), Failure> {
    let kept_ms = DEAD_KEPT_DAYS.saturating_mul(86_400_000);
    let oldest = Timestamp::from_unix_ms(now.unix_ms().saturating_sub(kept_ms));
    transaction.execute(
        "DELETE FROM hook_delivery
        WHERE hook = (SELECT hook FROM hook_delivery WHERE sequence = ?1) AND next_ms IS NULL
        AND (created_ms < ?2 OR sequence NOT IN (
            SELECT sequence FROM hook_delivery
            WHERE hook = (SELECT hook FROM hook_delivery WHERE sequence = ?1)
            AND next_ms IS NULL ORDER BY sequence DESC LIMIT ?3))",
        (id.0, ms(oldest), DEAD_MAX),
    )?;
    Ok(())
}

fn dead(
    connection: &Connection,
    hook: &HookId,
    after: Option<DeliveryId>,
    limit: u32,
) -> Result<Vec<Delivery>, Failure> {
    known(connection, hook)?;
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM hook_delivery
            WHERE hook = ?1 AND next_ms IS NULL AND sequence > ?2 ORDER BY sequence LIMIT ?3"
        ))?
        .query_map((hook.as_str(), after.map_or(-1, |id| id.0), limit), |row| {
            Ok(read(row))
        })?
        .map(|row| row?)
        .collect()
}

fn redeliver(
    transaction: &Transaction<'_>,
    hook: &HookId,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Delivery, Failure> {
    known(transaction, hook)?;
    let row = transaction
        .prepare_cached(&format!(
            "UPDATE hook_delivery SET next_ms = ?3, attempts = 0
            WHERE hook = ?1 AND sequence = ?2 AND next_ms IS NULL RETURNING {COLUMNS}"
        ))?
        .query_row((hook.as_str(), id.0, ms(now)), |row| Ok(read(row)))
        .optional()?;
    row.ok_or(Error::DeliveryUnknown(id))?
}

fn known(connection: &Connection, hook: &HookId) -> Result<(), Failure> {
    match hooks::one(connection, hook)? {
        Some(_) => Ok(()),
        None => Err(Error::HookUnknown(hook.clone()).into()),
    }
}

/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "sequence, hook, event, kind, body, created_ms, attempts, error";

fn read(row: &Row<'_>) -> Result<Delivery, Failure> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        hook: text(1)?.parse().map_err(Failure::unsound("hook id"))?,
        event: row.get(2)?,
        kind: text(3)?.parse().map_err(Failure::unsound("event name"))?,
        body: row.get(4)?,
        created: timestamp(row.get(5)?)?,
        attempts: row.get(6)?,
        error: row.get(7)?,
    })
}

#[cfg(test)]
mod tests;
