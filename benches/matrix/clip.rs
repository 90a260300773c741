//! What encoders send.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use zongzi_media::h264::Config;
use zongzi_media::{Codec, Frame};
use zongzi_rtmp::flv::Demuxer;
use zongzi_rtmp::flv::file::{Kind, tags};
use zongzi_tests::source::Clip;

/// A way of encoding with x264.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    preset: &'static str,
    b_frames: u32,
    pyramid: bool,
    fps: u32,
    size: (u32, u32),
}

impl Case {
    /// Every preset with every number of B-frames at 360p, and every size and rate with three of them.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for preset in PRESETS {
            for b_frames in 1..=8 {
                for pyramid in [false, true] {
                    // One B-frame alone is no pyramid.
                    if pyramid && b_frames == 1 {
                        continue;
                    }
                    all.push(Self {
                        preset,
                        b_frames,
                        pyramid,
                        fps: 30,
                        size: (640, 360),
                    });
                }
            }
        }
        for (size, fps) in [
            ((640, 360), 25),
            ((640, 360), 60),
            ((1280, 720), 25),
            ((1280, 720), 30),
            ((1280, 720), 60),
            ((1920, 1080), 25),
            ((1920, 1080), 30),
            ((360, 640), 30),
            ((720, 1280), 30),
            ((1080, 1920), 30),
        ] {
            for (preset, b_frames) in [("superfast", 1), ("veryfast", 3), ("slow", 8)] {
                all.push(Self {
                    preset,
                    b_frames,
                    pyramid: true,
                    fps,
                    size,
                });
            }
        }
        all
    }

    /// Those that differ most.
    pub(crate) fn few() -> Vec<Self> {
        [
            ("superfast", 1, false, 25, (640, 360)),
            ("veryfast", 3, true, 30, (640, 360)),
            ("medium", 2, false, 60, (360, 640)),
            ("slow", 8, true, 30, (640, 360)),
        ]
        .map(|(preset, b_frames, pyramid, fps, size)| Self {
            preset,
            b_frames,
            pyramid,
            fps,
            size,
        })
        .to_vec()
    }

    /// What is played to Chromium: each preset, number of B-frames, size and rate several times.
    pub(crate) fn played() -> Vec<Self> {
        [
            ("superfast", 1, false, 25, (640, 360)),
            ("veryfast", 2, true, 30, (640, 360)),
            ("faster", 7, false, 30, (640, 360)),
            ("fast", 4, false, 30, (640, 360)),
            ("medium", 7, true, 25, (640, 360)),
            ("slow", 8, true, 30, (640, 360)),
            ("fast", 5, false, 30, (360, 640)),
            ("slow", 7, true, 30, (360, 640)),
            ("superfast", 4, true, 30, (1280, 720)),
            ("veryfast", 3, false, 25, (1280, 720)),
            ("medium", 3, true, 30, (1280, 720)),
            ("medium", 2, true, 25, (1280, 720)),
            ("slow", 4, true, 30, (1280, 720)),
            ("faster", 6, true, 30, (720, 1280)),
            ("medium", 8, false, 30, (720, 1280)),
            ("superfast", 8, false, 60, (1280, 720)),
            ("veryfast", 5, true, 60, (1280, 720)),
            ("fast", 6, true, 60, (1280, 720)),
            ("slow", 1, false, 60, (1280, 720)),
            ("faster", 2, false, 25, (1920, 1080)),
            ("fast", 3, true, 25, (1920, 1080)),
            ("faster", 1, false, 30, (1920, 1080)),
            ("veryfast", 8, true, 30, (1920, 1080)),
            ("slow", 5, false, 30, (1920, 1080)),
            ("superfast", 3, true, 30, (1080, 1920)),
        ]
        .map(|(preset, b_frames, pyramid, fps, size)| Self {
            preset,
            b_frames,
            pyramid,
            fps,
            size,
        })
        .to_vec()
    }

    /// The same as a clip whose pictures can be read, with keyframes as far apart as OBS has them.
    pub(crate) fn readable(&self, seconds: u32) -> Clip {
        Clip {
            seconds,
            size: self.size,
            kbps: self.kbps(),
            gop: 250,
            b_frames: self.b_frames,
            pyramid: self.pyramid,
            preset: self.preset,
            fps: self.fps,
            ..Clip::SMALL
        }
    }

    /// A bit for every ten samples: what OBS sends at 720p30.
    fn kbps(&self) -> u32 {
        (self.size.0 * self.size.1 * self.fps / 10_000).max(300)
    }

    /// The clip as an FLV file in `dir`.
    pub(crate) fn make(&self, dir: &Path, seconds: u32) -> anyhow::Result<PathBuf> {
        let file = dir.join(format!("{self}.flv"));
        let (width, height) = self.size;
        let pictures = format!("testsrc2=size={width}x{height}:rate={}", self.fps);
        let kbps = self.kbps();
        let params = format!(
            "bframes={}:b-adapt=0:b-pyramid={}:keyint=250",
            self.b_frames,
            if self.pyramid { "normal" } else { "none" }
        );
        let output = Command::new("ffmpeg")
            .args([
                "-loglevel",
                "error",
                "-nostdin",
                "-y",
                "-f",
                "lavfi",
                "-i",
                &pictures,
            ])
            .args(["-t", &seconds.to_string(), "-pix_fmt", "yuv420p"])
            .args([
                "-c:v",
                "libx264",
                "-preset",
                self.preset,
                "-x264-params",
                &params,
            ])
            .args(["-b:v", &format!("{kbps}k"), "-maxrate", &format!("{kbps}k")])
            .args(["-bufsize", &format!("{kbps}k")])
            .arg(&file)
            .output()
            .context("ffmpeg can't be run")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ffmpeg: {said}");
        Ok(file)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.size;
        let pyramid = if self.pyramid { "-pyramid" } else { "" };
        let (preset, b_frames, fps) = (self.preset, self.b_frames, self.fps);
        write!(f, "{preset}-bf{b_frames}{pyramid}-{width}x{height}-{fps}")
    }
}

/// The H.264 of an FLV file.
pub(crate) fn read(file: &Path) -> anyhow::Result<(Config, Vec<Frame>)> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let mut demuxer = Demuxer::default();
    let (mut config, mut frames) = (None, Vec::new());
    for tag in tags(bytes.into()).filter(|tag| tag.kind == Kind::Video) {
        let demuxed = demuxer.video(tag.timestamp_ms.into(), tag.body);
        if let Some(track) = demuxed.track
            && let Codec::H264(new) = track.codec
        {
            config = Some(new);
        }
        frames.extend(demuxed.frame);
    }
    Ok((config.context("no H.264 in it")?, frames))
}

const PRESETS: [&str; 6] = ["superfast", "veryfast", "faster", "fast", "medium", "slow"];
