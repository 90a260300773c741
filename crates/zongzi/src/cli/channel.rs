//! `zongzi channel`: what viewers find.

use anyhow::Context as _;
use clap::Subcommand;
use zongzi_control::{Channel, NewChannel, Takeover, Text};
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
                json,
            } => {
                let new = NewChannel {
                    name: name.clone(),
                    title: title.clone(),
                    takeover: *takeover,
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
                channel.created.to_string(),
            ]
        })
        .collect();
    output::table(["NAME", "TITLE", "SECOND HOST", "CREATED"], &rows);
}
