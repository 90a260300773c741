//! `script/bench join`: what a viewer in Chromium waits for, and how old what he sees is.
//!
//! ffmpeg publishes two streams, with keyframes 2 s and 8 s apart, through a tap that notes when each picture reached
//! the server. A page that is loaded and idle is told to join when the newest keyframe has a given age; its clock starts
//! just before the POST. The two streams take turns, so that what the machine does besides falls on both alike.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use serde::Serialize;
use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::reading::{self, LIVE_MS, Report};
use zongzi_tests::server::Server;
use zongzi_tests::source::{Clip, FPS};
use zongzi_tests::tap::Tap;
use zongzi_tests::wait;

/// Joins and delay in Chromium, against target/release/zongzi
#[derive(Debug, Parser)]
struct Options {
    /// Joins of each stream
    #[arg(long, default_value_t = 10)]
    joins: u32,
    /// Seconds that each join is watched
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Where the JSON goes
    #[arg(long, default_value = "benches/out/join.json")]
    out: PathBuf,
}

/// One stream and when it is joined.
struct Stream {
    channel: &'static str,
    gop: u32,
    /// Pictures since the newest keyframe when the page is told to join.
    age: u32,
}

const STREAMS: [Stream; 2] = [
    Stream {
        channel: "two",
        gop: 2 * FPS,
        age: 57,
    },
    Stream {
        channel: "eight",
        gop: 8 * FPS,
        age: 6 * FPS,
    },
];
/// The clip has to outlast every join.
const CLIP_SECONDS: u32 = 400;
/// Within which a page answers on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// What one join gave, in milliseconds.
#[derive(Debug, Clone, Serialize)]
struct Join {
    channel: &'static str,
    first_picture: f64,
    at_live: f64,
    longest_standstill: f64,
    /// How old a picture is when it is shown, once at live: from when ffmpeg's picture reached the server.
    delay: f64,
    sound_after_picture: Option<f64>,
    unshown_at_live: u32,
    packets_lost: i64,
    load_average: f64,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let server = Server::start();
    let mut running = Vec::new();
    for stream in &STREAMS {
        server.command(&["channel", "create", stream.channel]);
        let clip = Clip {
            gop: stream.gop,
            seconds: CLIP_SECONDS,
            ..Clip::FULL
        };
        let tap = Tap::before(server.ready.rtmp);
        let host = Host::publish(
            &clip.file(),
            &tap.rtmp_url(),
            &server.key(stream.channel).key,
        );
        server.wait_live(stream.channel);
        running.push((stream, tap, host));
    }
    let mut browser = Browser::start();
    let mut joins = Vec::new();
    for round in 0..options.joins {
        for (stream, tap, _) in &running {
            let join = join(&mut browser, &server, stream, tap, options.seconds)
                .with_context(|| format!("join {round} of {}", stream.channel))?;
            joins.push(join);
        }
    }
    print(&joins);
    if let Some(folder) = options.out.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("no folder {}", folder.display()))?;
    }
    let json = serde_json::to_string_pretty(&joins).context("joins are plain numbers")?;
    std::fs::write(&options.out, json)
        .with_context(|| format!("{} can't be written", options.out.display()))?;
    Ok(())
}

fn join(
    browser: &mut Browser,
    server: &Server,
    stream: &Stream,
    tap: &Tap,
    seconds: u32,
) -> anyhow::Result<Join> {
    browser.open(&server.url("/"));
    browser.eval(PREPARE);
    let gop = usize::try_from(stream.gop)?;
    let age = usize::try_from(stream.age)?;
    wait::until("the keyframe's age", SOON, || {
        (tap.passed().len() % gop == age).then_some(())
    });
    browser.eval(&format!("window.__join('/whep/{}')", stream.channel));
    std::thread::sleep(Duration::from_secs(seconds.into()));
    let report = browser.report();
    browser.eval("window.__session.close()");
    measure(stream.channel, &report, &tap.passed())
}

/// A video element that fills the page as the player's does and is read, and a function that joins with the player's own module.
const PREPARE: &str = "(async () => {
    const { join } = await import('/assets/whep.js');
    const video = document.createElement('video');
    video.playsInline = true;
    video.autoplay = true;
    video.style = 'position: fixed; inset: 0; width: 100%; height: 100%';
    document.body.replaceChildren(video);
    window.__reader.start(video, true);
    window.zongzi = { marks: {}, sessions: 1, pc: null };
    window.__join = async (url) => {
        const joined = join(url, null, video, () => {}, Promise.resolve(), window.zongzi.marks);
        window.__session = await joined;
        window.zongzi.pc = window.__session.pc;
    };
})()";

fn measure(channel: &'static str, report: &Report, passed: &[f64]) -> anyhow::Result<Join> {
    let post = report.post.context("the player sent no POST")?;
    let live = report.at_live(passed);
    let shown = report.pictures.len();
    let live_at = live
        .first()
        .with_context(|| format!("never at live; {shown} pictures were shown"))?
        .at;
    let shown = report.pictures.iter().map(|picture| picture.at);
    let gaps = shown
        .clone()
        .zip(shown.skip(1))
        .filter(|(a, _)| *a < live_at)
        .map(|(a, b)| b - a);
    let ages: Vec<f64> = report
        .ages(passed)
        .into_iter()
        .filter(|age| *age <= LIVE_MS)
        .collect();
    // The first second after a join is its own; the delay is what stays.
    let steady = ages
        .get(usize::try_from(FPS)?..)
        .context("at live for less than a second")?;
    Ok(Join {
        channel,
        first_picture: report.join_ms().context("no picture")?,
        at_live: live_at - post,
        longest_standstill: gaps.fold(0.0, f64::max),
        delay: reading::median(steady).context("at live for less than a second")?,
        sound_after_picture: reading::median(&report.sound_after_picture()),
        unshown_at_live: reading::unshown(live),
        packets_lost: report.video.packets_lost + report.audio.packets_lost,
        load_average: load_average(),
    })
}

/// The machine's load of the last minute: absolute times grow with it.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN)
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn print(joins: &[Join]) {
    println!(
        "| keyframes | joins | first picture | at live | longest stand-still | sound after picture | delay | unshown | load |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for stream in &STREAMS {
        let of: Vec<&Join> = joins
            .iter()
            .filter(|join| join.channel == stream.channel)
            .collect();
        let column = |value: fn(&Join) -> Option<f64>| {
            let values: Vec<f64> = of.iter().filter_map(|join| value(join)).collect();
            let ends = values.iter().copied().fold(f64::NAN, f64::min)
                ..=values.iter().copied().fold(f64::NAN, f64::max);
            reading::median(&values).map_or_else(
                || "–".to_owned(),
                |mid| format!("{mid:.0} ({:.0}–{:.0})", ends.start(), ends.end()),
            )
        };
        println!(
            "| {} s apart, {:.1} s old | {} | {} | {} | {} | {} | {} | {} | {:.1} |",
            stream.gop / FPS,
            f64::from(stream.age) / f64::from(FPS),
            of.len(),
            column(|join| Some(join.first_picture)),
            column(|join| Some(join.at_live)),
            column(|join| Some(join.longest_standstill)),
            column(|join| join.sound_after_picture),
            column(|join| Some(join.delay)),
            of.iter().map(|join| join.unshown_at_live).sum::<u32>(),
            reading::median(&of.iter().map(|join| join.load_average).collect::<Vec<_>>())
                .unwrap_or(f64::NAN),
        );
    }
    println!(
        "Milliseconds after the POST, medians (least–most). Delay: from a picture's arrival at the server to its being shown."
    );
}
