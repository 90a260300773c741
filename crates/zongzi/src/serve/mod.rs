//! `zongzi serve`: everything is bound first, then wired, then started; what was bound and cannot be used is an error
//! before anyone could have connected.

mod announce;
mod assets;
mod bridge;
mod claim;
mod descriptors;
mod follow;
mod hooks;
pub(crate) mod listeners;
mod logging;
mod metrics;
pub(crate) mod priority;
mod reach;
mod server;
mod stop;
mod traces;
pub(crate) mod video;

use anyhow::Context as _;

pub(crate) use self::reach::Reach;
use self::server::Server;
use crate::settings::Settings;

/// Why the server did not start, or did not stop in order.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The settings, or what they point at, can't be used.
    Settings(String),
    /// Something else failed.
    Failed(anyhow::Error),
}

/// Runs the server until it is told to stop.
pub(crate) fn run(settings: Settings) -> Result<(), StartError> {
    logging::start(&settings.log).map_err(|error| StartError::Settings(format!("{error:#}")))?;
    descriptors::allow_all();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")
        .map_err(StartError::Failed)?;
    runtime.block_on(async {
        stop::survive_full_files();
        let server = Server::start(settings).await?;
        server.run(stop::requested()).await;
        Ok(())
    })
}
