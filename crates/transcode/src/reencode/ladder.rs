use std::time::Duration;

use zongzi_media::MediaTime;

/// How much of the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every picture in full size.
    Full,
    /// Every picture at half the width and height: decoding costs the same, encoding a quarter.
    HalfSize,
    /// Every second picture, at half the width and height.
    HalfRate,
}

/// Lowers the work of a rendition that falls behind, and raises it again when it can keep up.
#[derive(Debug)]
pub(super) struct Ladder {
    level: Level,
    /// Pictures in a row that came late.
    late: u32,
    /// Since when none came late.
    good_since: Option<MediaTime>,
    /// How long all must be well before the level is raised.
    patience: Duration,
}

/// The lowest level was not low enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hopeless;

impl Ladder {
    pub(super) fn new() -> Self {
        Self {
            level: Level::Full,
            late: 0,
            good_since: None,
            patience: PATIENCE_MIN,
        }
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// The picture at `time` waited for so long before its turn came.
    pub(super) fn observe(&mut self, time: MediaTime, late: Duration) -> Result<(), Hopeless> {
        if late <= LATE {
            self.late = 0;
            let since = *self.good_since.get_or_insert(time);
            if time.saturating_since(since) >= self.patience {
                self.good_since = None;
                self.level = match self.level {
                    Level::Full | Level::HalfSize => Level::Full,
                    Level::HalfRate => Level::HalfSize,
                };
            }
            return Ok(());
        }
        self.good_since = None;
        self.late += 1;
        if self.late < LATE_PICTURES {
            return Ok(());
        }
        self.late = 0;
        self.patience = (self.patience * 2).min(PATIENCE_MAX);
        self.level = match self.level {
            Level::Full => Level::HalfSize,
            Level::HalfSize => Level::HalfRate,
            Level::HalfRate => return Err(Hopeless),
        };
        Ok(())
    }
}

/// What a picture may wait: 3 pictures at 30 a second. The issue allows 150 ms of delay in all, of which 67 are the
/// reordering and some 10 the work.
const LATE: Duration = Duration::from_millis(100);
/// Half a second at 30 pictures a second: a hiccup of the machine is shorter.
const LATE_PICTURES: u32 = 15;
const PATIENCE_MIN: Duration = Duration::from_secs(10);
const PATIENCE_MAX: Duration = Duration::from_secs(160);

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Duration = Duration::from_millis(20);
    const BAD: Duration = Duration::from_millis(150);

    fn run(
        ladder: &mut Ladder,
        time: &mut i64,
        pictures: u32,
        late: Duration,
    ) -> Result<(), Hopeless> {
        for _ in 0..pictures {
            *time += 33_333;
            ladder.observe(MediaTime::from_micros(*time), late)?;
        }
        Ok(())
    }

    #[test]
    fn size_goes_first_then_rate_then_hope() {
        let (mut ladder, mut time) = (Ladder::new(), 0);
        let levels = [
            (14, Level::Full),
            (1, Level::HalfSize),
            (15, Level::HalfRate),
        ];
        for (pictures, level) in levels {
            assert_eq!(run(&mut ladder, &mut time, pictures, BAD), Ok(()));
            assert_eq!(ladder.level(), level);
        }
        assert_eq!(run(&mut ladder, &mut time, 15, BAD), Err(Hopeless));
    }

    #[test]
    fn a_hiccup_changes_nothing() {
        let (mut ladder, mut time) = (Ladder::new(), 0);
        for _ in 0..100 {
            run(&mut ladder, &mut time, 14, BAD).unwrap();
            run(&mut ladder, &mut time, 1, OK).unwrap();
        }
        assert_eq!(ladder.level(), Level::Full);
    }

    #[test]
    fn it_climbs_again_each_time_with_more_patience() {
        let (mut ladder, mut time) = (Ladder::new(), 0);
        for seconds in [20, 40, 80, 160, 160] {
            run(&mut ladder, &mut time, 15, BAD).unwrap();
            run(&mut ladder, &mut time, (seconds - 1) * 30, OK).unwrap();
            assert_eq!(ladder.level(), Level::HalfSize, "{seconds}");
            run(&mut ladder, &mut time, 60, OK).unwrap();
            assert_eq!(ladder.level(), Level::Full, "{seconds}");
        }
    }
}
