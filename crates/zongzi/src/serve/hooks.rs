use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use zongzi_control::Control;
use zongzi_control::events::Events;
use zongzi_control::hooks::{Client, Counts, PublishHook, Retry, Rules, Writer};
use zongzi_control::store::Sqlite;

use crate::settings;

/// What webhooks need, before anything runs.
pub(super) struct Hooks {
    client: Client,
    retry: Retry,
    counts: Arc<Counts>,
    publish: Option<PublishHook>,
}

impl Hooks {
    /// Reads what the settings name; the error names the key.
    pub(super) fn prepare(settings: &settings::Hooks, data: &Path) -> Result<Self, String> {
        let rules = Rules {
            allow_private: settings.allow_private,
            allow: settings.allow.clone(),
        };
        let client = Client::new(rules, settings.ca_file.as_deref(), settings.timeout)
            .map_err(|error| format!("hooks.ca_file: {error}"))?;
        let counts = Arc::new(Counts::default());
        let publish = settings.on_publish.clone().map(|url| {
            PublishHook::new(
                &client,
                url,
                data,
                settings.on_publish_timeout,
                settings.on_publish_fallback,
                Arc::clone(&counts),
            )
        });
        Ok(Self {
            publish: publish
                .transpose()
                .map_err(|error| format!("hooks.on_publish: {error}"))?,
            client,
            retry: Retry {
                first: settings.retry_first,
                attempts: settings.max_attempts,
            },
            counts,
        })
    }

    /// What it counts.
    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Who is asked about hosts, if anyone.
    pub(super) fn take_publish(&mut self) -> Option<PublishHook> {
        self.publish.take()
    }

    /// Starts to write events down and to post them, until the stream of events ends and `stop` resolves.
    pub(super) fn run(
        self,
        control: &Control<Sqlite>,
        events: &Events,
        tasks: &mut JoinSet<()>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let written = Arc::new(Notify::new());
        let writer = Writer::new(
            control.store().clone(),
            events.subscribe(),
            Arc::clone(&self.counts),
            Arc::clone(&written),
        );
        let courier = control.courier(self.client, self.retry, self.counts, written);
        tasks.spawn(writer.run());
        tasks.spawn(courier.run(stop));
    }
}
