use std::io::IoSlice;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use nix::time::{ClockId, clock_gettime};

use super::Shape;
use super::shape::Packet;
use crate::engine::ROUND;
use crate::net::{Receiver, Socket};

/// Messages of one `sendmmsg`: more gained nothing where it was measured.
const MESSAGES: usize = 32;
/// Segments of one GSO message (UDP_MAX_SEGMENTS).
const SEGMENTS_MAX: usize = 64;
/// Bytes of one GSO message: what an IPv4 datagram's length field can say, less headers.
const MESSAGE_BYTES_MAX: usize = 65_507;
/// Bytes of an RTP header with one extension, in the clear.
const HEADER_BYTES: usize = 20;
/// Bytes of an AES-GCM tag.
const TAG_BYTES: usize = 16;
/// Receive buffer of each socket.
const SOCKET_BYTES: usize = 1 << 20;

/// Sends `shape` once and gives the CPU that the sending thread took.
pub(super) fn run(
    shape: &Shape,
    addresses: usize,
    key_bytes: usize,
    coalesce: bool,
) -> Result<Duration> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("no socket")?;
    let from = socket.local_addr()?;
    let sockets: Vec<_> = (0..addresses)
        .map(|_| Socket::connected(from, coalesce, SOCKET_BYTES))
        .collect::<std::io::Result<_>>()
        .context("no socket")?;
    let viewers = sockets
        .iter()
        .enumerate()
        .map(|(index, socket)| Viewer::new(index, socket, key_bytes))
        .collect::<Result<Vec<_>>>()?;
    let done = Arc::new(AtomicBool::new(false));
    let drained = {
        let done = Arc::clone(&done);
        std::thread::Builder::new()
            .name("floor-drain".to_owned())
            .spawn(move || drain(&sockets, &done))
            .context("no thread")?
    };
    let sender = {
        let shape = shape.clone();
        std::thread::Builder::new()
            .name("floor-send".to_owned())
            .spawn(move || Sender::new(socket, viewers).send_all(&shape))
            .context("no thread")?
    };
    let cpu = sender.join();
    done.store(true, Ordering::Relaxed);
    let _ = drained.join();
    cpu.unwrap_or_else(|_| bail!("the floor's sender panicked"))
}

/// Reads as the viewers of the run do.
fn drain(sockets: &[Socket], done: &AtomicBool) {
    let mut receiver = Receiver::default();
    while !done.load(Ordering::Relaxed) {
        let begun = Instant::now();
        for socket in sockets {
            while socket.receive(&mut receiver, true, |_| {}) {}
        }
        std::thread::sleep(ROUND.saturating_sub(begun.elapsed()));
    }
}

struct Viewer {
    key: LessSafeKey,
    address: SockaddrIn,
    counter: u64,
}

impl Viewer {
    fn new(index: usize, socket: &Socket, key_bytes: usize) -> Result<Self> {
        let mut key = vec![7; key_bytes];
        for (byte, index) in key.iter_mut().zip(index.to_be_bytes()) {
            *byte ^= index;
        }
        let algorithm = if key_bytes == 32 {
            &AES_256_GCM
        } else {
            &AES_128_GCM
        };
        let key = UnboundKey::new(algorithm, &key).ok().context("no key")?;
        let SocketAddr::V4(local) = socket.local()? else {
            bail!("the floor is measured over IPv4");
        };
        let address = SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, local.port());
        Ok(Self {
            key: LessSafeKey::new(key),
            address: SockaddrIn::from(address),
            counter: 0,
        })
    }

    /// Copies a datagram's plain bytes to `into` and encrypts them there.
    fn seal(&mut self, plain: &[u8], into: &mut [u8]) {
        self.counter += 1;
        let mut nonce = [0; NONCE_LEN];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        let Some((body, tag)) = into.split_at_mut_checked(into.len().saturating_sub(TAG_BYTES))
        else {
            return;
        };
        body.copy_from_slice(plain.get(..body.len()).unwrap_or_default());
        let Some((header, payload)) = body.split_at_mut_checked(HEADER_BYTES) else {
            return;
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), payload);
        if let Ok(sealed) = sealed {
            tag.copy_from_slice(sealed.as_ref());
        }
    }
}

struct Sender {
    socket: UdpSocket,
    viewers: Vec<Viewer>,
    plain: Vec<u8>,
    buffer: Vec<u8>,
    with_segments: MultiHeaders<SockaddrIn>,
    plain_messages: MultiHeaders<SockaddrIn>,
}

impl Sender {
    fn new(socket: UdpSocket, viewers: Vec<Viewer>) -> Self {
        Self {
            socket,
            viewers,
            plain: vec![0x5a; 2048],
            buffer: vec![0; MESSAGES * MESSAGE_BYTES_MAX],
            with_segments: MultiHeaders::preallocate(MESSAGES, Some(cmsg_space!(u16))),
            plain_messages: MultiHeaders::preallocate(MESSAGES, None),
        }
    }

    fn send_all(mut self, shape: &Shape) -> Result<Duration> {
        let start = Instant::now();
        let before = cpu()?;
        for send in &shape.sends {
            std::thread::sleep(send.after.saturating_sub(start.elapsed()));
            for message in messages(&send.datagrams) {
                self.send(message)?;
            }
        }
        Ok(cpu()?.saturating_sub(before))
    }

    /// One message to every viewer.
    fn send(&mut self, datagrams: &[Packet]) -> Result<()> {
        let Some(first) = datagrams.first() else {
            return Ok(());
        };
        let bytes: usize = datagrams.iter().map(|each| usize::from(each.bytes)).sum();
        let fd = self.socket.as_raw_fd();
        for viewers in self.viewers.chunks_mut(MESSAGES) {
            let mut slots = self.buffer.chunks_mut(bytes.max(1));
            let mut slices = Vec::with_capacity(MESSAGES);
            let mut addresses = Vec::with_capacity(MESSAGES);
            for viewer in viewers {
                let Some(mut rest) = slots.next() else { break };
                let whole: &mut [u8] = rest;
                let mut at = 0;
                for datagram in datagrams {
                    let end = at + usize::from(datagram.bytes);
                    if let Some(into) = whole.get_mut(at..end) {
                        viewer.seal(&self.plain, into);
                    }
                    at = end;
                }
                rest = whole;
                slices.push([IoSlice::new(rest)]);
                addresses.push(Some(viewer.address));
            }
            let mut sent = 0;
            while sent < slices.len() {
                let (slices, addresses) = (&slices[sent..], &addresses[sent..]);
                let flags = MsgFlags::empty();
                let results = if datagrams.len() > 1 {
                    let segment = [ControlMessage::UdpGsoSegments(&first.bytes)];
                    sendmmsg(
                        fd,
                        &mut self.with_segments,
                        slices,
                        addresses,
                        segment,
                        flags,
                    )
                    .map(Iterator::count)
                } else {
                    let none: [ControlMessage<'_>; 0] = [];
                    sendmmsg(fd, &mut self.plain_messages, slices, addresses, none, flags)
                        .map(Iterator::count)
                };
                match results.context("sendmmsg")? {
                    0 => bail!("sendmmsg sent nothing"),
                    count => sent += count,
                }
            }
        }
        Ok(())
    }
}

/// Cuts a send into what GSO can carry: datagrams of one size, only the last may be shorter.
fn messages(datagrams: &[Packet]) -> Vec<&[Packet]> {
    let mut messages = Vec::new();
    let mut rest = datagrams;
    while let Some(first) = rest.first() {
        let size = usize::from(first.bytes).max(1);
        let most = SEGMENTS_MAX.min(MESSAGE_BYTES_MAX / size).max(1);
        let equal = rest
            .iter()
            .take(most)
            .take_while(|each| each.bytes == first.bytes)
            .count();
        let shorter = rest
            .get(equal)
            .is_some_and(|next| equal < most && next.bytes < first.bytes);
        let (message, after) = rest.split_at(equal + usize::from(shorter));
        messages.push(message);
        rest = after;
    }
    messages
}

/// CPU of this thread so far.
fn cpu() -> Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("no CPU clock")?;
    Ok(Duration::from(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(sizes: &[u16]) -> Vec<Vec<u16>> {
        let datagrams: Vec<_> = sizes
            .iter()
            .map(|bytes| Packet {
                bytes: *bytes,
                frame: (1, 1),
            })
            .collect();
        let sizes = |message: &&[Packet]| message.iter().map(|each| each.bytes).collect();
        messages(&datagrams).iter().map(sizes).collect()
    }

    #[test]
    fn a_message_has_one_size_but_for_a_shorter_last() {
        assert_eq!(cut(&[1200, 1200, 700]), [vec![1200, 1200, 700]]);
        assert_eq!(
            cut(&[1200, 1200, 700, 200]),
            [vec![1200, 1200, 700], vec![200]]
        );
        assert_eq!(cut(&[50, 1200, 1200]), [vec![50], vec![1200, 1200]]);
        assert_eq!(cut(&[]), Vec::<Vec<u16>>::new());
    }

    #[test]
    fn a_message_has_at_most_64_segments_and_64_kib() {
        let lengths = |sizes: &[u16]| cut(sizes).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[100; 130]), [64, 64, 2]);
        assert_eq!(lengths(&[1200; 60]), [54, 6]);
    }

    #[test]
    fn what_the_floor_sends_arrives_in_the_shape_it_was_given() {
        let packet = |bytes| Packet {
            bytes,
            frame: (1, 1),
        };
        let shape = Shape::from_sends(vec![
            super::super::shape::Send {
                after: Duration::ZERO,
                datagrams: vec![packet(1200), packet(1200), packet(300)],
            },
            super::super::shape::Send {
                after: Duration::from_millis(1),
                datagrams: vec![packet(200)],
            },
        ]);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let from = socket.local_addr().expect("an address");
        let receivers: Vec<_> = (0..40)
            .map(|_| Socket::connected(from, false, SOCKET_BYTES).expect("a socket"))
            .collect();
        let viewers = receivers
            .iter()
            .enumerate()
            .map(|(index, each)| Viewer::new(index, each, 16).expect("a key"))
            .collect();
        Sender::new(socket, viewers)
            .send_all(&shape)
            .expect("sends");
        let mut buffers = Receiver::default();
        for receiver in &receivers {
            let mut lengths = Vec::new();
            let mut bodies = Vec::new();
            while receiver.receive(&mut buffers, false, |datagram| {
                lengths.push(datagram.length);
                bodies.push(datagram.bytes.to_vec());
            }) {}
            assert_eq!(lengths, [1200, 1200, 300, 200]);
            assert_ne!(bodies[0], bodies[1], "each is encrypted with its own nonce");
        }
    }
}
