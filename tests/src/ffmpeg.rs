//! ffmpeg as a host.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::place;
use crate::process::Process;
use crate::server::Server;
use crate::source::Clip;

/// Debian's ffmpeg, and for codecs that need Enhanced RTMP the newer one that `script/test` installs.
///
/// # Panics
/// When the newer one is asked for and missing.
pub fn program_for(codec: &str) -> PathBuf {
    match codec {
        "libx265" | "libsvtav1" => {
            let link = place::cache().join("ffmpeg-new");
            assert!(
                link.exists(),
                "{} is missing: script/test --set-up",
                link.display()
            );
            link
        }
        _ => PathBuf::from("ffmpeg"),
    }
}

/// A host: ffmpeg that publishes a clip in real time, without encoding anything.
#[derive(Debug)]
pub struct Host {
    process: Process,
    _dir: TempDir,
}

/// What of a clip is published, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Publish<'a> {
    /// Further options before the output's format, such as `-an`.
    pub options: &'a [&'a str],
    /// Again from its beginning when the clip is over.
    pub looped: bool,
    /// Seconds into the clip to begin at.
    pub from: u32,
    /// Use the newer ffmpeg and say this FourCC in `connect` (Enhanced RTMP).
    pub enhanced: Option<&'a str>,
}

impl Host {
    /// A server with a host who is live on its channel `demo`, with the small clip.
    pub fn live() -> (Server, Self) {
        let server = Server::start();
        let key = server.key("demo").key;
        let host = Self::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
        server.wait_live("demo");
        (server, host)
    }

    /// Publishes `clip` to `url` with `key`.
    pub fn publish(clip: &Path, url: &str, key: &str) -> Self {
        Self::publish_with(clip, url, key, Publish::default())
    }

    /// Publishes `clip` to `url` with `key` as `how` says.
    pub fn publish_with(clip: &Path, url: &str, key: &str, how: Publish<'_>) -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let mut command = Command::new(program_for(if how.enhanced.is_some() {
            "libx265"
        } else {
            ""
        }));
        command.args(["-hide_banner", "-loglevel", "warning", "-nostdin", "-re"]);
        if how.looped {
            command.args(["-stream_loop", "-1"]);
        }
        if how.from > 0 {
            command.args(["-ss", &how.from.to_string()]);
        }
        command
            .arg("-i")
            .arg(clip)
            .args(["-c", "copy"])
            .args(how.options);
        if let Some(fourcc) = how.enhanced {
            command.args(["-rtmp_enhanced_codecs", fourcc]);
        }
        command.args(["-f", "flv", &format!("{url}/{key}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = Process::start(&mut command, &dir.path().join("ffmpeg.log"));
        Self { process, _dir: dir }
    }

    /// Stops publishing as a person does (FCUnpublish, deleteStream).
    pub fn stop(mut self) {
        self.process.signal("INT");
        self.process.wait(Duration::from_secs(5));
    }

    /// Dies without a word; the kernel closes the connection.
    pub fn crash(mut self) {
        self.process.kill();
    }

    /// Waits for its end, by itself or because the server ended it.
    pub fn wait(&mut self, most: Duration) -> ExitStatus {
        self.process.wait(most)
    }

    /// Whether it has not ended.
    pub fn alive(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// What it said.
    pub fn said(&self) -> String {
        self.process.said()
    }
}
