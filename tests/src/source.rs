//! Clips that say which picture is shown and which second is heard. Made once, kept in `tests/.cache`.
//!
//! Picture: the top tenth of the frame is a row of 20 equal cells, black or white: 0 white, 1 black, 2 to 17 the frame
//! number (16 bits, highest first), 18 even parity of these, 19 the flash. The flash, and a square at the left for
//! people, are white for 1/15 s from each full second on. Sound: for the same 1/15 s a tone of 1000 + 250 * (second
//! mod 8) Hz, silence between. So frame N belongs to media time N / fps, and a tone tells its second.

use std::path::PathBuf;
use std::process::Command;

use crate::place;

/// Frames a second of a clip that says nothing else.
pub const FPS: u32 = 30;
/// Changes when clips are made differently, so that old ones are not used.
const VERSION: u32 = 1;

/// What a clip is to be like.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Length.
    pub seconds: u32,
    /// Width and height.
    pub size: (u32, u32),
    /// Bit rate of the video, in kbit/s.
    pub kbps: u32,
    /// Frames from one keyframe to the next.
    pub gop: u32,
    /// B-frames between two others.
    pub b_frames: u32,
    /// Whether B-frames refer to B-frames.
    pub pyramid: bool,
    /// The preset of x264.
    pub preset: &'static str,
    /// Frames a second.
    pub fps: u32,
    /// The video's encoder, as ffmpeg calls it.
    pub encoder: &'static str,
    /// Samples a second and channels of the sound.
    pub sound: (u32, u32),
}

impl Clip {
    /// Small and cheap: what most tests need.
    pub const SMALL: Self = Self {
        seconds: 60,
        size: (640, 360),
        kbps: 1_000,
        gop: 2 * FPS,
        b_frames: 0,
        pyramid: true,
        preset: "veryfast",
        fps: FPS,
        encoder: "libx264",
        sound: (48_000, 2),
    };

    /// The stream that figures are measured with: 720p30, 2.5 Mb/s.
    pub const FULL: Self = Self {
        size: (1280, 720),
        kbps: 2_500,
        ..Self::SMALL
    };

    /// The clip's file (Matroska), made now if need be.
    ///
    /// # Panics
    /// When ffmpeg fails.
    pub fn file(&self) -> PathBuf {
        let (w, h) = self.size;
        let (rate, channels) = self.sound;
        let x264 = match (self.preset, self.pyramid) {
            ("veryfast", true) => String::new(),
            (preset, true) => format!("-{preset}"),
            (preset, false) => format!("-{preset}-flat"),
        };
        let b_frames = match self.b_frames {
            0 => "b0".to_owned(),
            count => format!("B{count}"),
        };
        let fps = match self.fps {
            FPS => String::new(),
            fps => format!("-{fps}fps"),
        };
        let path = place::cache().join(format!(
            "clip{VERSION}-{w}x{h}-{}k-g{}-{b_frames}-{}{x264}{fps}-{rate}x{channels}-{}s.mkv",
            self.kbps, self.gop, self.encoder, self.seconds
        ));
        if !path.exists() {
            // Made aside and moved: a clip that is there is whole, also when tests run side by side.
            let unfinished = path.with_extension(format!("{}.mkv", std::process::id()));
            let output = self
                .command(crate::ffmpeg::program_for(self.encoder))
                .arg(&unfinished)
                .output();
            let output = output.expect("ffmpeg can be run");
            assert!(
                output.status.success(),
                "ffmpeg: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            std::fs::rename(unfinished, &path).expect("a file can be renamed");
        }
        path
    }

    fn command(&self, ffmpeg: PathBuf) -> Command {
        let mut command = Command::new(ffmpeg);
        let kbps = format!("{}k", self.kbps);
        let gop = self.gop.to_string();
        command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
        command.args([
            "-f",
            "lavfi",
            "-i",
            &self.pictures(),
            "-f",
            "lavfi",
            "-i",
            &self.ticks(),
        ]);
        command.args([
            "-t",
            &self.seconds.to_string(),
            "-c:v",
            self.encoder,
            "-b:v",
            &kbps,
        ]);
        match self.encoder {
            "libx264" => {
                command.args(["-preset", self.preset, "-maxrate", &kbps, "-bufsize", &kbps]);
                // Always as many, not only where they pay.
                command.args(["-b_strategy", "0"]);
                command.args(["-b-pyramid", if self.pyramid { "normal" } else { "none" }]);
                command.args([
                    "-bf",
                    &self.b_frames.to_string(),
                    "-g",
                    &gop,
                    "-keyint_min",
                    &gop,
                ]);
                command.args(["-sc_threshold", "0"]);
            }
            "libx265" => {
                let params =
                    format!("log-level=error:keyint={gop}:min-keyint={gop}:bframes=0:scenecut=0");
                command.args([
                    "-preset",
                    "ultrafast",
                    "-tag:v",
                    "hvc1",
                    "-x265-params",
                    &params,
                ]);
            }
            "libsvtav1" => {
                command.args([
                    "-preset",
                    "11",
                    "-g",
                    &gop,
                    "-svtav1-params",
                    "pred-struct=1:rc=2",
                ]);
            }
            other => panic!("no clip is made by {other}"),
        }
        command.args(["-c:a", "aac", "-b:a", "128k", "-f", "matroska"]);
        command
    }

    fn pictures(&self) -> String {
        let (w, h) = self.size;
        let cell = |index: u32, color: &str, enable: &str| {
            let (left, right) = (index * w / 20, (index + 1) * w / 20);
            draw_box(left, 0, right - left, h / 10, color, enable)
        };
        let flash = format!("lt(mod(n,{}),{})", self.fps, self.fps / 15);
        let bit = |power: u32| format!("mod(floor(n/{}),2)", 1 << power);
        let ones: Vec<String> = (0..16).map(bit).collect();
        let mut steps = vec![draw_box(0, 0, w, h / 10, "black", ""), cell(0, "white", "")];
        steps.extend((0..16).map(|i| cell(2 + i, "white", &format!("eq({},1)", bit(15 - i)))));
        steps.push(cell(
            18,
            "white",
            &format!("eq(mod({},2),1)", ones.join("+")),
        ));
        steps.push(cell(19, "white", &flash));
        steps.push(draw_box(w / 20, h / 5, h / 5, h / 5, "black", ""));
        steps.push(draw_box(w / 20, h / 5, h / 5, h / 5, "white", &flash));
        format!(
            "testsrc2=size={w}x{h}:rate={},{},format=yuv420p",
            self.fps,
            steps.join(",")
        )
    }

    fn ticks(&self) -> String {
        let (rate, channels) = self.sound;
        let tone = "0.5*sin(2*PI*(1000+250*mod(floor(t),8))*t)*lt(mod(t,1),1/15)";
        let all = vec![tone; usize::try_from(channels).expect("few channels")].join("|");
        format!("aevalsrc='{all}':s={rate}")
    }
}

fn draw_box(x: u32, y: u32, w: u32, h: u32, color: &str, enable: &str) -> String {
    let enable = if enable.is_empty() {
        String::new()
    } else {
        format!(":enable='{enable}'")
    };
    format!("drawbox=x={x}:y={y}:w={w}:h={h}:color={color}:t=fill{enable}")
}
