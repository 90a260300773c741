use zongzi_control::Control;
use zongzi_control::store::{Error, Sqlite};

use crate::settings::Settings;

/// Opens the store of the data directory and runs one command on it, beside a server that may be running.
pub(super) fn with(
    settings: &Settings,
    command: impl AsyncFnOnce(Control<Sqlite>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let dir = &settings.data.dir;
    // One made here would be a store that no server uses.
    anyhow::ensure!(
        dir.join(Sqlite::FILE).exists(),
        "there is no store in {}: run this where the server was started, or say where its data is with --data DIR; the \
         server makes the store when it starts for the first time",
        std::path::absolute(dir)
            .unwrap_or_else(|_| dir.clone())
            .display()
    );
    let control = Control::open(dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let store = control.store().clone();
    let done = runtime.block_on(async {
        let done = command(control).await;
        store.close().await;
        done
    });
    done.map_err(|error| {
        match error.downcast_ref::<Error>() {
            Some(Error::ChannelUnknown(_)) => {
                anyhow::anyhow!("{error:#}; `zongzi channel list` shows those that there are, `zongzi channel create` makes one")
            }
            _ => error,
        }
    })
}
