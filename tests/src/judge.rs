//! What a viewer must have seen and heard; each judge says in words what is wrong.

use crate::note;
use crate::reading::{self, Report, Track};
use crate::source::FPS;

/// The first picture comes within this of the POST, in milliseconds.
pub const JOIN_MS_MAX: f64 = 2_000.0;
/// Pictures are not older than this when they are shown, in milliseconds.
pub const AGE_MS_MAX: f64 = 1_500.0;
/// Pictures that may stay unshown in 20 s at live: a browser that shares two cores misses one now and then.
pub const UNSHOWN_MAX: u32 = 3;
/// Sound and picture are no further apart than this, in milliseconds.
const SOUND_MS_MAX: f64 = 80.0;
/// What was read of sound against picture agrees with what the browser says of it to this, in milliseconds.
const READING_MS_MAX: f64 = 40.0;
/// A browser says when a picture is to be shown; the screen's next refresh shows it.
const REFRESH_MS: f64 = 1_000.0 / 60.0;
/// Ticks that tell how sound and picture stand at the end: lip sync moves them, and one alone may be off by a refresh.
const LAST_TICKS: usize = 5;

/// A join into a running stream: all of [`stream`], and the first picture in time.
///
/// # Errors
/// What is wrong.
pub fn pictures(report: &Report, passed: &[f64], seconds: u32) -> Result<(), String> {
    stream(report, passed, seconds)?;
    let join = report.join_ms().ok_or(NO_PICTURE)?;
    note(&format!("first picture {join:.0} ms after the POST"));
    joined_in_time(join)
}

/// So many seconds of pictures at live, whole and in order, by when each had `passed` the tap.
///
/// # Errors
/// What is wrong.
pub fn stream(report: &Report, passed: &[f64], seconds: u32) -> Result<(), String> {
    let ages = report.ages(passed);
    let live = report.at_live(passed);
    let live_after = live
        .first()
        .map(|p| p.at - report.first_picture.unwrap_or(p.at));
    let window = reading::first_seconds(live, seconds);
    let unshown = reading::unshown(window);
    let age = reading::median(&ages).ok_or(NO_PICTURE)?;
    note(&format!(
        "{} pictures, median age {age:.0} ms, at live after {live_after:?} ms, {unshown} unshown in {} at live ({}); {:?}",
        report.pictures.len(),
        window.len(),
        reading::holes(window, passed),
        report.video
    ));
    let shown_for = window
        .last()
        .zip(window.first())
        .map_or(0.0, |(last, first)| last.at - first.at);
    must(shown_for > f64::from(seconds) * 1000.0 - 500.0, || {
        format!("at live for only {shown_for:.0} ms, ages {ages:.0?}")
    })?;
    whole_and_in_order(report)?;
    must(unshown <= UNSHOWN_MAX, || {
        format!("{unshown} pictures were not shown in {seconds} s")
    })?;
    must(age < AGE_MS_MAX, || {
        format!("pictures were {age:.0} ms old")
    })?;
    let Track {
        packets_lost,
        pli_count,
        frames_received,
        frames_decoded,
        frames_dropped,
        ..
    } = report.video;
    let lost = (packets_lost, report.audio.packets_lost);
    must(lost == (0, 0), || {
        format!("packets lost: (video, audio) = {lost:?}")
    })?;
    must(pli_count == 0, || {
        format!("the decoder asked for a keyframe {pli_count} times")
    })?;
    // The last few may be under way between network and screen.
    must(
        frames_decoded + frames_dropped + 10 >= frames_received,
        || format!("pictures were not decoded: {:?}", report.video),
    )
}

/// Pictures whole and in order, the first in time, whatever their rate.
///
/// # Errors
/// What is wrong.
pub fn order(report: &Report) -> Result<(), String> {
    whole_and_in_order(report)?;
    let asked = (report.video.packets_lost, report.video.pli_count);
    must(asked == (0, 0), || {
        format!("packets lost, or a keyframe asked for: {asked:?}")
    })?;
    joined_in_time(report.join_ms().ok_or(NO_PICTURE)?)
}

/// Sound with its picture, and no tick missing.
///
/// # Errors
/// What is wrong.
pub fn sound(report: &Report) -> Result<(), String> {
    sound_at(report, FPS)
}

/// The same for a clip of `fps` pictures a second.
///
/// # Errors
/// What is wrong.
pub fn sound_at(report: &Report, fps: u32) -> Result<(), String> {
    sound_by(report, fps, LAST_TICKS)
}

/// Pictures at a third of the rate, unevenly far apart, are shown by a browser each for the mean time: for seconds on end up
/// to three pictures of the source late. So all ticks together tell how sound stands.
///
/// # Errors
/// What is wrong.
pub fn sound_of_few_pictures(report: &Report) -> Result<(), String> {
    sound_by(report, FPS, usize::MAX)
}

/// No tick missing: each is the next second's.
///
/// # Errors
/// When one is.
pub fn ticks(report: &Report) -> Result<(), String> {
    let next = report.ticks.iter().skip(1);
    let mut pairs = report.ticks.iter().zip(next);
    must(pairs.all(|(a, b)| (a.tone + 1) % 8 == b.tone), || {
        format!("a tick is missing: {:?}", report.ticks)
    })
}

fn sound_by(report: &Report, fps: u32, last_ticks: usize) -> Result<(), String> {
    let offsets = report.sound_after_picture_at(fps);
    let median = reading::median(&offsets).ok_or(NO_TICK)?;
    let last = offsets.iter().rev().copied().take(last_ticks);
    let last = reading::median(&last.collect::<Vec<_>>()).ok_or(NO_TICK)?;
    let stated = report.sound_after_picture_as_stated();
    note(&format!(
        "sound {median:.0} ms after its picture {offsets:.0?}, {stated:.0?} as stated; {:?}",
        report.audio
    ));
    must(median.abs() < SOUND_MS_MAX, || {
        format!("sound comes {median:.0} ms after its picture")
    })?;
    let stated = stated.ok_or("the browser does not say which sound and picture play")?;
    must((last + REFRESH_MS - stated).abs() < READING_MS_MAX, || {
        format!("{last:.0} ms were read, {stated:.0} are stated")
    })?;
    ticks(report)
}

fn whole_and_in_order(report: &Report) -> Result<(), String> {
    let backwards = report.backwards();
    must(backwards == 0, || {
        format!("numbers went backwards {backwards} times")
    })?;
    let unreadable = report.unreadable;
    must(unreadable == 0, || {
        format!("{unreadable} pictures were spoilt")
    })
}

fn joined_in_time(join: f64) -> Result<(), String> {
    must(join < JOIN_MS_MAX, || {
        format!("the first picture came {join:.0} ms after the POST")
    })
}

fn must(good: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    good.then_some(()).ok_or_else(words)
}

const NO_PICTURE: &str = "no picture was shown";
const NO_TICK: &str = "no tick was heard with its picture";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Picture, Tick};

    const PASSED: f64 = 1_000.0;

    fn passed() -> Vec<f64> {
        (0..400)
            .map(|n| PASSED + f64::from(n) * 1000.0 / f64::from(FPS))
            .collect()
    }

    /// All of ten seconds, each picture 50 ms after it passed and each tick 30 ms after its picture.
    fn clean() -> Report {
        let shown = |number: u32| Picture {
            number,
            at: PASSED + 50.0 + f64::from(number) * 1000.0 / f64::from(FPS),
            presented: number + 1,
            received: None,
        };
        let tick = |second: u32| Tick {
            tone: second % 8,
            at: PASSED + 80.0 + f64::from(second) * 1000.0,
        };
        let played = |at| Track {
            estimated_playout_timestamp: at,
            ..Track::default()
        };
        Report {
            pictures: (0..300).map(shown).collect(),
            unreadable: 0,
            ticks: (1..10).map(tick).collect(),
            video: played(5_000.0),
            audio: played(5_000.0),
            post: Some(900.0),
            first_picture: Some(1_050.0),
            sessions: 1,
        }
    }

    #[test]
    fn a_clean_report_is_good() {
        let report = clean();
        assert_eq!(pictures(&report, &passed(), 8), Ok(()));
        assert_eq!(order(&report), Ok(()));
        assert_eq!(sound(&report), Ok(()));
        assert_eq!(sound_of_few_pictures(&report), Ok(()));
    }

    /// What the judges say of a clean report with one fault in it.
    fn said(fault: impl FnOnce(&mut Report)) -> String {
        let mut report = clean();
        fault(&mut report);
        let judgements = [
            pictures(&report, &passed(), 8),
            order(&report),
            sound(&report),
        ];
        let words = judgements.into_iter().filter_map(Result::err);
        words.collect::<Vec<_>>().join("; ")
    }

    /// The fiftieth picture and those after it are `count` numbers on.
    fn skip(report: &mut Report, count: u32) {
        let after = report.pictures.iter_mut().skip(50);
        after.for_each(|picture| picture.number += count);
    }

    /// From the hundredth on, pictures come two seconds later.
    fn stall(report: &mut Report) {
        let after = report.pictures.iter_mut().skip(100);
        after.for_each(|picture| picture.at += 2_000.0);
    }

    fn late(report: &mut Report, ms: f64) {
        report.ticks.iter_mut().for_each(|tick| tick.at += ms);
    }

    #[test]
    fn each_fault_is_said() {
        let all = [
            (said(|r| r.pictures.clear()), "no picture was shown"),
            (said(|r| r.pictures.truncate(200)), "at live for only 66"),
            (said(|r| r.pictures.swap(5, 6)), "backwards 1 times"),
            (said(|r| r.unreadable = 1), "1 pictures were spoilt"),
            (said(|r| skip(r, 4)), "4 pictures were not shown"),
            (said(|r| r.video.packets_lost = 1), "packets lost"),
            (said(|r| r.audio.packets_lost = 1), "packets lost"),
            (said(|r| r.video.pli_count = 1), "asked for a keyframe"),
            (
                said(|r| r.video.pli_count = 1),
                "keyframe asked for: (0, 1)",
            ),
            (said(stall), "pictures were 2050 ms old"),
            (said(|r| r.video.frames_received = 11), "not decoded"),
            (said(|r| r.post = Some(-1_000.0)), "2050 ms after the POST"),
            (said(|r| r.ticks.clear()), "no tick was heard"),
            (said(|r| drop(r.ticks.drain(4..5))), "a tick is missing"),
            (said(|r| late(r, 60.0)), "sound comes 90 ms after"),
            (said(|r| r.audio = Track::default()), "does not say which"),
            (
                said(|r| r.video.estimated_playout_timestamp += 60.0),
                "95 are stated",
            ),
        ];
        for (said, words) in all {
            assert!(said.contains(words), "{said:?} lacks {words:?}");
        }
    }
}
