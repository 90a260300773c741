//! A shard's turns without its thread: the test says when each second is over.

use std::net::SocketAddr;

use zongzi_transport::{MediaPort, MediaSocket, Options};

use super::*;
use crate::hub::{Audience, ShardLink};
use crate::shard::inbox::Links;
use crate::shard::session::Sessions;
use crate::shard::worker::cadence::Cadence;
use crate::shard::{ShardId, Source};

const SHOW: BroadcastId = BroadcastId(1);

struct Nobody;

impl Source for Nobody {
    fn subscribe(&self, _: ShardId, _: BroadcastId) -> Option<Arc<Audience>> {
        None
    }

    fn unsubscribe(&self, _: ShardId, _: BroadcastId) {}

    fn request_keyframe(&self, _: BroadcastId) {}
}

/// A shard that has one broadcast, and the way to it.
fn shard() -> (Worker, Arc<Links>) {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut sockets = MediaPort::bind(loopback, &Options::default()).unwrap();
    let (links, inboxes) = Links::new(sockets.iter().map(MediaSocket::waker).collect());
    let (inbox, counters) = inboxes.into_iter().next().unwrap();
    let links = Arc::new(links);
    let sessions = Sessions::new(10, 0, vec![Arc::clone(&counters)]);
    let mut worker = Worker::new(
        ShardId(0),
        sockets.remove(0),
        inbox,
        Arc::clone(&links),
        Arc::new(sessions),
        Arc::new(Nobody),
        counters,
        Instant::now(),
    );
    let channel = Channel {
        feed: Feed::default(),
        audience: None,
        sound: Vec::new(),
        sound_due: None,
        cadence: Cadence::default(),
        pictures_due: None,
        viewers: Vec::new(),
        sessions: 0,
        subscribed: Instant::now(),
        asked: None,
    };
    worker.broadcasts.insert(SHOW, channel);
    (worker, links)
}

fn picture(sequence: u64, received: Instant) -> Arc<Batch> {
    let keyframe = sequence == 0;
    let rtp_time = u32::try_from(sequence * 3_000).unwrap();
    let kind = BatchKind::Video { keyframe };
    let data = vec![0; 10].into();
    Arc::new(Batch::new(
        kind,
        sequence,
        0,
        rtp_time,
        received,
        data,
        vec![10].into(),
    ))
}

#[test]
fn what_is_late_is_taken_in_one_go_and_not_sent() {
    let (mut worker, links) = shard();
    let now = Instant::now();
    let long_ago = now.checked_sub(Duration::from_secs(2)).unwrap();
    for sequence in 0..8_000 {
        let batch = picture(sequence, long_ago);
        assert!(links.send(
            ShardId(0),
            FromHub::Batch {
                broadcast: SHOW,
                batch
            }
        ));
    }
    // One turn has 20 ms; a machine that stands still meanwhile gets some more.
    let turns = (1..=8).find(|_| !worker.take_live(Instant::now()));
    assert!(turns.is_some(), "of 8,000 some are left after 8 turns");
    let late = worker.counters.late.load(Relaxed);
    assert!(late >= 4_000, "{late} were late");
}

#[test]
fn a_shard_that_stays_behind_goes_on_with_the_next_keyframe() {
    let (mut worker, _links) = shard();
    let start = Instant::now();
    let channel = worker.broadcasts.get_mut(&SHOW).unwrap();
    channel.feed.push(&picture(0, start));
    channel.feed.push(&picture(1, start));
    let end = |worker: &Worker| {
        worker
            .broadcasts
            .get(&SHOW)
            .and_then(|channel| channel.feed.end())
    };
    for second in 1..=5 {
        assert_eq!(end(&worker), Some(2), "after {second} s");
        worker.capacity.late();
        worker.weigh(start + Duration::from_millis(1_100) * second);
    }
    assert_eq!(end(&worker), None);
    assert_eq!(worker.counters.left_out.load(Relaxed), 1);
}
