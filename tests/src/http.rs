//! HTTP/1.1 by hand: one request, one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Events that may wait for whoever follows; then the server waits.
const EVENTS_MAX: usize = 1_000;

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header lines, as they came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends one request and reads the whole answer.
///
/// # Panics
/// When there is no HTTP answer in time.
pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    try_request(to, method, path, headers, body)
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// Sends one request and reads the beginning of an answer that may never end: its head and what comes with it.
///
/// # Panics
/// When there is no HTTP answer in time.
pub fn beginning(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let read = || -> std::io::Result<Response> {
        let mut stream = send(to, method, path, headers, "")?;
        let mut bytes = Vec::new();
        loop {
            let mut some = [0; 4_096];
            let count = stream.read(&mut some)?;
            bytes.extend_from_slice(some.get(..count).unwrap_or_default());
            let text = String::from_utf8_lossy(&bytes);
            let whole = text
                .split_once("\r\n\r\n")
                .is_some_and(|(_, body)| !body.is_empty());
            if count == 0 || whole {
                return parse_head(&text).ok_or_else(|| std::io::Error::other("no HTTP answer"));
            }
        }
    };
    read().unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// Like [`request`], for where the server may rightly refuse.
///
/// # Errors
/// When the connection fails or the answer is not HTTP.
pub fn try_request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Response> {
    let mut stream = send(to, method, path, headers, body)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| std::io::Error::other("no HTTP answer"))
}

fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&to, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes())?;
    Ok(stream)
}

fn parse(text: &str) -> Option<Response> {
    let mut response = parse_head(text)?;
    if response.header("transfer-encoding") == Some("chunked") {
        response.body = dechunk(&response.body)?;
    }
    Some(response)
}

fn parse_head(text: &str) -> Option<Response> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Response {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// RFC 9112 §7.1.
fn dechunk(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size + 2..)?;
    }
}

/// Server-sent events, as they come (HTML standard, "Server-sent events").
#[derive(Debug)]
pub struct Events {
    data: mpsc::Receiver<String>,
}

impl Events {
    /// Follows `path` until this is dropped or the server ends it.
    ///
    /// # Panics
    /// When there is no connection.
    pub fn follow(to: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect_timeout(&to, ANSWER_MAX).expect("the server listens");
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes())
            .expect("a request can be sent");
        let (tell, data) = mpsc::sync_channel(EVENTS_MAX);
        thread::spawn(move || {
            let lines = BufReader::new(stream).lines().map_while(Result::ok);
            let told = lines.filter_map(|line| Some(line.strip_prefix("data: ")?.to_owned()));
            for data in told {
                if tell.send(data).is_err() {
                    return;
                }
            }
        });
        Self { data }
    }

    /// The data of the events that have come since the last call.
    pub fn new_ones(&self) -> Vec<String> {
        self.data.try_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_answers_are_joined() {
        let text = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let response = parse(text).unwrap();
        assert_eq!((response.status, response.body.as_str()), (201, "abcde"));
        assert_eq!(response.header("transfer-ENCODING"), Some("chunked"));
    }
}
