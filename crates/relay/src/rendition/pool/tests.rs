//! Real threads, no sleeps: the codecs here wait for the test, and the test for them, over channels.

use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::fixture::{Sound, aac_track, sound};

/// Hands every frame on, after the test has let it. Says what was asked of it instead of "say".
struct Gated {
    go: Arc<Mutex<Receiver<()>>>,
    restarted: bool,
}

impl AudioRendition for Gated {
    fn push(
        &mut self,
        frame: &Frame,
        effort: Effort,
        out: &mut Vec<Frame>,
    ) -> Result<(), RenditionError> {
        self.wait();
        match frame.payload.as_ref() {
            b"broken" => return Err(RenditionError::Frame("broken".to_owned())),
            b"he" => return Err(Unplayable::HeAac.into()),
            b"panic" => panic!("a codec's bug"),
            _ => {}
        }
        let mut frame = frame.clone();
        if std::mem::take(&mut self.restarted) {
            frame.payload = Bytes::from_static(b"after a gap");
        }
        if frame.payload.as_ref() == b"say" {
            let said: &[u8] = match effort {
                Effort::Full => b"full",
                Effort::Least => b"least",
            };
            frame.payload = Bytes::from_static(said);
        }
        out.push(frame);
        Ok(())
    }

    fn restart(&mut self) {
        self.restarted = true;
    }
}

impl Gated {
    fn behind(gate: &Arc<Mutex<Receiver<()>>>) -> Box<dyn AudioRendition> {
        Box::new(Self {
            go: Arc::clone(gate),
            restarted: false,
        })
    }

    fn wait(&self) {
        lock(&self.go).recv().unwrap();
    }
}

/// Lets the first 1,000 frames through at once.
fn open_gate() -> Receiver<()> {
    let (free, open) = sync_channel(1_000);
    for _ in 0..1_000 {
        free.send(()).unwrap();
    }
    open
}

/// A clock by which nothing ever waits, however slow the machine is.
fn frozen() -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    *START
}

struct Rig {
    pool: Pool,
    go: SyncSender<()>,
}

impl Rig {
    fn new(threads: usize) -> Self {
        let (go, gate) = sync_channel(1_000);
        let gate = Arc::new(Mutex::new(gate));
        let renditions = Arc::new(Sound(move || Ok(Gated::behind(&gate))));
        Self {
            pool: Pool::start_by(frozen, threads, renditions).unwrap(),
            go,
        }
    }

    fn rendition(&self) -> (Handle, Receiver<Made>) {
        let zongzi_media::Codec::Aac(config) = aac_track().codec else {
            unreachable!()
        };
        let (made, results) = sync_channel(1_000);
        let deliver = move |result| made.try_send(result).is_ok();
        (self.pool.opus(config, Box::new(deliver)), results)
    }

    fn let_through(&self, frames: usize) {
        for _ in 0..frames {
            self.go.send(()).unwrap();
        }
    }
}

fn push(handle: &Handle, number: i64, payload: &'static [u8]) {
    handle.push(sound(number, Bytes::from_static(payload)), Instant::now());
}

fn next(results: &Receiver<Made>) -> (i64, Bytes) {
    match results.recv().unwrap() {
        Made::Frame(frame, _) => (frame.dts.as_micros(), frame.payload),
        Made::Unplayable(why) => panic!("{why}"),
    }
}

#[test]
fn a_slow_rendition_loses_its_own_oldest_input_and_is_told_of_the_gap() {
    let rig = Rig::new(1);
    let (handle, results) = rig.rendition();
    push(&handle, 0, b"first");
    rig.let_through(1);
    assert_eq!(next(&results).0, 0);
    // Nothing is let through: one frame may be on the thread, the others wait or go.
    let last = i64::try_from(QUEUE_FRAMES_MAX).unwrap() + 10;
    for number in 1..=last {
        push(&handle, number, b"x");
    }
    rig.let_through(QUEUE_FRAMES_MAX + 10);
    let mut seen = vec![];
    while seen.last() != Some(&last) {
        let (number, payload) = next(&results);
        let gap = seen.last().is_some_and(|before| number != before + 1)
            || seen.is_empty() && number != 1;
        assert_eq!(
            payload.as_ref() == b"after a gap",
            gap,
            "{number} after {seen:?}"
        );
        seen.push(number);
    }
    let dropped = rig.pool.counts().dropped;
    assert!((9..=10).contains(&dropped), "{dropped}");
    assert_eq!(
        seen.len() + usize::try_from(dropped).unwrap(),
        usize::try_from(last).unwrap()
    );
}

#[test]
fn a_machine_that_is_short_of_time_takes_less_effort_and_then_leaves_out_what_would_be_late() {
    static MILLIS: AtomicU64 = AtomicU64::new(0);
    fn clock() -> Instant {
        frozen() + Duration::from_millis(MILLIS.load(Ordering::SeqCst))
    }
    let (go, gate) = sync_channel(1_000);
    let gate = Arc::new(Mutex::new(gate));
    let renditions = Sound(move || Ok(Gated::behind(&gate)));
    let pool = Pool::start_by(clock, 1, Arc::new(renditions)).unwrap();
    let rig = Rig { pool, go };
    let (handle, results) = rig.rendition();
    let say = |number| push(&handle, number, b"say");
    // The thread has taken the first, and the others wait behind it.
    let stuck = |first| {
        let taken = rig.pool.counts().frames + 1;
        say(first);
        while rig.pool.counts().frames < taken {
            thread::yield_now();
        }
        say(first + 1);
        say(first + 2);
    };
    let is = |number, payload: &'static [u8]| {
        rig.let_through(1);
        assert_eq!(next(&results), (number, Bytes::from_static(payload)));
    };
    stuck(1);
    MILLIS.store(50, Ordering::SeqCst);
    is(1, b"full");
    is(2, b"least");
    is(3, b"least");
    MILLIS.store(10_000, Ordering::SeqCst);
    stuck(4);
    MILLIS.store(10_300, Ordering::SeqCst);
    is(4, b"full");
    say(7);
    is(7, b"after a gap");
    let counts = rig.pool.counts();
    assert_eq!((counts.eased, counts.dropped), (2, 2));
}

#[test]
fn a_broken_frame_is_counted_and_the_next_one_goes_on() {
    let rig = Rig::new(1);
    let (handle, results) = rig.rendition();
    rig.let_through(3);
    push(&handle, 0, b"good");
    push(&handle, 1, b"broken");
    push(&handle, 2, b"good");
    assert_eq!([next(&results).0, next(&results).0], [0, 2]);
    assert_eq!(rig.pool.counts().failed, 1);
}

#[test]
fn a_track_that_can_not_be_played_is_said_once_and_the_pool_works_on() {
    let rig = Rig::new(1);
    for (payload, why) in [
        (&b"he"[..], Unplayable::HeAac),
        (&b"panic"[..], Unplayable::Codec("it panicked".to_owned())),
    ] {
        let (bad, bad_results) = rig.rendition();
        let (good, good_results) = rig.rendition();
        rig.let_through(2);
        push(&bad, 0, payload);
        push(&bad, 1, b"never looked at");
        let Made::Unplayable(said) = bad_results.recv().unwrap() else {
            panic!("a frame")
        };
        assert_eq!(said, why);
        push(&good, 5, b"good");
        assert_eq!(next(&good_results).0, 5);
        assert!(bad_results.try_recv().is_err());
    }
}

#[test]
fn a_stuck_rendition_leaves_the_other_thread_to_others() {
    // The first one opened waits for the gate; the others are free.
    let (go, gate) = sync_channel(10);
    let first = Mutex::new(Some(gate));
    let renditions = Sound(move || {
        let gate = lock(&first).take().unwrap_or_else(open_gate);
        Ok(Gated::behind(&Arc::new(Mutex::new(gate))))
    });
    let pool = Pool::start_by(frozen, 2, Arc::new(renditions)).unwrap();
    let rig = Rig { pool, go };
    let (stuck, stuck_results) = rig.rendition();
    push(&stuck, 0, b"waits");
    while rig.pool.counts().frames == 0 {
        thread::yield_now();
    }
    let (free, free_results) = rig.rendition();
    for number in 0..100 {
        push(&free, number, b"x");
        assert_eq!(next(&free_results).0, number);
    }
    assert!(stuck_results.try_recv().is_err());
    rig.let_through(1);
    assert_eq!(next(&stuck_results).0, 0);
}

#[test]
fn an_ended_rendition_is_counted_out_and_does_no_more_work() {
    let rig = Rig::new(1);
    let (handle, results) = rig.rendition();
    push(&handle, 0, b"on the thread, or queued");
    drop(handle);
    rig.let_through(1);
    let counts = rig.pool.counts();
    assert_eq!((counts.opened, counts.closed), (1, 1));
    drop(rig);
    // Delivering ends with the job.
    assert!(results.iter().count() <= 1);
}
