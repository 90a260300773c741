//! A tap between an RTMP host and the server: passes every byte on at once and notes when each coded picture had passed.
//!
//! It follows the chunk stream (RTMP 1.0 §5.3) of the host's side only as far as message boundaries and kinds.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of C0, C1 and C2.
const HANDSHAKE: usize = 1 + 1536 + 1536;
/// Bytes that are passed on together: what a narrow uplink carries in some milliseconds.
const PART: usize = 4 << 10;

/// A tap that serves one host after the other.
#[derive(Debug)]
pub struct Tap {
    /// Where the host connects to.
    pub address: SocketAddr,
    passed: Arc<Mutex<Vec<f64>>>,
    uplink: Arc<Uplink>,
}

/// How much a host's uplink carries, in bits a second.
#[derive(Debug)]
struct Uplink(AtomicU64);

impl Tap {
    /// Listens on a free port of loopback.
    ///
    /// # Panics
    /// When there is none.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let passed = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&passed);
        let uplink = Arc::new(Uplink(AtomicU64::new(Uplink::WIDE)));
        let carries = Arc::clone(&uplink);
        thread::spawn(move || {
            for host in listener.incoming().flatten() {
                let Ok(to) = TcpStream::connect(server) else {
                    continue;
                };
                pass(host, to, &notes, &carries);
            }
        });
        Self {
            address,
            passed,
            uplink,
        }
    }

    /// From now on the host's uplink carries so many bits a second; of 0 it stands still.
    pub fn narrow(&self, bits_per_second: u64) {
        self.uplink.0.store(bits_per_second, Ordering::Release);
    }

    /// The host's uplink carries all there is, and what waits in it at once.
    pub fn widen(&self) {
        self.narrow(Uplink::WIDE);
    }

    /// The server part of the URL for the host.
    pub fn rtmp_url(&self) -> String {
        format!("rtmp://{}/live", self.address)
    }

    /// When each coded picture had passed, in order, as milliseconds since 1970.
    pub fn passed(&self) -> Vec<f64> {
        self.passed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Passes both directions until one ends.
fn pass(
    mut host: TcpStream,
    mut server: TcpStream,
    notes: &Arc<Mutex<Vec<f64>>>,
    uplink: &Arc<Uplink>,
) {
    // Without this a small picture would wait for the acknowledgement of the one before.
    let _ = (host.set_nodelay(true), server.set_nodelay(true));
    let (Ok(mut host_reader), Ok(mut server_writer)) = (host.try_clone(), server.try_clone())
    else {
        return;
    };
    let notes = Arc::clone(notes);
    let uplink = Arc::clone(uplink);
    thread::spawn(move || {
        let mut chunks = Chunks::default();
        let mut buffer = vec![0; 64 * 1024];
        'host: while let Ok(count @ 1..) = host_reader.read(&mut buffer) {
            for bytes in buffer.get(..count).unwrap_or_default().chunks(PART) {
                uplink.carry(bytes.len());
                if server_writer.write_all(bytes).is_err() {
                    break 'host;
                }
                let pictures = chunks.feed(bytes);
                let now = epoch_ms();
                let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                notes.extend(std::iter::repeat_n(now, pictures));
            }
        }
        let _ = server_writer.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        // Ends when either side closes; both directions then close.
        let _ = std::io::copy(&mut server, &mut host);
        let _ = host.shutdown(Shutdown::Both);
    });
}

impl Uplink {
    const WIDE: u64 = u64::MAX;

    /// Waits for as long as so many bytes take.
    fn carry(&self, bytes: usize) {
        loop {
            match self.0.load(Ordering::Acquire) {
                Self::WIDE => return,
                0 => thread::sleep(Duration::from_millis(1)),
                bits_per_second => {
                    let micros = bytes as u64 * 8_000_000 / bits_per_second;
                    return thread::sleep(Duration::from_micros(micros));
                }
            }
        }
    }
}

/// Now, as milliseconds since 1970: comparable with a page's `performance.timeOrigin + performance.now()`.
pub fn epoch_ms() -> f64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    now.as_secs_f64() * 1000.0
}

/// Finds messages in a host's bytes.
#[derive(Debug)]
struct Chunks {
    bytes: Vec<u8>,
    skip: usize,
    chunk_size: usize,
    streams: BTreeMap<u32, Message>,
}

#[derive(Debug, Default, Clone)]
struct Message {
    length: usize,
    kind: u8,
    extended: bool,
    payload: Vec<u8>,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            skip: HANDSHAKE,
            chunk_size: 128,
            streams: BTreeMap::new(),
        }
    }
}

impl Chunks {
    /// Takes more bytes; gives how many coded pictures they completed.
    fn feed(&mut self, bytes: &[u8]) -> usize {
        self.bytes.extend_from_slice(bytes);
        let skipped = self.skip.min(self.bytes.len());
        self.bytes.drain(..skipped);
        self.skip -= skipped;
        let mut pictures = 0;
        while let Some(picture) = self.chunk() {
            pictures += usize::from(picture);
        }
        pictures
    }

    /// Takes one chunk off the front; `None` when it is not whole yet.
    fn chunk(&mut self) -> Option<bool> {
        let first = *self.bytes.first()?;
        let (id, mut at) = match first & 0x3f {
            0 => (64 + u32::from(*self.bytes.get(1)?), 2),
            1 => (
                64 + u32::from(*self.bytes.get(1)?) + 256 * u32::from(*self.bytes.get(2)?),
                3,
            ),
            id => (u32::from(id), 1),
        };
        let header = self
            .bytes
            .get(at..at + [11, 7, 3, 0][usize::from(first >> 6)])?;
        at += header.len();
        let mut message = self.streams.get(&id).cloned().unwrap_or_default();
        if let Some(time) = header.get(..3) {
            message.extended = time == [0xff; 3];
        }
        if let (Some(&[a, b, c]), Some(&kind)) = (
            header.get(3..6).and_then(|l| l.first_chunk()),
            header.get(6),
        ) {
            message.length = u32::from_be_bytes([0, a, b, c]) as usize;
            message.kind = kind;
        }
        at += if message.extended { 4 } else { 0 };
        let take = (message.length - message.payload.len()).min(self.chunk_size);
        message
            .payload
            .extend_from_slice(self.bytes.get(at..at + take)?);
        self.bytes.drain(..at + take);
        let whole = message.payload.len() == message.length;
        let payload = if whole {
            std::mem::take(&mut message.payload)
        } else {
            Vec::new()
        };
        let kind = message.kind;
        self.streams.insert(id, message);
        if whole && kind == 1 {
            self.chunk_size = u32::from_be_bytes(*payload.first_chunk()?) as usize;
        }
        // FLV VideoTagHeader: AVC (7) with AVCPacketType 1, a coded picture.
        Some(
            whole
                && kind == 9
                && payload.first().is_some_and(|b| b & 0x0f == 7)
                && payload.get(1) == Some(&1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_counted_however_the_bytes_are_cut() {
        let mut bytes = vec![0; HANDSHAKE];
        bytes.extend([0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 5]); // chunk size 5
        bytes.extend([
            0x06, 0, 0, 0, 0, 0, 7, 9, 1, 0, 0, 0, 0x17, 1, 0, 0, 0, 0xc6, 8, 8,
        ]); // a keyframe in two chunks
        bytes.extend([
            0x04, 0xff, 0xff, 0xff, 0, 0, 2, 8, 1, 0, 0, 0, 0, 0, 0, 9, 0xaf, 1,
        ]); // sound, extended time
        bytes.extend([0x06, 0, 0, 0, 0, 0, 5, 9, 1, 0, 0, 0, 0x17, 0, 0, 0, 0]); // a configuration: no picture
        bytes.extend([0x86, 0, 0, 1, 0x27, 1, 0, 0, 0]); // the next picture, header type 2
        for cut in 1..bytes.len() {
            let (a, b) = bytes.split_at(cut);
            let mut chunks = Chunks::default();
            assert_eq!(chunks.feed(a) + chunks.feed(b), 2, "cut at {cut}");
        }
    }
}
