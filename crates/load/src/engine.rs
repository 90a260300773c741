//! A thread that owns many viewers and goes round among them.
//!
//! It does not wait for sockets: it looks at each in turn, a few hundred times a second, and reads all that is there with
//! one call. Being woken for every datagram would cost more, here and at the sender who does the waking. When something
//! arrived is not lost by that: the kernel stamps each datagram.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver as Commands, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::clock::Stamp;
use crate::floor::Shape;
use crate::host::log::{Log, Sent};
use crate::net::Receiver;
use crate::viewer::{Context, Outcome, Stats, Viewer};

/// How often a viewer who watches is looked at.
pub(crate) const ROUND: Duration = Duration::from_millis(4);
/// How often one who is joining is: each of his round trips waits for it.
const JOIN_ROUND: Duration = Duration::from_micros(400);
/// How often figures are handed out.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(250);
/// By then a DELETE has arrived.
const DELETE_TIME: Duration = Duration::from_secs(2);
/// Commands that wait for an engine.
pub(crate) const COMMANDS_MAX: usize = 4096;

/// What an engine is told.
pub(crate) enum Command {
    /// A viewer with an answer.
    Join(Viewer),
    /// The viewer with this number goes; `left` is dropped when nobody reads what the server says to it any more.
    Leave {
        id: u64,
        how: Parting,
        left: oneshot::Sender<()>,
    },
}

/// How a viewer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// With a DELETE, which another sends.
    Deleted,
    /// With DTLS's goodbye, where the server named nothing to DELETE.
    Goodbye,
    /// Without a word: his socket stays open and unread, as a phone's that lost its network.
    Silently,
}

/// A part of the run; figures are kept apart for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// One viewer of each channel.
    Base,
    /// The others come.
    Joining,
    /// All watch.
    Steady,
    /// A crowd comes.
    Crowd,
    /// All go.
    Leaving,
}

/// How many phases there are.
pub(crate) const PHASES: usize = 5;

/// What engines and director share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What each channel's host sent.
    pub(crate) logs: Vec<Arc<Log>>,
    /// What the server's sends looked like.
    pub(crate) shape: Mutex<Shape>,
    phase: AtomicU8,
    stop: AtomicBool,
}

impl Shared {
    /// For hosts with these logs.
    pub(crate) fn new(logs: Vec<Arc<Log>>) -> Self {
        Self {
            logs,
            shape: Mutex::default(),
            phase: AtomicU8::new(Phase::Base as u8),
            stop: AtomicBool::new(false),
        }
    }

    /// Begins a phase.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Ends the engines' threads.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn phase(&self) -> usize {
        usize::from(self.phase.load(Ordering::Relaxed)).min(PHASES - 1)
    }
}

/// An engine's figures at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// Viewers with keys.
    pub(crate) live: usize,
    /// Viewers without.
    pub(crate) joining: usize,
    /// Per phase.
    pub(crate) stats: [Stats; PHASES],
    /// Rounds that began late, since the one before took too long.
    pub(crate) late_rounds: u64,
    /// All rounds.
    pub(crate) rounds: u64,
    /// Viewers who were ended by an error.
    pub(crate) failed: u64,
}

/// The engine's own state.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    commands: Commands<Command>,
    snapshot: Arc<Mutex<Snapshot>>,
    viewers: Vec<Viewer>,
    /// Those who vanished.
    silent: Vec<Viewer>,
    /// Those whose DELETE is on its way: until then their sockets stay open.
    parting: Vec<(Stamp, Viewer)>,
    logs: Vec<VecDeque<Sent>>,
    figures: Snapshot,
    outcomes: Vec<Outcome>,
    watched: Option<u64>,
    /// Whose figures these are: the shared one as of the last round, since what is read in a round came before it.
    phase: usize,
    /// When the last round began: whatever came before has been read.
    read: Stamp,
}

impl Engine {
    /// An engine without viewers.
    pub(crate) fn new(
        shared: Arc<Shared>,
        commands: Commands<Command>,
        snapshot: Arc<Mutex<Snapshot>>,
    ) -> Self {
        let logs = shared.logs.iter().map(|_| VecDeque::new()).collect();
        Self {
            shared,
            commands,
            snapshot,
            viewers: Vec::new(),
            silent: Vec::new(),
            parting: Vec::new(),
            logs,
            figures: Snapshot::default(),
            outcomes: Vec::new(),
            watched: None,
            phase: Phase::Base as usize,
            read: Stamp::now(),
        }
    }

    /// Goes round until it is stopped; gives what became of each viewer.
    pub(crate) fn run(mut self) -> Vec<Outcome> {
        let mut receiver = Receiver::default();
        let mut next_round = Instant::now();
        let mut next_snapshot = next_round;
        let mut last_round = Stamp::now();
        loop {
            let joined = self.take_commands();
            let now = Instant::now();
            if now >= next_round {
                let stamp = Stamp::now();
                self.round(stamp, stamp.since(last_round), &mut receiver);
                last_round = stamp;
                self.figures.rounds += 1;
                next_round += ROUND;
                if next_round < Instant::now() {
                    self.figures.late_rounds += 1;
                    next_round = Instant::now();
                }
            } else {
                self.joiners(&mut receiver);
            }
            if now >= next_snapshot {
                self.hand_out();
                next_snapshot = now + SNAPSHOT_EVERY;
                if self.shared.stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            let wait = next_round.saturating_duration_since(Instant::now());
            let joining = self.figures.joining > 0 || joined;
            std::thread::sleep(if joining { wait.min(JOIN_ROUND) } else { wait });
        }
        let now = Stamp::now();
        for mut viewer in std::mem::take(&mut self.viewers) {
            self.end(&mut viewer, now, None);
        }
        for stats in &mut self.figures.stats {
            stats.finish();
        }
        self.hand_out();
        self.outcomes
    }

    fn take_commands(&mut self) -> bool {
        let mut joined = false;
        loop {
            match self.commands.try_recv() {
                Ok(Command::Join(viewer)) => {
                    self.viewers.push(viewer);
                    joined = true;
                }
                Ok(Command::Leave { id, how, left }) => {
                    self.leave(id, how);
                    drop(left);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return joined,
            }
        }
    }

    fn leave(&mut self, id: u64, how: Parting) {
        let Some(index) = self
            .viewers
            .iter()
            .position(|viewer| viewer.record().id == id)
        else {
            return;
        };
        let mut viewer = self.viewers.swap_remove(index);
        if how == Parting::Silently {
            viewer.vanish();
        }
        let now = Stamp::now();
        self.end(&mut viewer, now, None);
        match how {
            Parting::Deleted => self.parting.push((now.plus(DELETE_TIME), viewer)),
            Parting::Goodbye => viewer.say_goodbye(),
            Parting::Silently => self.silent.push(viewer),
        }
    }

    /// Looks at every viewer.
    fn round(&mut self, now: Stamp, elapsed: Duration, receiver: &mut Receiver) {
        self.parting.retain(|(until, _)| *until > now);
        let keyed = |viewer: &&Viewer| viewer.record().keyed.is_some();
        let live = self.viewers.iter().filter(keyed).count();
        let joining = self.viewers.iter().filter(|each| each.is_joining()).count();
        if let Some(stats) = self.figures.stats.get_mut(self.phase) {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 viewers")]
            let live = live as f64;
            stats.viewer_seconds += live * elapsed.as_secs_f64();
        }
        (self.figures.live, self.figures.joining) = (live, joining);
        self.turns(now, receiver, |_| true);
        self.read = now;
        let phase = self.shared.phase();
        if phase != self.phase {
            if let Some(stats) = self.figures.stats.get_mut(self.phase) {
                for viewer in &mut self.viewers {
                    viewer.record_mut().note_open_gap(now, stats);
                }
            }
            self.phase = phase;
        }
    }

    /// Looks at those who are joining.
    fn joiners(&mut self, receiver: &mut Receiver) {
        if self.figures.joining > 0 || self.viewers.last().is_some_and(|last| last.is_joining()) {
            self.turns(Stamp::now(), receiver, Viewer::is_joining);
        }
    }

    fn turns(&mut self, now: Stamp, receiver: &mut Receiver, wanted: impl Fn(&Viewer) -> bool) {
        let phase = self.phase;
        let mut failed = Vec::new();
        for (index, viewer) in self.viewers.iter_mut().enumerate() {
            if !wanted(viewer) {
                continue;
            }
            let record = viewer.record();
            let (id, channel) = (record.id, record.channel);
            let (Some(log), Some(copy), Some(stats)) = (
                self.shared.logs.get(channel),
                self.logs.get_mut(channel),
                self.figures.stats.get_mut(phase),
            ) else {
                continue;
            };
            let mut context = Context {
                now,
                log,
                copy,
                stats,
            };
            // One viewer who is there already shows what the server's sends look like.
            let watching = phase == Phase::Steady as usize
                && channel == 0
                && *self.watched.get_or_insert(id) == id;
            let turn = if watching {
                let mut shape = self
                    .shared
                    .shape
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                viewer.turn(receiver, &mut context, &mut |datagram| {
                    shape.note(id, datagram);
                })
            } else {
                viewer.turn(receiver, &mut context, &mut |_| {})
            };
            if let Err(error) = turn {
                failed.push((index, format!("{error:#}")));
            }
        }
        for (index, error) in failed.into_iter().rev() {
            let mut viewer = self.viewers.swap_remove(index);
            self.figures.failed += 1;
            self.end(&mut viewer, now, Some(error));
        }
    }

    fn end(&mut self, viewer: &mut Viewer, now: Stamp, error: Option<String>) {
        let record = viewer.record_mut();
        if let Some(stats) = self.figures.stats.get_mut(self.phase) {
            record.note_open_gap(self.read, stats);
        }
        if let Some(log) = self.shared.logs.get(record.channel)
            && let Some(copy) = self.logs.get_mut(record.channel)
        {
            log.copy_new(copy);
            self.outcomes.push(record.outcome(copy, now, error));
        }
    }

    fn hand_out(&self) {
        let mut snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.clone_from(&self.figures);
    }
}
