pub(crate) mod throttle;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use self::throttle::Throttle;
use crate::secret::{Purpose, Secret};
use crate::store::Store;
use crate::{Channel, KeyId, StreamKey};

/// Where hosts' stream keys are checked.
///
/// The store is asked each time, so a key that another process has just made is good at once, and one that it has just
/// revoked is not. A wrong key costs its guesser a wait, and an address that guesses on is not listened to for a while;
/// both are about load, since 160 random bits are not guessed.
#[derive(Debug)]
pub struct KeyGate<S> {
    store: S,
    secret: Secret,
    throttle: Mutex<Throttle>,
    good: AtomicU64,
    wrong: AtomicU64,
    throttled: AtomicU64,
    unavailable: AtomicU64,
}

/// What a good key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The key's public name.
    pub key: KeyId,
    /// The one channel that it opens, with its settings.
    pub channel: Channel,
}

/// Why a key opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such key, or it was revoked: the two are not told apart to the outside.
    #[error("stream key unknown or revoked")]
    Unknown,
    /// Too many wrong keys from this address; it may try again after the span.
    #[error("too many wrong stream keys from this address, try again in {} s", .0.as_secs())]
    Throttled(Duration),
    /// The store could not be asked.
    #[error("stream keys can't be checked right now")]
    Unavailable,
}

/// What a gate has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GateStats {
    /// Good keys.
    pub good: u64,
    /// Keys that are unknown or revoked.
    pub wrong: u64,
    /// Keys that were not looked at, because their address had guessed too often.
    pub throttled: u64,
    /// Keys that could not be checked.
    pub unavailable: u64,
}

/// What a wrong key costs.
const WRONG_DELAY: Duration = Duration::from_secs(1);
/// The longest text that is hashed, in bytes; a longer one is no key.
const KEY_BYTES_MAX: usize = 256;

impl<S: Store + Clone> KeyGate<S> {
    pub(crate) fn new(store: S, secret: Secret) -> Self {
        Self {
            store,
            secret,
            throttle: Mutex::default(),
            good: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
        }
    }

    /// Checks a key that a host at `peer` has shown; the wait that a wrong one costs is included. White space around it,
    /// as pasting brings it, does not matter.
    ///
    /// # Errors
    /// When it opens nothing.
    pub async fn check(&self, key: &str, peer: IpAddr) -> Result<Admitted, Refusal> {
        let admitted = self.look(key, peer).await?;
        self.note_use(admitted.key.clone());
        Ok(admitted)
    }

    /// [`KeyGate::check`] for somebody who only wants to know how the channel stands: the key counts as shown, not as
    /// used.
    ///
    /// # Errors
    /// When it opens nothing.
    pub async fn look(&self, key: &str, peer: IpAddr) -> Result<Admitted, Refusal> {
        let now = Instant::now();
        let refused_for = self.throttle().refused_for(peer, now);
        if let Some(wait) = refused_for {
            self.throttled.fetch_add(1, Relaxed);
            return Err(Refusal::Throttled(wait));
        }
        match self.look_up(key.trim()).await {
            Ok(Some((key, channel))) => {
                self.good.fetch_add(1, Relaxed);
                Ok(Admitted { key, channel })
            }
            Ok(None) => {
                self.wrong.fetch_add(1, Relaxed);
                self.throttle().wrong(peer, now);
                tokio::time::sleep(WRONG_DELAY).await;
                Err(Refusal::Unknown)
            }
            Err(error) => {
                self.unavailable.fetch_add(1, Relaxed);
                tracing::error!(%error, "stream keys can't be checked");
                Err(Refusal::Unavailable)
            }
        }
    }

    /// The counts now.
    pub fn stats(&self) -> GateStats {
        GateStats {
            good: self.good.load(Relaxed),
            wrong: self.wrong.load(Relaxed),
            throttled: self.throttled.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
        }
    }

    async fn look_up(&self, key: &str) -> Result<Option<(KeyId, Channel)>, crate::store::Error> {
        if key.len() > KEY_BYTES_MAX || !key.starts_with(StreamKey::START) {
            return Ok(None);
        }
        self.store
            .find_key(
                self.secret.hash(Purpose::StreamKey, key.as_bytes()),
                SystemTime::now().into(),
            )
            .await
    }

    /// Notes the use beside the host's way in: a full disk delays nobody.
    fn note_use(&self, key: KeyId) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.touch_key(key, SystemTime::now().into()).await {
                tracing::warn!(%error, "a stream key's last use could not be noted");
            }
        });
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
