//! `zongzi playback-key`: what signs playback tokens.

use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;
use zongzi_control::playback::SigningKey;

use super::{output, store};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the keys whose tokens are accepted, the one that signs first; the first call makes it
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new key that signs from now on
    Rotate {
        /// For how long tokens of the keys before are still accepted; 0s voids all that were given out, e.g. after a leak
        #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = humantime::parse_duration)]
        overlap: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print name and HS256 secret of the key that signs, for a program of yours that makes tokens itself
    Secret {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What another program needs to sign.
#[derive(Serialize)]
struct Shared<'a> {
    kid: &'a str,
    /// base64url without padding.
    secret: &'a str,
}

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    store::with(settings, async |control| {
        match command {
            Command::List { json } => list(&control.playback_keys().await?, *json),
            Command::Rotate { overlap, json } => {
                let key = control.rotate_playback_key(*overlap).await?;
                if *json {
                    output::say_json(&key);
                } else {
                    output::say(&format!("key {} signs playback tokens now", key.kid));
                }
            }
            Command::Secret { json } => {
                let (kid, secret) = control.playback_secret().await?;
                let (kid, secret) = (kid.as_str(), secret.as_str());
                if *json {
                    output::say_json(&Shared { kid, secret });
                } else {
                    output::say(&format!("kid:    {kid}"));
                    output::say(&format!("secret: {secret}"));
                }
            }
        }
        Ok(())
    })
}

fn list(keys: &[SigningKey], json: bool) {
    if json {
        output::say_json(&keys);
        return;
    }
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            [
                key.kid.clone(),
                key.public_key.clone(),
                key.created.to_string(),
                key.retires
                    .map_or_else(|| "-".to_owned(), |retires| retires.to_string()),
            ]
        })
        .collect();
    output::table(["KEY", "PUBLIC KEY", "CREATED", "RETIRES"], &rows);
}
