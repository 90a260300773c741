//! `zongzi-load` as a small crowd.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::place;
use crate::process::Process;

/// Viewers who watch a channel until this is dropped. One in four decrypts everything and asks for lost packets again;
/// some come and go all the time.
#[derive(Debug)]
pub struct Viewers {
    _process: Process,
    _dir: TempDir,
}

impl Viewers {
    /// `count` viewers of `channel`, who are served at `http`.
    pub fn watch(http: SocketAddr, channel: &str, count: usize) -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let mut command = Command::new(place::program("zongzi-load"));
        command
            .arg("--whep-url")
            .arg(format!("http://{http}/whep/{{channel}}"))
            .args(["--channel", channel, "--viewers", &count.to_string()])
            .args([
                "--sampled",
                "0.25",
                "--churn-rate",
                "2",
                "--churn-stay",
                "2",
            ])
            .args([
                "--base-seconds",
                "0",
                "--seconds",
                "120",
                "--floor",
                "false",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let process = Process::start(&mut command, &dir.path().join("load.log"));
        Self {
            _process: process,
            _dir: dir,
        }
    }
}
