use std::io::{IoSliceMut, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::clock::Stamp;

/// Datagrams read with one call.
const BATCH: usize = 32;
/// Bytes of one datagram read while all of it matters. Nothing of WebRTC is longer than an Ethernet frame.
const FULL: usize = 2048;
/// Bytes read where only headers and small control packets matter: every RTP header with extensions, every STUN
/// message, RTCP report and DTLS alert of a running session fits. The rest need not be copied out of the kernel.
const HEAD: usize = 256;
/// A burst that the kernel has put together (`UDP_GRO`) has at most this many bytes.
const COALESCED: usize = 65_535;

/// A viewer's UDP socket.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: UdpSocket,
    coalesce: bool,
}

/// Buffers for reading, one set for each thread.
#[derive(Debug)]
pub(crate) struct Receiver {
    headers: MultiHeaders<()>,
    full: Box<[u8]>,
    head: Box<[u8]>,
    coalesced: Box<[u8]>,
}

/// One datagram.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    /// Its bytes, or the first of them.
    pub(crate) bytes: &'a [u8],
    /// How many it had.
    pub(crate) length: usize,
    /// When the kernel got it. Datagrams of one GSO send have the same stamp.
    pub(crate) at: Stamp,
}

impl Socket {
    /// A socket that talks with `peer` alone. With `coalesce` the kernel hands over whole bursts (`UDP_GRO`).
    ///
    /// The receive buffer holds `buffer_bytes`, where the kernel permits it.
    pub(crate) fn connected(peer: SocketAddr, coalesce: bool, buffer_bytes: usize) -> Result<Self> {
        let any: SocketAddr = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let inner = UdpSocket::bind(any)?;
        inner.connect(peer)?;
        inner.set_nonblocking(true)?;
        setsockopt(&inner, sockopt::ReceiveTimestampns, &true)?;
        if coalesce {
            setsockopt(&inner, sockopt::UdpGroSegment, &true)?;
        }
        // Beyond net.core.rmem_max needs CAP_NET_ADMIN; without it, as much as there is.
        if setsockopt(&inner, sockopt::RcvBufForce, &buffer_bytes).is_err() {
            setsockopt(&inner, sockopt::RcvBuf, &buffer_bytes)?;
        }
        Ok(Self { inner, coalesce })
    }

    /// Its own address.
    pub(crate) fn local(&self) -> Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Sends a datagram; one that finds no room is gone, as on any network.
    pub(crate) fn send(&self, datagram: &[u8]) {
        let _ = self.inner.send(datagram);
    }

    /// Reads what is there, up to one batch, and tells whether there may be more.
    ///
    /// With `heads` only the first [`HEAD`] bytes of each datagram are read.
    pub(crate) fn receive(
        &self,
        receiver: &mut Receiver,
        heads: bool,
        mut each: impl FnMut(Datagram<'_>),
    ) -> bool {
        if self.coalesce {
            return self.receive_coalesced(receiver, &mut each);
        }
        let (buffer, size) = if heads {
            (&mut receiver.head, HEAD)
        } else {
            (&mut receiver.full, FULL)
        };
        let mut chunks = buffer.chunks_exact_mut(size);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let fd = self.inner.as_raw_fd();
        let Ok(results) = recvmmsg(fd, &mut receiver.headers, slices.iter_mut(), flags, None)
        else {
            return false;
        };
        let mut count = 0;
        for message in results {
            count += 1;
            let at = message
                .cmsgs()
                .ok()
                .and_then(|mut cmsgs| cmsgs.find_map(timestamp))
                .unwrap_or_else(Stamp::now);
            if let Some(bytes) = message.iovs().next() {
                each(Datagram {
                    bytes,
                    length: message.bytes,
                    at,
                });
            }
        }
        count == BATCH
    }

    fn receive_coalesced(
        &self,
        receiver: &mut Receiver,
        each: &mut impl FnMut(Datagram<'_>),
    ) -> bool {
        let mut control = cmsg_space!(TimeSpec, i32);
        let (mut at, mut segment) = (None, None);
        let length = {
            let mut slices = [IoSliceMut::new(&mut receiver.coalesced)];
            let received = recvmsg::<()>(
                self.inner.as_raw_fd(),
                &mut slices,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let message = match received {
                Ok(message) => message,
                Err(Errno::EINTR) => return true,
                Err(_) => return false,
            };
            for cmsg in message.cmsgs().into_iter().flatten() {
                if let ControlMessageOwned::UdpGroSegments(size) = cmsg {
                    segment = usize::try_from(size).ok().filter(|size| *size > 0);
                } else {
                    at = at.or_else(|| timestamp(cmsg));
                }
            }
            message.bytes
        };
        let at = at.unwrap_or_else(Stamp::now);
        let bytes = receiver.coalesced.get(..length).unwrap_or_default();
        for bytes in bytes.chunks(segment.unwrap_or(length).max(1)) {
            each(Datagram {
                bytes,
                length: bytes.len(),
                at,
            });
        }
        true
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            // Room for the timestamp alone, which is always there: nix leaves the length of the control buffer as the
            // last call set it, so messages with different control data can't share headers.
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))),
            full: vec![0; BATCH * FULL].into_boxed_slice(),
            head: vec![0; BATCH * HEAD].into_boxed_slice(),
            coalesced: vec![0; COALESCED].into_boxed_slice(),
        }
    }
}

fn timestamp(cmsg: ControlMessageOwned) -> Option<Stamp> {
    match cmsg {
        ControlMessageOwned::ScmTimestampns(time) => {
            let seconds = u64::try_from(time.tv_sec()).ok()?;
            let nanos = u64::try_from(time.tv_nsec()).ok()?;
            Some(Stamp(
                seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?,
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(coalesce: bool) -> (UdpSocket, Socket) {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let peer = server.local_addr().expect("an address");
        let viewer = Socket::connected(peer, coalesce, 1 << 20).expect("a socket");
        let to = (
            Ipv4Addr::LOCALHOST,
            viewer.local().expect("an address").port(),
        );
        server.connect(to).expect("connects");
        (server, viewer)
    }

    fn received(viewer: &Socket, heads: bool) -> Vec<(usize, usize, Stamp)> {
        let mut receiver = Receiver::default();
        let mut got = Vec::new();
        while viewer.receive(&mut receiver, heads, |datagram| {
            got.push((datagram.bytes.len(), datagram.length, datagram.at));
        }) {}
        got
    }

    #[test]
    fn datagrams_come_whole_or_as_heads_with_their_length_and_time() {
        for (heads, seen) in [(false, 1200), (true, HEAD)] {
            let (server, viewer) = pair(false);
            let before = Stamp::now();
            for _ in 0..40 {
                server.send(&[1; 1200]).expect("sends");
            }
            server.send(&[1; 9]).expect("sends");
            let got = received(&viewer, heads);
            assert_eq!(got.len(), 41);
            assert!(got[..40].iter().all(|got| (got.0, got.1) == (seen, 1200)));
            assert_eq!((got[40].0, got[40].1), (9, 9));
            assert!(
                got.iter()
                    .all(|got| got.2 >= before && got.2 <= Stamp::now())
            );
        }
    }

    #[test]
    fn one_gso_send_is_one_stamp_with_and_without_coalescing() {
        for coalesce in [false, true] {
            // The kernel begins to stamp datagrams as they arrive a moment after the first socket of the machine asks
            // for it; until then it stamps them as they are read.
            let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
            loop {
                let (server, viewer) = pair(coalesce);
                setsockopt(&server, sockopt::UdpGsoSegment, &1000).expect("GSO");
                server.send(&[1; 4500]).expect("sends");
                server.send(&[2; 700]).expect("sends");
                let got = received(&viewer, false);
                let lengths: Vec<_> = got.iter().map(|got| got.1).collect();
                assert_eq!(lengths, [1000, 1000, 1000, 1000, 500, 700], "{coalesce}");
                let one_stamp = got[..5].iter().all(|each| each.2 == got[0].2);
                if one_stamp && got[5].2 != got[0].2 {
                    break;
                }
                assert!(std::time::Instant::now() < until, "{coalesce}: {got:?}");
            }
        }
    }
}
