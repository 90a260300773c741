use std::fs;
use std::time::{Duration, SystemTime};

/// What the kernel says of this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// CPU time used, by user and kernel.
    pub cpu: Duration,
    /// When it started.
    pub started: SystemTime,
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// The limit of open file descriptors.
    pub max_fds: u64,
    /// Threads.
    pub threads: u64,
}

/// Clock ticks of `/proc`, in a second: `USER_HZ`, which Linux has fixed at 100 for user space on every platform that we
/// build for, whatever the kernel's own clock.
const TICKS_PER_SECOND: u64 = 100;

impl Process {
    /// Reads `/proc` (proc(5)); `None` where there is none, or it can't be read.
    pub fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let open_fds = fs::read_dir("/proc/self/fd").ok()?.count();
        let (cpu, since_boot) = times(&stat)?;
        Some(Self {
            cpu,
            started: SystemTime::UNIX_EPOCH + boot(&system)? + since_boot,
            resident_bytes: field(&status, "VmRSS:")?.saturating_mul(1024),
            virtual_bytes: field(&status, "VmSize:")?.saturating_mul(1024),
            // Reading the directory opens it.
            open_fds: u64::try_from(open_fds).ok()?.saturating_sub(1),
            max_fds: field(&limits, "Max open files")?,
            threads: field(&status, "Threads:")?,
        })
    }
}

/// CPU time and, since boot, the start time: fields 14, 15 and 22 of `/proc/self/stat`. The second field, the program's
/// name in parentheses, may hold anything, so fields are counted from its end.
fn times(stat: &str) -> Option<(Duration, Duration)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = |number: usize| rest.split_whitespace().nth(number - 3)?.parse::<u64>().ok();
    let span = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND));
    Some((
        span(ticks(14)?.saturating_add(ticks(15)?)),
        span(ticks(22)?),
    ))
}

/// When the machine was started, since 1970.
fn boot(system: &str) -> Option<Duration> {
    field(system, "btime").map(Duration::from_secs)
}

/// The first number of the line that begins with `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let process = Process::read().unwrap();
        assert!(
            process.resident_bytes > 1_000_000 && process.virtual_bytes > process.resident_bytes
        );
        assert!(process.open_fds >= 3 && process.max_fds > process.open_fds);
        assert!(process.threads >= 1);
        let age = SystemTime::now().duration_since(process.started);
        assert!(
            age.is_ok_and(|age| age < Duration::from_secs(3600)),
            "{:?}",
            process.started
        );
    }

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "1 (a) b ) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 1200 5 6 7";
        let times = times(stat).unwrap();
        assert_eq!(times, (Duration::from_secs(3), Duration::from_secs(12)));
    }
}
