//! A handshake of rtc-dtls 0.21.1 with itself, in virtual time, in which one flight of the server is lost once.
//! `cargo run --release` prints whether it ever completes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_dtls::config::ConfigBuilder;
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_shared::TransportProtocol;

fn main() {
    println!("no flight lost:            {}", handshake(None));
    println!("server's first flight lost: {}", handshake(Some(0)));
    println!("server's second flight lost: {}", handshake(Some(1)));
}

/// Runs for 30 virtual seconds; loses the server's answer number `lost`.
fn handshake(lost: Option<usize>) -> String {
    let client_address: SocketAddr = "127.0.0.1:1000".parse().expect("an address");
    let server_address: SocketAddr = "127.0.0.1:2000".parse().expect("an address");
    let provider = rtc_crypto::default_provider().expect("a provider");
    let builder = || {
        let certificate =
            Certificate::generate_self_signed(vec!["localhost".to_owned()], provider.crypto()).expect("a certificate");
        ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate])
            .with_insecure_skip_verify(true)
    };
    let server_config = builder().build(false, None).expect("a server config");
    let client_config = builder().build(true, Some(server_address)).expect("a client config");
    let mut server = Endpoint::new(server_address, TransportProtocol::UDP, Some(Arc::new(server_config)));
    let mut client = Endpoint::new(client_address, TransportProtocol::UDP, None);

    let start = Instant::now();
    let mut now = start;
    client.connect(now, server_address, Arc::new(client_config), None).expect("connect");
    let mut answers = 0;
    let mut unanswered = 0;
    while now < start + Duration::from_secs(30) {
        let mut to_server = Vec::new();
        while let Some(out) = client.poll_transmit() {
            to_server.push(out.message);
        }
        let asked = !to_server.is_empty();
        let mut done = false;
        for datagram in to_server {
            let events = server.read(now, client_address, None, datagram).unwrap_or_default();
            done |= events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete));
        }
        if done {
            return format!("complete after {:?}", now - start);
        }
        let mut flight = Vec::new();
        while let Some(out) = server.poll_transmit() {
            flight.push(out.message);
        }
        if flight.is_empty() {
            unanswered += usize::from(asked);
        } else {
            if Some(answers) != lost {
                for datagram in flight {
                    client.read(now, server_address, None, datagram).ok();
                }
            }
            answers += 1;
        }
        now += Duration::from_millis(10);
        if client.poll_timeout(&server_address).is_some_and(|at| at <= now) {
            client.handle_timeout(server_address, now).ok();
        }
        if server.poll_timeout(&client_address).is_some_and(|at| at <= now) {
            server.handle_timeout(client_address, now).ok();
        }
    }
    let timer = server.poll_timeout(&client_address).map(|at| at - start);
    format!("never in 30 s; {unanswered} flights of the client unanswered, the server's timer is {timer:?}")
}
