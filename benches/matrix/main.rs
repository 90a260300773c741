//! `script/bench matrix`: whether every picture of what encoders send comes through, in order.
//!
//! Clips are made with x264 in many ways, or given as FLV files. Each goes through the two renditions that viewers get
//! of a stream with B-frames, at once instead of in real time. What comes out is decoded by ffmpeg and compared with
//! the source, picture by picture: the re-encode must have all of them at their times and look like them, the rendition
//! without B-frames a part of them, bit for bit. With `--browser` a part of the clips is played to Chromium instead.

#![forbid(unsafe_code)]

mod browser;
mod capture;
mod clip;
mod compare;
mod made;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Parser;

use self::clip::Case;
use self::compare::Likeness;
use self::made::{InOrder, Reencoded};

/// Order, completeness, quality and cost of the video renditions
#[derive(Debug, Parser)]
struct Options {
    /// Few small cases, for the tests
    #[arg(long)]
    small: bool,
    /// Compare with x264 veryfast at the same bit rate, too
    #[arg(long)]
    beside: bool,
    /// Play them in Chromium, through the real server, and judge what it shows and lets hear
    #[arg(long)]
    browser: bool,
    /// With --browser: only clips whose name, as the table shows it, has one of these in it
    #[arg(long)]
    only: Vec<String>,
    /// Seconds of each clip that is made (4) or is watched (15), or of each file that is watched (60)
    #[arg(long)]
    seconds: Option<u32>,
    /// With --browser: OBS itself, too
    #[arg(long)]
    obs: bool,
    /// FLV files to take instead of clips that are made; with --browser their pictures carry numbers, and each is played
    /// again and again
    files: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.browser {
        if options.obs || !options.files.is_empty() {
            let seconds = options.seconds.unwrap_or(LOOPED_SECONDS);
            return capture::play(&options.files, options.obs, seconds);
        }
        let mut cases = if options.small {
            Case::few()
        } else {
            Case::played()
        };
        let named = |case: &Case| {
            options
                .only
                .iter()
                .any(|part| case.to_string().contains(part))
        };
        cases.retain(|case| options.only.is_empty() || named(case));
        return browser::play(&cases, options.seconds.unwrap_or(WATCHED_SECONDS));
    }
    let seconds = options.seconds.unwrap_or(CLIP_SECONDS);
    let dir = tempfile::tempdir()?;
    let mut sources: Vec<(String, PathBuf)> = Vec::new();
    for file in &options.files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        sources.push((name.into_owned(), file.clone()));
    }
    let cases = match (options.files.is_empty(), options.small) {
        (false, _) => Vec::new(),
        (true, true) => Case::few(),
        (true, false) => Case::all(),
    };
    for case in cases {
        sources.push((case.to_string(), case.make(dir.path(), seconds)?));
    }
    say(
        "source | pictures | encoded again | PSNR-Y worst, mean | CPU ms | kb/s | without B-frames",
    );
    let mut wrong = 0_u32;
    for (name, file) in &sources {
        let line = judge(file, &dir.path().join("made"), options.beside);
        wrong += u32::from(line.is_err());
        say(&match line {
            Ok(line) => format!("{name} | {line}"),
            Err(error) => format!("{name} | WRONG: {error:#}"),
        });
    }
    ensure!(wrong == 0, "{wrong} of {} are wrong", sources.len());
    Ok(())
}

/// What is to be said of one source, if all is well with it.
fn judge(file: &std::path::Path, made: &std::path::Path, beside: bool) -> anyhow::Result<String> {
    let (config, frames) = clip::read(file)?;
    let mut shown: Vec<_> = frames.iter().map(|frame| frame.pts).collect();
    shown.sort();
    let reencoded = Reencoded::of(&config, &frames)?;
    let (times, all) = (reencoded.times(), shown.len());
    ensure!(
        times == shown,
        "{} pictures came out of {all}, or at other times",
        times.len()
    );
    std::fs::write(made, &reencoded.stream)?;
    let mut like = Likeness::of(file, made).context("the re-encode")?;
    if beside {
        like.vmaf = compare::vmaf(file, made)?;
    }
    ensure!(
        like.pictures == all,
        "ffmpeg decodes {} of {all}",
        like.pictures
    );
    ensure!(
        like.worst > PSNR_MIN,
        "a picture has {:.1} dB: another one",
        like.worst
    );
    let in_order = InOrder::of(&config, &frames, &shown);
    std::fs::write(made, &in_order.stream)?;
    let (kept, whole) = (compare::hashes(made)?, compare::hashes(file)?);
    let expected: Vec<_> = in_order
        .places
        .iter()
        .filter_map(|place| whole.get(*place))
        .collect();
    ensure!(
        kept.iter().eq(expected),
        "the rendition without B-frames is not bit for bit the source's"
    );
    let seconds = shown
        .last()
        .map_or(0.0, |last| last.saturating_since(shown[0]).as_secs_f64());
    let kilobits = reencoded.bytes() as f64 / 125.0 / seconds.max(0.1);
    let mut line = format!(
        "{all} | {} | {:.1}, {:.1} | {:.2} | {kilobits:.0} | {} ({} lost)",
        times.len(),
        like.worst,
        like.mean,
        reencoded.cpu.as_secs_f64() * 1_000.0 / all as f64,
        kept.len(),
        in_order.orphans,
    );
    if beside {
        let other = compare::x264(file, made, kilobits)?;
        line.push_str(&format!(
            " | SSIM {:.4} PSNR {:.2}{} | x264 veryfast: SSIM {:.4} PSNR {:.2}{}, {:.0} kb/s, CPU {:.2} ms",
            like.ssim,
            like.mean,
            vmaf(&like),
            other.like.ssim,
            other.like.mean,
            vmaf(&other.like),
            other.bytes as f64 / 125.0 / seconds.max(0.1),
            other.cpu.as_secs_f64() * 1_000.0 / all as f64,
        ));
    }
    Ok(line)
}

fn vmaf(like: &Likeness) -> String {
    like.vmaf
        .map_or_else(String::new, |score| format!(" VMAF {score:.1}"))
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn say(line: &str) {
    println!("{line}");
}

const CLIP_SECONDS: u32 = 4;
/// Of each file with --browser.
const LOOPED_SECONDS: u32 = 60;
const WATCHED_SECONDS: u32 = 15;
/// A picture compared with its neighbour has less in clips that move all over.
const PSNR_MIN: f64 = 22.0;
