//! `zongzi channel`: what viewers find.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Subcommand;
use zongzi_control::{Channel, ChannelPatch, NewChannel, Takeover, Text};
use zongzi_media::ChannelName;

use super::{output, store};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a channel
    Create {
        /// Its name in addresses: a-z, 0-9, '-' and '_'
        name: ChannelName,
        /// Its title, for people
        #[arg(long, default_value = "")]
        title: Text,
        /// Who wins when a second host comes with a good key: newest or refuse
        #[arg(long, default_value = "newest", value_name = "WHO")]
        takeover: Takeover,
        /// Viewers need a playback token (`zongzi token`)
        #[arg(long)]
        private: bool,
        /// Viewers at a time, those included who wait for the host; more are told to come back
        #[arg(long, value_name = "N")]
        max_viewers: Option<NonZeroU32>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List all channels
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a channel's settings; what is not given stays. A running server follows within a second
    Set {
        /// Its name
        name: ChannelName,
        /// Its title, for people
        #[arg(long)]
        title: Option<Text>,
        /// Who wins when a second host comes with a good key: newest or refuse
        #[arg(long, value_name = "WHO")]
        takeover: Option<Takeover>,
        /// Whether viewers need a playback token; with true, those who watch without one are cut off
        #[arg(long, value_name = "true|false")]
        private: Option<bool>,
        /// Viewers at a time, or none: as many as the server takes. Who is in stays in
        #[arg(long, value_name = "N|none")]
        max_viewers: Option<Places>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a channel and its keys; a live broadcast on it ends within a second
    Delete {
        /// Its name
        name: ChannelName,
    },
}

/// Viewers at a time, as the command line has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places(Option<NonZeroU32>);

/// The text is not [`Places`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number from 1 on, or none")]
pub(super) struct InvalidPlaces;

impl FromStr for Places {
    type Err = InvalidPlaces;

    fn from_str(text: &str) -> Result<Self, InvalidPlaces> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|places| Self(Some(places)))
            .map_err(|_no_number| InvalidPlaces)
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(places) => places.fmt(f),
            None => f.write_str("none"),
        }
    }
}

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    store::with(settings, async |control| {
        match command {
            Command::Create {
                name,
                title,
                takeover,
                private,
                max_viewers,
                json,
            } => {
                let new = NewChannel {
                    name: name.clone(),
                    title: title.clone(),
                    takeover: *takeover,
                    private: *private,
                    max_viewers: *max_viewers,
                    once: None,
                };
                let channel = control.create_channel(new).await?;
                if *json {
                    output::say_json(&channel);
                } else {
                    output::say(&format!(
                        "channel {name} is made; give it a key: zongzi key create {name}"
                    ));
                }
            }
            Command::List { json } => list(&control.channels().await?, *json),
            Command::Set {
                name,
                title,
                takeover,
                private,
                max_viewers,
                json,
            } => {
                let patch = ChannelPatch {
                    title: title.clone(),
                    takeover: *takeover,
                    private: *private,
                    max_viewers: max_viewers.map(|places| places.0),
                };
                let channel = control
                    .update_channel(name.clone(), None, patch)
                    .await
                    .with_context(|| format!("channel {name} was not changed"))?;
                if *json {
                    output::say_json(&channel);
                } else {
                    list(&[channel], false);
                }
            }
            Command::Delete { name } => {
                control
                    .delete_channel(name.clone())
                    .await
                    .with_context(|| format!("channel {name} was not deleted"))?;
                output::say(&format!("channel {name} and its keys are deleted"));
            }
        }
        Ok(())
    })
}

fn list(channels: &[Channel], json: bool) {
    if json {
        output::say_json(&channels);
        return;
    }
    let rows: Vec<_> = channels
        .iter()
        .map(|channel| {
            [
                channel.name.to_string(),
                channel.title.to_string(),
                channel.takeover.to_string(),
                if channel.private { "private" } else { "public" }.to_owned(),
                Places(channel.max_viewers).to_string(),
                channel.created.to_string(),
            ]
        })
        .collect();
    output::table(
        ["NAME", "TITLE", "SECOND HOST", "VIEWERS", "MAX", "CREATED"],
        &rows,
    );
}
