//! Our peer against an independent one: str0m as a WebRTC viewer goes through offer and answer, ICE, DTLS and SRTP with
//! us over an emulated link, in virtual time. `session.rs` drives both, `link.rs` is the link; all chance comes from
//! seeds. (str0m brings the same DTLS engine as we; its ICE, SDP, SRTP, RTP and RTCP are its own.)

mod link;
mod session;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use link::Conditions;
use session::{Session, VIDEO, strange_fingerprint};
use str0m::media::KeyframeRequestKind;
use zongzi_webrtc::dtls;
use zongzi_webrtc::ice::Path;
use zongzi_webrtc::peer::{Feedback, Reason};
use zongzi_webrtc::rtcp::NackPair;

fn calm() -> Conditions {
    Conditions {
        delay: Duration::from_millis(20),
        ..Conditions::default()
    }
}

fn rough() -> Conditions {
    Conditions {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(30),
        loss: 100,
        duplication: 100,
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_viewer_connects_within_three_round_trips_and_gets_media() {
    let mut session = Session::new(calm(), 1);
    session.connect();
    // STUN, then two of DTLS; the viewer hears of the last after half a round trip more. str0m's own pacing is in it.
    let took = session.now - session.started;
    assert!(
        took < 8 * session.link.conditions.delay + SECOND / 10,
        "{took:?}"
    );
    assert_eq!(session.paths.len(), 1);
    session.send_video(0, b"\x65first", false);
    assert!(session.run_until(SECOND, |s| !s.received.is_empty()));
    let packet = &session.received[0];
    assert_eq!(
        (*packet.header.ssrc, &*packet.payload),
        (VIDEO.0, &b"\x65first"[..])
    );
    assert!(packet.header.marker);
    assert_eq!(
        packet.header.ext_vals.mid.map(|mid| mid.to_string()),
        Some(
            session
                .negotiated
                .video
                .as_ref()
                .expect("agreed")
                .mid
                .clone()
        )
    );
    assert_eq!(session.closed, None);
}

#[test]
fn every_viewer_connects_over_a_rough_link() {
    for seed in 1..=30 {
        let mut session = Session::new(rough(), seed);
        let connected =
            session.run_until(10 * SECOND, |s| s.sender.is_some() && s.viewer_connected);
        assert!(
            connected,
            "seed {seed}: {:?} {:?}",
            session.peer, session.closed
        );
    }
}

#[test]
fn one_and_two_lost_flights_of_ours_are_repaired() {
    let mut calm_session = Session::new(calm(), 1);
    calm_session.connect();
    let calm_time = calm_session.now - calm_session.started;
    // The server's datagrams: STUN responses first, among them the DTLS flights. Each one, and each pair.
    for first in 0..8 {
        for second in first..first + 2 {
            let mut session = Session::new(calm(), 1);
            session.lost = vec![first, second];
            session.connect();
            let more = (session.now - session.started).saturating_sub(calm_time);
            assert!(more < 2 * SECOND, "{first} {second}: {more:?}");
        }
    }
}

#[test]
fn media_and_its_repairs_arrive_across_the_sequence_roll_over() {
    let mut session = Session::new(calm(), 1);
    session.connect();
    let payload = |index: u64| [&[0x61][..], &index.to_be_bytes()].concat();
    let first = 65_400;
    let (mut asked, mut repaired) = (0, Vec::new());
    for index in first..first + 300 {
        session.send_video(index, &payload(index), index % 50 == 7);
        session.run(Duration::from_millis(5));
        for feedback in session.feedback.split_off(asked) {
            let Feedback::Nack { media, pair } = feedback else {
                continue;
            };
            assert_eq!(media, VIDEO);
            for sequence in NackPair::sequences(pair) {
                let lost = sequence.index_near(index).expect("a positive index");
                session.send_video_again(lost, &payload(lost), repaired.len() as u64);
                repaired.push(lost);
            }
        }
        asked = session.feedback.len();
    }
    session.run(SECOND / 5);
    let received: BTreeSet<u64> = session
        .received
        .iter()
        .map(|packet| *packet.seq_no)
        .collect();
    let missing: Vec<u64> = (first..first + 300)
        .filter(|index| !received.contains(index))
        .collect();
    assert!(
        missing.is_empty(),
        "missing {missing:?}, repaired {repaired:?}"
    );
    assert!(repaired.contains(&65_607) && repaired.contains(&65_507));
    for packet in &session.received {
        assert_eq!(*packet.payload, payload(*packet.seq_no)[..]);
    }
}

#[test]
fn reports_go_both_ways_and_keyframes_are_asked_for() {
    let mut session = Session::new(calm(), 1);
    session.connect();
    for index in 0..100u32 {
        if index % 20 == 0 {
            session.send_report(index);
        }
        session.send_video(index.into(), b"\x61picture", false);
        session.run(SECOND / 20);
    }
    let sender_info = session
        .received
        .last()
        .and_then(|packet| packet.last_sender_info);
    assert!(sender_info.is_some(), "str0m took our sender report");
    let report = session
        .feedback
        .iter()
        .rev()
        .find_map(|feedback| match feedback {
            Feedback::Report(report) if report.ssrc == VIDEO => Some(*report),
            _ => None,
        })
        .expect("str0m reports");
    assert!(
        report.highest_sequence > 20 && report.lost == 0,
        "{report:?}"
    );
    assert_ne!(report.last_report, 0, "it names our sender report");

    let mut direct = session.viewer.direct_api();
    let stream = direct.stream_rx(&VIDEO.0.into()).expect("it arrives");
    stream.request_keyframe(KeyframeRequestKind::Pli);
    let asked = session.run_until(SECOND, |s| {
        s.feedback
            .contains(&Feedback::KeyframeRequest { media: VIDEO })
    });
    assert!(asked);
}

#[test]
fn a_viewer_with_another_certificate_than_offered_is_refused() {
    let mut session = Session::expecting(calm(), 1, Some(strange_fingerprint()));
    assert!(session.run_until(10 * SECOND, |s| s.closed.is_some()));
    assert_eq!(
        session.closed,
        Some(Reason::Dtls(dtls::Error::FingerprintMismatch))
    );
    assert!(session.sender.is_none());
    assert_eq!(session.peer.poll_timeout(), None);
}

#[test]
fn a_viewer_whose_address_changes_is_followed() {
    let mut session = Session::new(calm(), 1);
    session.connect();
    let before = session.outer_address;
    session.outer_address = SocketAddr::from(([10, 0, 0, 3], 51_000));
    assert!(session.run_until(10 * SECOND, |s| s.paths.len() == 2));
    assert_ne!(session.paths[1].remote, before);
    assert_eq!(
        session.peer.path().map(|path| path.remote),
        Some(session.outer_address)
    );
    session.send_video(0, b"\x65after", false);
    assert!(session.run_until(SECOND, |s| !s.received.is_empty()));
    assert_eq!(session.closed, None);
}

#[test]
fn an_ice_restart_keeps_the_keys_and_the_media() {
    let mut session = Session::new(calm(), 1);
    session.connect();
    session.send_video(0, b"\x65before", false);
    session.run(SECOND);
    session.restart_ice();
    session.run(5 * SECOND);
    assert_eq!(
        session.peer.ice().ufrags().count(),
        1,
        "a check came with the new credentials"
    );
    session.send_video(1, b"\x61after", false);
    assert!(session.run_until(SECOND, |s| s.received.len() == 2));
    // And it lives on by the new checks alone.
    session.run(60 * SECOND);
    assert_eq!(session.closed, None);
}

#[test]
fn a_silent_viewer_is_gone_after_fifteen_seconds_and_a_quiet_one_stays() {
    let mut session = Session::new(calm(), 1);
    session.connect();
    session.run(120 * SECOND);
    assert_eq!(
        session.closed, None,
        "str0m's checks keep it alive without media"
    );

    session.link.conditions.loss = 1_000;
    let last = session.now;
    assert!(session.run_until(30 * SECOND, |s| s.closed.is_some()));
    assert_eq!(session.closed, Some(Reason::Silent));
    let took = session.now - last;
    assert!(
        took > 10 * SECOND && took <= 15 * SECOND + SECOND / 10,
        "{took:?}"
    );
}

#[test]
fn nobody_gets_a_dtls_answer_without_a_check() {
    let mut session = Session::new(calm(), 1);
    assert!(session.run_until(SECOND, |s| s.peer.path().is_some()));
    let path = session.peer.path().expect("just looked");
    let stranger = Path {
        remote: SocketAddr::from(([198, 51, 100, 1], 1)),
        local: None,
    };
    // A true ClientHello, STUN with nothing in it, media, control, and nothing.
    let hello = client_hello(session.now);
    for datagram in [&hello[..], &[0; 100], &[0x80; 100], &[0x80, 200, 0, 1], &[]] {
        session
            .peer
            .handle_datagram(session.now, stranger, datagram);
        assert_eq!(session.peer.poll_transmit(), None);
        assert!(session.peer.poll_event().is_none());
    }
    // The same hello is answered where a check came from.
    session.peer.handle_datagram(session.now, path, &hello);
    let answer = session
        .peer
        .poll_transmit()
        .expect("a server's first flight");
    assert_eq!(answer.path, path);
    assert_eq!(answer.datagram.first(), Some(&22), "a handshake record");
}

fn client_hello(now: Instant) -> Vec<u8> {
    let certificate = dimpl::certificate::generate_self_signed_certificate().expect("made");
    let mut client = dimpl::Dtls::new_12(Arc::new(dimpl::Config::default()), certificate, now);
    client.set_active(true);
    client.handle_timeout(now).expect("it begins");
    let mut buffer = [0; 2_048];
    match client.poll_output(&mut buffer) {
        dimpl::Output::Packet(hello) => hello.to_vec(),
        other => unreachable!("a client begins with its hello, not {other:?}"),
    }
}
