//! What a viewer saw and heard, judged.

use serde::Deserialize;

use crate::source::FPS;

/// At live is who sees what is no older than this, in milliseconds.
pub const LIVE_MS: f64 = 300.0;

/// How much later sound may be heard before the browser holds pictures back (docs/decisions/0006), in milliseconds.
const SOUND_ALLOWED_MS: f64 = 35.0;

/// One picture that was shown.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Picture {
    /// Its number.
    pub number: u32,
    /// When it was shown, milliseconds since 1970.
    pub at: f64,
    /// How many the browser had given to the screen until then, this one included. The page's script may miss a picture
    /// that was shown all the same; this count does not.
    pub presented: u32,
    /// When its last packet reached the browser, milliseconds since 1970, where the browser says it.
    #[serde(default)]
    pub received: Option<f64>,
}

/// One tick that was heard.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Tick {
    /// Its second, modulo 8, told by its tone.
    pub tone: u32,
    /// When it was heard, milliseconds since 1970.
    pub at: f64,
}

/// Figures that the browser keeps of one received track. What it does not know is 0.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Track {
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets lost, after repairs.
    pub packets_lost: i64,
    /// Pictures received.
    pub frames_received: u64,
    /// Pictures decoded.
    pub frames_decoded: u64,
    /// Pictures given up.
    pub frames_dropped: u64,
    /// Stand-stills, as the browser counts them.
    pub freeze_count: u64,
    /// Keyframes asked for.
    pub pli_count: u64,
    /// Repairs asked for.
    pub nack_count: u64,
    /// Sound that was made up, in samples.
    pub concealed_samples: u64,
    /// All sound, in samples.
    pub total_samples_received: u64,
    /// When what plays now was made, by the sender's clock as its reports tell it, in milliseconds.
    pub estimated_playout_timestamp: f64,
}

/// A viewer's report.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    /// The pictures, in the order they were shown.
    pub pictures: Vec<Picture>,
    /// Pictures whose number could not be read.
    pub unreadable: u32,
    /// The ticks, in the order they were heard.
    pub ticks: Vec<Tick>,
    /// The video's figures.
    #[serde(default)]
    pub video: Track,
    /// The audio's figures.
    #[serde(default)]
    pub audio: Track,
    /// When the player sent its POST, milliseconds since 1970.
    pub post: Option<f64>,
    /// When the first picture was shown.
    pub first_picture: Option<f64>,
    /// Sessions that the player has opened.
    pub sessions: u32,
}

impl Report {
    /// From the POST to the first picture, in milliseconds.
    pub fn join_ms(&self) -> Option<f64> {
        Some(self.first_picture? - self.post?)
    }

    /// How often a picture was followed by an older one.
    pub fn backwards(&self) -> usize {
        pairs(&self.pictures)
            .filter(|(a, b)| b.number < a.number)
            .count()
    }

    /// How old each picture was when it was shown, in milliseconds, by when the `n`-th picture had reached the server.
    pub fn ages(&self, passed: &[f64]) -> Vec<f64> {
        let age = |picture: &Picture| {
            Some(picture.at - passed.get(usize::try_from(picture.number).ok()?)?)
        };
        self.pictures.iter().filter_map(age).collect()
    }

    /// The pictures from the first that is at live on.
    pub fn at_live(&self, passed: &[f64]) -> &[Picture] {
        let first = self.ages(passed).iter().position(|age| *age <= LIVE_MS);
        first
            .and_then(|first| self.pictures.get(first..))
            .unwrap_or_default()
    }

    /// By how much what is heard is older than what is shown, as the browser reckons from sender reports, in milliseconds.
    /// The server's say of sound that it was made 55 ms later than it was.
    pub fn sound_after_picture_as_stated(&self) -> Option<f64> {
        let (audio, video) = (
            self.audio.estimated_playout_timestamp,
            self.video.estimated_playout_timestamp,
        );
        (audio > 0.0 && video > 0.0).then_some(video - audio + SOUND_ALLOWED_MS)
    }

    /// By how much each tick was heard after its picture, in milliseconds; before it: negative.
    pub fn sound_after_picture(&self) -> Vec<f64> {
        self.sound_after_picture_at(FPS)
    }

    /// The same for a clip of `fps` pictures a second.
    pub fn sound_after_picture_at(&self, fps: u32) -> Vec<f64> {
        let seconds = pairs(&self.pictures).filter(|(a, b)| a.number / fps + 1 == b.number / fps);
        let heard = |second: u32, at: f64| {
            let same = self
                .ticks
                .iter()
                .filter(|tick| tick.tone == second % 8)
                .map(|tick| tick.at - at);
            // The same tone comes again after 8 s.
            same.filter(|offset| offset.abs() < 4_000.0)
                .min_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        seconds
            .filter_map(|(_, b)| {
                let late = f64::from(b.number % fps) * 1000.0 / f64::from(fps);
                heard(b.number / fps, b.at - late)
            })
            .collect()
    }
}

/// How many pictures between the first and the last of `pictures` were never shown.
///
/// Taken over all of them at once: where the browser has the next picture by the time the page's script reads the one it
/// was called for, the next one's number is read, and what seems left out here is shown twice a moment later.
pub fn unshown(pictures: &[Picture]) -> u32 {
    let (Some(first), Some(last)) = (pictures.first(), pictures.last()) else {
        return 0;
    };
    let numbers = last.number.saturating_sub(first.number);
    numbers.saturating_sub(last.presented.saturating_sub(first.presented))
}

/// Where pictures were never shown, in words: which, when, and how the last before and the first after came.
pub fn holes(pictures: &[Picture], passed: &[f64]) -> String {
    let first = pictures.first().map_or(0.0, |picture| picture.at);
    let since = |picture: &Picture, then: Option<f64>| match then {
        Some(then) => format!("{:.0}", picture.at - then),
        None => "?".to_owned(),
    };
    let said = |picture: &Picture| {
        let passed = usize::try_from(picture.number)
            .ok()
            .and_then(|n| passed.get(n));
        format!(
            "{} old, {} received",
            since(picture, passed.copied()),
            since(picture, picture.received)
        )
    };
    let holes = pairs(pictures).filter(|(a, b)| unshown(&[*a, *b]) > 0);
    let words = holes.map(|(a, b)| {
        let (count, at, apart) = (unshown(&[a, b]), a.at - first, b.at - a.at);
        format!(
            "{count} after {} at {at:.0} ms ({}), next {apart:.0} ms later ({})",
            a.number,
            said(&a),
            said(&b)
        )
    });
    words.collect::<Vec<_>>().join("; ")
}

/// The pictures of the first `seconds` of `pictures`.
pub fn first_seconds(pictures: &[Picture], seconds: u32) -> &[Picture] {
    let Some(first) = pictures.first() else {
        return pictures;
    };
    let end = first.at + f64::from(seconds) * 1000.0;
    let count = pictures
        .iter()
        .take_while(|picture| picture.at <= end)
        .count();
    pictures.get(..count).unwrap_or_default()
}

/// The middle value; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn pairs(pictures: &[Picture]) -> impl Iterator<Item = (Picture, Picture)> {
    pictures
        .iter()
        .copied()
        .zip(pictures.iter().skip(1).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures `numbers`, each shown 50 ms after it had passed at 1000 ms + its media time.
    fn report(numbers: impl IntoIterator<Item = u32>) -> Report {
        let shown = |(index, number): (usize, u32)| Picture {
            number,
            at: 1050.0 + f64::from(number) * 100.0 / 3.0,
            presented: u32::try_from(index).unwrap() + 1,
            received: None,
        };
        Report {
            pictures: numbers.into_iter().enumerate().map(shown).collect(),
            unreadable: 0,
            ticks: vec![],
            video: Track::default(),
            audio: Track::default(),
            post: Some(900.0),
            first_picture: Some(1050.0),
            sessions: 1,
        }
    }

    fn passed() -> Vec<f64> {
        (0..1000_u32)
            .map(|n| 1000.0 + f64::from(n) * 100.0 / 3.0)
            .collect()
    }

    #[test]
    fn a_clean_run_has_no_faults() {
        let report = report(0..300);
        assert_eq!((report.backwards(), unshown(&report.pictures)), (0, 0));
        assert_eq!(report.join_ms(), Some(150.0));
        assert_eq!(report.at_live(&passed()).len(), 300);
        assert!((median(&report.ages(&passed())).unwrap() - 50.0).abs() < 0.01);
    }

    #[test]
    fn each_fault_is_seen() {
        assert_eq!(report([1, 2, 5, 4, 6]).backwards(), 1);
        assert_eq!(unshown(&report([1, 2, 5, 6]).pictures), 2);
        let mut late = report(0..30);
        late.pictures
            .iter_mut()
            .for_each(|picture| picture.at += 251.0);
        assert!(late.at_live(&passed()).is_empty());
    }

    #[test]
    fn a_number_that_is_read_too_early_makes_up_for_itself() {
        // Each is shown; the script reads 3 when it is called for 2, and again for 3.
        assert_eq!(unshown(&report([1, 3, 3, 4, 5]).pictures), 0);
        // The same, and 6 and 7 are never shown.
        assert_eq!(unshown(&report([1, 3, 3, 4, 5, 8]).pictures), 2);
    }

    #[test]
    fn a_picture_that_only_the_script_missed_counts_as_shown() {
        let mut report = report([1, 2, 4, 5]);
        report
            .pictures
            .iter_mut()
            .skip(2)
            .for_each(|picture| picture.presented += 1);
        assert_eq!(unshown(&report.pictures), 0);
    }

    #[test]
    fn sound_is_compared_with_the_second_it_belongs_to() {
        let mut report = report(20..400);
        report.ticks = (1..13)
            .map(|s| Tick {
                tone: s % 8,
                at: 1050.0 + f64::from(s) * 1000.0 + 30.0,
            })
            .collect();
        let offsets = report.sound_after_picture();
        assert_eq!(offsets.len(), 12, "{offsets:?}");
        assert!(
            offsets.iter().all(|offset| (offset - 30.0).abs() < 0.01),
            "{offsets:?}"
        );
        report.ticks.clear();
        assert!(report.sound_after_picture().is_empty());
    }
}
