//! Our publisher against our server: that both run to their end together. What each does by itself is compared with
//! real programs elsewhere.

use crate::support::Server;
use zongzi_rtmp::client::{Event as Heard, Session, Settings};
use zongzi_rtmp::flv::file::{Kind, Tag};
use zongzi_rtmp::server::Event;
use zongzi_rtmp::{Handshake, Limits};

/// Carries bytes between the two until both are silent.
fn exchange(client: &mut Session, server: &mut Server) -> Vec<Heard> {
    let mut heard = Vec::new();
    loop {
        let up = client.poll_output().unwrap_or_default();
        server.feed(&up).expect("the client keeps the rules");
        let down = std::mem::take(&mut server.output);
        client.input(&down).expect("the server keeps the rules");
        while let Some(event) = client.poll_event() {
            heard.push(event);
        }
        if up.is_empty() && down.is_empty() {
            return heard;
        }
    }
}

fn settings(handshake: Handshake, chunk_size: u32) -> Settings {
    Settings {
        handshake,
        chunk_size,
        ..Settings::new("localhost", "live", "sk_1")
    }
}

fn tag(kind: Kind, timestamp_ms: u32, body: &'static [u8]) -> Tag {
    Tag {
        kind,
        timestamp_ms,
        body: body.into(),
    }
}

#[test]
fn a_stream_is_published_from_connect_to_its_end() {
    for (handshake, chunk_size) in [
        (Handshake::Simple, 4_096),
        (Handshake::Digest, 128),
        (Handshake::Simple, 1),
    ] {
        let mut server = Server::new(Limits::default());
        let mut client = Session::new(settings(handshake, chunk_size), [3; 32]);
        client.send(&tag(Kind::Audio, 0, b"too early"));
        assert_eq!(exchange(&mut client, &mut server), [Heard::Publishing]);
        client.send(&tag(
            Kind::Data,
            0,
            b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09",
        ));
        client.send(&tag(Kind::Audio, 0, b"\xaf\0\x11\x90"));
        client.send(&tag(Kind::Audio, 20, b"\xaf\x01sound"));
        client.send(&tag(Kind::Audio, 0xff_ffff, b"\xaf\x01later"));
        client.unpublish();
        assert_eq!(exchange(&mut client, &mut server), [Heard::Unpublished]);
        let seen: Vec<String> = server
            .events
            .iter()
            .map(|event| match event {
                Event::Publish(asked) => format!("publish {}", asked.stream.expose()),
                Event::Metadata(_) => "metadata".to_owned(),
                Event::Track(track) => track.codec.name().to_owned(),
                Event::Frame(frame) => format!("frame at {}", frame.dts.as_millis()),
                Event::Unpublish => "unpublish".to_owned(),
                _ => "?".to_owned(),
            })
            .collect();
        assert_eq!(
            seen,
            [
                "publish sk_1",
                "metadata",
                "AAC",
                "frame at 20",
                "frame at 16777215",
                "unpublish"
            ]
        );
    }
}

#[test]
fn a_refused_client_hears_the_words() {
    let mut server = Server::new(Limits::default());
    server.accept = false;
    let mut client = Session::new(settings(Handshake::Simple, 4_096), [3; 32]);
    let refused = Heard::Refused {
        code: "NetStream.Publish.BadName".to_owned(),
        description: "no such key".to_owned(),
    };
    assert_eq!(exchange(&mut client, &mut server), [refused]);
    assert!(!client.is_publishing());
}

#[test]
fn the_settings_never_print_the_key() {
    assert!(!format!("{:?}", settings(Handshake::Simple, 1)).contains("sk_1"));
    let client = Session::new(settings(Handshake::Simple, 1), [0; 32]);
    assert!(!format!("{client:?}").contains("sk_1"));
}
