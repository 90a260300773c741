//! What real encoders sent, in Chromium: captures again and again for a minute, and OBS itself.
//!
//! A capture says by its own pictures what is to be seen: their numbers, with the repeats that OBS sent when it had no
//! time to draw. What OBS sends live is not known, but each of its pictures has to be shown, and none before another.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::{Host, Publish};
use zongzi_tests::obs::Obs;
use zongzi_tests::reading::{self, Picture, Report};
use zongzi_tests::server::Server;
use zongzi_tests::source::Clip;
use zongzi_tests::tap::Tap;

use super::browser::{COLD, SOON, SOUND_MS_MAX, load_average};
use super::say;

/// Plays each of `files`, and OBS itself where wished, for so many `seconds`; then joins anew nine times.
pub(crate) fn play(files: &[PathBuf], obs: bool, seconds: u32) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    for file in files {
        sources.push(Source::File(file, numbers(file)?));
    }
    if obs {
        // Made before anything is measured.
        Clip::SMALL.file();
        sources.push(Source::Obs);
    }
    say(HEAD);
    let mut wrong = 0_usize;
    for source in &sources {
        let seen = watch(source, seconds)?;
        let faults = seen.faults(source);
        wrong += usize::from(!faults.is_empty());
        say(&format!(
            "| {} | {} {} |",
            source.name(),
            seen.line(),
            faults.join(", ")
        ));
    }
    ensure!(wrong == 0, "{wrong} of {} are wrong", sources.len());
    Ok(())
}

enum Source<'a> {
    /// An FLV file, and the numbers in its pictures as they are to be shown.
    File(&'a Path, Vec<u32>),
    Obs,
}

impl Source<'_> {
    fn name(&self) -> String {
        match self {
            Self::File(path, _) => {
                let name = path.file_stem().unwrap_or_default();
                name.to_string_lossy().into_owned()
            }
            Self::Obs => "OBS itself, its defaults at 640x360".to_owned(),
        }
    }

    /// The places of `shown` among all pictures that were sent since the host began; `None`: they are in another order.
    fn places(&self, shown: &[Picture], sent_at_first: usize) -> Option<Vec<usize>> {
        match self {
            Self::File(_, numbers) => places(shown, numbers, sent_at_first),
            Self::Obs => {
                let mut pairs = shown.iter().zip(shown.iter().skip(1));
                // It begins its clip anew after 60 s.
                let in_order = pairs.all(|(a, b)| a.number <= b.number || b.number < 60);
                in_order.then(|| {
                    shown
                        .iter()
                        .map(|picture| picture.presented as usize)
                        .collect()
                })
            }
        }
    }
}

/// What there was of one source.
struct Seen {
    /// From the POST to the first picture in milliseconds: of the first viewer, and of ten one after the other.
    joins: Vec<f64>,
    report: Report,
    /// Pictures not shown once all of them were to be, and all of them; `None`: out of order.
    unshown: Option<(usize, usize)>,
    freezes: u64,
    standstill: f64,
    delay: f64,
    sound: Option<f64>,
    load: f64,
}

fn watch(source: &Source<'_>, seconds: u32) -> anyhow::Result<Seen> {
    let server = Server::start();
    let tap = Tap::before(server.ready.rtmp);
    let key = server.key("demo").key;
    let looped = Publish {
        looped: true,
        ..Publish::default()
    };
    let (_host, _obs) = match source {
        Source::File(path, _) => (
            Some(Host::publish_with(path, &tap.rtmp_url(), &key, looped)),
            None,
        ),
        Source::Obs => {
            let mut obs = Obs::start(&Clip::SMALL.file(), &tap.rtmp_url(), &key, "");
            obs.wait_streaming();
            (None, Some(obs))
        }
    };
    server.wait_live("demo");
    let mut browser = Browser::start();
    let page = server.url("/watch/demo");
    browser.open(&page);
    browser.wait_shown("a picture", SOON, |shown| shown.pictures > 0);
    std::thread::sleep(COLD);
    let early = browser.report();
    std::thread::sleep(Duration::from_secs(seconds.into()));
    let (report, load) = (browser.report(), load_average());
    let mut joins = vec![report.join_ms().context("no picture")?];
    while joins.len() < JOINS {
        browser.open("about:blank");
        // Joins at any place of a group, and while the re-encode goes on.
        std::thread::sleep(Duration::from_millis(700));
        browser.open(&page);
        browser.wait_shown("a picture", SOON, |shown| shown.pictures > 0);
        joins.push(browser.report().join_ms().context("no picture")?);
    }
    let passed = tap.passed();
    let steady = report.pictures.get(early.pictures.len()..);
    let steady = steady.unwrap_or_default();
    let first = steady.first().context("pictures stopped")?;
    let last = steady.last().context("pictures stopped")?;
    let sent = passed.iter().take_while(|at| **at < first.at).count();
    let places = source.places(steady, sent);
    let unshown = places.as_ref().map(|places| {
        let all = places.last().unwrap_or(&0) - places.first().unwrap_or(&0);
        let all = match source {
            Source::File(..) => all,
            // As many as the host sent in that time.
            Source::Obs => passed
                .iter()
                .filter(|at| (first.at..last.at).contains(at))
                .count(),
        };
        (
            all.saturating_sub((last.presented - first.presented) as usize),
            all,
        )
    });
    let age = |(picture, place): (&Picture, &usize)| Some(picture.at - passed.get(*place)?);
    let ages: Vec<f64> = match (&places, source) {
        (Some(places), Source::File(..)) => steady.iter().zip(places).filter_map(age).collect(),
        _ => Vec::new(),
    };
    let gaps = steady.iter().zip(steady.iter().skip(1));
    Ok(Seen {
        joins,
        unshown,
        freezes: report.video.freeze_count - early.video.freeze_count,
        standstill: gaps.map(|(a, b)| b.at - a.at).fold(0.0, f64::max),
        delay: reading::median(&ages).unwrap_or(f64::NAN),
        sound: reading::median(&report.sound_after_picture()),
        load,
        report,
    })
}

impl Seen {
    fn line(&self) -> String {
        let sound = self
            .sound
            .map_or_else(|| "none".to_owned(), |ms| format!("{ms:.0} ms"));
        let (unshown, all) = self.unshown.unwrap_or_default();
        let delay = if self.delay.is_nan() {
            "–".to_owned()
        } else {
            format!("{:.0} ms", self.delay)
        };
        format!(
            "{:.0}, {:.0} ms | {unshown} of {all} | {} | {:.0} ms | {sound} | {delay} | {:.1} |",
            self.joins.first().unwrap_or(&f64::NAN),
            reading::median(&self.joins).unwrap_or(f64::NAN),
            self.freezes,
            self.standstill,
            self.load,
        )
    }

    fn faults(&self, source: &Source<'_>) -> Vec<&'static str> {
        let report = &self.report;
        let sound = self.sound.is_some_and(|ms| ms.abs() < SOUND_MS_MAX);
        let (unshown, all) = self.unshown.unwrap_or_default();
        let file = matches!(source, Source::File(..));
        let faults = [
            (self.unshown.is_none(), "PICTURES OUT OF ORDER"),
            (report.unreadable > 0, "SPOILT PICTURES"),
            (report.video.packets_lost > 0, "PACKETS LOST"),
            (report.video.pli_count > 0, "KEYFRAMES ASKED FOR"),
            (self.freezes > 0, "FREEZES"),
            (unshown * 4 > all, "PICTURES MISSING"),
            (!sound, "SOUND NOT IN SYNC"),
            (self.delay > 500.0, "PICTURES LATE"),
            (file && self.delay.is_nan(), "PICTURES OF UNKNOWN AGE"),
        ];
        let there = faults.into_iter().filter(|(there, _)| *there);
        there.map(|(_, what)| what).collect()
    }
}

/// The place of each shown picture in a stream that repeats the pictures with these `numbers`, of which `sent` were sent
/// when the first was shown; `None` where one is shown that can't follow the one before.
fn places(shown: &[Picture], numbers: &[u32], sent: usize) -> Option<Vec<usize>> {
    let has = |place: usize, number: u32| numbers.get(place % numbers.len()) == Some(&number);
    let first = shown.first()?;
    let mut place = (sent.saturating_sub(numbers.len())..sent)
        .rev()
        .find(|place| has(*place, first.number))?;
    let mut found = vec![place];
    for (before, picture) in shown.iter().zip(shown.iter().skip(1)) {
        let on = usize::try_from(picture.presented.saturating_sub(before.presented)).ok()?;
        // The same number stands in several places where the encoder repeats pictures.
        place = (place..place + LEFT_OUT_MAX)
            .filter(|place| has(*place, picture.number))
            .min_by_key(|next| (next - place).abs_diff(on))?;
        found.push(place);
    }
    Some(found)
}

/// The numbers in a file's pictures, in the order they are to be shown.
fn numbers(file: &Path) -> anyhow::Result<Vec<u32>> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-i"])
        .arg(file)
        .args([
            "-vf",
            "crop=iw:ih/10:0:0,scale=320:24:flags=area,format=gray",
        ])
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-"])
        .output()
        .context("ffmpeg can't be run")?;
    ensure!(
        output.status.success(),
        "ffmpeg: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let pictures = output.stdout.chunks_exact(WIDTH * HEIGHT);
    let numbers = pictures.enumerate().map(|(at, picture)| {
        number(picture).with_context(|| format!("picture {at} of {} has no number", file.display()))
    });
    let numbers: Vec<u32> = numbers.collect::<anyhow::Result<_>>()?;
    ensure!(!numbers.is_empty(), "{} has no pictures", file.display());
    Ok(numbers)
}

/// The number in a picture's top tenth, made 320x24 (`zongzi_tests::source` says how it is written there).
fn number(picture: &[u8]) -> Option<u32> {
    let rows = HEIGHT * 35 / 100..HEIGHT * 65 / 100;
    let bit = |cell: usize| {
        let columns =
            WIDTH * (cell * 100 + 35) / (CELLS * 100)..WIDTH * (cell * 100 + 65) / (CELLS * 100);
        let places = rows
            .clone()
            .flat_map(|row| columns.clone().map(move |column| row * WIDTH + column));
        let (sum, count) = places.fold((0_u32, 0_u32), |(sum, count), place| {
            (
                sum + picture.get(place).copied().map_or(0, u32::from),
                count + 1,
            )
        });
        u32::from(sum > 127 * count)
    };
    let bits: Vec<u32> = (2..18).map(bit).collect();
    let number = bits.iter().fold(0, |number, bit| number * 2 + bit);
    let parity = bits.iter().fold(0, |parity, bit| parity ^ bit);
    (bit(0) == 1 && bit(1) == 0 && bit(18) == parity).then_some(number)
}

const HEAD: &str = "| source | first picture after the POST: first viewer, median of 10 | unshown | freezes | longest between two | \
                    sound after its picture | delay, median | load of the machine | faults |\n|---|---|---|---|---|---|---|---|---|";
const JOINS: usize = 10;
/// The most pictures left out at once that are still looked for.
const LEFT_OUT_MAX: usize = 60;
const WIDTH: usize = 320;
const HEIGHT: usize = 24;
const CELLS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(numbers: &[(u32, u32)]) -> Vec<Picture> {
        let picture = |&(number, presented): &(u32, u32)| Picture {
            number,
            at: 0.0,
            presented,
            received: None,
        };
        numbers.iter().map(picture).collect()
    }

    #[test]
    fn repeats_and_the_beginning_anew_find_their_places_and_a_step_back_does_not() {
        let numbers = [5, 6, 6, 6, 7, 8];
        let all = shown(&[(6, 1), (6, 2), (6, 3), (7, 4), (8, 5), (5, 6), (6, 7)]);
        // Ten were sent: the first is the newest 6 among them.
        let first_two = places(&all, &numbers, 8).unwrap();
        assert_eq!(first_two, [7, 8, 9, 10, 11, 12, 13]);
        let left_out = places(&shown(&[(7, 1), (5, 2), (7, 3)]), &numbers, 6).unwrap();
        assert_eq!(left_out, [4, 6, 10]);
        let endless: Vec<u32> = (0..1_000).collect();
        assert_eq!(places(&shown(&[(50, 1), (49, 2)]), &endless, 60), None);
    }

    #[test]
    fn a_number_is_read_and_a_spoilt_one_is_not() {
        let mut picture = vec![0; WIDTH * HEIGHT];
        let mut white = |cell: usize, from: u8| {
            for (place, pixel) in picture.iter_mut().enumerate() {
                if place % WIDTH / (WIDTH / CELLS) == cell {
                    *pixel = from;
                }
            }
        };
        for cell in [0, 2 + 15, 2 + 13, 2 + 12] {
            white(cell, 235);
        }
        white(18, 235);
        assert_eq!(number(&picture), Some(13));
        let mut spoilt = vec![0; WIDTH * HEIGHT];
        for place in (0..spoilt.len()).filter(|place| [0, 17].contains(&(place % WIDTH / 16))) {
            spoilt[place] = 235;
        }
        assert_eq!(
            number(&spoilt),
            None,
            "one bit, and no parity that goes with it"
        );
        picture.fill(0);
        assert_eq!(number(&picture), None);
    }
}
