//! `zongzi hook`: who is told of what happens.

use clap::Subcommand;
use serde::Serialize;
use zongzi_control::Text;
use zongzi_control::events::Kind;
use zongzi_control::hooks::{Hook, HookId, Url};

use super::{output, store};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a webhook and print the secret that its messages are signed with, once
    Create {
        /// Where events are posted to: https://HOST/PATH
        url: Url,
        /// Only these events, e.g. broadcast.started,broadcast.ended; otherwise all
        #[arg(long, value_delimiter = ',', value_name = "EVENT")]
        events: Vec<Kind>,
        /// What you call it, e.g. "shop"
        #[arg(long, default_value = "")]
        label: Text,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List webhooks, without their secrets
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a webhook and what was on its way to it
    Delete {
        /// The webhook's id, as `zongzi hook list` shows it
        id: HookId,
    },
}

/// A new hook with its secret.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    about: &'a Hook,
    secret: &'a str,
}

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    store::with(settings, async |control| {
        match command {
            Command::Create {
                url,
                events,
                label,
                json,
            } => {
                let minted = control
                    .create_hook(url.clone(), events.clone(), label.clone())
                    .await?;
                let secret = minted.key.expose();
                if *json {
                    output::say_json(&WithSecret {
                        about: &minted.hook,
                        secret: &secret,
                    });
                } else {
                    output::say(&secret);
                }
            }
            Command::List { json } => list(&control.hooks().await?, *json),
            Command::Delete { id } => {
                control.delete_hook(id.clone()).await?;
                output::say(&format!("hook {id} is deleted"));
            }
        }
        Ok(())
    })
}

fn list(hooks: &[Hook], json: bool) {
    if json {
        output::say_json(&hooks);
        return;
    }
    let rows: Vec<_> = hooks
        .iter()
        .map(|hook| {
            let events: Vec<_> = hook.events.iter().map(|kind| kind.as_str()).collect();
            [
                hook.id.to_string(),
                hook.url.as_str().to_owned(),
                if events.is_empty() {
                    "all".to_owned()
                } else {
                    events.join(",")
                },
                hook.label.to_string(),
                if hook.enabled { "yes" } else { "no" }.to_owned(),
            ]
        })
        .collect();
    output::table(["ID", "URL", "EVENTS", "LABEL", "ENABLED"], &rows);
}
