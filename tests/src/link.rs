//! A link between the server's media port and one viewer, as wide or as narrow as a test wants it: datagrams to the viewer
//! wait in a queue before the narrow place, as they do in a cheap router, and what does not fit is dropped. Needs no
//! rights: the viewer's browser is told the link's port instead of the server's.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that wait before the narrow place.
const QUEUE_BYTES: usize = 256 << 10;
/// Headers of UDP and IP count, too.
const HEADER_BYTES: usize = 28;
/// How often the link looks whether a test is over.
const LOOK: Duration = Duration::from_millis(50);

/// A link for one viewer after the other.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    server: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bits a second to the viewer; 0: as fast as they come.
    rate: AtomicU64,
    passed: AtomicU64,
    dropped: AtomicU64,
    viewer: Mutex<Option<SocketAddr>>,
}

impl Link {
    /// Stands before the server's media port.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn before(server: SocketAddr) -> Self {
        let socket = || UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let (near, far) = (socket(), socket());
        far.connect(server).expect("the server has an address");
        let address = near.local_addr().expect("a socket has an address");
        let state = Arc::<State>::default();
        let both = |socket: &UdpSocket| socket.try_clone().expect("a socket can be shared");
        let (to_server, to_viewer) = (both(&far), both(&near));
        let up = Arc::downgrade(&state);
        thread::spawn(move || {
            let _ = near.set_read_timeout(Some(LOOK));
            let mut buffer = [0; 2048];
            while let Some(state) = up.upgrade() {
                if let Ok((count, from)) = near.recv_from(&mut buffer) {
                    *state.viewer.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
                    let _ = to_server.send(buffer.get(..count).unwrap_or_default());
                }
            }
        });
        let down = Arc::downgrade(&state);
        thread::spawn(move || {
            let mut queue = Queue::default();
            while let Some(state) = down.upgrade() {
                queue.turn(&far, &to_viewer, &state);
            }
        });
        Self {
            address,
            server,
            state,
        }
    }

    /// A script for [`crate::browser::Options::init`] that sends the viewer's media through the link.
    pub fn init(&self) -> String {
        format!(
            "const apply = RTCPeerConnection.prototype.setRemoteDescription;\
             RTCPeerConnection.prototype.setRemoteDescription = function ({{ type, sdp }}) {{\
               return apply.call(this, {{ type, sdp: sdp.replaceAll(' {} ', ' {} ') }});\
             }};",
            self.server.port(),
            self.address.port()
        )
    }

    /// From now on the link carries so many bits a second to the viewer, headers of IP included.
    pub fn narrow(&self, bits_per_second: u64) {
        self.state.rate.store(bits_per_second, Ordering::Relaxed);
    }

    /// From now on it carries everything.
    pub fn widen(&self) {
        self.state.rate.store(0, Ordering::Relaxed);
    }

    /// Datagrams that reached the viewer, and that did not.
    pub fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.state.passed), count(&self.state.dropped))
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// When the narrow place is free for the next.
    free_at: Option<Instant>,
}

impl Queue {
    /// Takes a datagram of the server's, if one comes in time, and passes on what is due.
    fn turn(&mut self, server: &UdpSocket, viewer: &UdpSocket, state: &State) {
        let now = Instant::now();
        let due = self
            .free_at
            .filter(|_| !self.waiting.is_empty())
            .map_or(LOOK, |at| at.saturating_duration_since(now));
        let _ = server.set_read_timeout(Some(due.max(Duration::from_micros(200)).min(LOOK)));
        let mut buffer = [0; 2048];
        match server.recv(&mut buffer) {
            Ok(count) if self.bytes + count + HEADER_BYTES <= QUEUE_BYTES => {
                self.bytes += count + HEADER_BYTES;
                self.waiting
                    .push_back(buffer.get(..count).unwrap_or_default().to_vec());
            }
            Ok(_) => {
                state.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => thread::sleep(LOOK),
        }
        let now = Instant::now();
        let rate = state.rate.load(Ordering::Relaxed);
        while rate == 0 || self.free_at.is_none_or(|at| at <= now) {
            let Some(datagram) = self.waiting.pop_front() else {
                return;
            };
            let bytes = datagram.len() + HEADER_BYTES;
            self.bytes -= bytes;
            if let Some(nanos) = (bytes as u64 * 8_000_000_000).checked_div(rate) {
                // A link that has been idle does not save up.
                let start = self.free_at.map_or(now, |at| at.max(now - LOOK));
                self.free_at = Some(start + Duration::from_nanos(nanos));
            }
            let to = *state.viewer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(to) = to
                && viewer.send_to(&datagram, to).is_ok()
            {
                state.passed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
