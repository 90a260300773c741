use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use zongzi_rtmp::client::{Event, Session, Settings};

use super::Clip;
use super::log::{Log, Sent};
use crate::clock::Stamp;

/// From connecting to the server's consent.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// Hosts begin spread over this time, so that their keyframes are, too.
const SPREAD: Duration = Duration::from_secs(2);
/// How often a host that was ended looks whether the run goes on.
const READ_BYTES: usize = 4096;

/// Where hosts publish to: `rtmp://HOST[:PORT]/APP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
    app: String,
}

/// What hosts did.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figures {
    /// Hosts that the server accepted.
    pub(crate) publishing: u64,
    /// Hosts that it refused or cut off before the run was over.
    pub(crate) ended: u64,
    /// Video frames sent, all hosts together.
    pub(crate) frames: u64,
    /// Longest time between two video frames of a host.
    pub(crate) longest_pause_ms: f64,
    /// Most that a frame was sent after it was due: above a few milliseconds the hosts are the limit.
    pub(crate) latest_ms: f64,
    /// Why hosts ended, the first few.
    pub(crate) errors: Vec<String>,
}

/// All hosts of a run, on a thread of their own.
#[derive(Debug)]
pub(crate) struct Hosts {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    publishing: AtomicU64,
    ended: AtomicU64,
    frames: AtomicU64,
    longest_pause_us: AtomicU64,
    latest_us: AtomicU64,
    errors: Mutex<Vec<String>>,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let rest = url
            .strip_prefix("rtmp://")
            .with_context(|| format!("{url}: an RTMP URL begins with rtmp://"))?;
        let (authority, app) = rest
            .split_once('/')
            .with_context(|| format!("{url}: an RTMP URL ends with an application, as /live"))?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().context("the RTMP port is no number")?)
            }
            _ => (authority, 1935),
        };
        if host.is_empty() || app.is_empty() {
            bail!("{url}: an RTMP URL has a host and an application");
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            app: app.trim_end_matches('/').to_owned(),
        })
    }

    /// The address it leads to.
    ///
    /// # Errors
    /// When its name has none.
    pub(crate) async fn resolve(&self) -> Result<SocketAddr> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let mut found = lookup_host((host, self.port))
            .await
            .with_context(|| format!("{host} has no address"))?;
        found
            .next()
            .with_context(|| format!("{host} has no address"))
    }
}

impl Hosts {
    /// Starts a host for each of `keys`, with its log.
    ///
    /// # Errors
    /// When there is no thread.
    pub(crate) fn start(
        clip: Arc<Clip>,
        address: Address,
        to: SocketAddr,
        keys: Vec<String>,
        logs: Vec<Arc<Log>>,
    ) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("hosts".to_owned())
            .spawn(move || {
                runtime.block_on(all(&clip, &address, to, keys, logs, &of_thread));
            })
            .context("no thread")?;
        Ok(Self {
            thread: Some(thread),
            shared,
        })
    }

    /// Waits until `count` hosts publish.
    ///
    /// # Errors
    /// When one is refused, or it takes too long.
    pub(crate) async fn ready(&self, count: u64) -> Result<()> {
        let until = Instant::now() + SPREAD + PUBLISH_TIMEOUT;
        while self.shared.publishing.load(Ordering::Relaxed) < count {
            let figures = self.figures();
            if let Some(error) = figures.errors.first() {
                bail!("a host can't publish: {error}");
            }
            if Instant::now() > until {
                bail!("only {} of {count} hosts publish", figures.publishing);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What they did so far.
    pub(crate) fn figures(&self) -> Figures {
        let shared = &self.shared;
        let errors = shared.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let ms = |value: &AtomicU64| Duration::from_micros(read(value)).as_secs_f64() * 1000.0;
        Figures {
            publishing: read(&shared.publishing),
            ended: read(&shared.ended),
            frames: read(&shared.frames),
            longest_pause_ms: ms(&shared.longest_pause_us),
            latest_ms: ms(&shared.latest_us),
            errors: errors.clone(),
        }
    }

    /// Ends all streams in order.
    pub(crate) fn stop(mut self) -> Figures {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.figures()
    }
}

async fn all(
    clip: &Arc<Clip>,
    address: &Address,
    to: SocketAddr,
    keys: Vec<String>,
    logs: Vec<Arc<Log>>,
    shared: &Arc<Shared>,
) {
    let mut hosts = tokio::task::JoinSet::new();
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX).max(1);
    for (index, (key, log)) in (0_u32..).zip(keys.into_iter().zip(logs)) {
        let (clip, shared) = (Arc::clone(clip), Arc::clone(shared));
        let settings = Settings::new(
            &format!("{}:{}", address.host, address.port),
            &address.app,
            &key,
        );
        hosts.spawn(async move {
            tokio::time::sleep(SPREAD * index / count).await;
            if let Err(error) = host(&clip, settings, to, &log, &shared).await
                && !shared.stop.load(Ordering::Relaxed)
            {
                shared.ended.fetch_add(1, Ordering::Relaxed);
                let mut errors = shared.errors.lock().unwrap_or_else(PoisonError::into_inner);
                if errors.len() < 5 {
                    errors.push(format!("{error:#}"));
                }
            }
        });
    }
    hosts.join_all().await;
}

async fn host(
    clip: &Clip,
    settings: Settings,
    to: SocketAddr,
    log: &Log,
    shared: &Shared,
) -> Result<()> {
    let mut stream = TcpStream::connect(to)
        .await
        .with_context(|| format!("can't connect to {to}"))?;
    stream.set_nodelay(true)?;
    let mut session = Session::new(settings, rand::random());
    tokio::time::timeout(PUBLISH_TIMEOUT, begin(&mut stream, &mut session))
        .await
        .context("the server does not answer")??;
    shared.publishing.fetch_add(1, Ordering::Relaxed);
    let start = Instant::now();
    let mut last_frame: Option<Instant> = None;
    let mut heard = [0; READ_BYTES];
    for item in clip.play() {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let due = start + Duration::from_micros(item.at_us);
        tokio::time::sleep_until(due.into()).await;
        match stream.try_read(&mut heard) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(count) => {
                session.input(heard.get(..count).unwrap_or_default())?;
                while let Some(event) = session.poll_event() {
                    refused(event)?;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("the connection broke"),
        }
        session.send(&item.tag);
        if let Some(picture) = item.picture {
            let now = Instant::now();
            note(&shared.latest_us, now.saturating_duration_since(due));
            if let Some(last) = last_frame.replace(now) {
                note(
                    &shared.longest_pause_us,
                    now.saturating_duration_since(last),
                );
            }
            shared.frames.fetch_add(1, Ordering::Relaxed);
            log.push(Sent {
                index: picture.index,
                pts_ms: picture.pts_ms,
                at: Stamp::now(),
                digest: picture.digest,
                keyframe: picture.keyframe,
            });
        }
        flush(&mut stream, &mut session).await?;
    }
    session.unpublish();
    flush(&mut stream, &mut session).await?;
    // The server's goodbye is not waited for: what it does then is not part of the run.
    stream.shutdown().await?;
    Ok(())
}

async fn begin(stream: &mut TcpStream, session: &mut Session) -> Result<()> {
    let mut buffer = [0; READ_BYTES];
    loop {
        flush(stream, session).await?;
        while let Some(event) = session.poll_event() {
            refused(event)?;
        }
        if session.is_publishing() {
            return Ok(());
        }
        let count = stream
            .read(&mut buffer)
            .await
            .context("the connection broke")?;
        if count == 0 {
            bail!("the server closed the connection");
        }
        session.input(buffer.get(..count).unwrap_or_default())?;
    }
}

async fn flush(stream: &mut TcpStream, session: &mut Session) -> Result<()> {
    while let Some(bytes) = session.poll_output() {
        stream
            .write_all(&bytes)
            .await
            .context("the connection broke")?;
    }
    Ok(())
}

fn refused(event: Event) -> Result<()> {
    match event {
        Event::Refused { code, description } => bail!("refused: {code} {description}"),
        _ => Ok(()),
    }
}

fn note(most: &AtomicU64, span: Duration) {
    let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    most.fetch_max(us, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtmp_urls_are_read() {
        let parse = |url: &str| Address::parse(url).map(|a| (a.host, a.port, a.app)).ok();
        let wanted = |host: &str, port, app: &str| Some((host.to_owned(), port, app.to_owned()));
        assert_eq!(
            parse("rtmp://127.0.0.1/live"),
            wanted("127.0.0.1", 1935, "live")
        );
        assert_eq!(
            parse("rtmp://[::1]:1936/a/b/"),
            wanted("[::1]", 1936, "a/b")
        );
        assert_eq!(parse("rtmp://[::1]/live"), wanted("[::1]", 1935, "live"));
        for bad in [
            "http://x/live",
            "rtmp://x",
            "rtmp://x:y/live",
            "rtmp:///live",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
