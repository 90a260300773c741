//! Hot path. Per datagram: a comparison with the open message and a slice of the buffer, no allocation. Per message (a
//! frame for a viewer): its headers, about 200 bytes. Per `sendmmsg`: up to 64 messages, which the kernel cuts into
//! datagrams (UDP GSO). DESIGN §4 has the floor: 1.21 µs of CPU a datagram for frames of 9 packets, encryption included.
//!
//! # When the send buffer is full
//! The shard waits for room, at most [`WAIT_MAX`] in one flush: the viewers' packets are all due now, and the card
//! drains 8 MiB in 7 ms at 10 Gb/s. What still finds no room is dropped and counted; viewers ask for it again by NACK.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Name;
use crate::control::Control;
use crate::sys::{self, MESSAGES_MAX, Outgoing};
use crate::{MediaSocket, Path};

/// Gathers datagrams and sends them, many by one system call. Datagrams of one path that follow each other become one
/// GSO message, as long as they have one size; the last may be shorter.
///
/// Datagrams leave at [`Sender::flush`], or earlier when the buffer is full, in the order they were put in.
#[derive(Debug)]
pub struct Sender {
    socket: Arc<MediaSocket>,
    buffer: Box<[u8]>,
    used: usize,
    messages: Vec<Message>,
    gso: bool,
}

/// Datagrams of one path, one after the other in the buffer.
#[derive(Debug, Clone, Copy)]
struct Message {
    path: Path,
    start: usize,
    len: usize,
    /// Size of each datagram but the last.
    segment: usize,
    count: usize,
}

impl Sender {
    /// A sender on `socket`, with a buffer of 256 KiB.
    pub fn new(socket: Arc<MediaSocket>) -> Self {
        Self {
            gso: socket.gso,
            socket,
            buffer: vec![0; BUFFER_BYTES].into(),
            used: 0,
            messages: Vec::with_capacity(MESSAGES_MAX),
        }
    }

    /// Puts in a datagram of `len` bytes, which `fill` writes in place; what it finds there is old garbage. When `fill`
    /// returns false, nothing is sent. Returns whether the datagram was put in: one longer than 2,048 bytes never is.
    pub fn datagram(
        &mut self,
        path: &Path,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        if len == 0 || len > DATAGRAM_MAX {
            return false;
        }
        let joins = self
            .messages
            .last()
            .is_some_and(|message| message.takes(path, len));
        let full = !joins && self.messages.len() == MESSAGES_MAX;
        if full || self.used + len > self.buffer.len() {
            self.flush();
        }
        let start = self.used;
        let Some(place) = self.buffer.get_mut(start..start + len) else {
            return false;
        };
        if !fill(place) {
            return false;
        }
        self.used += len;
        match self.messages.last_mut() {
            Some(message) if message.takes(path, len) => {
                message.len += len;
                message.count += 1;
            }
            _ => self.messages.push(Message {
                path: *path,
                start,
                len,
                segment: len,
                count: 1,
            }),
        }
        true
    }

    /// Sends everything that was put in.
    pub fn flush(&mut self) {
        let mut patience = WAIT_MAX;
        let mut rest = self.messages.as_slice();
        while !rest.is_empty() {
            // Where the kernel does not segment, it gets only what needs none.
            let whole = rest
                .iter()
                .take_while(|message| self.gso || message.count == 1);
            let sent = if self.gso || rest.first().is_some_and(|message| message.count == 1) {
                self.send(
                    whole
                        .map(|message| (message.path, message.data(&self.buffer), message.segment)),
                )
            } else {
                Err(io::Error::from(io::ErrorKind::Unsupported))
            };
            let taken = match sent {
                Ok(taken) => {
                    let messages = rest.get(..taken).unwrap_or_default();
                    let datagrams = messages.iter().map(|message| message.count).sum();
                    self.socket
                        .count(&self.socket.tally().sent_datagrams, datagrams);
                    taken.max(1)
                }
                Err(error) => match Refusal::of(&error) {
                    room @ (Refusal::Full | Refusal::Queue) if self.wait(room, &mut patience) => 0,
                    Refusal::Full | Refusal::Queue => {
                        self.drop(rest.first(), &self.socket.tally().dropped_full);
                        1
                    }
                    Refusal::Segmenting
                        if rest.first().is_some_and(|message| message.count > 1) =>
                    {
                        // EIO: the card cannot (udp(7)), and will not another time.
                        self.gso &= error.raw_os_error() != Some(libc::EIO);
                        self.send_segmented(rest.first(), &mut patience);
                        1
                    }
                    Refusal::Interrupted => 0,
                    Refusal::Segmenting | Refusal::Other => {
                        self.drop(rest.first(), &self.socket.tally().dropped_refused);
                        1
                    }
                },
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.messages.clear();
        self.used = 0;
    }

    /// Whether anything waits for [`Sender::flush`].
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The socket it sends on.
    pub fn socket(&self) -> &Arc<MediaSocket> {
        &self.socket
    }

    /// One `sendmmsg`. Each item: path, bytes, size of a segment.
    fn send<'a>(&self, items: impl Iterator<Item = (Path, &'a [u8], usize)>) -> io::Result<usize> {
        let mut unreachable = false;
        let mut outgoing: Vec<Outgoing<'a>> = Vec::with_capacity(MESSAGES_MAX);
        for (path, data, segment) in items {
            let Some(name) = Name::new(path.remote, self.socket.family) else {
                unreachable = true;
                break;
            };
            let segment = u16::try_from(segment).ok().filter(|_| data.len() > segment);
            let local = path.local.filter(|_| self.socket.has_many_addresses());
            let control = Control::outgoing(self.socket.family, segment, local);
            outgoing.push(Outgoing {
                data,
                name,
                control,
            });
        }
        if outgoing.is_empty() && unreachable {
            return Err(io::Error::from(io::ErrorKind::HostUnreachable));
        }
        let tally = self.socket.tally();
        self.socket.count(&tally.send_calls, 1);
        let sent = sys::send_many(self.socket.socket.as_fd(), &mut outgoing)?;
        let taken = outgoing.get(..sent).unwrap_or_default();
        self.socket.count(&tally.sent_messages, sent);
        self.socket.count(
            &tally.sent_bytes,
            taken.iter().map(|message| message.data.len()).sum(),
        );
        Ok(sent)
    }

    /// Cuts a message into its datagrams here, because the kernel would not.
    fn send_segmented(&self, message: Option<&Message>, patience: &mut Duration) {
        let Some(message) = message else { return };
        let tally = self.socket.tally();
        self.socket.count(&tally.segmented_here, 1);
        let mut rest = message.data(&self.buffer);
        while !rest.is_empty() {
            let segments = rest.chunks(message.segment).take(MESSAGES_MAX);
            let sent = self.send(segments.map(|data| (message.path, data, data.len())));
            let taken = match sent {
                Ok(sent) => {
                    self.socket.count(&tally.sent_datagrams, sent);
                    sent.max(1)
                }
                Err(error) => match Refusal::of(&error) {
                    room @ (Refusal::Full | Refusal::Queue) if self.wait(room, patience) => 0,
                    Refusal::Interrupted => 0,
                    Refusal::Full | Refusal::Queue => {
                        self.socket.count(&tally.dropped_full, 1);
                        1
                    }
                    Refusal::Segmenting | Refusal::Other => {
                        self.socket.count(&tally.dropped_refused, 1);
                        1
                    }
                },
            };
            rest = rest.get(taken * message.segment..).unwrap_or_default();
        }
    }

    /// Waits for room, as long as there is patience left. Returns whether to try again.
    fn wait(&self, room: Refusal, patience: &mut Duration) -> bool {
        if patience.is_zero() {
            return false;
        }
        *patience = patience.saturating_sub(WAIT_STEP);
        match room {
            // The socket itself has room: nothing tells when the queue behind it has.
            Refusal::Queue => std::thread::sleep(WAIT_STEP),
            _ => {
                self.socket.wait_writable(WAIT_STEP);
            }
        }
        true
    }

    fn drop(&self, message: Option<&Message>, counter: &std::sync::atomic::AtomicU64) {
        self.socket
            .count(counter, message.map_or(0, |message| message.count));
    }
}

impl Message {
    /// Whether a datagram may become part of this message (udp(7), `UDP_SEGMENT`).
    fn takes(&self, path: &Path, len: usize) -> bool {
        self.len == self.count * self.segment
            && len <= self.segment
            && self.count < SEGMENTS_MAX
            && self.len + len <= MESSAGE_BYTES_MAX
            && self.path == *path
    }

    fn data<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        buffer
            .get(self.start..self.start + self.len)
            .unwrap_or_default()
    }
}

/// What can be done about an error of `sendmmsg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// No room in the socket: wait.
    Full,
    /// No room in a queue behind it, the card's for instance, or no memory: wait.
    Queue,
    /// Perhaps because the message was to be segmented.
    Segmenting,
    Interrupted,
    /// It concerns this message alone.
    Other,
}

impl Refusal {
    fn of(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::Unsupported {
            return Self::Segmenting;
        }
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Self::Full,
            Some(libc::ENOBUFS | libc::ENOMEM) => Self::Queue,
            Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP) => Self::Segmenting,
            Some(libc::EINTR) => Self::Interrupted,
            _ => Self::Other,
        }
    }
}

/// 16 frames of 13 packets, or 64 packets of sound; with what the kernel copies of it, it fits the second-level cache.
const BUFFER_BYTES: usize = 256 << 10;
/// More than a packet on a path of 1,500 bytes.
const DATAGRAM_MAX: usize = 2048;
/// Datagrams of one GSO message (kernel: `UDP_MAX_SEGMENTS`, 64 before Linux 6.9).
const SEGMENTS_MAX: usize = 64;
/// Bytes of one GSO message: what the length of an IPv4 packet allows, headers of 60 + 8 bytes taken off.
const MESSAGE_BYTES_MAX: usize = 65_535 - 68;
/// Longest wait for the send buffer in one flush.
const WAIT_MAX: Duration = Duration::from_millis(4);
/// One wait of it.
const WAIT_STEP: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use super::*;
    use crate::{MediaPort, Options};

    #[test]
    fn a_full_queue_behind_the_socket_is_waited_for_and_then_given_up() {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut sockets = MediaPort::bind(loopback, &Options::default()).unwrap();
        let sender = Sender::new(Arc::new(sockets.remove(0)));
        let queue = Refusal::of(&io::Error::from_raw_os_error(libc::ENOBUFS));
        let mut patience = WAIT_MAX;
        let began = Instant::now();
        let waits = std::iter::repeat_with(|| sender.wait(queue, &mut patience));
        assert_eq!(waits.take_while(|again| *again).count(), 4);
        // The socket is writable all the while, which must not end a wait.
        assert!(began.elapsed() >= WAIT_MAX);
    }
}
