//! `zongzi key`: what lets a host go live.

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;
use zongzi_control::{Key, KeyId, Text};
use zongzi_media::ChannelName;

use super::{output, store};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a stream key for a channel and print it, once: only its hash is kept
    Create {
        /// The channel that the key opens
        channel: ChannelName,
        /// What you call it, e.g. "kitchen laptop"
        #[arg(long, default_value = "")]
        label: Text,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List keys, without their secrets
    List {
        /// Only those of this channel
        channel: Option<ChannelName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key; a live session that uses it ends within a second
    Revoke {
        /// The key's id, as `zongzi key list` shows it
        id: KeyId,
    },
}

/// A new key with its secret.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    about: &'a Key,
    key: &'a str,
}

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    store::with(settings, async |control| {
        match command {
            Command::Create {
                channel,
                label,
                json,
            } => {
                let minted = control.create_key(channel.clone(), label.clone()).await?;
                let key = minted.secret.expose();
                if *json {
                    output::say_json(&WithSecret {
                        about: &minted.key,
                        key,
                    });
                } else {
                    output::say(key);
                }
            }
            Command::List { channel, json } => list(&control.keys(channel.clone()).await?, *json),
            Command::Revoke { id } => {
                let key = control
                    .revoke_key(id.clone())
                    .await
                    .with_context(|| format!("key {} was not revoked", id.as_str()))?;
                output::say(&format!(
                    "key {} of channel {} is revoked",
                    key.id.as_str(),
                    key.channel
                ));
            }
        }
        Ok(())
    })
}

fn list(keys: &[Key], json: bool) {
    if json {
        output::say_json(&keys);
        return;
    }
    let time = |time: Option<zongzi_http::Timestamp>| {
        time.map_or_else(|| "-".to_owned(), |time| time.to_string())
    };
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            [
                key.id.as_str().to_owned(),
                key.channel.to_string(),
                format!("{}…", key.prefix),
                key.label.to_string(),
                key.created.to_string(),
                time(key.last_used),
                time(key.revoked),
            ]
        })
        .collect();
    output::table(
        [
            "ID",
            "CHANNEL",
            "KEY",
            "LABEL",
            "CREATED",
            "LAST USED",
            "REVOKED",
        ],
        &rows,
    );
}
