//! Chromium as a viewer, driven by `tests/browser/drive.mjs`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::reading::Report;
use crate::{place, wait};

/// How long a start of the browser may take on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);
/// How long the browser may take to answer one command.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Two browsers at once on two cores would measure each other, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// How the browser is to be.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// A phone: small upright screen, touch.
    pub phone: bool,
    /// What the person reads, as `en-US`.
    pub locale: &'a str,
    /// Whether the pictures and ticks are read. Without, the page's own content security policy stays in force.
    pub reader: bool,
    /// Whether sound may play before anybody has touched the page.
    pub autoplay: bool,
    /// A script that runs before the page's own.
    pub init: Option<&'a str>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            phone: false,
            locale: "en-US",
            reader: true,
            autoplay: true,
            init: None,
        }
    }
}

/// What the player says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// `connecting`, `waiting`, `live`, `reconnecting` or `failed`.
    pub state: String,
    /// The key of the words.
    pub text: String,
    /// Every word on the page.
    pub words: String,
    /// Pictures read so far.
    pub pictures: usize,
    /// Ticks heard so far.
    pub ticks: usize,
    /// Sessions opened so far.
    pub sessions: u32,
    /// Errors in the page's console.
    pub complaints: Vec<String>,
}

/// A browser with one page. Others wait until it is dropped.
#[derive(Debug)]
pub struct Browser {
    stdin: ChildStdin,
    answers: Receiver<String>,
    process: Process,
    _dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// Starts one as `options` say.
    ///
    /// # Panics
    /// When Node.js, playwright-core or Chromium is missing.
    pub fn start_with(options: Options<'_>) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().expect("a folder can be made");
        let options = json!({
            "phone": options.phone, "locale": options.locale, "reader": options.reader,
            "autoplay": options.autoplay, "init": options.init,
        });
        let mut command = Command::new("node");
        command
            .arg(place::root().join("tests/browser/drive.mjs"))
            .arg(options.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, &dir.path().join("browser.log"));
        let stdin = process.child().stdin.take().expect("stdin is piped");
        let stdout = process.child().stdout.take().expect("stdout is piped");
        let (send, answers) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let ready = answers.recv_timeout(START_MAX);
        assert!(
            ready.is_ok(),
            "no browser (script/test --set-up installs it): {}",
            process.said()
        );
        Self {
            stdin,
            answers,
            process,
            _dir: dir,
            _turn: turn,
        }
    }

    fn ask(&mut self, command: &Value) -> Value {
        let written = writeln!(self.stdin, "{command}");
        let answer = written
            .ok()
            .and_then(|()| self.answers.recv_timeout(ANSWER_MAX).ok());
        let Some(answer) = answer else {
            panic!(
                "the browser does not answer {command}: {}",
                self.process.said()
            );
        };
        let mut answer: Value = serde_json::from_str(&answer).expect("drive.mjs answers with JSON");
        assert!(answer["error"].is_null(), "{command}: {}", answer["error"]);
        answer["ok"].take()
    }

    /// Goes to a page; gives its HTTP status.
    pub fn open(&mut self, url: &str) -> u64 {
        self.ask(&json!({"command": "open", "url": url}))["status"]
            .as_u64()
            .unwrap_or_default()
    }

    /// What the player shows now.
    pub fn shown(&mut self) -> Shown {
        let answer = self.ask(&json!({"command": "state"}));
        serde_json::from_value(without_nulls(answer)).expect("drive.mjs gives the state")
    }

    /// Waits until the player's state is `state`.
    pub fn wait_state(&mut self, state: &str, most: Duration) -> Shown {
        self.wait_shown(&format!("the player to be {state}"), most, |shown| {
            shown.state == state
        })
    }

    /// Waits until what the player shows is as `good` says.
    pub fn wait_shown(
        &mut self,
        what: &str,
        most: Duration,
        good: impl Fn(&Shown) -> bool,
    ) -> Shown {
        let mut last = Shown::default();
        let seen = wait::try_until(most, || {
            last = self.shown();
            good(&last).then(|| last.clone())
        });
        seen.unwrap_or_else(|| {
            panic!("waited {most:?} in vain for {what}; the page shows {last:?}")
        })
    }

    /// Runs a script in the page.
    pub fn eval(&mut self, script: &str) -> Value {
        self.ask(&json!({"command": "eval", "script": script}))
    }

    /// What was seen and heard so far.
    pub fn report(&mut self) -> Report {
        let answer = self.ask(&json!({"command": "report"}));
        assert!(
            answer["audioError"].is_null(),
            "the page can't listen: {}",
            answer["audioError"]
        );
        serde_json::from_value(answer).expect("reader.js gives a report")
    }

    /// What the page has asked for since the start, also in vain: method, address, and the referrer where one was sent.
    pub fn requests(&mut self) -> Vec<String> {
        let answer = self.ask(&json!({"command": "requests"}));
        serde_json::from_value(answer).expect("drive.mjs gives a list")
    }

    /// Saves what the page looks like (PNG).
    pub fn screenshot(&mut self, path: &Path) {
        self.ask(&json!({"command": "screenshot", "path": path}));
    }

    /// Types a text into a field, in place of what is there.
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.ask(&json!({"command": "fill", "selector": selector, "text": text}));
    }

    /// Clicks, or taps, on something.
    pub fn click(&mut self, selector: &str) {
        self.ask(&json!({"command": "click", "selector": selector}));
    }
}

/// A page that has not begun knows nothing yet; defaults then stand for it.
fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    value
}
