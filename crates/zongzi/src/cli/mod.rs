//! The command line. Exit codes: 0 done, 1 failed, 2 wrong usage or settings.

mod admin_token;
mod backup;
mod channel;
mod doctor;
mod hook;
mod key;
pub(crate) mod output;
mod playback_key;
mod store;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::serve;
use crate::settings::{LogFormat, Overrides, Settings, SettingsError, load};

/// A live video relay: hosts publish with OBS, viewers watch in the browser within half a second.
#[derive(Debug, Parser)]
#[command(
    name = "zongzi",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// Settings file (TOML); config/zongzi.toml has every key with its default
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the store, the server's secret and the admin token [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Sets one key of the settings, e.g. --set rtmp.listen=127.0.0.1:1936
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve {
        /// How log lines and the ready line look
        #[arg(long, value_name = "FORMAT")]
        log: Option<LogFormat>,
    },
    /// Make, list and delete channels (also while the server runs)
    #[command(subcommand)]
    Channel(channel::Command),
    /// Make, list and revoke stream keys (also while the server runs)
    #[command(subcommand)]
    Key(key::Command),
    /// Make, list and revoke named tokens for the API (also while the server runs)
    #[command(subcommand)]
    AdminToken(admin_token::Command),
    /// Make a playback token, which lets a viewer watch a private channel, and print it
    Token(token::Options),
    /// List and rotate the keys that sign playback tokens
    #[command(subcommand)]
    PlaybackKey(playback_key::Command),
    /// Make, list and delete webhooks (also while the server runs)
    #[command(subcommand)]
    Hook(hook::Command),
    /// Write all that must survive into one tar file (also while the server runs)
    Backup(backup::Command),
    /// Look at ports, addresses, buffers, disk and clock, and say what to mend
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Encodes one broadcast's video again; started by the server, speaks with it over standard input and output
    #[command(hide = true)]
    TranscodeWorker,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Failure {
    /// The command line or the settings are wrong: exit code 2.
    Usage(String),
    /// It was tried and failed: exit code 1.
    Failed(anyhow::Error),
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            output::complain(&message);
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => {
            output::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> Result<(), Failure> {
    if let Command::TranscodeWorker = cli.command {
        // It has no settings, and must not read any.
        return serve::video::run_child().map_err(|error| Failure::Failed(error.into()));
    }
    let settings = settings(&cli)?;
    match cli.command {
        Command::Serve { .. } => serve::run(settings).map_err(|error| match error {
            serve::StartError::Settings(message) => Failure::Usage(message),
            serve::StartError::Failed(error) => Failure::Failed(error),
        }),
        Command::Channel(command) => Ok(channel::run(&command, &settings)?),
        Command::Doctor { json } => Ok(doctor::run(&settings, json)?),
        Command::Key(command) => Ok(key::run(&command, &settings)?),
        Command::AdminToken(command) => Ok(admin_token::run(&command, &settings)?),
        Command::Token(options) => Ok(token::run(&options, &settings)?),
        Command::PlaybackKey(command) => Ok(playback_key::run(&command, &settings)?),
        Command::Hook(command) => Ok(hook::run(&command, &settings)?),
        Command::Backup(command) => Ok(backup::run(&command, &settings)?),
        Command::TranscodeWorker => Ok(()),
    }
}

fn settings(cli: &Cli) -> Result<Settings, Failure> {
    let mut overrides = Overrides::default();
    overrides.take_environment(std::env::vars_os());
    for pair in &cli.common.set {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::Usage(format!(
                "--set {pair}: write SECTION.KEY=VALUE"
            )));
        };
        overrides
            .flags
            .push((format!("--set {key}"), key.to_owned(), value.to_owned()));
    }
    if let Some(dir) = &cli.common.data {
        let dir = dir.to_string_lossy().into_owned();
        overrides
            .flags
            .push(("--data".to_owned(), "data.dir".to_owned(), dir));
    }
    if let Command::Serve { log: Some(format) } = &cli.command {
        let format = match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        overrides.flags.push((
            "--log".to_owned(),
            "log.format".to_owned(),
            format.to_owned(),
        ));
    }
    Ok(load(cli.common.config.as_deref(), &overrides)?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
