use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use zongzi_transport::{BindError, MediaPort, MediaSocket, Options, SocketCounters};

use super::counters::ShardCounters;
use super::inbox::{Inbox, Links};
use super::roster::Roster;
use super::session::Sessions;
use super::worker::Worker;
use super::{ShardId, Source};

/// How the media port and its shards are set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the media port listens; port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// Threads; each has its own socket. 1 to 256.
    pub shards: usize,
    /// Sessions at most, connected or not.
    pub sessions_max: usize,
    /// Bits a second that all viewers together may be sent, each counted at his broadcast's bitrate (RTP with its
    /// headers and encryption, without UDP and IP); 0: no limit.
    pub bitrate_max: u64,
    /// Sound goes alone, and so a little sooner, where a shard takes less than so many thousandths of its time.
    pub quiet: u16,
    /// Let the kernel cut messages into datagrams (UDP GSO).
    pub gso: bool,
}

/// The media port and the shards that live on it.
#[derive(Debug)]
pub struct Shards {
    address: SocketAddr,
    links: Arc<Links>,
    sessions: Arc<Sessions>,
    counters: Vec<Arc<ShardCounters>>,
    socket_counters: Vec<Arc<SocketCounters>>,
    quiet: u16,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Vec<(MediaSocket, Inbox)>),
    Running(Vec<JoinHandle<()>>),
}

impl Config {
    /// For `listen`: a shard for each core, 20,000 sessions, no limit of bits, quiet below a tenth of its time.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            sessions_max: 20_000,
            bitrate_max: 0,
            quiet: 100,
            gso: true,
        }
    }
}

impl Shards {
    /// Opens the media port. Nothing runs yet.
    ///
    /// # Errors
    /// When the port can't be opened.
    pub fn open(config: &Config) -> Result<Self, BindError> {
        let options = Options {
            sockets: config.shards.max(1),
            gso: config.gso,
            ..Options::default()
        };
        let sockets = MediaPort::bind(config.listen, &options)?;
        let address = sockets
            .first()
            .map_or(config.listen, MediaSocket::local_addr);
        let socket_counters = sockets.iter().map(MediaSocket::counters).collect();
        let (links, inboxes) = Links::new(sockets.iter().map(MediaSocket::waker).collect());
        let (inboxes, counters): (Vec<_>, Vec<_>) = inboxes.into_iter().unzip();
        Ok(Self {
            address,
            links: Arc::new(links),
            sessions: Arc::new(Sessions::new(
                config.sessions_max,
                config.bitrate_max,
                counters.clone(),
            )),
            counters,
            socket_counters,
            quiet: config.quiet,
            state: State::Open(sockets.into_iter().zip(inboxes).collect()),
        })
    }

    /// Starts the threads. `epoch` is the one given to the hub. A second call does nothing.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn start(&mut self, source: &Arc<dyn Source>, epoch: Instant) -> io::Result<()> {
        let mut threads = Vec::new();
        if let State::Open(open) = &mut self.state {
            let counters = self.counters.iter();
            for ((index, (socket, inbox)), counters) in (0_u16..).zip(open.drain(..)).zip(counters)
            {
                let worker = Worker::new(
                    ShardId(index),
                    socket,
                    inbox,
                    Arc::clone(&self.links),
                    Arc::clone(&self.sessions),
                    Arc::clone(source),
                    Arc::clone(counters),
                    epoch,
                )
                .with_quiet(self.quiet);
                let name = format!("shard-{index}");
                threads.push(
                    std::thread::Builder::new()
                        .name(name)
                        .spawn(|| worker.run())?,
                );
            }
            self.state = State::Running(threads);
        }
        Ok(())
    }

    /// Where the media port listens, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The hub's way to the shards.
    pub fn links(&self) -> Arc<Links> {
        Arc::clone(&self.links)
    }

    /// What each shard did.
    pub fn counters(&self) -> &[Arc<ShardCounters>] {
        &self.counters
    }

    /// What each shard's socket did.
    pub fn socket_counters(&self) -> &[Arc<SocketCounters>] {
        &self.socket_counters
    }

    /// Sessions now, those included that have not connected yet.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Bits a second that these sessions are to be sent, all together.
    pub fn reserved_bitrate(&self) -> u64 {
        self.sessions.reserved_bitrate()
    }

    /// The viewers' sessions, for operators.
    pub fn roster(&self) -> Roster {
        Roster::new(self.table(), self.links())
    }

    pub(crate) fn table(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }

    /// Says goodbye to all viewers and ends the threads.
    pub fn shutdown(mut self) {
        self.links.end();
        if let State::Running(threads) = &mut self.state {
            for thread in threads.drain(..) {
                if thread.join().is_err() {
                    tracing::error!("a shard's thread had panicked");
                }
            }
        }
    }
}
