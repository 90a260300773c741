use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use zongzi_http::Timestamp;

use super::channels::{ms, timestamp};
use super::failure::Failure;
use super::{Sqlite, once};
use crate::secret::Hash;
use crate::store::{Error, NewToken, TOKENS_DEAD_MAX, TOKENS_MAX, Tokens};
use crate::token::{Id, Scope, Token};

/// How much later than the last note a use must be to be noted.
const TOUCH_INTERVAL_MS: i64 = 60_000;

impl Tokens for Sqlite {
    async fn create_token(&self, token: NewToken, now: Timestamp) -> Result<Token, Error> {
        self.write(move |transaction| create(transaction, token, now))
            .await
    }

    async fn tokens(&self, after: Option<Id>, limit: u32) -> Result<Vec<Token>, Error> {
        self.run(move |connection| list(connection, after.as_ref(), limit))
            .await
    }

    async fn token(&self, id: Id) -> Result<Option<Token>, Error> {
        self.run(move |connection| one(connection, &id)).await
    }

    async fn revoke_token(&self, id: Id, now: Timestamp) -> Result<Token, Error> {
        self.write(move |transaction| revoke(transaction, id, now))
            .await
    }

    async fn use_token(&self, hash: Hash, now: Timestamp) -> Result<Option<(Id, Scope)>, Error> {
        let found = self
            .run(move |connection| find(connection, hash, now))
            .await?;
        let Some(token) = found else {
            return Ok(None);
        };
        let stale = |noted: Timestamp| ms(noted) < ms(now) - TOUCH_INTERVAL_MS;
        if token.last_used.is_none_or(stale) {
            let id = token.id.clone();
            let noted = self.write(move |transaction| touch(transaction, &id, now));
            // A full disk is no reason to keep an operator out.
            if let Err(error) = noted.await {
                tracing::warn!(%error, "the use of a token could not be noted");
            }
        }
        Ok(Some((token.id, token.scope)))
    }
}

fn create(transaction: &Transaction<'_>, new: NewToken, now: Timestamp) -> Result<Token, Failure> {
    let made = one(transaction, &new.id)?;
    if let Some(made) = once::again(transaction, new.once.as_ref(), made, now)? {
        return Ok(made);
    }
    let count: u32 = transaction.query_row(
        "SELECT count(*) FROM admin_token
        WHERE revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?1)",
        [ms(now)],
        |row| row.get(0),
    )?;
    if count >= TOKENS_MAX {
        return Err(Error::Limit {
            what: "tokens",
            max: TOKENS_MAX,
        }
        .into());
    }
    transaction.execute(
        "DELETE FROM admin_token WHERE id IN (
            SELECT id FROM admin_token WHERE revoked_ms IS NOT NULL OR expires_ms <= ?1
            ORDER BY coalesce(revoked_ms, expires_ms) DESC LIMIT -1 OFFSET ?2)",
        (ms(now), TOKENS_DEAD_MAX),
    )?;
    transaction.execute(
        "INSERT INTO admin_token (id, name, scope, hash, prefix, created_ms, expires_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (
            new.id.as_str(),
            new.name.as_str(),
            new.scope.as_str(),
            new.hash,
            &new.prefix,
            ms(now),
            new.expires.map(ms),
        ),
    )?;
    once::note(transaction, new.once.as_ref(), new.id.as_str(), now)?;
    Ok(Token {
        id: new.id,
        name: new.name,
        scope: new.scope,
        prefix: new.prefix,
        created: now,
        last_used: None,
        expires: new.expires,
        revoked: None,
    })
}

fn list(connection: &Connection, after: Option<&Id>, limit: u32) -> Result<Vec<Token>, Failure> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM admin_token WHERE id > ?1 ORDER BY id LIMIT ?2"
        ))?
        .query_map((after.map_or("", Id::as_str), limit), |row| Ok(read(row)))?
        .map(|row| row?)
        .collect()
}

fn one(connection: &Connection, id: &Id) -> Result<Option<Token>, Failure> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM admin_token WHERE id = ?1"))?
        .query_row([id.as_str()], |row| Ok(read(row)))
        .optional()?;
    row.transpose()
}

fn revoke(transaction: &Transaction<'_>, id: Id, now: Timestamp) -> Result<Token, Failure> {
    let Some(mut token) = one(transaction, &id)? else {
        return Err(Error::TokenUnknown(id).into());
    };
    if token.revoked.is_none() {
        transaction.execute(
            "UPDATE admin_token SET revoked_ms = ?2 WHERE id = ?1",
            (token.id.as_str(), ms(now)),
        )?;
        token.revoked = Some(now);
    }
    Ok(token)
}

fn find(connection: &Connection, hash: Hash, now: Timestamp) -> Result<Option<Token>, Failure> {
    let row = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM admin_token WHERE hash = ?1 AND revoked_ms IS NULL
            AND (expires_ms IS NULL OR expires_ms > ?2)"
        ))?
        .query_row((hash, ms(now)), |row| Ok(read(row)))
        .optional()?;
    row.transpose()
}

fn touch(transaction: &Transaction<'_>, id: &Id, now: Timestamp) -> Result<(), Failure> {
    transaction.execute(
        "UPDATE admin_token SET last_used_ms = ?2 WHERE id = ?1",
        (id.as_str(), ms(now)),
    )?;
    Ok(())
}

/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "id, name, scope, prefix, created_ms, last_used_ms, expires_ms, revoked_ms";

fn read(row: &Row<'_>) -> Result<Token, Failure> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let instant = |index: usize| row.get::<_, Option<i64>>(index)?.map(timestamp).transpose();
    Ok(Token {
        id: text(0)?.parse().map_err(Failure::unsound("token id"))?,
        name: text(1)?.parse().map_err(Failure::unsound("token's name"))?,
        scope: text(2)?.parse().map_err(Failure::unsound("scope"))?,
        prefix: row.get(3)?,
        created: timestamp(row.get(4)?)?,
        last_used: instant(5)?,
        expires: instant(6)?,
        revoked: instant(7)?,
    })
}
