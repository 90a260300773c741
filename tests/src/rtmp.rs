//! RTMP by hand, well or badly: what no good client would send has to be written byte by byte (RTMP 1.0, AMF0).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long the server may take to answer or to close.
const ANSWER_MAX: Duration = Duration::from_secs(12);
/// Our chunk size unless a test says another.
const CHUNK: usize = 4096;
/// The same as Set Chunk Size carries it (RTMP 1.0 §5.4.1).
const CHUNK_SIZE: [u8; 4] = [0, 0, 0x10, 0];

/// A connection to an RTMP server.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Client {
    /// Connects, without a word.
    ///
    /// # Errors
    /// When the server does not take connections.
    pub fn connect(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            heard: Vec::new(),
        })
    }

    /// Shakes hands (RTMP 1.0 §5.2) and raises the chunk size.
    ///
    /// # Errors
    /// When the server ends it.
    pub fn shake_hands(&mut self) -> std::io::Result<()> {
        let mut c0c1 = vec![7; 1 + 1536];
        c0c1[0] = 3;
        c0c1[1..9].fill(0);
        self.send(&c0c1)?;
        let mut answer = vec![0; 1 + 1536 + 1536];
        self.stream.read_exact(&mut answer)?;
        self.send(&answer[1..=1536])?;
        self.send(&message(2, 1, 0, &CHUNK_SIZE, 128))
    }

    /// connect, createStream and publish as ffmpeg does; `true` when the server says NetStream.Publish.Start.
    ///
    /// # Errors
    /// When the server ends it.
    pub fn publish(&mut self, key: &str) -> std::io::Result<bool> {
        self.ask_to_publish(key)?;
        Ok(self
            .hear("NetStream.Publish.")?
            .contains("NetStream.Publish.Start"))
    }

    /// The same without waiting for the answer to publish.
    ///
    /// # Errors
    /// When the server ends it.
    pub fn ask_to_publish(&mut self, key: &str) -> std::io::Result<()> {
        self.shake_hands()?;
        self.command(0, &connect())?;
        self.hear("_result")?;
        self.command(
            0,
            &[string("createStream"), number(2.0), NULL.to_vec()].concat(),
        )?;
        self.hear("_result")?;
        let publish = [
            string("publish"),
            number(3.0),
            NULL.to_vec(),
            string(key),
            string("live"),
        ]
        .concat();
        self.command(1, &publish)
    }

    /// Sends an AMF0 command on message stream `stream`.
    ///
    /// # Errors
    /// When the server ends it.
    pub fn command(&mut self, stream: u32, body: &[u8]) -> std::io::Result<()> {
        self.send(&message(3, 20, stream, body, CHUNK))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the server ends it.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads until the server's bytes hold `word`; gives all text heard so far and forgets it.
    ///
    /// # Errors
    /// When the server ends it or says nothing.
    pub fn hear(&mut self, word: &str) -> std::io::Result<String> {
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&self.heard).into_owned();
            if text.contains(word) {
                self.heard.clear();
                return Ok(text);
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => self
                    .heard
                    .extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    /// Whether the server closes the connection within `most`. What it says before is read and forgotten.
    pub fn is_closed_within(&mut self, most: Duration) -> bool {
        let start = std::time::Instant::now();
        let mut buffer = [0; 4096];
        while let Some(left) = most
            .checked_sub(start.elapsed())
            .filter(|left| !left.is_zero())
        {
            self.stream
                .set_read_timeout(Some(left))
                .expect("a span above zero can be set");
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => return true,
            }
        }
        false
    }
}

/// A whole message in chunks of `chunk` bytes on chunk stream `id` (2 to 63).
pub fn message(id: u8, kind: u8, stream: u32, body: &[u8], chunk: usize) -> Vec<u8> {
    let mut bytes = chunk_header(id, 0, body.len(), kind, stream);
    for (index, part) in body.chunks(chunk).enumerate() {
        if index > 0 {
            bytes.push(0xc0 | id);
        }
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A type 0 chunk header (RTMP 1.0 §5.3.1.2.1) that declares `length` bytes.
pub fn chunk_header(id: u8, time: u32, length: usize, kind: u8, stream: u32) -> Vec<u8> {
    let length = u32::try_from(length).expect("a message is under 4 GiB");
    let mut bytes = vec![id];
    bytes.extend_from_slice(&time.to_be_bytes()[1..]);
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.push(kind);
    bytes.extend_from_slice(&stream.to_le_bytes());
    bytes
}

/// AMF0's null.
pub const NULL: [u8; 1] = [5];

/// An AMF0 string.
pub fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len())
        .expect("a short string")
        .to_be_bytes();
    [&[2], &length[..], text.as_bytes()].concat()
}

/// An AMF0 number.
pub fn number(value: f64) -> Vec<u8> {
    [&[0], &value.to_be_bytes()[..]].concat()
}

/// An AMF0 object nested `depth` times.
pub fn nested(depth: usize) -> Vec<u8> {
    [3, 0, 1, b'a'].repeat(depth)
}

/// The command that every client begins with.
pub fn connect() -> Vec<u8> {
    let property = |name: &str, value: Vec<u8>| [&string(name)[1..], &value].concat();
    [
        string("connect"),
        number(1.0),
        vec![3],
        property("app", string("live")),
        property("type", string("nonprivate")),
        property("flashVer", string("zongzi-tests")),
        property("tcUrl", string("rtmp://127.0.0.1/live")),
        vec![0, 0, 9],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_into_chunks() {
        let bytes = message(3, 20, 1, b"abcde", 2);
        assert_eq!(
            bytes,
            [
                &[3, 0, 0, 0, 0, 0, 5, 20, 1, 0, 0, 0][..],
                b"ab",
                &[0xc3],
                b"cd",
                &[0xc3],
                b"e"
            ]
            .concat()
        );
    }
}
