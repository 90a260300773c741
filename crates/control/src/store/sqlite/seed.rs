use rusqlite::Transaction;
use zongzi_http::Timestamp;

use super::failure::Failure;
use super::{channels, keys};
use crate::store::{Error, NewKey};
use crate::{Key, NewChannel};

pub(super) fn seed(
    transaction: &Transaction<'_>,
    channel: NewChannel,
    key: NewKey,
    now: Timestamp,
) -> Result<Option<Key>, Failure> {
    let first = transaction.execute(
        "INSERT INTO meta (name, value) VALUES ('seeded', x'01') ON CONFLICT DO NOTHING",
        [],
    )? > 0;
    if !first {
        return Ok(None);
    }
    match channels::create(transaction, channel, now) {
        // The operator made one of that name before the first start: it gets the key.
        Ok(_) | Err(Failure::Told(Error::ChannelExists(_))) => {}
        Err(failure) => return Err(failure),
    }
    keys::create(transaction, key, now).map(Some)
}
