use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zongzi_relay::rendition::Work;
use zongzi_transcode::reencode::{self, Level};

/// Why a video rendition is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nobody needs it any more.
    Stopped,
    /// The stream can't be decoded here.
    Refused,
    /// The machine is too slow.
    TooSlow,
    /// It broke down.
    Broken,
}

impl Ending {
    pub(crate) const ALL: [Self; 4] = [Self::Stopped, Self::Refused, Self::TooSlow, Self::Broken];

    /// Its stable word for logs and metrics.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Refused => "refused",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
        }
    }
}

/// Counters of all video renditions of the process.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    opened: AtomicU64,
    no_place: AtomicU64,
    closed: [AtomicU64; Ending::ALL.len()],
    decoded: AtomicU64,
    broken: AtomicU64,
    encoded: AtomicU64,
    keyframes: AtomicU64,
    cpu_micros: AtomicU64,
    /// Running now, by level.
    levels: Mutex<[u64; LEVELS.len()]>,
}

impl Counts {
    pub(super) fn no_place(&self) {
        self.no_place.fetch_add(1, Ordering::Relaxed);
    }

    /// For the metrics page.
    pub(crate) fn snapshot(&self) -> zongzi_control::metrics::VideoRenditions {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let closed = Ending::ALL.iter().zip(&self.closed);
        let levels = *self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        zongzi_control::metrics::VideoRenditions {
            closed: closed
                .map(|(why, count)| (why.code(), read(count)))
                .collect(),
            opened: read(&self.opened),
            no_place: read(&self.no_place),
            decoded: read(&self.decoded),
            broken: read(&self.broken),
            encoded: read(&self.encoded),
            keyframes: read(&self.keyframes),
            cpu: Duration::from_micros(read(&self.cpu_micros)),
            running: LEVELS.iter().map(|(_, name)| *name).zip(levels).collect(),
        }
    }
}

/// Counts one rendition, from its begin to its end.
#[derive(Debug)]
pub(super) struct Running {
    counts: Arc<Counts>,
    ending: Ending,
    now: Mutex<(Level, reencode::Counts)>,
}

impl Running {
    pub(super) fn begin(counts: &Arc<Counts>) -> Self {
        counts.opened.fetch_add(1, Ordering::Relaxed);
        let running = Self {
            counts: Arc::clone(counts),
            ending: Ending::Stopped,
            now: Mutex::new((Level::Full, reencode::Counts::default())),
        };
        running.shift(None, Some(Level::Full));
        running
    }

    /// What it has done so far, and how much of the work it does now, which comes back when it is another than before.
    pub(super) fn did(&self, level: Level, done: &reencode::Counts) -> Option<Work> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, known) = std::mem::replace(&mut *now, (level, *done));
        drop(now);
        if before != level {
            tracing::info!(level = name(level), "the video rendition changes its work");
            self.shift(Some(before), Some(level));
        }
        for (total, count, known) in [
            (&self.counts.decoded, done.decoded, known.decoded),
            (&self.counts.broken, done.broken, known.broken),
            (&self.counts.encoded, done.encoded, known.encoded),
            (&self.counts.keyframes, done.keyframes, known.keyframes),
        ] {
            total.fetch_add(count.saturating_sub(known), Ordering::Relaxed);
        }
        (before != level).then_some(match level {
            Level::Full => Work::Full,
            Level::HalfSize => Work::HalfSize,
            Level::HalfRate => Work::HalfRate,
        })
    }

    /// It has used so much of the processor more.
    pub(super) fn used(&self, cpu: Duration) {
        let micros = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        self.counts.cpu_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn end(&mut self, ending: Ending) {
        self.ending = ending;
    }

    fn shift(&self, from: Option<Level>, to: Option<Level>) {
        let mut levels = self
            .counts
            .levels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for ((level, _), count) in LEVELS.iter().zip(levels.iter_mut()) {
            *count = count.saturating_sub(u64::from(from == Some(*level)));
            *count += u64::from(to == Some(*level));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let level = self.now.lock().unwrap_or_else(PoisonError::into_inner).0;
        self.shift(Some(level), None);
        for (why, count) in Ending::ALL.iter().zip(&self.counts.closed) {
            if *why == self.ending {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn name(level: Level) -> &'static str {
    let found = LEVELS.iter().find(|(known, _)| *known == level);
    found.map_or("full", |(_, name)| name)
}

const LEVELS: [(Level, &str); 3] = [
    (Level::Full, "full"),
    (Level::HalfSize, "half_size"),
    (Level::HalfRate, "half_rate"),
];
