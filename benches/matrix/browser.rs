//! The same in Chromium: what a viewer sees and hears of each clip.
//!
//! ffmpeg publishes the clip in real time to a server of its own, the player's page joins some seconds later. Numbers
//! are read from the pictures and tones from the sound (`zongzi_tests::source`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::ensure;
use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::reading::{self, Picture, Report};
use zongzi_tests::server::Server;
use zongzi_tests::tap::Tap;

use super::clip::Case;
use super::say;

/// Plays `cases`, each for so many `seconds`.
pub(crate) fn play(cases: &[Case], seconds: u32) -> anyhow::Result<()> {
    let clips: Vec<_> = cases
        .iter()
        .map(|case| case.readable(seconds + BESIDE_SECONDS))
        .collect();
    for clip in &clips {
        // Made before anything is measured.
        clip.file();
    }
    say(HEAD);
    let mut wrong = 0_u32;
    for (case, clip) in cases.iter().zip(&clips) {
        // What the test programs can't go on without makes them panic.
        let played = catch_unwind(AssertUnwindSafe(|| watch(&clip.file(), clip.fps, seconds)));
        let line = match played {
            Ok(seen) => {
                let faults = seen.faults();
                wrong += u32::from(!faults.is_empty());
                format!("{} {}", seen.line(), faults.join(", "))
            }
            Err(_panic) => {
                wrong += 1;
                "WRONG: it was not played".to_owned()
            }
        };
        say(&format!("| {case} | {line} |"));
    }
    ensure!(wrong == 0, "{wrong} of {} are wrong", cases.len());
    Ok(())
}

/// What there was of one case.
struct Seen {
    report: Report,
    fps: u32,
    /// From the first picture on, in milliseconds, until all pictures were shown: the re-encode plays.
    whole_after: f64,
    /// Pictures from then on that were not shown, and all of them.
    unshown: (u32, u32),
    /// From then on, as the browser counts them.
    freezes: u64,
    /// Longest time between two pictures from then on, in milliseconds.
    standstill: f64,
    age: f64,
    sound: Option<f64>,
    reencoded: bool,
    /// Of the encoding process.
    cores: f64,
    load: f64,
}

fn watch(clip: &std::path::Path, fps: u32, seconds: u32) -> Seen {
    let server = Server::start();
    let tap = Tap::before(server.ready.rtmp);
    let _host = Host::publish(clip, &tap.rtmp_url(), &server.key("demo").key);
    server.wait_live("demo");
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    browser.wait_shown("a picture", SOON, |shown| shown.pictures > 0);
    std::thread::sleep(COLD);
    let cpu = || {
        let seconds = server.metric("zongzi_transcode_video_cpu_seconds_total");
        (seconds, Instant::now())
    };
    let (early, before) = (browser.report(), cpu());
    std::thread::sleep(Duration::from_secs(seconds.into()));
    let (report, after) = (browser.report(), cpu());
    let status = server.status("demo");
    let passed = tap.passed();
    let steady = report.pictures.get(early.pictures.len()..);
    let steady = steady.unwrap_or_default();
    let of = |steady: &[Picture]| {
        let number = |picture: Option<&Picture>| picture.map_or(0, |picture| picture.number);
        number(steady.last()).saturating_sub(number(steady.first()))
    };
    let gaps = steady.iter().zip(steady.iter().skip(1));
    Seen {
        fps,
        whole_after: whole_after(&early.pictures),
        unshown: (reading::unshown(steady), of(steady)),
        freezes: report.video.freeze_count - early.video.freeze_count,
        standstill: gaps.map(|(a, b)| b.at - a.at).fold(0.0, f64::max),
        age: reading::median(&report.ages(&passed)).unwrap_or(f64::NAN),
        sound: reading::median(&report.sound_after_picture_at(fps)),
        reencoded: status["video"]["rendition"] == "reencoded" && status["reason"].is_null(),
        cores: (after.0 - before.0) / (after.1 - before.1).as_secs_f64(),
        load: load_average(),
        report,
    }
}

impl Seen {
    fn line(&self) -> String {
        let join = self.report.join_ms().unwrap_or(f64::NAN);
        let sound = self
            .sound
            .map_or_else(|| "none".to_owned(), |ms| format!("{ms:.0} ms"));
        let (unshown, all) = self.unshown;
        format!(
            "{join:.0} ms | {:.1} s | {unshown} of {all} | {} | {:.0} ms | {sound} | {:.0} ms | {:.2} | {:.1} |",
            self.whole_after / 1_000.0,
            self.freezes,
            self.standstill,
            self.age,
            self.cores,
            self.load,
        )
    }

    /// What a viewer would call broken. How many pictures a busy browser leaves out is a figure, no fault.
    fn faults(&self) -> Vec<&'static str> {
        let report = &self.report;
        let ticks = report.ticks.iter().zip(report.ticks.iter().skip(1));
        let sound = self.sound.is_some_and(|ms| ms.abs() < SOUND_MS_MAX);
        let (unshown, all) = self.unshown;
        let faults = [
            (report.backwards() > 0, "PICTURES OUT OF ORDER"),
            (report.unreadable > 0, "SPOILT PICTURES"),
            (report.video.packets_lost > 0, "PACKETS LOST"),
            (report.video.pli_count > 0, "KEYFRAMES ASKED FOR"),
            (self.freezes > 0, "FREEZES"),
            (!self.reencoded, "NOT ENCODED AGAIN"),
            (all < self.fps * 5 || unshown * 4 > all, "PICTURES MISSING"),
            (!sound, "SOUND NOT IN SYNC"),
            (
                ticks.into_iter().any(|(a, b)| (a.tone + 1) % 8 != b.tone),
                "SOUND MISSING",
            ),
        ];
        let there = faults.into_iter().filter(|(there, _)| *there);
        there.map(|(_, what)| what).collect()
    }
}

/// From the first picture to the last that others are missing before, in milliseconds.
fn whole_after(pictures: &[Picture]) -> f64 {
    let first = pictures.first().map_or(0.0, |picture| picture.at);
    let pairs = pictures.iter().zip(pictures.iter().skip(1));
    let mut jumps = pairs.filter(|(a, b)| reading::unshown(&[**a, **b]) > 0);
    jumps.next_back().map_or(0.0, |(_, next)| next.at - first)
}

/// The machine's load of the last minute.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

const HEAD: &str = "| clip | first picture after the POST | all pictures after that | unshown | freezes | longest between two | \
                    sound after its picture | delay, median | cores of the encoder | load of the machine | faults |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|";
/// After the first picture, until the re-encode has to play.
pub(crate) const COLD: Duration = Duration::from_secs(4);
/// What a clip is longer than what is watched of it: the start of server and browser, on a busy machine.
const BESIDE_SECONDS: u32 = 20;
pub(crate) const SOON: Duration = Duration::from_secs(30);
pub(crate) const SOUND_MS_MAX: f64 = 80.0;
