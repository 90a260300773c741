use zongzi_control::Control;
use zongzi_control::store::Sqlite;

use crate::settings::Settings;

/// Opens the store of the data directory and runs one command on it, beside a server that may be running.
pub(super) fn with(
    settings: &Settings,
    command: impl AsyncFnOnce(Control<Sqlite>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let control = Control::open(&settings.data.dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(command(control))
}
