//! What a process costs, read from `/proc` (`proc(5)`).

use std::collections::BTreeSet;
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

/// Datagrams that found the receive buffer full, of all UDP sockets bound to one of `ports` (`/proc/net/udp`).
pub(crate) fn udp_drops(ports: &BTreeSet<u16>) -> u64 {
    ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap_or_default())
        .map(|table| drops_in(&table, ports))
        .sum()
}

fn drops_in(table: &str, ports: &BTreeSet<u16>) -> u64 {
    let of_line = |line: &str| -> Option<u64> {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (_, port) = words.next()?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let drops = words.last()?.parse().ok()?;
        ports.contains(&port).then_some(drops)
    };
    table.lines().skip(1).filter_map(of_line).sum()
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
    fn memory_and_drops_are_found() {
        assert_eq!(field("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
        let table = "  sl  local_address rem_address st drops\n\
            1: 0100007F:0400 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 5 2 0 7\n\
            2: 0100007F:0401 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 5 2 0 9\n";
        assert_eq!(drops_in(table, &BTreeSet::from([0x401])), 9);
        assert_eq!(drops_in(table, &BTreeSet::from([0x400, 0x401])), 16);
        assert_eq!(drops_in("", &BTreeSet::from([1])), 0);
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let usage = Usage::of(std::process::id()).expect("our own process");
        assert!(usage.memory > 100_000 && usage.threads >= 1 && usage.descriptors >= 3);
        assert!(!threads(std::process::id()).is_empty());
    }
}
