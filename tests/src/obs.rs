//! The real OBS Studio as a host, under a virtual display, with a profile of its own.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::wait;

/// How long OBS may take from its start to "streaming".
const START_MAX: Duration = Duration::from_secs(60);
/// OBS says what it does on standard output.
const LOG: &str = "obs.log";

/// OBS, streaming a clip in a loop at 640x360, with its own encoder ("Simple" output, x264 veryfast, CBR 1,500 kbit/s).
#[derive(Debug)]
pub struct Obs {
    process: Process,
    _screen: Process,
    home: TempDir,
}

impl Obs {
    /// Starts OBS, which begins to stream by itself. `x264` are options for its encoder, such as `bframes=0`; with none
    /// everything is OBS's default.
    ///
    /// # Panics
    /// When OBS or the virtual display is missing.
    pub fn start(clip: &Path, url: &str, key: &str, x264: &str) -> Self {
        let home = tempfile::Builder::new()
            .prefix("obs-")
            .tempdir()
            .expect("a folder can be made");
        write_profile(home.path(), clip, url, key, x264);
        let (screen, display) = start_screen(home.path());
        let mut command = Command::new("dbus-run-session");
        command.args([
            "--",
            "obs",
            "--multi",
            "--startstreaming",
            "--disable-updater",
        ]);
        command.args([
            "--disable-missing-files-check",
            "--verbose",
            "--unfiltered_log",
        ]);
        command
            .env("DISPLAY", display)
            .env_remove("WAYLAND_DISPLAY")
            .current_dir(home.path());
        for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"] {
            command.env(variable, home.path());
        }
        command.envs([
            ("LIBGL_ALWAYS_SOFTWARE", "1"),
            ("QT_QPA_PLATFORM", "xcb"),
            ("LP_NUM_THREADS", "2"),
        ]);
        command.envs([("vblank_mode", "0"), ("PULSE_SERVER", "none")]);
        let log = fs::File::create(home.path().join(LOG)).expect("a log file can be made");
        command.stdin(Stdio::null()).stdout(log);
        let process = Process::start(&mut command, &home.path().join("obs.errors"));
        Self {
            process,
            _screen: screen,
            home,
        }
    }

    /// Waits until OBS says that it streams.
    pub fn wait_streaming(&mut self) {
        wait::until("OBS to stream", START_MAX, || {
            assert!(self.process.ended().is_none(), "OBS ended: {}", self.said());
            self.said()
                .contains("==== Streaming Start ====")
                .then_some(())
        });
    }

    /// Waits until OBS says that the server refused it or cut it off; gives that line.
    pub fn wait_refused(&mut self) -> String {
        wait::until("OBS to be refused", START_MAX, || {
            let said = self.said();
            said.lines()
                .find(|line| line.contains("[rtmp stream") && line.contains("failed"))
                .map(str::to_owned)
        })
    }

    /// What OBS has logged.
    pub fn said(&self) -> String {
        let bytes = fs::read(self.home.path().join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Obs {
    fn drop(&mut self) {
        // OBS is the grandchild: dbus-run-session ends with it and does not end it.
        let children = Command::new("pgrep")
            .args(["-P", &self.process.pid().to_string()])
            .output();
        if let Ok(children) = children {
            let pids = String::from_utf8_lossy(&children.stdout).into_owned();
            for pid in pids.split_whitespace() {
                // It may have ended in this instant.
                let _ = Command::new("kill")
                    .args(["-s", "KILL", pid])
                    .stderr(Stdio::null())
                    .status();
            }
        }
    }
}

/// Starts Xvfb on a display of its own choice.
fn start_screen(home: &Path) -> (Process, String) {
    let mut command = Command::new("Xvfb");
    command.args([
        "-displayfd",
        "1",
        "-screen",
        "0",
        "640x480x24",
        "+extension",
        "GLX",
        "-nolisten",
        "tcp",
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut screen = Process::start(&mut command, &home.join("xvfb.log"));
    let mut stdout = screen.child().stdout.take().expect("stdout is piped");
    let mut number = Vec::new();
    while !number.ends_with(b"\n") {
        let mut byte = [0];
        assert!(
            matches!(stdout.read(&mut byte), Ok(1)),
            "Xvfb does not start: {}",
            screen.said()
        );
        number.extend(byte);
    }
    (
        screen,
        format!(":{}", String::from_utf8_lossy(&number).trim()),
    )
}

fn write_profile(home: &Path, clip: &Path, url: &str, key: &str, x264: &str) {
    let conf = home.join("obs-studio");
    let profile = conf.join("basic/profiles/T");
    let put = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    };
    put(conf.join("global.ini"), GLOBAL);
    let advanced = if x264.is_empty() {
        String::new()
    } else {
        format!("UseAdvanced=true\nPreset=veryfast\nx264Settings={x264}\n")
    };
    put(profile.join("basic.ini"), &format!("{BASIC}{advanced}"));
    let service = json!({"type": "rtmp_custom", "settings": {"server": url, "key": key, "use_auth": false, "bwtest": false}});
    put(profile.join("service.json"), &service.to_string());
    put(conf.join("basic/scenes/T.json"), &scene(clip).to_string());
}

fn scene(clip: &Path) -> Value {
    let item = json!({
        "name": "Clip", "id": 1, "visible": true, "locked": false, "rot": 0.0, "align": 5, "bounds_type": 2, "bounds_align": 0,
        "pos": {"x": 0.0, "y": 0.0}, "scale": {"x": 1.0, "y": 1.0}, "bounds": {"x": 640.0, "y": 360.0},
        "crop_left": 0, "crop_right": 0, "crop_top": 0, "crop_bottom": 0,
    });
    let source = |id: &str, name: &str, settings: Value| {
        json!({
            "id": id, "versioned_id": id, "name": name, "settings": settings, "enabled": true, "muted": false, "volume": 1.0,
            "balance": 0.5, "mixers": 255, "sync": 0, "flags": 0, "hotkeys": {}, "filters": [], "private_settings": {},
        })
    };
    let clip = json!({
        "local_file": clip, "is_local_file": true, "looping": true, "hw_decode": false, "restart_on_activate": false,
        "close_when_inactive": false,
    });
    json!({
        "name": "T", "current_scene": "Scene", "current_program_scene": "Scene", "scene_order": [{"name": "Scene"}],
        "current_transition": "Cut", "transition_duration": 300, "transitions": [], "groups": [], "quick_transitions": [],
        "sources": [
            source("ffmpeg_source", "Clip", clip),
            source("scene", "Scene", json!({"id_counter": 1, "custom_size": false, "items": [item]})),
        ],
    })
}

/// Keeps every first-run question and warning away.
const GLOBAL: &str = "[General]
FirstRun=true
LastVersion=503316482
InfoIncrement=1000
EnableAutoUpdates=false
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
HotkeyFocusType=NeverDisableHotkeys

[Basic]
Profile=T
ProfileDir=T
SceneCollection=T
SceneCollectionFile=T
ConfigOnNewProfile=false

[BasicWindow]
WarnBeforeStartingStream=false
WarnBeforeStoppingStream=false
PreviewEnabled=false
SysTrayEnabled=false
SysTrayWhenStarted=false
";

const BASIC: &str = "[General]
Name=T

[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=0
FPSCommon=30

[Audio]
SampleRate=48000
ChannelSetup=Stereo

[Output]
Mode=Simple
Reconnect=false

[SimpleOutput]
VBitrate=1500
ABitrate=160
StreamEncoder=x264
";
