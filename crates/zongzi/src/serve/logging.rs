use std::io;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::settings::{Log, LogFormat};

/// Sends log lines to standard error.
pub(super) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = filter(&log.level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // It would print them to standard error too, and panic where that is a file on a full disk.
        .log_internal_errors(false);
    match log.format {
        LogFormat::Text => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            // It would say the same again.
            .with_span_list(false)
            .init(),
    }
    Ok(())
}

/// What `log.level` means.
fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let wrong = || {
        format!(
            "log.level = \"{level}\": write error, warn, info, debug, trace or off; or a level for each part, like \
             \"info,zongzi_ingest=debug\""
        )
    };
    // A word alone would be taken for the name of a part, and all others would be silent.
    let is_level = |part: &str| {
        let word = part.trim();
        word.contains('=') || !word.is_empty() && word.parse::<LevelFilter>().is_ok()
    };
    anyhow::ensure!(level.split(',').all(is_level), wrong());
    EnvFilter::try_new(level).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_refused_and_does_not_silence_the_server() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,zongzi_ingest=debug",
            "error,zongzi_relay::hub=trace",
        ] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["loud", "", "info,zongzi_ingest", "zongzi_ingest=loud"] {
            let error = filter(bad).unwrap_err().to_string();
            assert!(
                error.contains(&format!("\"{bad}\"")) && error.contains("debug"),
                "{error}"
            );
        }
    }
}
