use std::fs;
use std::time::Duration;

/// How much of the processor a child uses, as the kernel counts it.
#[derive(Debug)]
pub(super) struct Load {
    pid: Option<u32>,
    known: Duration,
    requests: u32,
}

impl Load {
    pub(super) fn of(pid: Option<u32>) -> Self {
        Self {
            pid,
            known: Duration::ZERO,
            requests: 0,
        }
    }

    /// A request is done: now and then, what it has used since the last time.
    pub(super) fn done(&mut self) -> Option<Duration> {
        self.requests += 1;
        if self.requests < REQUESTS {
            return None;
        }
        self.requests = 0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid?)).ok()?;
        let used = cpu(&stat)?;
        let more = used.saturating_sub(self.known);
        self.known = used;
        Some(more)
    }
}

/// Fields 14 and 15 of a process's `stat` (proc(5)), counted from the end of its name, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(
        ticks()?.checked_add(ticks()?)?.checked_mul(TICK_MILLIS)?,
    ))
}

/// Half a second of pictures.
const REQUESTS: u32 = 15;
/// `USER_HZ` is 100.
const TICK_MILLIS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_up() {
        let stat = "1 (a) b ) R 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 1200 5 6 7";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu("1 (a) R 1"), None);
    }

    #[test]
    fn only_what_is_new_is_given() {
        let mut load = Load::of(Some(std::process::id()));
        let sum: Duration = (0..REQUESTS * 10).filter_map(|_| load.done()).sum();
        let used = cpu(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert!(sum <= used, "{sum:?} of {used:?}");
    }
}
