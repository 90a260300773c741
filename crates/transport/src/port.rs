use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, Socket, Type};

use crate::{MediaSocket, sys};

/// Opens the media port.
#[derive(Debug)]
pub struct MediaPort;

/// How the port is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sockets, one for each shard: 1 to 256.
    pub sockets: usize,
    /// Send and receive buffer of each socket, in bytes; the kernel may give less (`net.core.wmem_max`) where the
    /// process has no `CAP_NET_ADMIN`.
    pub buffer_bytes: usize,
    /// Let the kernel cut messages into datagrams (UDP GSO). Off: always cut here. For tests and strange machines.
    pub gso: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sockets: 1,
            buffer_bytes: BUFFER_BYTES,
            gso: true,
        }
    }
}

/// The port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open UDP {address}: {source}")]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: io::Error,
}

impl MediaPort {
    /// Opens `options.sockets` sockets on one port. `[::]` serves IPv4 too. Port 0 lets the kernel choose one.
    ///
    /// # Errors
    /// The port is in use (by another process of the same user, too), not allowed, or the address is not ours.
    pub fn bind(address: SocketAddr, options: &Options) -> Result<Vec<MediaSocket>, BindError> {
        bind_all(address, options).map_err(|source| BindError { address, source })
    }
}

fn bind_all(address: SocketAddr, options: &Options) -> io::Result<Vec<MediaSocket>> {
    let first = open(address, options)?;
    // Alone at first, so that a port which is in use is an error; only then open to our other sockets.
    first.bind(&address.into())?;
    let bound = first
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("the socket has no address"))?;
    if options.sockets > 1 {
        first.set_reuse_port(true)?;
    }
    let mut sockets = vec![MediaSocket::new(first, bound, options.gso)?];
    for _ in 1..options.sockets.min(SOCKETS_MAX) {
        let socket = open(address, options)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound.into())?;
        sockets.push(MediaSocket::new(socket, bound, options.gso)?);
    }
    Ok(sockets)
}

fn open(address: SocketAddr, options: &Options) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
        sys::set_option(
            socket.as_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_RECVPKTINFO,
            1,
        )?;
    } else {
        sys::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
    }
    let bytes = i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX);
    let buffers = [
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
    ];
    for (force, ask) in buffers {
        if sys::set_option(socket.as_fd(), libc::SOL_SOCKET, force, bytes).is_err() {
            sys::set_option(socket.as_fd(), libc::SOL_SOCKET, ask, bytes)?;
        }
    }
    Ok(socket)
}

/// Half a second of 1,000 viewers' feedback, or 8 ms of a 10 Gb/s link.
const BUFFER_BYTES: usize = 8 << 20;
/// As many shards as the largest machine has cores.
const SOCKETS_MAX: usize = 256;
