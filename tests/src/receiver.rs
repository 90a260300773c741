//! A receiver of webhooks, well or badly behaved.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::wait;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Header lines, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a hook's body is JSON")
    }
}

/// What is answered: status, body, and how long that takes.
pub type Answer = (u16, String, Duration);

/// The server of another program.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    came: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Starts one that answers each request as `answer` says, many at a time.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), answer)
    }

    /// The same at a given address.
    pub fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("the receiver's port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let came = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&came), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else {
                        return;
                    };
                    log.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(request.clone());
                    let (status, body, delay) = answer(&request);
                    std::thread::sleep(delay);
                    let head = format!(
                        "HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let mut stream = stream;
                    // Who asked may have gone.
                    let _ = stream.write_all((head + &body).as_bytes());
                });
            }
        });
        Self { address, came }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What came so far.
    pub fn came(&self) -> Vec<Request> {
        self.came
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until `count` requests have come.
    pub fn wait(&self, count: usize) -> Vec<Request> {
        let what = format!("{count} requests at the receiver");
        wait::until(&what, Duration::from_secs(20), || {
            Some(self.came()).filter(|came| came.len() >= count)
        })
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    let mut line = String::new();
    // The request line says nothing that a test wants to know.
    reader.read_line(&mut line).ok()?;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        headers,
        body: String::new(),
    };
    let length = request.header("content-length").parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}
