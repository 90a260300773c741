use std::sync::Arc;

use zongzi_control::hooks::{Decision, PublishHook, PublishQuestion};
use zongzi_control::store::{Sqlite, Store as _};
use zongzi_ingest::{PublishRefusal, PublishRequest};

/// Asks another program about hosts whose keys were good, if one is set.
#[derive(Debug)]
pub(crate) struct Authority {
    hook: Option<PublishHook>,
    store: Sqlite,
}

impl Authority {
    pub(crate) fn new(hook: Option<PublishHook>, store: Sqlite) -> Arc<Self> {
        Arc::new(Self { hook, store })
    }

    /// The request as it may go on, on another channel perhaps; or why not, with the word for events.
    pub(crate) async fn decide(
        &self,
        mut request: PublishRequest,
    ) -> Result<PublishRequest, (&'static str, PublishRefusal)> {
        let Some(hook) = &self.hook else {
            return Ok(request);
        };
        let question = PublishQuestion {
            channel: request.channel.clone(),
            key: request.key_id.clone(),
            protocol: request.protocol.as_str(),
            peer: request.peer.ip().to_canonical(),
            client: request.client.clone(),
        };
        match hook.ask(&question).await {
            Decision::Allow => {}
            Decision::Deny(words) => {
                return Err(("denied", PublishRefusal::Denied(words.to_string())));
            }
            Decision::Redirect(channel) => {
                tracing::info!(from = %request.channel, %channel, "hooks.on_publish sends the host to another channel");
                request.channel = channel;
            }
        }
        if self.is_good(&request.key_id).await {
            Ok(request)
        } else {
            let refusal = PublishRefusal::Unavailable(request.channel);
            Err(("bad_key", refusal))
        }
    }

    /// Whether the key still is good: it may have been revoked while the other program thought.
    async fn is_good(&self, key: &str) -> bool {
        let Ok(id) = key.parse() else {
            return false;
        };
        match self.store.key(id).await {
            Ok(found) => found.is_some_and(|key| key.revoked.is_none()),
            Err(error) => {
                tracing::error!(%error, "a stream key can't be looked up again");
                false
            }
        }
    }
}
