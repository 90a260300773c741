//! `zongzi token`: what lets a viewer watch a private channel.

use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;
use zongzi_control::playback::{Algorithm, Claims, ViewerId};
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use super::{output, store};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The channel that the token opens
    channel: ChannelName,
    /// Who watches, for counting viewers: any text of 1 to 128 bytes
    #[arg(long, value_name = "ID")]
    viewer: Option<ViewerId>,
    /// For how long it opens the channel, e.g. 90m, 2h, 7d
    #[arg(long, value_name = "SPAN", default_value = "2h", value_parser = humantime::parse_duration)]
    expires: Duration,
    /// Lets its time begin only so much later
    #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
    begins: Option<Duration>,
    /// Cuts the viewer off when it expires, in the middle of the show too
    #[arg(long)]
    ends_session: bool,
    /// How it is signed: eddsa, or hs256, which is shorter
    #[arg(long, value_name = "NAME", default_value_t)]
    algorithm: Algorithm,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A new token and what it says.
#[derive(Serialize)]
struct Document<'a> {
    token: &'a str,
    /// What to put behind the server's address. A fragment (RFC 3986 §3.5) is not sent, so it stands in no log.
    watch: String,
    channel: &'a str,
    viewer: Option<&'a str>,
    begins: Option<Timestamp>,
    expires: Option<Timestamp>,
    ends_session: bool,
    kid: &'a str,
}

pub(super) fn run(options: &Options, settings: &Settings) -> anyhow::Result<()> {
    let now = SystemTime::now();
    let mut claims = Claims::new(&options.channel, now, options.begins, options.expires)?;
    claims.viewer.clone_from(&options.viewer);
    claims.ends_session = options.ends_session;
    store::with(settings, async |control| {
        let signed = control
            .playback_token(options.channel.clone(), options.algorithm, claims.clone())
            .await?;
        if options.json {
            let time = |date: zongzi_control::playback::NumericDate| date.time().map(Into::into);
            output::say_json(&Document {
                token: &signed.token,
                watch: format!("/watch/{}#token={}", options.channel, signed.token),
                channel: options.channel.as_str(),
                viewer: claims.viewer.as_ref().map(ViewerId::as_str),
                begins: claims.nbf.and_then(time),
                expires: time(claims.exp),
                ends_session: claims.ends_session,
                kid: &signed.kid,
            });
        } else {
            output::say(&signed.token);
        }
        Ok(())
    })
}
