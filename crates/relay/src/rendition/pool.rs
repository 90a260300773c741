mod pressure;
mod queue;

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use zongzi_media::{Frame, aac};

use self::pressure::Pressure;
pub use self::queue::FRAMES_MAX as QUEUE_FRAMES_MAX;
use self::queue::{Input, Queue};
use super::{AudioRendition, Effort, RenditionError, Renditions, Unplayable};

/// A fixed number of threads on which renditions run, and the way to start one.
///
/// Each rendition is worked on by one thread at a time, a few frames at a turn, then the next one: a stream
/// that floods its queue takes no more than its share. Where the machine has no time for all of them, all are made with
/// less effort, and then what would come late is left out. A panic inside a codec ends that rendition only. Dropping the
/// pool ends the threads when their current turn is done.
pub struct Pool {
    shared: Arc<Shared>,
}

/// What the pool has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolCounts {
    /// Renditions started.
    pub opened: u64,
    /// Renditions ended.
    pub closed: u64,
    /// Source frames worked on.
    pub frames: u64,
    /// Those among them that were coded with the least effort, because frames had to wait.
    pub eased: u64,
    /// Source frames dropped because a rendition was too slow.
    pub dropped: u64,
    /// Source frames that could not be decoded.
    pub failed: u64,
}

struct Shared {
    renditions: Arc<dyn Renditions>,
    /// Renditions with something to do, each at most once.
    ready: Mutex<VecDeque<Arc<Job>>>,
    wake: Condvar,
    stop: AtomicBool,
    pressure: Pressure,
    now: fn() -> Instant,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    closed: AtomicU64,
    frames: AtomicU64,
    eased: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// One running rendition, held by the broadcast that wants it. Dropping it ends the rendition.
pub(crate) struct Handle {
    job: Arc<Job>,
    shared: Arc<Shared>,
}

/// What comes out of a rendition.
#[derive(Debug)]
pub(crate) enum Made {
    /// A frame, with the arrival time of the source frame that completed it.
    Frame(Frame, Instant),
    /// It can't go on, ever, for this track.
    Unplayable(Unplayable),
}

struct Job {
    config: aac::Config,
    queue: Mutex<Queue>,
    /// Taken by the thread whose turn it is; never contended, because a job is in `ready` at most once.
    codec: Mutex<Codec>,
    /// Hands results to the owner without waiting; says whether they were taken.
    deliver: Box<dyn Fn(Made) -> bool + Send + Sync>,
}

enum Codec {
    Unopened,
    Open(Box<dyn AudioRendition>),
    Dead,
}

impl Pool {
    /// Starts `threads` threads (at least one).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize, renditions: Arc<dyn Renditions>) -> std::io::Result<Self> {
        Self::start_by(Instant::now, threads, renditions)
    }

    fn start_by(
        now: fn() -> Instant,
        threads: usize,
        renditions: Arc<dyn Renditions>,
    ) -> std::io::Result<Self> {
        let pool = Self {
            shared: Arc::new(Shared {
                renditions,
                ready: Mutex::default(),
                wake: Condvar::new(),
                stop: AtomicBool::new(false),
                pressure: Pressure::new(now()),
                now,
                counts: Counts::default(),
            }),
        };
        for index in 0..threads.clamp(1, THREADS_MAX) {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new()
                .name(format!("rendition-{index}"))
                .spawn(move || {
                    shared.renditions.thread_begins();
                    shared.run();
                })?;
        }
        Ok(pool)
    }

    /// Begins a rendition to Opus; results go to `deliver`, which must not wait and answers whether it took them.
    pub(crate) fn opus(
        &self,
        config: aac::Config,
        deliver: Box<dyn Fn(Made) -> bool + Send + Sync>,
    ) -> Handle {
        self.shared.counts.opened.fetch_add(1, Ordering::Relaxed);
        Handle {
            job: Arc::new(Job {
                config,
                queue: Mutex::default(),
                codec: Mutex::new(Codec::Unopened),
                deliver,
            }),
            shared: Arc::clone(&self.shared),
        }
    }

    /// What was done so far.
    pub fn counts(&self) -> PoolCounts {
        let counts = &self.shared.counts;
        PoolCounts {
            opened: counts.opened.load(Ordering::Relaxed),
            closed: counts.closed.load(Ordering::Relaxed),
            frames: counts.frames.load(Ordering::Relaxed),
            eased: counts.eased.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Under the lock, so that no thread can fall asleep between its check and this.
        let _ready = self.shared.lock_ready();
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.notify_all();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("counts", &self.counts())
            .finish()
    }
}

impl Handle {
    /// Queues a source frame. When the queue is full the oldest one is dropped.
    pub(crate) fn push(&self, frame: Frame, received: Instant) {
        let mut queue = lock(&self.job.queue);
        let dropped = queue.push(frame, received, (self.shared.now)());
        self.shared.count_dropped(dropped);
        let schedule = !std::mem::replace(&mut queue.scheduled, true);
        drop(queue);
        if schedule {
            self.shared.schedule(Arc::clone(&self.job));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut queue = lock(&self.job.queue);
        queue.close();
        drop(queue);
        self.shared.counts.closed.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("config", &self.job.config)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn run(&self) {
        let mut out = Vec::new();
        while let Some(job) = self.next() {
            self.turn(&job, &mut out);
        }
    }

    /// The next rendition with work; `None` when the pool is gone.
    fn next(&self) -> Option<Arc<Job>> {
        let mut ready = self.lock_ready();
        loop {
            if self.stop.load(Ordering::Acquire) {
                return None;
            }
            if let Some(job) = ready.pop_front() {
                return Some(job);
            }
            ready = self
                .wake
                .wait(ready)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn turn(&self, job: &Arc<Job>, out: &mut Vec<Frame>) {
        let mut codec = lock(&job.codec);
        for _ in 0..TURN_FRAMES {
            let now = (self.now)();
            let (input, dropped) = lock(&job.queue).pop(now);
            self.count_dropped(dropped);
            let Some(input) = input else {
                break;
            };
            self.counts.frames.fetch_add(1, Ordering::Relaxed);
            let effort = self.pressure.effort(input.waited(now), now);
            if effort == Effort::Least {
                self.counts.eased.fetch_add(1, Ordering::Relaxed);
            }
            let done = catch_unwind(AssertUnwindSafe(|| {
                codec.push(self.renditions.as_ref(), &job.config, &input, effort, out)
            }));
            let result = done.unwrap_or_else(|_| {
                // The codec's state can't be trusted any more, and it won't be touched again.
                Err(Unplayable::Codec("it panicked".to_owned()).into())
            });
            match result {
                Ok(()) => {}
                Err(RenditionError::Frame(error)) => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::trace!(error, "audio frame lost in rendition");
                }
                Err(RenditionError::Unplayable(why)) => {
                    *codec = Codec::Dead;
                    (job.deliver)(Made::Unplayable(why));
                }
            }
            for frame in out.drain(..) {
                if !(job.deliver)(Made::Frame(frame, input.received)) {
                    self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        drop(codec);
        let mut queue = lock(&job.queue);
        let more = queue.has_more();
        queue.scheduled = more;
        drop(queue);
        if more {
            self.schedule(Arc::clone(job));
        }
    }

    fn schedule(&self, job: Arc<Job>) {
        self.lock_ready().push_back(job);
        self.wake.notify_one();
    }

    fn count_dropped(&self, frames: u64) {
        self.counts.dropped.fetch_add(frames, Ordering::Relaxed);
    }

    fn lock_ready(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Job>>> {
        lock(&self.ready)
    }
}

impl Codec {
    fn push(
        &mut self,
        renditions: &dyn Renditions,
        config: &aac::Config,
        input: &Input,
        effort: Effort,
        out: &mut Vec<Frame>,
    ) -> Result<(), RenditionError> {
        if let Self::Unopened = self {
            *self = Self::Open(renditions.opus(config)?);
        }
        let Self::Open(rendition) = self else {
            return Ok(());
        };
        if input.after_gap {
            rendition.restart();
        }
        rendition.push(&input.frame, effort, out)
    }
}

/// Locks what no panic can leave half-changed: every section is a few plain assignments, and the codec, whose code may
/// panic, is marked dead by the one who catches it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Source frames worked on before the next rendition has its turn.
const TURN_FRAMES: usize = 8;
/// More threads than any machine has cores would help nobody.
const THREADS_MAX: usize = 64;

#[cfg(test)]
mod tests;
