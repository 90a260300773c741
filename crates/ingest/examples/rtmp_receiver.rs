//! Takes RTMP hosts in and prints what they send, for trying encoders by hand:
//! `cargo run -p zongzi-ingest --example rtmp_receiver -- 127.0.0.1:1935`, then publish to `rtmp://127.0.0.1:1935/live`
//! with the key `good`. Every other key is refused. A second host takes over.
#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use zongzi_ingest::rtmp::{Server, Settings};
use zongzi_ingest::{
    Admitted, End, Finish, KeyCheck, KeyRefusal, Media, Publication, Publish, PublishRefusal,
    PublishRequest, StreamKey,
};

struct OneKey;

impl KeyCheck for OneKey {
    async fn check(&self, key: StreamKey, _peer: IpAddr) -> Result<Admitted, KeyRefusal> {
        if key.expose() != "good" {
            return Err(KeyRefusal::Unknown);
        }
        Ok(Admitted {
            channel: "demo".parse().map_err(|_invalid| KeyRefusal::Unavailable)?,
            key_id: "example".to_owned(),
        })
    }
}

#[derive(Default)]
struct Printer {
    /// Dropped to end the publication before.
    current: Mutex<Option<oneshot::Sender<()>>>,
}

struct Printing {
    ended: oneshot::Receiver<()>,
    frames: u64,
    bytes: usize,
}

impl Publish for Printer {
    type Publication = Printing;

    async fn begin(&self, request: PublishRequest) -> Result<Printing, PublishRefusal> {
        println!("{request:?}");
        let (sender, ended) = oneshot::channel();
        if let Ok(mut current) = self.current.lock() {
            *current = Some(sender);
        }
        Ok(Printing {
            ended,
            frames: 0,
            bytes: 0,
        })
    }
}

impl Publication for Printing {
    async fn send(&mut self, media: Media) -> Result<(), End> {
        match media {
            Media::Track(track) => {
                println!(
                    "{:?}: {} {:?}",
                    track.id,
                    track.codec.name(),
                    track.codec.rfc6381()
                );
            }
            Media::Frame(frame) => {
                self.frames += 1;
                self.bytes += frame.payload.len();
                if frame.track == zongzi_media::TrackId::VIDEO && frame.keyframe {
                    println!("keyframe at {:?}, {} bytes", frame.dts, frame.payload.len());
                }
            }
        }
        Ok(())
    }

    async fn ended(&mut self) -> End {
        let _dropped = (&mut self.ended).await;
        End::TakenOver
    }

    fn finish(self, how: Finish) {
        println!("{how:?} after {} frames, {} bytes", self.frames, self.bytes);
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .init();
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:1935".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("can't listen on {address}"))?;
    println!("listening on {}", listener.local_addr()?);
    let server = Server::new(
        Settings::default(),
        Arc::new(OneKey),
        Arc::new(Printer::default()),
    );
    server.run(listener, std::future::pending()).await;
    Ok(())
}
