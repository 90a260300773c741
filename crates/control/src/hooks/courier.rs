use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zongzi_http::Timestamp;

use super::envelope::headers;
use super::{Backlog, Client, Counts, Due, HookId, HookPatch, Retry, SigningKey};
use crate::secret::Secret;
use crate::store::{Error, Outbox};

/// Posts what is in the outbox: one thing at a time for each endpoint, so that a slow one delays only itself.
#[derive(Debug)]
pub struct Courier<S> {
    shared: Arc<Shared<S>>,
    written: Arc<Notify>,
}

#[derive(Debug)]
struct Shared<S> {
    store: S,
    secret: Secret,
    client: Client,
    retry: Retry,
    counts: Arc<Counts>,
}

/// How often the outbox is looked at when nothing is heard of it: for retries, and for what another process wrote.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Posts at one time, of all endpoints together.
const POSTS_MAX: usize = 16;
/// Wait before a result that the store would not take is written again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long posts may take when the server stops. What is cut off is posted again at the next start.
const LAST_POSTS_MAX: Duration = Duration::from_secs(2);
/// The longest text of an error that is kept, in characters.
const ERROR_CHARS_MAX: usize = 300;

/// How a post ended.
enum Outcome {
    Taken,
    /// The endpoint wants nothing any more.
    Gone(String),
    Failed {
        why: String,
        asked: Option<Duration>,
    },
}

impl<S: Outbox + Clone> Courier<S> {
    pub(crate) fn new(
        store: S,
        secret: Secret,
        client: Client,
        retry: Retry,
        counts: Arc<Counts>,
        written: Arc<Notify>,
    ) -> Self {
        let shared = Shared {
            store,
            secret,
            client,
            retry,
            counts,
        };
        Self {
            shared: Arc::new(shared),
            written,
        }
    }

    /// Runs until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut busy: BTreeSet<HookId> = BTreeSet::new();
        let mut posts: JoinSet<HookId> = JoinSet::new();
        let mut failing = false;
        loop {
            match self.shared.store.backlog(now()).await {
                Ok(backlog) => {
                    failing = false;
                    self.shared.note(&backlog);
                    for due in backlog.due {
                        if posts.len() >= POSTS_MAX || !busy.insert(due.hook.id.clone()) {
                            continue;
                        }
                        let shared = Arc::clone(&self.shared);
                        posts.spawn(async move {
                            let hook = due.hook.id.clone();
                            shared.deliver(due).await;
                            hook
                        });
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "the outbox of hooks can't be read, trying on");
                    }
                }
            }
            tokio::select! {
                () = &mut stop => break,
                () = self.written.notified() => {}
                Some(ended) = posts.join_next() => match ended {
                    Ok(hook) => { busy.remove(&hook); }
                    Err(_panicked) => {
                        tracing::error!("the post of a hook panicked");
                        // Whose it was is not known; the others' posts come to an end before they are begun again.
                        posts.shutdown().await;
                        busy.clear();
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
        let ended = timeout(LAST_POSTS_MAX, async {
            while posts.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::info!("posts of hooks were cut off; they are made again at the next start");
        }
    }
}

impl<S: Outbox> Shared<S> {
    fn note(&self, backlog: &Backlog) {
        self.counts.waiting_now.store(backlog.waiting, Relaxed);
        self.counts.dead_now.store(backlog.dead, Relaxed);
    }

    async fn deliver(&self, due: Due) {
        let Due { hook, delivery } = due;
        let outcome = self.post(&hook.url, &hook.salt, &delivery).await;
        let made = delivery.attempts.saturating_add(1);
        let (next, why) = match outcome {
            Outcome::Taken => {
                self.counts.delivered.fetch_add(1, Relaxed);
                tracing::debug!(hook = %hook.id, event = delivery.event, "hook delivered");
                return self.keep_trying(|| self.store.delivered(delivery.id)).await;
            }
            Outcome::Gone(why) => {
                tracing::warn!(hook = %hook.id, "the endpoint answers 410 Gone and is disabled");
                let patch = HookPatch {
                    enabled: Some(false),
                    ..HookPatch::default()
                };
                self.keep_trying(|| async {
                    let id = hook.id.clone();
                    let changed = self.store.update_hook(id, None, patch.clone());
                    changed.await.map(drop)
                })
                .await;
                (None, why)
            }
            Outcome::Failed { why, asked } => (self.retry.after(made, asked), why),
        };
        let count = if next.is_some() {
            &self.counts.failed
        } else {
            &self.counts.dead
        };
        count.fetch_add(1, Relaxed);
        tracing::info!(
            hook = %hook.id,
            event = delivery.event,
            attempts = made,
            reason = why,
            again_s = next.map(|wait| wait.as_secs()),
            "hook not delivered"
        );
        let next = next.map(|wait| Timestamp::from(SystemTime::now() + wait));
        self.keep_trying(|| self.store.failed(delivery.id, next, why.clone(), now()))
            .await;
    }

    async fn post(&self, url: &super::Url, salt: &[u8], delivery: &super::Delivery) -> Outcome {
        let key = SigningKey::derive(&self.secret, salt);
        let headers = headers(&delivery.event, &delivery.body, &key);
        let answer = self
            .client
            .post(url, headers, delivery.body.clone(), false)
            .await;
        match answer {
            Ok(answer) if answer.status.is_success() => Outcome::Taken,
            Ok(answer) if answer.status == StatusCode::GONE => {
                Outcome::Gone(format!("answered {}", answer.status))
            }
            Ok(answer) => Outcome::Failed {
                why: format!("answered {}", answer.status),
                asked: answer.retry_after,
            },
            Err(error) => Outcome::Failed {
                why: error.to_string().chars().take(ERROR_CHARS_MAX).collect(),
                asked: None,
            },
        }
    }

    /// Writes a result until the store takes it: while it doesn't, the endpoint gets nothing, rather than the same again
    /// and again.
    async fn keep_trying<F: Future<Output = Result<(), Error>>>(&self, write: impl Fn() -> F) {
        let mut complained = false;
        loop {
            match write().await {
                // Deleted meanwhile: nothing is left to be noted.
                Ok(()) | Err(Error::HookUnknown(_)) => return,
                Err(error) => {
                    if !std::mem::replace(&mut complained, true) {
                        tracing::error!(%error, "the result of a hook can't be noted, trying on");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests;
