//! `zongzi doctor`: what stands in the way of a good show, in words, before it begins.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit};
use rustix::fs::statvfs;
use serde::Serialize;

use super::output;
use crate::serve::{Reach, listeners};
use crate::settings::Settings;

/// How a subject stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    /// It works, and not as well as it could.
    Warning,
    /// The server would not start, or nobody could watch.
    Bad,
}

/// One subject, looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    subject: &'static str,
    verdict: Verdict,
    words: String,
}

/// Looks at everything and says it. An error when something is bad.
pub(super) fn run(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let mut findings = ports(settings);
    findings.push(address(settings, Reach::here()));
    findings.extend(["wmem_max", "rmem_max"].map(|name| {
        let path = format!("/proc/sys/net/core/{name}");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        buffer(name, text.trim().parse().ok())
    }));
    findings.push(files(
        getrlimit(Resource::RLIMIT_NOFILE)
            .ok()
            .map(|(_, hard)| hard),
    ));
    findings.push(folder(&settings.data.dir));
    findings.push(disk(free(&settings.data.dir)));
    findings.push(clock(synchronized()));
    if json {
        output::say_json(&findings);
    } else {
        findings.iter().for_each(|finding| {
            let mark = match finding.verdict {
                Verdict::Good => "good   ",
                Verdict::Warning => "WARNING",
                Verdict::Bad => "BAD    ",
            };
            output::say(&format!("{mark}  {}: {}", finding.subject, finding.words));
        });
    }
    let bad = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Bad)
        .count();
    anyhow::ensure!(bad == 0, "{bad} of {} subjects are bad", findings.len());
    Ok(())
}

impl Finding {
    fn new(subject: &'static str, verdict: Verdict, words: impl Into<String>) -> Self {
        Self {
            subject,
            verdict,
            words: words.into(),
        }
    }
}

/// Each listener's address is taken and given back.
fn ports(settings: &Settings) -> Vec<Finding> {
    let mut tcp = vec![
        ("rtmp.listen", settings.rtmp.listen),
        ("http.listen", settings.http.listen),
        ("admin.listen", settings.admin.listen),
    ];
    tcp.extend(
        settings
            .metrics
            .listen
            .map(|address| ("metrics.listen", address)),
    );
    let tcp = tcp
        .into_iter()
        .map(|(key, address)| port(key, "TCP", address, listeners::can_listen(key, address)));
    let (media, limits) = (&settings.media, &settings.limits);
    let opened = listeners::open_media("media.listen", media, limits).map(drop);
    let udp = port("media.listen", "UDP", media.listen, opened);
    tcp.chain([udp]).collect()
}

fn port(
    key: &'static str,
    protocol: &str,
    address: SocketAddr,
    opened: Result<(), String>,
) -> Finding {
    match opened {
        Ok(()) => Finding::new(
            key,
            Verdict::Good,
            format!("{address} ({protocol}) is free"),
        ),
        Err(why) => Finding::new(
            key,
            Verdict::Bad,
            format!("{why} (if that program is this server, running, all is well)"),
        ),
    }
}

/// The address that viewers are offered.
fn address(settings: &Settings, reach: Reach) -> Finding {
    let finding = |verdict, words: String| Finding::new("media.public_ips", verdict, words);
    let port = settings.media.listen.port();
    if let Some(first) = settings.media.public_ips.first() {
        return finding(
            Verdict::Good,
            format!("viewers are sent to {first}; UDP {port} must reach this machine from there"),
        );
    }
    match reach {
        Reach::Public(ip) => finding(
            Verdict::Good,
            format!("viewers are sent to {ip}; let UDP {port} in at the firewall"),
        ),
        Reach::Private(ip) => finding(
            Verdict::Warning,
            format!(
                "{ip} is an address of this network: nobody on the internet can watch. For them set media.public_ips to \
                 the address that they reach this machine by, and forward UDP {port}"
            ),
        ),
        Reach::Container(ip) => finding(
            Verdict::Bad,
            format!(
                "{ip} is the container's own: nobody can watch. Set media.public_ips to the address of the host machine, \
                 and publish UDP {port}"
            ),
        ),
        Reach::Nowhere => finding(
            Verdict::Warning,
            "this machine has no address but loopback: only who sits at it can watch".to_owned(),
        ),
    }
}

/// What the kernel lets a socket have, in bytes.
fn buffer(name: &'static str, bytes: Option<u64>) -> Finding {
    let (subject, what) = if name == "wmem_max" {
        ("net.core.wmem_max", "viewers at a keyframe")
    } else {
        ("net.core.rmem_max", "a crowd's feedback")
    };
    match bytes {
        Some(bytes) if bytes >= BUFFER_BYTES => {
            Finding::new(subject, Verdict::Good, format!("{bytes} bytes"))
        }
        Some(bytes) => Finding::new(
            subject,
            Verdict::Warning,
            format!(
                "{bytes} bytes are few for {what}: sysctl --write {subject}={BUFFER_BYTES} (docs/deploy.md keeps it)"
            ),
        ),
        None => Finding::new(subject, Verdict::Warning, "the kernel does not say"),
    }
}

fn files(limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit >= FILES_MIN => {
            Finding::new("open files", Verdict::Good, format!("{limit} may be open"))
        }
        limit => Finding::new(
            "open files",
            Verdict::Warning,
            format!(
                "{} may be open, few for a crowd that joins: LimitNOFILE=65536 in systemd's unit, or ulimit -n",
                limit.unwrap_or_default()
            ),
        ),
    }
}

/// Whether the data folder, or the nearest one above it that is there, can be written to.
fn folder(dir: &Path) -> Finding {
    let there = nearest(dir);
    let finding = |verdict, words| Finding::new("data.dir", verdict, words);
    match rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
        Ok(()) => finding(Verdict::Good, format!("{} can be written", there.display())),
        Err(error) => finding(
            Verdict::Bad,
            format!(
                "{} can't be written ({error}): chown it to who runs the server",
                there.display()
            ),
        ),
    }
}

fn nearest(dir: &Path) -> &Path {
    let found = dir.ancestors().find(|path| path.exists());
    found.unwrap_or_else(|| Path::new("."))
}

fn free(dir: &Path) -> Option<u64> {
    let disk = statvfs(nearest(dir)).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn disk(free: Option<u64>) -> Finding {
    let finding = |verdict, words| Finding::new("disk", verdict, words);
    match free.map(|bytes| bytes / 1_000_000) {
        Some(megabytes) if megabytes >= DISK_MEGABYTES => {
            finding(Verdict::Good, format!("{megabytes} MB free"))
        }
        Some(megabytes) if megabytes >= DISK_MEGABYTES_MIN => finding(
            Verdict::Warning,
            format!("{megabytes} MB free where data.dir is: make room"),
        ),
        Some(megabytes) => finding(
            Verdict::Bad,
            format!(
                "{megabytes} MB free where data.dir is: keys and channels can't be kept; make room"
            ),
        ),
        None => finding(
            Verdict::Warning,
            "the system does not say what is free".to_owned(),
        ),
    }
}

/// Whether the machine's clock follows the world's, where systemd knows.
fn synchronized() -> Option<bool> {
    let output = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn clock(synchronized: Option<bool>) -> Finding {
    let finding = |verdict, words: &str| Finding::new("clock", verdict, words);
    match synchronized {
        Some(true) => finding(Verdict::Good, "follows a time server"),
        Some(false) => finding(
            Verdict::Warning,
            "follows no time server: tokens and keys that expire do so at the wrong time; timedatectl set-ntp true",
        ),
        None => finding(
            Verdict::Good,
            "is the host's, or not under systemd: make sure that something sets it",
        ),
    }
}

/// What the media port asks for.
const BUFFER_BYTES: u64 = 8 << 20;
/// Connections of a crowd of some thousands while they join.
const FILES_MIN: u64 = 8_192;
/// Below this an operator should know.
const DISK_MEGABYTES: u64 = 1_000;
/// Below this a store of a village's size may not be written.
const DISK_MEGABYTES_MIN: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_bad_and_names_its_key() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut settings = Settings::default();
        settings.rtmp.listen = taken.local_addr().unwrap();
        settings.http.listen = any;
        settings.admin.listen = any;
        settings.media.listen = any;
        let findings = ports(&settings);
        let bad: Vec<_> = findings
            .iter()
            .filter(|one| one.verdict == Verdict::Bad)
            .collect();
        assert_eq!(findings.len(), 4);
        assert_eq!(bad.len(), 1);
        assert_eq!(bad[0].subject, "rtmp.listen");
        assert!(bad[0].words.contains("in use"), "{}", bad[0].words);
    }

    #[test]
    fn each_subject_says_what_to_do() {
        let mut settings = Settings::default();
        let ip = [172, 17, 0, 2].into();
        for (finding, verdict, words) in [
            (
                address(&settings, Reach::Container(ip)),
                Verdict::Bad,
                "media.public_ips",
            ),
            (
                address(&settings, Reach::Private(ip)),
                Verdict::Warning,
                "forward UDP 8444",
            ),
            (
                address(&settings, Reach::Public(ip)),
                Verdict::Good,
                "firewall",
            ),
            (
                buffer("wmem_max", Some(212_992)),
                Verdict::Warning,
                "sysctl --write net.core.wmem_max=8388608",
            ),
            (buffer("rmem_max", Some(8 << 20)), Verdict::Good, "8388608"),
            (files(Some(1_024)), Verdict::Warning, "LimitNOFILE"),
            (files(Some(65_536)), Verdict::Good, "65536"),
            (disk(Some(2_000_000_000)), Verdict::Good, "2000 MB"),
            (disk(Some(500_000_000)), Verdict::Warning, "make room"),
            (disk(Some(1_000_000)), Verdict::Bad, "make room"),
            (clock(Some(false)), Verdict::Warning, "set-ntp"),
        ] {
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.words.contains(words), "{finding:?}");
        }
        settings.media.public_ips = vec![[203, 0, 113, 7].into()];
        let told = address(&settings, Reach::Container(ip));
        assert_eq!(told.verdict, Verdict::Good, "what the operator says counts");
    }

    #[test]
    fn a_data_folder_that_is_not_there_yet_is_judged_by_the_one_above_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(nearest(&dir.path().join("not/yet")), dir.path());
        assert_eq!(folder(&dir.path().join("not/yet")).verdict, Verdict::Good);
        assert_eq!(folder(Path::new("/proc/sys")).verdict, Verdict::Bad);
    }
}
