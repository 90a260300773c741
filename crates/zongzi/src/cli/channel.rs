//! `zongzi channel`: what viewers find.

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

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    store::with(settings, async |control| {
        match command {
            Command::Create {
                name,
                title,
                takeover,
                private,
                json,
            } => {
                let new = NewChannel {
                    name: name.clone(),
                    title: title.clone(),
                    takeover: *takeover,
                    private: *private,
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
                json,
            } => {
                let patch = ChannelPatch {
                    title: title.clone(),
                    takeover: *takeover,
                    private: *private,
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
                channel.created.to_string(),
            ]
        })
        .collect();
    output::table(
        ["NAME", "TITLE", "SECOND HOST", "VIEWERS", "CREATED"],
        &rows,
    );
}
