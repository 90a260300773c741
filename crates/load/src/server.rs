//! What a process costs, read from `/proc` (`proc(5)`).

use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks per second of the times in `/proc/PID/stat`: 100 on every Linux that Rust runs on (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// A process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU of all its threads since its start, user and system, those that ended included. To within 10 ms.
    pub(crate) cpu: Duration,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
    /// Threads.
    pub(crate) threads: usize,
}

impl Usage {
    /// Of process `pid`.
    ///
    /// # Errors
    /// When there is no such process, or it is not ours to look at.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            std::fs::read_to_string(&path).with_context(|| format!("can't read {path}"))
        };
        let ticks = cpu_ticks(&read("stat")?).context("/proc/PID/stat is not as expected")?;
        let status = read("status")?;
        let kilobytes = field(&status, "VmRSS:").context("/proc/PID/status has no VmRSS")?;
        let count = |name: &str| {
            std::fs::read_dir(format!("/proc/{pid}/{name}")).map_or(0, Iterator::count)
        };
        Ok(Self {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
            memory: kilobytes * 1024,
            descriptors: count("fd"),
            threads: count("task"),
        })
    }
}

/// Nanoseconds on a CPU of each thread of `pid`, with the thread's name: `/proc/PID/task/TID/schedstat`.
pub(crate) fn threads(pid: u32) -> Vec<(String, Duration)> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
        let nanos = read("schedstat")
            .and_then(|text| text.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or(0);
        let name = read("comm").unwrap_or_default().trim().to_owned();
        found.push((name, Duration::from_nanos(nanos)));
    }
    found.sort();
    found
}

/// UDP datagrams that found a receive buffer full, on the whole machine since it started (`/proc/net/snmp`).
pub(crate) fn udp_receive_drops() -> u64 {
    let text = std::fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    receive_drops(&text).unwrap_or(0)
}

fn receive_drops(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter(|line| line.starts_with("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names
        .split_ascii_whitespace()
        .position(|name| name == "RcvbufErrors")?;
    values.split_ascii_whitespace().nth(at)?.parse().ok()
}

/// utime and stime, fields 14 and 15; counted from behind the name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 1 2";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("42 (x"), None);
    }

    #[test]
    fn memory_and_drops_are_found_by_name() {
        assert_eq!(field("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
        let snmp = "Ip: a\nIp: 1\nUdp: InDatagrams RcvbufErrors SndbufErrors\nUdp: 5 7 9\n";
        assert_eq!(receive_drops(snmp), Some(7));
        assert_eq!(receive_drops("Udp: x\n"), None);
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let usage = Usage::of(std::process::id()).expect("our own process");
        assert!(usage.memory > 100_000 && usage.threads >= 1 && usage.descriptors >= 3);
        assert!(!threads(std::process::id()).is_empty());
    }
}
