//! ffmpeg as the judge.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// How like its source a stream is, picture by picture.
#[derive(Debug)]
pub(crate) struct Likeness {
    pub(crate) pictures: usize,
    /// PSNR of luma, in dB.
    pub(crate) worst: f64,
    pub(crate) mean: f64,
    pub(crate) ssim: f64,
    /// [`vmaf`], where it was asked for.
    pub(crate) vmaf: Option<f64>,
}

/// The same source by another encoder.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) like: Likeness,
    pub(crate) bytes: u64,
    /// Of decoding and encoding.
    pub(crate) cpu: Duration,
}

impl Likeness {
    /// Compares by number: the first with the first.
    pub(crate) fn of(source: &Path, made: &Path) -> anyhow::Result<Self> {
        let judged =
            "[a]split[a1][a2];[b]split[b1][b2];[a1][b1]psnr=stats_file=-;[a2][b2]ssim=stats_file=-";
        let said = side_by_side(ffmpeg(), source, made, judged)?.0;
        let values = |name: &str| {
            let words = said.split_whitespace();
            let numbers = words.filter_map(|word| word.strip_prefix(name)?.parse::<f64>().ok());
            // A picture that is exactly the same has infinitely much.
            numbers
                .map(|number| number.min(PSNR_MAX))
                .collect::<Vec<_>>()
        };
        let (psnr, ssim) = (values("psnr_y:"), values("All:"));
        ensure!(!psnr.is_empty(), "nothing was compared: {said}");
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        Ok(Self {
            pictures: psnr.len(),
            worst: psnr.iter().copied().fold(f64::INFINITY, f64::min),
            mean: mean(&psnr),
            ssim: mean(&ssim),
            vmaf: None,
        })
    }
}

/// How like the source it looks to people, from 0 to 100; `None` without an ffmpeg that can tell. Debian's comes without
/// libvmaf, the newer one that the whole-system tests install has it.
pub(crate) fn vmaf(source: &Path, made: &Path) -> anyhow::Result<Option<f64>> {
    let Ok(command) = std::fs::canonicalize(NEW_FFMPEG).map(ffmpeg_of) else {
        return Ok(None);
    };
    let said = side_by_side(command, source, made, "[a][b]libvmaf=n_threads=2")?.1;
    let score = said.rsplit_once("VMAF score:").map(|(_, score)| score);
    let score = score.and_then(|score| score.split_whitespace().next()?.parse().ok());
    Ok(Some(score.context("ffmpeg tells no VMAF")?))
}

/// Gives the pictures of `made` and `source`, by their numbers, to the filters as `[a]` and `[b]`.
fn side_by_side(
    mut ffmpeg: Command,
    source: &Path,
    made: &Path,
    filters: &str,
) -> anyhow::Result<(String, String)> {
    let graph = format!("[0:v]settb=1/1000,setpts=N[a];[1:v]settb=1/1000,setpts=N[b];{filters}");
    ffmpeg.arg("-i").arg(made).arg("-i").arg(source);
    ffmpeg.args([
        "-lavfi",
        &graph,
        "-fps_mode",
        "passthrough",
        "-f",
        "null",
        "-",
    ]);
    run(&mut ffmpeg)
}

/// A hash of each picture as it is shown.
pub(crate) fn hashes(file: &Path) -> anyhow::Result<Vec<String>> {
    let mut command = ffmpeg();
    command.arg("-i").arg(file);
    command.args([
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]);
    let said = run(&mut command)?.0;
    let lines = said.lines().filter(|line| !line.starts_with('#'));
    let hash = |line: &str| line.rsplit(',').next().map(|hash| hash.trim().to_owned());
    Ok(lines.filter_map(hash).collect())
}

/// `source` by x264 veryfast without B-frames, as a live encoder would, on one thread.
pub(crate) fn x264(source: &Path, made: &Path, kilobits: f64) -> anyhow::Result<Other> {
    let made = made.with_extension("h264");
    let rate = format!("{kilobits:.0}k");
    let mut command = ffmpeg();
    command
        .args(["-benchmark", "-threads", "1", "-y", "-i"])
        .arg(source);
    command.args([
        "-an",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-tune",
        "zerolatency",
    ]);
    command.args([
        "-threads",
        "1",
        "-force_key_frames",
        "expr:gte(t,n_forced*2)",
    ]);
    command.args([
        "-b:v",
        &rate,
        "-maxrate",
        &rate,
        "-bufsize",
        &rate,
        "-fps_mode",
        "passthrough",
    ]);
    let said = run(command.arg(&made))?.1;
    let time = |name: &str| {
        let (_, rest) = said.rsplit_once(name)?;
        rest.split('s').next()?.parse::<f64>().ok()
    };
    let cpu = time("utime=").context("ffmpeg tells no time")? + time("stime=").unwrap_or(0.0);
    let vmaf = vmaf(source, &made)?;
    Ok(Other {
        like: Likeness {
            vmaf,
            ..Likeness::of(source, &made)?
        },
        bytes: std::fs::metadata(&made)?.len(),
        cpu: Duration::from_secs_f64(cpu),
    })
}

fn ffmpeg() -> Command {
    ffmpeg_of("ffmpeg")
}

fn ffmpeg_of(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.args(["-hide_banner", "-nostdin", "-loglevel", "info", "-nostats"]);
    command
}

/// What it wrote to standard output and to standard error.
fn run(command: &mut Command) -> anyhow::Result<(String, String)> {
    let output = command.output().context("ffmpeg can't be run")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "ffmpeg: {error}");
    Ok((out, error))
}

const PSNR_MAX: f64 = 100.0;
/// `script/test --set-up` makes it.
const NEW_FFMPEG: &str = "tests/.cache/ffmpeg-new";
