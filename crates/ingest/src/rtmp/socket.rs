use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use zongzi_rtmp::server::Session;

use super::Close;

/// Answers go out at once, and a host whose machine vanished is noticed also where the idle timeout is long.
///
/// # Errors
/// When the socket is gone already.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Sends all that the session has to send.
///
/// # Errors
/// [`Close::WriteTimeout`] or [`Close::Lost`].
pub(super) async fn flush(
    stream: &mut TcpStream,
    session: &mut Session,
    limit: Duration,
) -> Result<(), Close> {
    let mut wrote = false;
    while let Some(bytes) = session.poll_output() {
        match timeout(limit, stream.write_all(&bytes)).await {
            Ok(Ok(())) => wrote = true,
            Ok(Err(_)) => return Err(Close::Lost),
            Err(_) => return Err(Close::WriteTimeout),
        }
    }
    if wrote {
        confirm_at_once(stream);
    }
    Ok(())
}

/// Has the kernel confirm at once what the host sends. Once we have sent something it takes the connection for a
/// dialogue and waits up to 40 ms with each confirmation, for an answer to put it into; and a host that does not set
/// `TCP_NODELAY` (ffmpeg) sends no small segment while one is unconfirmed. So each RTMP Acknowledgement of ours held the
/// host up once: pictures and sound came 30 ms late every 2.5 MB.
fn confirm_at_once(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    // What a connection gains by it, none needs.
    let _ = SockRef::from(stream).set_tcp_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Closes so that the peer can read what was sent last: closing with input unread would reset the connection and
/// throw that away. So the sending half is closed, and what still comes is read over until the peer closes too.
pub(super) async fn close(mut stream: TcpStream, linger: Duration) {
    if stream.shutdown().await.is_ok() {
        await_close(stream, linger).await;
    }
}

/// Lets the peer close first, within `linger`: gstreamer's rtmp2sink ends its stream in order and then calls it an
/// error when the server is the first to close.
pub(super) async fn await_close(mut stream: TcpStream, linger: Duration) {
    let deadline = Instant::now() + linger;
    let mut unread = vec![0; UNREAD_BYTES];
    while let Ok(Ok(1..)) = timeout_at(deadline, stream.read(&mut unread)).await {}
}

/// Silence before the first keepalive probe, and between probes.
const KEEPALIVE_TIME: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Input that is read over at once while closing, in bytes.
const UNREAD_BYTES: usize = 16 << 10;
