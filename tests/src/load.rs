//! `zongzi-load` as a crowd of viewers.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::place;
use crate::process::Process;
use crate::server::Server;

/// Viewers of one channel, in a process of their own.
#[derive(Debug)]
pub struct Crowd {
    process: Process,
    dir: TempDir,
}

impl Crowd {
    /// `viewers` who come to `channel` and stay until this is dropped or their time is up; `options` are further ones of
    /// `zongzi-load`.
    pub fn come(server: &Server, channel: &str, viewers: u32, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let mut command = Command::new(place::program("zongzi-load"));
        command
            .args(["--channel", channel, "--viewers", &viewers.to_string()])
            .args(["--whep-url", &server.url("/whep/{channel}")])
            .args(["--base-seconds", "0.1", "--floor", "false"])
            .args(options)
            .arg("--json-file")
            .arg(dir.path().join("report.json"))
            .stdout(Stdio::null())
            .stdin(Stdio::null());
        let process = Process::start(&mut command, &dir.path().join("load.log"));
        Self { process, dir }
    }

    /// Waits until all have left and gives what was found.
    pub fn report(mut self, most: Duration) -> (ExitStatus, Value) {
        let status = self.process.wait(most);
        let report = std::fs::read(self.dir.path().join("report.json"));
        let report = report.unwrap_or_else(|error| panic!("{error}:\n{}", self.process.said()));
        let report = serde_json::from_slice(&report).expect("zongzi-load writes JSON");
        (status, report)
    }

    /// All are gone at once, without a word.
    pub fn crash(mut self) {
        self.process.kill();
    }
}
