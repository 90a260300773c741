mod broadcasts;
mod changes;
mod channels;
mod failure;
mod hooks;
mod keys;
mod once;
mod outbox;
mod playback_keys;
mod schema;
mod seed;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use self::failure::Failure;
use super::{BroadcastQuery, Change, Counters, Error, NewKey, PlaybackKeyRow, Sequence, Store};
use crate::broadcast::{Broadcast, BroadcastId, EndReason};
use crate::{Channel, ChannelPatch, Key, KeyId, NewChannel};

/// A store in one SQLite file, used by several processes at once: a server and the command line.
///
/// All work is done on one thread of its own, in the order it was asked for. Write-ahead logging lets other processes read
/// while one writes; each commit is synced, so that what was acknowledged survives `kill -9` and a power cut.
#[derive(Debug, Clone)]
pub struct Sqlite {
    requests: SyncSender<Request>,
    path: Arc<Path>,
    counters: Arc<Counters>,
}

/// What the store's thread is asked.
enum Request {
    Work(Box<dyn FnOnce(&mut Connection) + Send>),
    /// To close the file, and say so.
    Close(oneshot::Sender<()>),
}

/// How many requests may wait for the store's thread. At 0.1 ms each, the last of them waits a tenth of a second.
const REQUESTS_MAX: usize = 1_024;
/// How long a write waits for another process's write to end.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);

impl Sqlite {
    /// The file's name in the data directory.
    pub const FILE: &'static str = "zongzi.sqlite3";

    /// Opens the store in `dir`, which must exist, bringing its schema up to date. `check` stands for the secret that
    /// hashes keys: a store remembers its own.
    ///
    /// This blocks, for as long as a big file takes to be checked: call it at start.
    ///
    /// # Errors
    /// When the file can't be opened, is damaged, too new, or belongs to another secret.
    pub fn open(dir: &Path, check: [u8; 32]) -> Result<Self, Error> {
        let path: Arc<Path> = dir.join(Self::FILE).into();
        let connection = prepare(&path, check).map_err(|failure| failure.at(&path))?;
        let (requests, waiting) = sync_channel(REQUESTS_MAX);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(connection, &waiting))
            .map_err(|error| Error::Unwritable {
                path: path.to_path_buf(),
                why: error.to_string(),
            })?;
        Ok(Self {
            requests,
            path,
            counters: Arc::default(),
        })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the store as it is now into the new file `to`, while other processes go on reading and writing it. The copy
    /// is whole, without a write-ahead log, and belongs to the same secret.
    ///
    /// # Errors
    /// When `to` exists or can't be written, or the store fails.
    pub async fn backup(&self, to: &Path) -> Result<(), Error> {
        let to = to.to_string_lossy().into_owned();
        self.run(move |connection| {
            connection.execute("VACUUM INTO ?1", [to])?;
            Ok(())
        })
        .await
    }

    /// Closes the file when what was asked before is done. The last process that has it open so moves all that is in the
    /// write-ahead log into it: a copy of the one file is whole then. Whatever is asked afterwards fails.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.requests.try_send(Request::Close(done)).is_ok() {
            let _thread_gone = closed.await;
        }
    }

    /// Runs `work` on the store's thread in a transaction that is committed if it succeeds.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.run(move |connection| {
            // Immediate: a transaction that begins by reading could not wait for another writer later.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
        .await
    }

    /// Runs `work` on the store's thread. If the caller goes away meanwhile, the work is done all the same.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let asked = Instant::now();
        let result = self.ask(work).await;
        self.counters.count(&result, asked.elapsed());
        result
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let work = Request::Work(Box::new(move |connection| {
            // Nobody may be waiting any more.
            let _ = reply.send(work(connection));
        }));
        self.requests.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Closed,
        })?;
        match answer.await {
            Ok(result) => result.map_err(|failure| failure.at(&self.path)),
            Err(_closed) => Err(Error::Closed),
        }
    }
}

fn prepare(path: &Path, check: [u8; 32]) -> Result<Connection, Failure> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(LOCK_WAIT_MAX)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        let path = PathBuf::from(path);
        return Err(Error::Corrupt { path, why: verdict }.into());
    }
    schema::migrate(&mut connection, path)?;
    schema::belongs_together(&connection, path, check)?;
    Ok(connection)
}

fn work(mut connection: Connection, waiting: &Receiver<Request>) {
    for request in waiting {
        match request {
            Request::Work(work) => work(&mut connection),
            Request::Close(done) => {
                drop(connection);
                // Nobody may be waiting any more.
                let _ = done.send(());
                return;
            }
        }
    }
}

impl Store for Sqlite {
    async fn create_channel(&self, channel: NewChannel, now: Timestamp) -> Result<Channel, Error> {
        self.write(move |transaction| channels::create(transaction, channel, now))
            .await
    }

    async fn channel(&self, name: ChannelName) -> Result<Option<Channel>, Error> {
        self.run(move |connection| channels::one(connection, &name))
            .await
    }

    async fn channels(
        &self,
        after: Option<ChannelName>,
        limit: u32,
    ) -> Result<Vec<Channel>, Error> {
        self.run(move |connection| channels::list(connection, after.as_ref(), limit))
            .await
    }

    async fn update_channel(
        &self,
        name: ChannelName,
        version: Option<u64>,
        patch: ChannelPatch,
        now: Timestamp,
    ) -> Result<Channel, Error> {
        self.write(move |transaction| channels::update(transaction, name, version, patch, now))
            .await
    }

    async fn delete_channel(
        &self,
        name: ChannelName,
        version: Option<u64>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(move |transaction| channels::delete(transaction, name, version, now))
            .await
    }

    async fn create_key(&self, key: NewKey, now: Timestamp) -> Result<Key, Error> {
        self.write(move |transaction| keys::create(transaction, key, now))
            .await
    }

    async fn keys(
        &self,
        channel: Option<ChannelName>,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<Key>, Error> {
        self.run(move |connection| keys::list(connection, channel.as_ref(), after.as_ref(), limit))
            .await
    }

    async fn key(&self, id: KeyId) -> Result<Option<Key>, Error> {
        self.run(move |connection| keys::one(connection, &id)).await
    }

    async fn rotate_key(
        &self,
        old: KeyId,
        new: NewKey,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<Key, Error> {
        self.write(move |transaction| keys::rotate(transaction, old, new, expires, now))
            .await
    }

    async fn expire_keys(&self, now: Timestamp) -> Result<(), Error> {
        if self
            .run(move |connection| keys::any_expired(connection, now))
            .await?
        {
            self.write(move |transaction| keys::expire(transaction, now))
                .await?;
        }
        Ok(())
    }

    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<Key, Error> {
        self.write(move |transaction| keys::revoke(transaction, id, now))
            .await
    }

    async fn find_key(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<(KeyId, Channel)>, Error> {
        self.run(move |connection| keys::find(connection, hash, now))
            .await
    }

    async fn touch_key(&self, id: KeyId, now: Timestamp) -> Result<(), Error> {
        self.write(move |transaction| keys::touch(transaction, &id, now))
            .await
    }

    async fn playback_keys(&self, now: Timestamp) -> Result<Vec<PlaybackKeyRow>, Error> {
        self.run(move |connection| playback_keys::accepted(connection, now))
            .await
    }

    async fn current_playback_key(
        &self,
        kid: String,
        now: Timestamp,
    ) -> Result<PlaybackKeyRow, Error> {
        self.write(move |transaction| playback_keys::current(transaction, kid, now))
            .await
    }

    async fn rotate_playback_key(
        &self,
        kid: String,
        retire: Timestamp,
        now: Timestamp,
    ) -> Result<PlaybackKeyRow, Error> {
        self.write(move |transaction| playback_keys::rotate(transaction, kid, retire, now))
            .await
    }

    async fn last_change(&self) -> Result<Sequence, Error> {
        self.run(|connection| changes::last(connection)).await
    }

    async fn changes(&self, since: Sequence, limit: u32) -> Result<Vec<(Sequence, Change)>, Error> {
        self.run(move |connection| changes::since(connection, since, limit))
            .await
    }

    async fn save_broadcasts(
        &self,
        broadcasts: Vec<Broadcast>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(move |transaction| broadcasts::save(transaction, &broadcasts, now))
            .await
    }

    async fn broadcasts(&self, query: BroadcastQuery, limit: u32) -> Result<Vec<Broadcast>, Error> {
        self.run(move |connection| broadcasts::list(connection, &query, limit))
            .await
    }

    async fn broadcast(&self, id: BroadcastId) -> Result<Option<Broadcast>, Error> {
        self.run(move |connection| broadcasts::one(connection, &id))
            .await
    }

    async fn close_broadcasts(&self, reason: EndReason) -> Result<usize, Error> {
        self.write(move |transaction| broadcasts::close(transaction, reason))
            .await
    }

    async fn forget_broadcasts(&self, before: Option<Timestamp>, most: u32) -> Result<(), Error> {
        self.write(move |transaction| broadcasts::forget(transaction, before, most))
            .await
    }

    async fn seed(
        &self,
        channel: NewChannel,
        key: NewKey,
        now: Timestamp,
    ) -> Result<Option<Key>, Error> {
        self.write(move |transaction| seed::seed(transaction, channel, key, now))
            .await
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
