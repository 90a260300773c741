//! HTTP clients that are slow, endless or deaf: each is let go in its time, and costs nobody else anything.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use zongzi_tests::server::Server;
use zongzi_tests::{note, wait};

/// Within which a newcomer is served, whoever else hangs on the server, on a busy machine.
const PROMPT: Duration = Duration::from_secs(2);
/// A request's body may take 10 s.
const BODY_MAX: Duration = Duration::from_secs(16);
/// A server that reads no more of a body leaves its writer with full buffers for this long at the most.
const UNTAKEN_MAX: Duration = Duration::from_secs(2);
/// Data may stay unread for 30 s, and the kernel looks at it now and then.
const UNREAD_MAX: Duration = Duration::from_secs(75);
/// What all deaf clients together may cost, in bytes: each has its share of buffers, and none has what it asked for.
const DEAF_BYTES_MAX: u64 = 16 << 20;
const DEAF: usize = 200;
const SLOW: usize = 50;
/// Chunks of 4 KiB of a body without end: 64 MiB, far more than the kernel's buffers of both sides take by themselves.
const ENDLESS: usize = 16_384;

#[test]
fn bodies_that_drip_or_never_end_are_answered_and_let_go() {
    let server = Server::start();
    let chunked = "transfer-encoding: chunked";
    #[expect(
        clippy::needless_collect,
        reason = "all are open before the first one drips"
    )]
    let open: Vec<_> = [
        ("content-length: 1000", 408),
        // Ten gigabytes are promised and none is sent.
        ("content-length: 10000000000", 408),
        (chunked, 408),
    ]
    .into_iter()
    .cycle()
    .take(SLOW)
    .map(|(length, status)| (posting(&server, length), status))
    .collect();
    let start = Instant::now();
    // One that never ends is refused at the 64 KiB that an offer may have, not at its end.
    let mut endless = posting(&server, chunked);
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    endless
        .set_write_timeout(Some(UNTAKEN_MAX))
        .expect("a timeout is set");
    let sent = (0..ENDLESS)
        .take_while(|_| endless.write_all(chunk.as_bytes()).is_ok())
        .count();
    note(&format!("{sent} chunks of 4 KiB were taken"));
    assert!(sent < ENDLESS, "the server takes a body without end");
    let threads: Vec<_> = open
        .into_iter()
        .map(|(stream, status)| thread::spawn(move || (drip(stream), status)))
        .collect();
    prompt(&server);
    for one in threads {
        let (answer, status) = one.join().expect("a client ends");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    assert!(start.elapsed() < BODY_MAX, "{:?}", start.elapsed());
}

#[test]
fn who_asks_for_much_and_reads_nothing_is_let_go() {
    let server = Server::start();
    let (descriptors, memory) = (server.descriptors(), server.memory_bytes());
    let request = "GET /assets/style.css HTTP/1.1\r\nhost: x\r\n\r\n".repeat(5_000);
    let deaf: Vec<_> = (0..DEAF)
        .map(|_| {
            let mut stream = TcpStream::connect(server.ready.http).expect("the server listens");
            stream
                .set_write_timeout(Some(Duration::from_millis(50)))
                .expect("a timeout is set");
            // What does not fit the buffers on the way is not asked for.
            let _ = stream.write_all(request.as_bytes());
            stream
        })
        .collect();
    prompt(&server);
    let cost = server.memory_bytes().saturating_sub(memory);
    note(&format!("{DEAF} deaf clients cost {} KiB", cost >> 10));
    assert!(
        cost < DEAF_BYTES_MAX,
        "{DEAF} deaf clients cost {cost} bytes"
    );
    assert!(
        server.descriptors() >= descriptors + DEAF / 2,
        "they are not there at all"
    );
    wait::until("the server to let the deaf go", UNREAD_MAX, || {
        (server.descriptors() <= descriptors + 10).then_some(())
    });
    drop(deaf);
    prompt(&server);
}

/// The head of a POST whose body is still to come.
fn posting(server: &Server, length: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.ready.http).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .expect("a timeout is set");
    let head = format!(
        "POST /whep/demo HTTP/1.1\r\nhost: x\r\ncontent-type: application/sdp\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a head is taken");
    stream
}

/// Sends a byte (or a chunk with one) now and then until the server answers; gives what it said.
fn drip(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let start = Instant::now();
    while start.elapsed() < BODY_MAX * 2 {
        let _ = stream.write_all(b"1\r\nx\r\n");
        let mut some = [0; 1_024];
        match stream.read(&mut some) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(some.get(..count).unwrap_or_default()),
            // Nothing yet, or a connection that was reset after its answer.
            Err(_) if said.is_empty() => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn prompt(server: &Server) {
    let start = Instant::now();
    assert_eq!(server.get("/api/public/channels/demo").status, 200);
    let took = start.elapsed();
    assert!(took < PROMPT, "a newcomer was served after {took:?}");
}
