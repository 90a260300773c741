//! `zongzi admin-token`: what programs and other operators open the API with.

use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;
use zongzi_control::Text;
use zongzi_control::token::{Id, Scope, Token};

use super::{output, store};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token for the API and print it, once: only its hash is kept
    Create {
        /// What you call it, e.g. "backup script"
        name: Text,
        /// What it may do: read (see all but tokens, webhooks and playback keys), keys (also make, rotate and revoke
        /// stream keys) or admin (everything)
        #[arg(long, value_name = "SCOPE", default_value = "read")]
        scope: Scope,
        /// For how long it is good, e.g. 12h, 90d; otherwise until it is revoked
        #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List named tokens, without their secrets
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token; it opens nothing from now on
    Revoke {
        /// The token's id, as `zongzi admin-token list` shows it
        id: Id,
    },
}

/// A new token with its secret.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    about: &'a Token,
    token: &'a str,
}

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    store::with(settings, async |control| {
        match command {
            Command::Create {
                name,
                scope,
                expires,
                json,
            } => {
                let minted = control
                    .create_token(name.clone(), *scope, *expires, None)
                    .await?;
                let token = minted.secret.expose();
                if *json {
                    output::say_json(&WithSecret {
                        about: &minted.token,
                        token,
                    });
                } else {
                    output::say(token);
                }
            }
            Command::List { json } => list(&control.tokens().await?, *json),
            Command::Revoke { id } => {
                let token = control
                    .revoke_token(id.clone())
                    .await
                    .with_context(|| format!("token {id} was not revoked"))?;
                output::say(&format!("token {id} ({}) is revoked", token.name));
            }
        }
        Ok(())
    })
}

fn list(tokens: &[Token], json: bool) {
    if json {
        output::say_json(&tokens);
        return;
    }
    let time = |time: Option<zongzi_http::Timestamp>| {
        time.map_or_else(|| "-".to_owned(), |time| time.to_string())
    };
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            [
                token.id.to_string(),
                token.name.to_string(),
                token.scope.to_string(),
                format!("{}…", token.prefix),
                token.created.to_string(),
                time(token.last_used),
                time(token.expires),
                time(token.revoked),
            ]
        })
        .collect();
    output::table(
        [
            "ID",
            "NAME",
            "SCOPE",
            "TOKEN",
            "CREATED",
            "LAST USED",
            "EXPIRES",
            "REVOKED",
        ],
        &rows,
    );
}
