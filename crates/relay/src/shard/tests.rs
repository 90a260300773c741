//! Shards on the loopback interface, seen by str0m as the viewer: another engine than ours.

mod limits;
mod media;
mod player;
mod sessions;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, Input, Output, Rtc};
use zongzi_webrtc::dtls::Certificate;

use super::{
    BroadcastId, Closed, Config, Entry, FromHub, Histogram, Links, Pass, ShardCounters, ShardId,
    Shards, Source, Times,
};
use crate::hub::{Audience, ShardLink};
use crate::packetize::{Batch, BatchKind};
use crate::whep::{self, Patched, Reach, Whep};

use self::player::Player;
use self::stage::{Stage, noise};

const SHOW: BroadcastId = BroadcastId(7);
/// Bytes of padding at the end of each picture, which the viewer's engine must take off again.
const PADDING: u8 = 5;
/// Packets of a big picture: several messages, and still no more than a socket holds while its reader is kept waiting.
const BIG: usize = 70;
/// No wait of a test is longer: a run that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct House {
    shards: Shards,
    whep: Whep,
    stage: Arc<Stage>,
}

impl House {
    fn open(shards: usize) -> Self {
        Self::with(Config {
            shards,
            quiet: 0,
            ..Config::new("127.0.0.1:0".parse().unwrap())
        })
    }

    fn with(config: Config) -> Self {
        let mut shards = Shards::open(&config).unwrap();
        let epoch = Instant::now();
        let stage = Arc::new(Stage {
            links: shards.links(),
            show: Mutex::default(),
            audience: Arc::default(),
            epoch,
        });
        let source: Arc<dyn Source> = Arc::clone(&stage) as _;
        shards.start(&source, epoch).unwrap();
        let reach = Reach::new(shards.local_addr(), Vec::new());
        let whep = Whep::new(&shards, Certificate::generate().unwrap(), reach).unwrap();
        Self {
            shards,
            whep,
            stage,
        }
    }

    fn join(&self) -> Player {
        self.join_with(None)
    }

    fn join_with(&self, pass: Option<Pass>) -> Player {
        let (mut player, offer, pending) = Player::offer();
        let asked = Some("127.0.0.1:80".parse().unwrap());
        let answer = self
            .whep
            .create(
                SHOW,
                &self.stage.audience,
                &offer,
                None,
                asked,
                pass,
                Instant::now(),
            )
            .unwrap();
        player.session = answer.session_id;
        player.answer = answer.sdp;
        player.accept(pending);
        player
    }

    fn sum(&self, of: impl Fn(&ShardCounters) -> u64) -> u64 {
        self.shards
            .counters()
            .iter()
            .map(|counters| of(counters))
            .sum()
    }
}

/// What came is what the host sent from batch `first` to `last`, whole, in order, byte for byte.
fn expect_video(player: &Player, house: &House, first: u64, last: u64) {
    let came = player.video();
    let show = house.stage.show.lock().unwrap();
    let sent: Vec<&[u8]> = show
        .sent
        .range(first..=last)
        .flat_map(|(_, payloads)| payloads)
        .map(Vec::as_slice)
        .collect();
    let numbers: Vec<u64> = came.keys().copied().collect();
    assert_eq!(numbers.len(), sent.len());
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "a hole"
    );
    assert!(came.values().eq(sent.iter()), "other bytes");
}

fn count(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
