//! Video renditions, each in a child process of its own: see [`zongzi_transcode::worker`] for what the two say to each
//! other.
//!
//! The child is this very program (`zongzi transcode-worker`) or the one that `transcode.worker` names, with an empty
//! environment, none of the server's descriptors, and limits that it sets for itself before it reads a byte. Here, each has one task. A rendition that is
//! dropped, and a server that ends, kills its child.

mod child;
mod counts;
mod load;
mod pending;

pub(crate) use child::run as run_child;
pub(crate) use counts::{Counts, Ending};

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use zongzi_media::{Frame, MediaTime, TrackId, h264};
use zongzi_relay::rendition::{DeliverVideo, GiveWay, Rate, VideoMade, VideoRendition};
use zongzi_transcode::reencode::Hint;
use zongzi_transcode::worker::{Failure, Framing, Reply, Request};

use self::counts::Running;
use self::load::Load;
use self::pending::Pending;
use crate::settings::Transcode;

/// What runs as a child.
#[derive(Debug, Clone)]
enum Program {
    /// This very program, at this path.
    Own(PathBuf),
    /// One that speaks the same (docs/transcode-worker.md). It sets its own limits.
    Other(PathBuf),
}

impl Program {
    fn of(settings: &Transcode) -> Result<Self, String> {
        let Some(path) = &settings.worker else {
            let own = std::env::current_exe();
            return own
                .map(Self::Own)
                .map_err(|error| format!("transcode: this program can't find itself: {error}"));
        };
        let refuse = |why: &str| format!("transcode.worker = {}: {why}", path.display());
        let found = std::fs::metadata(path).map_err(|error| refuse(&error.to_string()))?;
        if !found.is_file() || found.permissions().mode() & ANY_EXECUTE == 0 {
            return Err(refuse("not a program"));
        }
        // Looked for in no search path: a bare name is a file of the working folder, here and when it is started.
        let path = path
            .canonicalize()
            .map_err(|error| refuse(&error.to_string()))?;
        Ok(Self::Other(path))
    }

    fn command(&self) -> Command {
        match self {
            Self::Own(path) => {
                let mut command = Command::new(path);
                command.arg(child::COMMAND);
                command
            }
            Self::Other(path) => Command::new(path),
        }
    }
}

/// Starts children, as many as may be.
#[derive(Debug)]
pub(crate) struct Workers {
    program: Program,
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
    runtime: Handle,
}

impl Workers {
    /// As many at a time as the settings say, run by the present tokio runtime; an error names the settings key.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn prepare(settings: &Transcode) -> Result<Self, String> {
        let places = settings.max_streams.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            program: Program::of(settings)?,
            places: Arc::new(Semaphore::new(places)),
            counts: Arc::default(),
            runtime: Handle::current(),
        })
    }

    /// What all of them have done.
    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Starts one.
    pub(crate) fn start(
        &self,
        config: &h264::Config,
        rate: Option<Rate>,
        deliver: DeliverVideo,
    ) -> Result<Box<dyn VideoRendition>, GiveWay> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.counts.no_place();
            return Err(GiveWay::NoPlace);
        };
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let pending = Arc::new(Pending::default());
        let worker = Worker {
            program: self.program.clone(),
            running: Running::begin(&self.counts),
            pending: Arc::clone(&pending),
            deliver,
            _place: place,
        };
        let rate = rate.unwrap_or(RATE_UNKNOWN);
        let configure = Request::Configure {
            record: config.raw.clone(),
            hint: Hint {
                bits_per_second: rate.bits_per_second,
                pictures_per_second: rate.pictures_per_second,
            },
        };
        let task = self.runtime.spawn(worker.run(queue));
        let mut rendition = Rendition {
            requests,
            pending,
            encodes: false,
            task: task.abort_handle(),
        };
        rendition.request(configure);
        Ok(Box::new(rendition))
    }
}

/// What the broadcast holds.
struct Rendition {
    requests: mpsc::Sender<Request>,
    pending: Arc<Pending>,
    /// It has caught up with the host once.
    encodes: bool,
    task: AbortHandle,
}

impl VideoRendition for Rendition {
    fn push(&mut self, frame: Frame, cached: bool, shown: Option<MediaTime>) -> bool {
        if !self.encodes && !cached && self.pending.is_caught_up() {
            self.encodes = true;
            if let Some(shown) = shown {
                self.request(Request::Shown(shown));
            }
        }
        self.request(Request::Picture {
            encode: self.encodes,
            keyframe: frame.keyframe,
            late: Duration::ZERO,
            dts: frame.dts,
            pts: frame.pts,
            payload: frame.payload,
        });
        self.encodes
    }

    fn request_keyframe(&mut self) {
        self.request(Request::Keyframe);
    }
}

impl Rendition {
    /// A full queue closes itself: a picture left out would spoil those after it, and the child is seconds behind.
    fn request(&mut self, request: Request) {
        let picture = match &request {
            Request::Picture { dts, .. } => Some(*dts),
            _ => None,
        };
        self.pending.push(Instant::now(), picture);
        if self.requests.try_send(request).is_err() {
            let (closed, _) = mpsc::channel(1);
            self.requests = closed;
        }
    }
}

impl Drop for Rendition {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task's own.
struct Worker {
    program: Program,
    running: Running,
    pending: Arc<Pending>,
    deliver: DeliverVideo,
    _place: OwnedSemaphorePermit,
}

impl Worker {
    async fn run(mut self, queue: mpsc::Receiver<Request>) {
        let (ending, text) = match self.converse(queue).await {
            Ok(ended) => ended,
            Err(error) => (Ending::Broken, error.to_string()),
        };
        self.running.end(ending);
        tracing::warn!(
            reason = ending.code(),
            text,
            "the video is not encoded again any more, its other pictures go on"
        );
        let why = match ending {
            Ending::Refused => GiveWay::Refused,
            Ending::TooSlow => GiveWay::TooSlow,
            Ending::Broken | Ending::Stopped => GiveWay::Broken,
        };
        // If it is not taken the broadcast does not wait for it any more.
        (self.deliver)(VideoMade::GaveWay(why));
    }

    /// Speaks with a child until one of the two is over.
    async fn converse(&self, queue: mpsc::Receiver<Request>) -> io::Result<(Ending, String)> {
        let mut child = self
            .program
            .command()
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        let load = Load::of(child.id());
        let pending = Arc::clone(&self.pending);
        let ended = tokio::select! {
            ended = listen(stdout, &self.deliver, &self.pending, &self.running, load) => ended,
            ended = speak(stdin, queue, &pending) => ended,
        };
        if let Ok((Ending::Broken, text)) = ended {
            // Why it broke is in its exit status, as a rule; one that hangs is not waited for.
            let status = tokio::time::timeout(EXIT_WAIT, child.wait()).await;
            let status = status.map_or_else(
                |_| "still running".to_owned(),
                |status| status.map_or_else(|error| error.to_string(), |status| status.to_string()),
            );
            return Ok((Ending::Broken, format!("{text} ({status})")));
        }
        ended
    }
}

/// Writes requests until there will be no more.
async fn speak(
    mut stdin: ChildStdin,
    mut queue: mpsc::Receiver<Request>,
    pending: &Pending,
) -> io::Result<(Ending, String)> {
    let mut bytes = Vec::new();
    while let Some(mut request) = queue.recv().await {
        if let Request::Picture { encode, late, .. } = &mut request {
            // What waits while the cached group is caught up with says nothing about the machine.
            *late = if *encode {
                pending.late(Instant::now())
            } else {
                Duration::ZERO
            };
        }
        bytes.clear();
        request.write(&mut bytes);
        if stdin.write_all(&bytes).await.is_err() {
            // The child has ended; what it said at last is still to be read.
            std::future::pending::<()>().await;
        }
    }
    Ok((Ending::TooSlow, "its queue was full".to_owned()))
}

/// Reads replies until the child has ended.
async fn listen(
    mut stdout: ChildStdout,
    deliver: &DeliverVideo,
    pending: &Pending,
    running: &Running,
    mut load: Load,
) -> io::Result<(Ending, String)> {
    let mut framing = Framing::default();
    let mut piece = vec![0; READ_BYTES];
    loop {
        let count = stdout.read(&mut piece).await?;
        if count == 0 {
            return Ok((Ending::Broken, "the child ended".to_owned()));
        }
        framing.push(piece.get(..count).unwrap_or_default());
        while let Some((kind, body)) = framing.pop().map_err(io::Error::other)? {
            let made = match Reply::read(kind, body).map_err(io::Error::other)? {
                Reply::Config(record) => {
                    VideoMade::Config(h264::Config::parse(&record).map_err(io::Error::other)?)
                }
                Reply::Picture {
                    keyframe,
                    time,
                    payload,
                } => VideoMade::Frame(Frame {
                    track: TrackId::VIDEO,
                    dts: time,
                    pts: time,
                    keyframe,
                    payload,
                }),
                Reply::Done { level, counts } => {
                    pending.done();
                    if let Some(cpu) = load.done() {
                        running.used(cpu);
                    }
                    match running.did(level, &counts) {
                        Some(work) => VideoMade::Work(work),
                        None => continue,
                    }
                }
                Reply::Failed { failure, text } => {
                    let ending = match failure {
                        Failure::Refused => Ending::Refused,
                        Failure::TooSlow => Ending::TooSlow,
                        Failure::Broken => Ending::Broken,
                    };
                    return Ok((ending, text));
                }
            };
            if !deliver(made) {
                return Ok((Ending::Broken, "its pictures were not taken".to_owned()));
            }
        }
    }
}

/// Requests that may wait: the longest cached group (800 pictures) and what comes while it is decoded. They share their
/// bytes with the group.
const QUEUE_MAX: usize = 1_024;
const READ_BYTES: usize = 64 << 10;
/// Execution by anybody (chmod).
const ANY_EXECUTE: u32 = 0o111;
/// How long a child that has broken off may take to end.
const EXIT_WAIT: Duration = Duration::from_millis(200);
/// 720p30 as OBS sends it.
const RATE_UNKNOWN: Rate = Rate {
    bits_per_second: 2_500_000,
    pictures_per_second: 30.0,
};
