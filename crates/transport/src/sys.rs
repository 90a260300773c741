//! The system calls, each behind a safe function: the only unsafe code of the network.

#![expect(
    unsafe_code,
    reason = "system calls; nothing else in the crate is unsafe"
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use crate::address::Name;
use crate::control::{CONTROL_BYTES, Control};

/// One message for [`send_many`].
pub(crate) struct Outgoing<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) name: Name,
    pub(crate) control: Control,
}

/// One place for [`receive_many`].
pub(crate) struct Incoming {
    pub(crate) data: Box<[u8]>,
    pub(crate) len: usize,
    pub(crate) truncated: bool,
    pub(crate) name: Name,
    pub(crate) control: Control,
}

/// Messages that one system call takes at most: what the header arrays on the stack have room for (6 KiB).
pub(crate) const MESSAGES_MAX: usize = 64;

/// Sends the messages, at most [`MESSAGES_MAX`] of them, and returns how many the kernel took. An error is the first
/// message's.
pub(crate) fn send_many(fd: BorrowedFd<'_>, messages: &mut [Outgoing<'_>]) -> io::Result<usize> {
    let (mut headers, mut vectors) = empty_headers();
    let count = messages.len().min(MESSAGES_MAX);
    for ((message, header), vector) in messages.iter_mut().zip(&mut headers).zip(&mut vectors) {
        vector.iov_base = message.data.as_ptr().cast_mut().cast();
        vector.iov_len = message.data.len();
        let length = message.control.len();
        fill_header(
            &mut header.msg_hdr,
            vector,
            &mut message.name,
            &mut message.control,
            length,
        );
    }
    // SAFETY: the first `count` headers point to names, vectors, data and control bytes that outlive the call and
    // have the lengths given; the kernel only reads what they point to.
    let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), narrow(count), 0) };
    usize::try_from(sent).map_err(|_negative| io::Error::last_os_error())
}

/// Fills places with what has arrived, at most [`MESSAGES_MAX`], and returns how many. Never waits.
pub(crate) fn receive_many(fd: BorrowedFd<'_>, places: &mut [Incoming]) -> io::Result<usize> {
    let (mut headers, mut vectors) = empty_headers();
    let count = places.len().min(MESSAGES_MAX);
    for ((place, header), vector) in places.iter_mut().zip(&mut headers).zip(&mut vectors) {
        vector.iov_base = place.data.as_mut_ptr().cast();
        vector.iov_len = place.data.len();
        fill_header(
            &mut header.msg_hdr,
            vector,
            &mut place.name,
            &mut place.control,
            CONTROL_BYTES,
        );
    }
    // SAFETY: the first `count` headers point to names, vectors, buffers and control bytes that outlive the call, are
    // borrowed mutably, and have the lengths given.
    let received = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            narrow(count),
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_negative| io::Error::last_os_error())?;
    for (place, header) in places.iter_mut().zip(&headers).take(received) {
        place.len = place.data.len().min(header.msg_len as usize);
        place.truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        place.control.set_len(header.msg_hdr.msg_controllen);
    }
    Ok(received)
}

/// Waits until `first` may be read (or written, with `writable`) or `second` may be read, or until `timeout` is over
/// (`None`: for ever). Returns which of the two it was. A signal ends the wait early.
pub(crate) fn wait(
    first: BorrowedFd<'_>,
    writable: bool,
    second: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<(bool, bool)> {
    let events = if writable {
        libc::POLLOUT
    } else {
        libc::POLLIN
    };
    let mut fds = [
        libc::pollfd {
            fd: first.as_raw_fd(),
            events,
            revents: 0,
        },
        libc::pollfd {
            // A negative descriptor is ignored (poll(2)).
            fd: second.map_or(-1, |fd| fd.as_raw_fd()),
            events: libc::POLLIN,
            revents: 0,
        },
    ];
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both places and the time live through the call; no signal mask is given.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), 2, time, std::ptr::null()) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok((false, false));
        }
        return Err(error);
    }
    Ok((fds[0].revents != 0, fds[1].revents != 0))
}

/// A new event counter that never blocks (`eventfd(2)`).
pub(crate) fn event() -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds one to an event counter. That the counter is full can only mean that it is set already.
pub(crate) fn raise(event: BorrowedFd<'_>) {
    // SAFETY: takes two numbers.
    let _already_set = unsafe { libc::eventfd_write(event.as_raw_fd(), 1) };
}

/// Sets an event counter back to zero.
pub(crate) fn clear(event: BorrowedFd<'_>) {
    let mut value: libc::eventfd_t = 0;
    // SAFETY: `value` lives through the call.
    let _was_clear = unsafe { libc::eventfd_read(event.as_raw_fd(), &raw mut value) };
}

/// Sets a socket option whose value is a C `int`.
pub(crate) fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value lives through the call and has the length given.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            narrow(size_of::<i32>()),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Calls `each` with every address of the machine's interfaces that are up; the flag says whether it is a loopback's.
pub(crate) fn interface_addresses(mut each: impl FnMut(IpAddr, bool)) -> io::Result<()> {
    let mut head: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `head` lives through the call.
    if unsafe { libc::getifaddrs(&raw mut head) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut next = head;
    // SAFETY: the list is valid until freed below, and each entry's link is null or the next entry.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        let flag = |flag: i32| i64::from(entry.ifa_flags) & i64::from(flag) != 0;
        // SAFETY: the address is null or a valid socket address of the list.
        let family = unsafe { entry.ifa_addr.as_ref() }.map(|address| i32::from(address.sa_family));
        if !flag(libc::IFF_UP) {
            continue;
        }
        match family {
            Some(libc::AF_INET) => {
                // SAFETY: the family says that it is a `sockaddr_in`; read unaligned, as its alignment is not promised.
                let name = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
                let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
                each(ip.into(), flag(libc::IFF_LOOPBACK));
            }
            Some(libc::AF_INET6) => {
                // SAFETY: the family says that it is a `sockaddr_in6`; read unaligned, as above.
                let name = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
                let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
                each(ip.into(), flag(libc::IFF_LOOPBACK));
            }
            _ => {}
        }
    }
    // SAFETY: `head` came from `getifaddrs` and is freed once.
    unsafe { libc::freeifaddrs(head) };
    Ok(())
}

fn empty_headers() -> ([libc::mmsghdr; MESSAGES_MAX], [libc::iovec; MESSAGES_MAX]) {
    // SAFETY: all zeros is a valid `mmsghdr`: null pointers and lengths of zero.
    let header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    let vector = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    };
    ([header; MESSAGES_MAX], [vector; MESSAGES_MAX])
}

fn fill_header(
    header: &mut libc::msghdr,
    vector: &mut libc::iovec,
    name: &mut Name,
    control: &mut Control,
    control_len: usize,
) {
    (header.msg_name, header.msg_namelen) = match name {
        Name::V4(name) => (std::ptr::from_mut(name).cast(), narrow(size_of_val(name))),
        Name::V6(name) => (std::ptr::from_mut(name).cast(), narrow(size_of_val(name))),
    };
    header.msg_iov = std::ptr::from_mut(vector);
    header.msg_iovlen = 1;
    header.msg_control = control.bytes_mut().as_mut_ptr().cast();
    header.msg_controllen = control_len;
}

/// A small length in the kernel's type.
#[expect(
    clippy::cast_possible_truncation,
    reason = "counts of messages and sizes of structures"
)]
fn narrow(length: usize) -> u32 {
    length as u32
}
