//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use hyper::Uri;

use crate::host::Address;
use crate::net::Reach;
use crate::plan::{Plan, Settings};
use crate::run::Target;
use crate::whep::http;

/// Hosts and viewers by the thousand, on a WebRTC engine that is not the server's
///
/// Publishes a file to one or many channels over RTMP, watches them over WHEP with as many complete viewers as wanted,
/// counts every frame at every viewer, and prints what the server took for it beside the least that encrypting and
/// sending can cost on this machine. Traffic goes to loopback and to addresses given here, nowhere else.
///
/// Exit code: 0 all thresholds kept, 1 a threshold broken or the run failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "zongzi-load", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// TOML file with any of the settings below (with _ for -); flags win over it
    #[arg(long, value_name = "FILE")]
    preset: Option<PathBuf>,
    /// Where to watch; {channel} stands for the channel's name
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080/whep/{channel}"
    )]
    whep_url: String,
    /// Where the server says how many watch (JSON with `viewers`), for --rounds; {channel} stands for the channel's name
    #[arg(long, value_name = "URL")]
    count_url: Option<String>,
    /// Where to publish, as rtmp://127.0.0.1:1935/live; without it the hosts are somebody else's, and frames are not
    /// compared with what they sent
    #[arg(long, value_name = "URL", requires = "media", requires = "keys")]
    rtmp_url: Option<String>,
    /// FLV file to publish, with H.264 and AAC; repeated without a seam
    #[arg(long, value_name = "FILE")]
    media: Option<PathBuf>,
    /// File with a line for each channel: its name, a space, its stream key
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Channel to watch, when there is no --keys; may be repeated
    #[arg(long = "channel", value_name = "NAME")]
    channel_names: Vec<String>,
    /// Playback token, sent as Bearer
    #[arg(long, env = "ZONGZI_LOAD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Address that media may be exchanged with besides loopback and the hosts of the URLs; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    allow: Vec<IpAddr>,
    /// Process of the server, whose CPU and memory are read from /proc
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Write JSON to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) json_file: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Settings")]
    settings: Settings,
}

/// A run, ready to begin.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) plan: Plan,
    pub(crate) target: Target,
    pub(crate) publish: Option<Publish>,
}

/// What is published where.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) media: PathBuf,
    pub(crate) address: Address,
    pub(crate) to: std::net::SocketAddr,
    pub(crate) keys: Vec<String>,
}

impl Cli {
    /// Reads the files that it names and puts everything together.
    ///
    /// # Errors
    /// When something is missing or makes no sense.
    pub(crate) async fn order(&self) -> Result<Order> {
        let preset = match &self.preset {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        let plan = self.settings.clone().over(preset).plan()?;
        if plan.rounds > 0 && self.count_url.is_none() {
            bail!("--rounds compares what the server counts: --count-url URL says where");
        }
        let wanted = usize::try_from(plan.channels).unwrap_or(usize::MAX);
        let (mut channels, mut keys) = match &self.keys {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("can't read {}", path.display()))?;
                pairs(&text)?
            }
            None if self.channel_names.is_empty() => (vec!["demo".to_owned()], Vec::new()),
            None => (self.channel_names.clone(), Vec::new()),
        };
        if channels.len() < wanted {
            bail!("{wanted} channels are wanted, {} named", channels.len());
        }
        channels.truncate(wanted);
        keys.truncate(wanted);
        let mut reach = Reach::new(self.allow.iter().copied());
        let first = channels.first().map_or("", String::as_str);
        let whep: Uri = self
            .whep_url
            .replace("{channel}", first)
            .parse()
            .with_context(|| format!("{} is no URL", self.whep_url))?;
        reach.also([http::resolve(&whep).await?.ip()]);
        let publish = match (&self.rtmp_url, &self.media) {
            (Some(url), Some(media)) => {
                let address = Address::parse(url)?;
                let to = address.resolve().await?;
                Some(Publish {
                    media: media.clone(),
                    address,
                    to,
                    keys,
                })
            }
            _ => None,
        };
        Ok(Order {
            plan,
            target: Target {
                whep: self.whep_url.clone(),
                count: self.count_url.clone(),
                token: self.token.clone(),
                channels,
                reach,
                pid: self.server_pid,
            },
            publish,
        })
    }
}

fn pairs(text: &str) -> Result<(Vec<String>, Vec<String>)> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            // The line holds a key: it is not repeated in the error.
            let (channel, key) = line
                .split_once(' ')
                .context("a line of --keys is not: channel, space, key")?;
            Ok((channel.to_owned(), key.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_setting_is_a_flag() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["zongzi-load", "--viewers", "7", "--max-loss", "0.5"])
            .expect("flags");
        let plan = cli.settings.plan().expect("makes sense");
        assert_eq!(plan.viewers, 7);
        assert!((plan.max_loss - 0.5).abs() < 1e-9);
    }

    #[test]
    fn keys_are_read_by_line_and_a_bad_line_does_not_show_its_key() {
        let (channels, keys) = pairs("a sk_1\n\n b  sk_2 \n").expect("two lines");
        assert_eq!(
            (channels, keys),
            (
                vec!["a".to_owned(), "b".to_owned()],
                vec!["sk_1".to_owned(), "sk_2".to_owned()]
            )
        );
        let error = pairs("sk_secret").expect_err("no channel").to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
