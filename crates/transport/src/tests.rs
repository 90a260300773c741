//! The media port on the loopback interface, against plain sockets of the standard library.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Inbound, MediaPort, MediaSocket, Options, Path, Sender};

fn bind(address: &str, options: &Options) -> Vec<Arc<MediaSocket>> {
    let sockets = MediaPort::bind(address.parse().unwrap(), options).unwrap();
    sockets.into_iter().map(Arc::new).collect()
}

fn peer() -> UdpSocket {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    peer
}

fn path_to(peer: &UdpSocket, local: &str) -> Path {
    Path {
        remote: peer.local_addr().unwrap(),
        local: Some(local.parse().unwrap()),
    }
}

fn receive(peer: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 4096];
    let (len, from) = peer.recv_from(&mut buffer).unwrap();
    (buffer[..len].to_vec(), from)
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Datagrams of these sizes to two peers in turn, each filled with its own number.
fn send_bursts(sender: &mut Sender, paths: &[Path], sizes: &[usize]) {
    for path in paths {
        for (number, size) in (1_u8..).zip(sizes) {
            assert!(sender.datagram(path, *size, |place| {
                place.fill(number);
                true
            }));
        }
    }
    sender.flush();
}

fn expect_burst(peer: &UdpSocket, sizes: &[usize]) {
    for (number, size) in (1_u8..).zip(sizes) {
        assert_eq!(receive(peer).0, vec![number; *size], "datagram {number}");
    }
}

#[test]
fn a_burst_goes_as_one_message_for_each_peer_and_arrives_cut_as_it_was_put_in() {
    let socket = bind("[::]:0", &Options::default()).remove(0);
    let mut sender = Sender::new(Arc::clone(&socket));
    let peers = [peer(), peer()];
    let paths = peers.each_ref().map(|peer| path_to(peer, "127.0.0.1"));
    let sizes = [1200, 1200, 1200, 700];
    send_bursts(&mut sender, &paths, &sizes);
    peers.iter().for_each(|peer| expect_burst(peer, &sizes));
    let counters = socket.counters();
    assert_eq!(count(&counters.sent_messages), 2);
    assert_eq!(count(&counters.send_calls), 1);
    assert_eq!(count(&counters.sent_bytes), 2 * 4300);
}

#[test]
fn sizes_that_do_not_fit_one_message_become_several_in_order() {
    let socket = bind("[::]:0", &Options::default()).remove(0);
    let mut sender = Sender::new(Arc::clone(&socket));
    let peer = peer();
    // Small before large, as before a keyframe; then 100 of a size: more than one message has room for.
    let sizes: Vec<usize> = [60, 1200, 1200, 30, 31]
        .into_iter()
        .chain([1100; 100])
        .collect();
    send_bursts(&mut sender, &[path_to(&peer, "127.0.0.1")], &sizes);
    expect_burst(&peer, &sizes);
    assert_eq!(count(&socket.counters().sent_messages), 5);
}

#[test]
fn without_gso_the_same_datagrams_arrive() {
    let options = Options {
        gso: false,
        ..Options::default()
    };
    let socket = bind("[::]:0", &options).remove(0);
    let mut sender = Sender::new(Arc::clone(&socket));
    let peers = [peer(), peer()];
    let paths = peers.each_ref().map(|peer| path_to(peer, "127.0.0.1"));
    let sizes = [1200, 1200, 1, 5];
    send_bursts(&mut sender, &paths, &sizes);
    peers.iter().for_each(|peer| expect_burst(peer, &sizes));
    assert_eq!(count(&socket.counters().segmented_here), 2);
    assert_eq!(count(&socket.counters().sent_bytes), 2 * 2406);
}

#[test]
fn what_the_kernel_refuses_is_counted_and_harms_nobody_else() {
    let socket = bind("0.0.0.0:0", &Options::default()).remove(0);
    let mut sender = Sender::new(Arc::clone(&socket));
    let peer = peer();
    let good = path_to(&peer, "127.0.0.1");
    let foreign = Path {
        local: Some("192.0.2.77".parse().unwrap()),
        ..good
    };
    let v6 = Path {
        remote: "[::1]:9".parse().unwrap(),
        local: None,
    };
    send_bursts(&mut sender, &[foreign, v6, good], &[800, 800]);
    expect_burst(&peer, &[800, 800]);
    assert_eq!(count(&socket.counters().dropped_refused), 4);
}

#[test]
fn the_answer_leaves_from_the_address_that_was_asked() {
    for listen in ["[::]:0", "0.0.0.0:0"] {
        let socket = bind(listen, &Options::default()).remove(0);
        let port = socket.local_addr().port();
        let asked: SocketAddr = format!("127.0.0.2:{port}").parse().unwrap();
        let peer = peer();
        peer.send_to(b"hello", asked).unwrap();
        let ready = socket.wait(Some(Duration::from_secs(5)), || true).unwrap();
        assert!(ready.readable);
        let mut inbound = Inbound::new(&socket);
        assert_eq!(inbound.receive(&socket).unwrap(), 1);
        let datagram = inbound.datagrams().next().unwrap();
        assert_eq!(&*datagram.data, b"hello");
        assert_eq!(datagram.path.remote, peer.local_addr().unwrap());
        assert_eq!(datagram.path.local, Some(asked.ip()));
        let path = datagram.path;
        let mut sender = Sender::new(socket);
        send_bursts(&mut sender, &[path], &[900, 900, 3]);
        for _ in 0..3 {
            assert_eq!(receive(&peer).1, asked, "{listen}");
        }
    }
}

#[test]
fn one_port_serves_ipv6_and_ipv4() {
    let socket = bind("[::]:0", &Options::default()).remove(0);
    let port = socket.local_addr().port();
    let mut inbound = Inbound::new(&socket);
    for (listen, to) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let peer = UdpSocket::bind(listen).unwrap();
        peer.send_to(b"x", (to, port)).unwrap();
        assert!(
            socket
                .wait(Some(Duration::from_secs(5)), || true)
                .unwrap()
                .readable
        );
        assert_eq!(inbound.receive(&socket).unwrap(), 1);
        let path = inbound.datagrams().next().unwrap().path;
        let expected = Path {
            remote: peer.local_addr().unwrap(),
            local: Some(to.parse().unwrap()),
        };
        assert_eq!(path, expected);
    }
}

#[test]
fn every_socket_of_the_port_gets_its_share_of_peers_and_keeps_them() {
    let options = Options {
        sockets: 2,
        ..Options::default()
    };
    let sockets = bind("[::]:0", &options);
    let port = sockets[0].local_addr().port();
    let peers: Vec<UdpSocket> = std::iter::repeat_with(peer).take(64).collect();
    let mut owners: Vec<Vec<SocketAddr>> = Vec::new();
    for _round in 0..2 {
        for peer in &peers {
            peer.send_to(b"x", ("127.0.0.1", port)).unwrap();
        }
        owners.extend(sockets.iter().map(|socket| {
            let mut inbound = Inbound::new(socket);
            let mut seen = Vec::new();
            while inbound.receive(socket).unwrap() > 0 {
                seen.extend(inbound.datagrams().map(|datagram| datagram.path.remote));
            }
            seen
        }));
    }
    assert_eq!(owners[0].len() + owners[1].len(), 64);
    assert!(owners[0].len() > 10 && owners[1].len() > 10, "{owners:?}");
    assert_eq!(owners[0], owners[2]);
    assert_eq!(owners[1], owners[3]);
}

#[test]
fn a_port_in_use_is_an_error_even_for_the_same_user() {
    let options = Options {
        sockets: 2,
        ..Options::default()
    };
    let sockets = bind("[::]:0", &options);
    let taken = sockets[0].local_addr();
    let error = MediaPort::bind(taken, &options).unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&taken.port().to_string()));
}

#[test]
fn a_wake_is_never_lost_and_wakes_once() {
    let socket = bind("127.0.0.1:0", &Options::default()).remove(0);
    let waker = socket.waker();
    let long = Some(Duration::from_secs(5));
    // From another thread, whenever it comes.
    let other = std::thread::spawn(move || waker.wake());
    other.join().unwrap();
    // Before the sleep was announced: the queue tells (here: by `idle`).
    assert!(!socket.wait(long, || false).unwrap().readable);
    // After it was announced: the event tells.
    let waker = socket.waker();
    assert!(
        socket
            .wait(long, || {
                waker.wake();
                waker.wake();
                true
            })
            .unwrap()
            .woken
    );
    let ready = socket
        .wait(Some(Duration::from_millis(1)), || true)
        .unwrap();
    assert!(!ready.woken && !ready.readable);
}
