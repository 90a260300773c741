use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crate::sys;

/// Wakes the shard that waits on a [`MediaSocket`](crate::MediaSocket). Cloning is cheap; all clones wake the same.
///
/// Waking a shard that is awake costs one fence and one load; one that sleeps costs one system call, however many wake
/// it. Nothing is lost if whoever wakes puts his message into the shard's queue *before*, and the shard looks into its
/// queues *after* [`Waker::going_to_sleep`] and does not sleep if there is something.
#[derive(Debug, Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    asleep: AtomicBool,
    event: OwnedFd,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            shared: Arc::new(Shared {
                asleep: AtomicBool::new(false),
                event: sys::event()?,
            }),
        })
    }

    /// Wakes the shard, if it sleeps or is about to.
    pub fn wake(&self) {
        // Pairs with the fence in `going_to_sleep`: either we see the flag, or the shard sees our message.
        fence(Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::Relaxed)
            && self.shared.asleep.swap(false, Ordering::Relaxed)
        {
            sys::raise(self.shared.event.as_fd());
        }
    }

    /// The shard announces that it will wait. From now on it must look into its queues once more.
    pub fn going_to_sleep(&self) {
        self.shared.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn awake(&self, woken: bool) {
        // Whoever took the flag away has raised the event, or will in a moment: clearing it here or finding it at the
        // next wait is the same, one wait that ends early.
        let nobody_raised = self.shared.asleep.swap(false, Ordering::Relaxed);
        if woken || !nobody_raised {
            sys::clear(self.event());
        }
    }

    pub(crate) fn event(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}
