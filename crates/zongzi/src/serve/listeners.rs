use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use zongzi_relay::shard::Shards;

use crate::settings::{Limits, Media};

/// Whether [`bind_tcp`] would do: the address is taken and given back. Needs no runtime.
pub(crate) fn can_listen(key: &str, address: SocketAddr) -> Result<(), String> {
    let result = match socket(address) {
        Err(error) if falls_back(address, &error) => socket(ipv4_only(address)),
        other => other,
    };
    result
        .map(drop)
        .map_err(|error| blame(key, address, &error))
}

/// Binds a TCP listener. `[::]` takes IPv4 as well, and falls back to `0.0.0.0` on a machine without IPv6.
///
/// The error names the settings key.
pub(super) fn bind_tcp(key: &str, address: SocketAddr) -> Result<TcpListener, String> {
    let result = match listen(address) {
        Err(error) if falls_back(address, &error) => listen(ipv4_only(address)),
        other => other,
    };
    result.map_err(|error| blame(key, address, &error))
}

/// Opens the media port, with the same fallback.
pub(crate) fn open_media(key: &str, media: &Media, limits: &Limits) -> Result<Shards, String> {
    let mut config = media.shard_config(limits);
    let result = match Shards::open(&config) {
        Err(error) if falls_back(media.listen, &error.source) => {
            config.listen = ipv4_only(media.listen);
            Shards::open(&config)
        }
        other => other,
    };
    result.map_err(|error| blame(key, media.listen, &error.source))
}

fn blame(key: &str, address: SocketAddr, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use; stop the other program or set another port".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need privileges".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    };
    format!("{key} = {address}: {why}")
}

fn falls_back(address: SocketAddr, error: &io::Error) -> bool {
    let no_ipv6 = matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(EAFNOSUPPORT);
    no_ipv6 && address.is_ipv6() && address.ip().is_unspecified()
}

fn ipv4_only(address: SocketAddr) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, address.port()).into()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::from_std(socket(address)?.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// A crowd arrives at once: connections that wait to be accepted. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;
/// Linux: address family not supported.
const EAFNOSUPPORT: i32 = 97;
