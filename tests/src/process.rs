//! A child process that never outlives its test.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::wait;

/// A running program; killed when dropped. What it says on standard error is kept, and shown if the test fails.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    /// Writes the log, where the program itself can't.
    copier: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`, its standard error going to the file `log`.
    ///
    /// # Panics
    /// When the program can't be started.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("a log file can be made");
        Self::spawn(command.stderr(Stdio::from(file)), log)
    }

    /// The same for a program that may write no file: its standard error comes through a pipe.
    ///
    /// # Panics
    /// When the program can't be started.
    pub fn start_piped(command: &mut Command, log: &Path) -> Self {
        let mut file = File::create(log).expect("a log file can be made");
        let mut process = Self::spawn(command.stderr(Stdio::piped()), log);
        let mut said = process.child.stderr.take().expect("it is piped");
        process.copier = Some(std::thread::spawn(move || {
            io::copy(&mut said, &mut file).expect("what is said can be kept");
        }));
        process
    }

    fn spawn(command: &mut Command, log: &Path) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            child,
            name,
            log: log.to_owned(),
            copier: None,
        }
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said on standard error until now.
    pub fn said(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for its end.
    pub fn wait(&mut self, most: Duration) -> ExitStatus {
        let name = self.name.clone();
        let status = wait::until(&format!("{name} to end"), most, || self.ended());
        if let Some(copier) = self.copier.take() {
            copier.join().expect("what was said is kept");
        }
        status
    }

    /// Sends a signal by name (`TERM`, `INT`, `STOP`, `KILL`).
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status();
        assert!(
            status.is_ok_and(|s| s.success()),
            "{} was gone before {name}",
            self.name
        );
    }

    /// Ends it at once, without a word.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<&str> = said.lines().collect();
            let tail = lines
                .get(lines.len().saturating_sub(40)..)
                .unwrap_or_default();
            crate::note(&format!(
                "---- last words of {} ----\n{}",
                self.name,
                tail.join("\n")
            ));
        }
    }
}
