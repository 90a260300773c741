use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ring::Ring;
use super::{Claims, IssuerKey, LEEWAY};
use crate::Channel;
use crate::playback::SigningKey;
use crate::secret::Secret;
use crate::store::{Error, Store};

/// Where viewers' playback tokens are checked.
#[derive(Debug)]
pub struct Gate<S> {
    store: S,
    secret: Secret,
    settings: GateSettings,
    ring: Mutex<Option<Known>>,
    counts: [AtomicU64; RESULTS.len()],
}

/// What the operator has set.
#[derive(Debug, Clone, Default)]
pub struct GateSettings {
    /// Others who may make tokens, at most [`IssuerKey::MAX`].
    pub issuers: Vec<IssuerKey>,
    /// Whether every session ends with the token that opened it, and not only those whose token asks for it.
    pub end_expired: bool,
}

/// What a token opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Pass {
    /// Who watches, if the token says so.
    pub viewer: Option<Arc<str>>,
    /// When the session ends by itself, if it does.
    pub ends: Option<SystemTime>,
}

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The channel is private and no token was shown.
    #[error("a playback token is needed")]
    Needed,
    /// It is no token, or not signed with a key that is accepted here. Which of both is not told.
    #[error("the playback token is not accepted")]
    Invalid,
    /// Its time is over.
    #[error("the playback token has expired")]
    Expired,
    /// Its time begins after the span.
    #[error("the playback token is not valid yet")]
    Early(Duration),
    /// It is good, for another channel.
    #[error("the playback token is for another channel")]
    OtherChannel,
    /// The keys could not be read.
    #[error("playback tokens can't be checked right now")]
    Unavailable,
}

/// What a gate has counted: tokens shown for private channels, or missing there, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checks([u64; RESULTS.len()]);

/// Keys as they were read.
#[derive(Debug)]
struct Known {
    ring: Arc<Ring>,
    at: Instant,
}

/// For how long the keys that were read are believed: one question to the store a second, however many viewers come,
/// and a key that was rotated without overlap opens nothing a second later.
const BELIEVED: Duration = Duration::from_secs(1);
/// Results as a metric's label.
const RESULTS: [&str; 7] = [
    "good",
    "missing",
    "invalid",
    "expired",
    "early",
    "other_channel",
    "unavailable",
];

impl<S: Store> Gate<S> {
    pub(crate) fn new(store: S, secret: Secret, settings: GateSettings) -> Self {
        Self {
            store,
            secret,
            settings,
            ring: Mutex::default(),
            counts: Default::default(),
        }
    }

    /// Whether somebody who shows `token` may watch `channel`. `None` is one who may, and has shown nothing that counts.
    ///
    /// A public channel is open to all; there a good token only says who watches.
    ///
    /// # Errors
    /// When the channel is private and the token does not open it.
    pub async fn check(
        &self,
        channel: &Channel,
        token: Option<&str>,
    ) -> Result<Option<Pass>, Refusal> {
        let now = SystemTime::now();
        if !channel.private {
            let Some(token) = token else { return Ok(None) };
            let named = self.read(channel, token, now).await.ok();
            return Ok(named.map(|claims| self.pass(claims, false)));
        }
        let checked = match token {
            Some(token) => self.read(channel, token, now).await,
            None => Err(Refusal::Needed),
        };
        self.count(&checked);
        Ok(Some(self.pass(checked?, true)))
    }

    /// The counts now.
    pub fn checks(&self) -> Checks {
        Checks(std::array::from_fn(|index| {
            self.counts
                .get(index)
                .map_or(0, |count| count.load(Relaxed))
        }))
    }

    async fn read(
        &self,
        channel: &Channel,
        token: &str,
        now: SystemTime,
    ) -> Result<Claims, Refusal> {
        let claims = self.ring().await?.read(token, now)?;
        if claims.channel == channel.name.as_str() {
            Ok(claims)
        } else {
            Err(Refusal::OtherChannel)
        }
    }

    fn pass(&self, claims: Claims, private: bool) -> Pass {
        let ends = private && (claims.ends_session || self.settings.end_expired);
        Pass {
            viewer: claims.viewer.map(|viewer| viewer.as_str().into()),
            // As long as it is accepted.
            ends: ends.then(|| claims.exp.after(LEEWAY).time()).flatten(),
        }
    }

    /// The keys. One caller reads them for all who wait. When they can't be read, those that are known go on.
    async fn ring(&self) -> Result<Arc<Ring>, Refusal> {
        let mut known = self.ring.lock().await;
        let now = Instant::now();
        if let Some(known) = &*known
            && now.saturating_duration_since(known.at) < BELIEVED
        {
            return Ok(Arc::clone(&known.ring));
        }
        let ring = match (self.load().await, known.as_ref()) {
            (Ok(keys), _) => Arc::new(Ring::new(&self.secret, keys, self.settings.issuers.clone())),
            (Err(error), Some(known)) => {
                tracing::error!(%error, "the keys of playback tokens can't be read; those known before go on");
                Arc::clone(&known.ring)
            }
            (Err(error), None) => {
                tracing::error!(%error, "the keys of playback tokens can't be read");
                return Err(Refusal::Unavailable);
            }
        };
        *known = Some(Known {
            ring: Arc::clone(&ring),
            at: now,
        });
        Ok(ring)
    }

    async fn load(&self) -> Result<Vec<SigningKey>, Error> {
        let rows = self.store.playback_keys(SystemTime::now().into()).await?;
        Ok(rows
            .into_iter()
            .map(|row| row.described(&self.secret))
            .collect())
    }

    fn count(&self, checked: &Result<Claims, Refusal>) {
        let index = match checked {
            Ok(_) => 0,
            Err(Refusal::Needed) => 1,
            Err(Refusal::Invalid) => 2,
            Err(Refusal::Expired) => 3,
            Err(Refusal::Early(_)) => 4,
            Err(Refusal::OtherChannel) => 5,
            Err(Refusal::Unavailable) => 6,
        };
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Relaxed);
        }
    }
}

impl Checks {
    /// Each result by its name as a metric's label.
    pub fn by_result(self) -> [(&'static str, u64); RESULTS.len()] {
        std::array::from_fn(|index| {
            let name = RESULTS.get(index).copied().unwrap_or_default();
            (name, self.0.get(index).copied().unwrap_or_default())
        })
    }
}

impl fmt::Debug for Pass {
    /// Who watches is nobody's business in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass")
            .field("named", &self.viewer.is_some())
            .field("ends", &self.ends)
            .finish()
    }
}

#[cfg(test)]
mod tests;
