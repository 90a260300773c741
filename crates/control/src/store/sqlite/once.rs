use rusqlite::{OptionalExtension as _, Transaction};
use zongzi_http::Timestamp;

use super::channels::ms;
use super::failure::Failure;
use crate::once::Once;
use crate::store::{Error, ONCE_KEPT_MS, ONCE_MAX};

/// What `once` has made before, by its public name; `None`: it is to be made now, and then [`note`]d.
pub(super) fn made(
    transaction: &Transaction<'_>,
    once: Option<&Once>,
    now: Timestamp,
) -> Result<Option<String>, Failure> {
    let Some(once) = once else {
        return Ok(None);
    };
    transaction.execute(
        "DELETE FROM once WHERE at_ms < ?1 - ?2",
        (ms(now), ONCE_KEPT_MS),
    )?;
    let found: Option<([u8; 32], String)> = transaction
        .query_row(
            "SELECT request, made FROM once WHERE key = ?1",
            [once.key()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match found {
        Some((request, _)) if request != once.request() => Err(Error::Reused.into()),
        found => Ok(found.map(|(_, made)| made)),
    }
}

/// The same for what gets its name from `once`: `there` is what bears that name.
pub(super) fn again<T>(
    transaction: &Transaction<'_>,
    once: Option<&Once>,
    there: Option<T>,
    now: Timestamp,
) -> Result<Option<T>, Failure> {
    // Gone meanwhile, or so old that nobody knows the request any more.
    if made(transaction, once, now)?.is_some() != there.is_some() {
        return Err(Error::Reused.into());
    }
    Ok(there)
}

/// Notes what `once` has made, in the transaction that makes it.
pub(super) fn note(
    transaction: &Transaction<'_>,
    once: Option<&Once>,
    made: &str,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(once) = once else {
        return Ok(());
    };
    let count: u32 = transaction.query_row("SELECT count(*) FROM once", [], |row| row.get(0))?;
    if count >= ONCE_MAX {
        return Err(Error::Limit {
            what: "Idempotency-Keys of the last day",
            max: ONCE_MAX,
        }
        .into());
    }
    transaction.execute(
        "INSERT INTO once (key, request, made, at_ms) VALUES (?1, ?2, ?3, ?4)",
        (once.key(), once.request(), made, ms(now)),
    )?;
    Ok(())
}
