//! The server under test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Response};
use crate::process::Process;
use crate::{place, wait};

/// How long a start may take; a cold disk and a busy machine included.
const START_MAX: Duration = Duration::from_secs(20);
/// How long an orderly stop may take.
const STOP_MAX: Duration = Duration::from_secs(10);
/// Lines of output kept for whoever asks.
const LINES_MAX: usize = 1_000;

/// The ready line: the addresses that the server really has.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// Where hosts publish.
    pub rtmp: SocketAddr,
    /// Pages, WHEP, public JSON.
    pub http: SocketAddr,
    /// The UDP port of all media.
    pub media: SocketAddr,
    /// For the operator.
    pub admin: SocketAddr,
    /// The metrics page's own, if it has one.
    pub metrics: Option<SocketAddr>,
}

/// How a server is to be started.
#[derive(Debug, Default)]
pub struct Options {
    settings: Vec<(String, String)>,
    config: Option<PathBuf>,
    file_bytes: Option<u64>,
}

impl Options {
    /// Sets `section.key`, as the environment does it.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let name = format!("ZONGZI__{}", key.replace('.', "__").to_uppercase());
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Another settings file than the commented default.
    #[must_use]
    pub fn config(mut self, file: &Path) -> Self {
        self.config = Some(file.to_owned());
        self
    }

    /// No file may be written past `bytes`, as if the disk were full there.
    #[must_use]
    pub fn file_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = Some(bytes);
        self
    }

    /// Starts one that must not start; gives how it ended and what it said on standard error.
    ///
    /// # Panics
    /// When it does not end by itself.
    pub fn refused(self, data: &Path) -> (ExitStatus, String) {
        let beside = tempfile::tempdir().expect("a folder can be made");
        let mut command = self.command(data);
        command.stdout(Stdio::null());
        let mut process = Process::start_piped(&mut command, &beside.path().join("log"));
        let status = process.wait(START_MAX);
        (status, process.said())
    }

    fn command(self, data: &Path) -> Command {
        let program = place::program("zongzi");
        let mut command = match self.file_bytes {
            Some(bytes) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--fsize={bytes}")).arg(program);
                command
            }
            None => Command::new(program),
        };
        let config = self.config;
        let config = config.unwrap_or_else(|| place::root().join("config/zongzi.toml"));
        command.arg("serve").arg("--config").arg(config);
        command.arg("--data").arg(data).stdin(Stdio::null());
        for section in ["RTMP", "HTTP", "MEDIA", "ADMIN"] {
            command.env(format!("ZONGZI__{section}__LISTEN"), "127.0.0.1:0");
        }
        command.envs(self.settings);
        command
    }

    /// Starts it with new, empty data.
    pub fn start(self) -> Server {
        let data = tempfile::Builder::new()
            .prefix("zongzi-test-")
            .tempdir()
            .expect("a folder can be made");
        self.start_in(data)
    }

    /// Starts it with data that another server left.
    pub fn start_in(self, data: TempDir) -> Server {
        let log = data.path().join("server.log");
        let mut command = self.command(data.path());
        command.args(["--log", "json"]).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, &log);
        let stdout = process.child().stdout.take().expect("stdout is piped");
        let (send, lines) = mpsc::sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Past the bound the lines are read and forgotten, so that the server never blocks.
                let _ = send.try_send(line);
            }
        });
        let mut said = Vec::new();
        let ready = wait::until("the server's ready line", START_MAX, || {
            if let Some(status) = process.ended() {
                panic!(
                    "the server ended at its start: {status}\n{}",
                    process.said()
                );
            }
            lines.try_iter().find_map(|line| {
                let ready = ready_line(&line);
                said.push(line);
                ready
            })
        });
        Server {
            process,
            ready,
            said,
            data,
        }
    }
}

fn ready_line(line: &str) -> Option<Ready> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value.get("event")? == "ready")
        .then(|| serde_json::from_value(value).expect("the ready line has all addresses"))
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Process,
    /// Its real addresses.
    pub ready: Ready,
    /// What it printed until it was ready, line by line.
    pub said: Vec<String>,
    data: TempDir,
}

impl Server {
    /// Starts one with the default settings on free ports of loopback.
    pub fn start() -> Self {
        Options::default().start()
    }

    /// A new stream key for `channel`.
    pub fn key(&self, channel: &str) -> Key {
        let out = self.command(&["key", "create", channel, "--json"]);
        serde_json::from_str(&out).expect("key create --json prints the key")
    }

    /// Runs `zongzi ARGS --data DIR` beside the server and gives what it printed.
    pub fn command(&self, args: &[&str]) -> String {
        let output = Command::new(place::program("zongzi"))
            .args(args)
            .arg("--data")
            .arg(self.data.path())
            .output()
            .expect("zongzi can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "zongzi {args:?}: {} {said}",
            output.status
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Where hosts publish: the server part, as OBS calls it.
    pub fn rtmp_url(&self) -> String {
        format!("rtmp://{}/live", self.ready.rtmp)
    }

    /// A page or resource of the public listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready.http)
    }

    /// Asks the public listener.
    pub fn get(&self, path: &str) -> Response {
        http::request(self.ready.http, "GET", path, &[], "")
    }

    /// The public JSON of a channel.
    pub fn status(&self, channel: &str) -> Value {
        let response = self.get(&format!("/api/public/channels/{channel}"));
        assert_eq!(response.status, 200, "{}", response.body);
        serde_json::from_str(&response.body).expect("the public JSON is JSON")
    }

    /// The public JSON of a private channel.
    pub fn status_with(&self, channel: &str, token: &str) -> Value {
        let path = format!("/api/public/channels/{channel}");
        let shown = format!("Bearer {token}");
        let headers = [("authorization", shown.as_str())];
        let response = http::request(self.ready.http, "GET", &path, &headers, "");
        assert_eq!(response.status, 200, "{}", response.body);
        serde_json::from_str(&response.body).expect("the public JSON is JSON")
    }

    /// Waits until the public JSON of `channel` is as `good` says.
    pub fn wait_status(&self, channel: &str, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        wait::until(
            &format!("{channel}: {what}"),
            Duration::from_secs(20),
            || Some(self.status(channel)).filter(&good),
        )
    }

    /// Waits until `channel` is live.
    pub fn wait_live(&self, channel: &str) -> Value {
        self.wait_status(channel, "live", |status| status["state"] == "live")
    }

    /// The metrics page.
    pub fn metrics(&self) -> String {
        let response = http::request(self.ready.admin, "GET", "/metrics", &[], "");
        assert_eq!(response.status, 200, "{}", response.body);
        response.body
    }

    /// The sum of a metric over all its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.metrics();
        let values: Vec<f64> = page
            .lines()
            .filter_map(|line| metric_value(line, name))
            .collect();
        assert!(!values.is_empty(), "no metric {name} in:\n{page}");
        values.iter().sum()
    }

    /// A metric with this label, as `reason="left"`.
    pub fn metric_of(&self, name: &str, label: &str) -> f64 {
        let page = self.metrics();
        let mut lines = page.lines().filter(|line| line.contains(label));
        let value = lines.find_map(|line| metric_value(line, name));
        value.unwrap_or_else(|| panic!("no metric {name} with {label} in:\n{page}"))
    }

    /// Memory in use (resident), in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.pid());
        let text = std::fs::read_to_string(path).expect("the server runs");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("Linux tells VmRSS");
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("VmRSS is a number");
        kib * 1024
    }

    /// CPU used so far, user and system together.
    pub fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.process.pid());
        let text = std::fs::read_to_string(path).expect("the server runs");
        let (_, after) = text
            .rsplit_once(") ")
            .expect("stat has the name in brackets");
        let ticks: u64 = after
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok())
            .sum();
        // Linux counts them in hundredths of a second (USER_HZ), whatever the kernel's own clock.
        Duration::from_millis(ticks * 10)
    }

    /// Processes that it has started and that run.
    pub fn children(&self) -> usize {
        self.child_ids().len()
    }

    /// How far each of its threads, by name, and each process that it has started steps back for others (nice). Threads of
    /// one name have one place.
    pub fn nices(&self) -> BTreeMap<String, i32> {
        let tasks = format!("/proc/{}/task", self.process.pid());
        let tasks = std::fs::read_dir(tasks).expect("the server runs");
        let tasks = tasks.filter_map(|task| Some(task.ok()?.path().join("stat")));
        let children = self.child_ids().into_iter();
        let children = children.map(|pid| format!("/proc/{pid}/stat").into());
        let stats = tasks
            .map(|path| (None, path))
            .chain(children.map(|path: PathBuf| (Some("child"), path)));
        stats
            .filter_map(|(name, path)| {
                let text = std::fs::read_to_string(path).ok()?;
                let (start, rest) = text.rsplit_once(") ")?;
                let name = name.unwrap_or(start.split_once('(')?.1).to_owned();
                Some((name, rest.split(' ').nth(16)?.parse().ok()?))
            })
            .collect()
    }

    /// Kills the processes that it has started.
    pub fn kill_children(&self) {
        for pid in self.child_ids() {
            let status = Command::new("kill").args(["-KILL", &pid]).status();
            assert!(status.is_ok_and(|status| status.success()), "kill {pid}");
        }
    }

    fn child_ids(&self) -> Vec<String> {
        // Whichever thread has started them: the list is by thread.
        let tasks = format!("/proc/{}/task", self.process.pid());
        let tasks = std::fs::read_dir(tasks).expect("the server runs");
        let lists = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
        let all = lists.collect::<Vec<_>>().join(" ");
        all.split_whitespace().map(str::to_owned).collect()
    }

    /// Open file descriptors.
    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.process.pid());
        std::fs::read_dir(path).expect("the server runs").count()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.process.said()
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Asks the API with the admin token. `body` is JSON, or empty.
    pub fn api(&self, method: &str, path: &str, body: &str) -> Response {
        self.try_api(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Like [`Server::api`], for where the server may be gone.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_api(&self, method: &str, path: &str, body: &str) -> std::io::Result<Response> {
        let token = self.try_admin_token()?;
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        http::try_request(self.ready.admin, method, path, &headers, body)
    }

    /// What opens the API and the console.
    pub fn admin_token(&self) -> String {
        self.try_admin_token().expect("the first start made it")
    }

    fn try_admin_token(&self) -> std::io::Result<String> {
        let token = std::fs::read_to_string(self.data.path().join("admin-token"))?;
        Ok(token.trim().to_owned())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills it as `kill -9` does and gives its data back.
    pub fn kill(mut self) -> TempDir {
        self.process.kill();
        self.data
    }

    /// Stops it in good order and gives its data back.
    pub fn stop(mut self) -> TempDir {
        self.process.signal("TERM");
        let status = self.process.wait(STOP_MAX);
        assert!(
            status.success(),
            "the server did not stop well: {status}\n{}",
            self.process.said()
        );
        self.data
    }
}

fn metric_value(line: &str, name: &str) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let labelled = rest.starts_with('{') || rest.starts_with(' ');
    labelled
        .then(|| rest.rsplit(' ').next()?.parse().ok())
        .flatten()
}

/// A stream key, as `zongzi key create --json` prints it.
#[derive(Debug, Clone, Deserialize)]
pub struct Key {
    /// Its public id.
    pub id: String,
    /// The secret that a host types in.
    pub key: String,
}
