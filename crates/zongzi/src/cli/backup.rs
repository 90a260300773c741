//! `zongzi backup`: all that must survive, in one file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use zongzi_control::store::Sqlite;

use super::{output, store};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Command {
    /// The file to make; it must not exist yet. It holds secrets: keep it as you keep the data folder
    file: PathBuf,
}

pub(super) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    let dir = &settings.data.dir;
    let file = &command.file;
    anyhow::ensure!(!file.exists(), "{} exists already", file.display());
    store::with(settings, async |control| {
        let draft = Draft::beside(file)?;
        let copy = draft.0.join(Sqlite::FILE);
        control.store().backup(&copy).await?;
        let archive = draft.0.join("archive");
        pack(&archive, dir, &copy).with_context(|| format!("can't write {}", archive.display()))?;
        // Fails where another backup was quicker; never writes over anything.
        fs::hard_link(&archive, file).with_context(|| format!("can't make {}", file.display()))?;
        output::say(&format!(
            "{} holds all of {}; to put it back: stop the server, empty the folder, tar -xf {} -C {}",
            file.display(),
            dir.display(),
            file.display(),
            dir.display()
        ));
        Ok(())
    })
}

/// What else of the data folder is needed with the store.
const BESIDE: [&str; 3] = ["key-secret", "admin-token", "on-publish-secret"];

fn pack(archive: &Path, dir: &Path, copy: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(archive)?;
    let mut tar = tar::Builder::new(file);
    tar.append_path_with_name(copy, Sqlite::FILE)?;
    for name in BESIDE {
        match File::open(dir.join(name)) {
            Ok(mut beside) => tar.append_file(name, &mut beside)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let mut file = tar.into_inner()?;
    file.flush()?;
    file.sync_all()
}

/// A folder of our own beside the file, on the same disk; gone when dropped.
struct Draft(PathBuf);

impl Draft {
    fn beside(file: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let name = file.file_name().context("a file name is needed")?;
        let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
        let path = file.with_file_name(name);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("can't make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What stays behind is a hidden folder that nobody but its owner reads.
        let _ = fs::remove_dir_all(&self.0);
    }
}
