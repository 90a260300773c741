//! The hub's shell on tokio's stopped clock: tasks run until all are idle, then time jumps.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::time::{advance, timeout};
use zongzi_media::Frame;

use super::*;
use crate::fixture::{Picture, Sound, aac_track, h264_track, picture, sound};
use crate::packetize::BatchKind;
use crate::rendition::{AudioRendition, Effort, RenditionError};
use crate::shard::FromHub;

/// Keeps what shards got; `open` is the room that is left in their queue.
#[derive(Default)]
struct Shards {
    got: Mutex<Vec<FromHub>>,
    full: std::sync::atomic::AtomicBool,
}

impl ShardLink for Shards {
    fn send(&self, _: ShardId, message: FromHub) -> bool {
        let room = !self.full.load(Ordering::SeqCst);
        if room {
            lock(&self.got).push(message);
        }
        room
    }
}

impl Shards {
    fn count(&self, matching: impl Fn(&FromHub) -> bool) -> usize {
        lock(&self.got)
            .iter()
            .filter(|message| matching(message))
            .count()
    }

    fn batches(&self, kind: BatchKind) -> usize {
        self.count(|message| matches!(message, FromHub::Batch { batch, .. } if batch.kind == kind))
    }

    fn pictures(&self) -> usize {
        self.batches(BatchKind::Video { keyframe: true })
            + self.batches(BatchKind::Video { keyframe: false })
    }
}

struct Copy;

impl AudioRendition for Copy {
    fn push(
        &mut self,
        frame: &Frame,
        _: Effort,
        out: &mut Vec<Frame>,
    ) -> Result<(), RenditionError> {
        out.push(frame.clone());
        Ok(())
    }

    fn restart(&mut self) {}
}

fn hub(change: impl FnOnce(&mut Config)) -> (Hub, Arc<Shards>) {
    let mut config = Config::default();
    change(&mut config);
    let shards = Arc::new(Shards::default());
    let link: Arc<dyn ShardLink> = Arc::clone(&shards) as _;
    (
        Hub::new(
            config,
            now(),
            link,
            Arc::new(Sound(|| Ok(Box::new(Copy) as _))),
        )
        .unwrap(),
        shards,
    )
}

fn host(key_id: &str) -> Host {
    Host {
        key_id: key_id.to_owned(),
        protocol: "rtmp",
        peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)),
        client: Some("test".to_owned()),
        takeover: Takeover::Newest,
    }
}

fn name(name: &str) -> ChannelName {
    name.parse().unwrap()
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn pictures(publication: &mut Publication, frames: i64) {
    publication.send(Media::Track(h264_track(1))).await.unwrap();
    for number in 0..frames {
        let kind = if number == 0 {
            Picture::Idr
        } else {
            Picture::P
        };
        publication
            .send(Media::Frame(picture(number * 40_000, kind, 500)))
            .await
            .unwrap();
    }
    settle().await;
}

fn state(hub: &Hub, channel: &ChannelName) -> State {
    hub.status(channel).unwrap().state
}

#[tokio::test(start_paused = true)]
async fn a_viewer_who_came_first_sees_the_host_who_comes_later() {
    let (hub, shards) = hub(|_| {});
    let demo = name("demo");
    let id = hub.broadcast_id(&demo).unwrap();
    let audience = hub.subscribe(ShardId(0), id).unwrap();
    let _visit = audience.enter("webrtc", None);
    settle().await;
    assert_eq!(
        shards.count(|message| matches!(message, FromHub::Snapshot { .. })),
        1
    );
    assert_eq!(state(&hub, &demo), State::Waiting);
    let mut events = hub.events();
    let mut publication = hub.publish(&demo, host("k1")).unwrap();
    pictures(&mut publication, 3).await;
    assert_eq!(shards.pictures(), 3);
    let status = hub.status(&demo).unwrap();
    assert_eq!(
        (status.state, status.broadcast, status.audience.viewers),
        (State::Live, id, 1)
    );
    assert!(status.since.is_some());
    assert_eq!((status.tracks[0].codec, status.tracks.len()), ("H.264", 1));
    assert_eq!(status.host.as_ref().unwrap().key_id, "k1");
    assert_eq!(events.recv().await.unwrap().what, What::Started);
    assert_eq!(hub.live(), [status]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_host_wins_and_the_old_one_is_told() {
    let (hub, shards) = hub(|_| {});
    let demo = name("demo");
    let id = hub.broadcast_id(&demo).unwrap();
    hub.subscribe(ShardId(0), id).unwrap();
    let mut old = hub.publish(&demo, host("k1")).unwrap();
    pictures(&mut old, 2).await;
    let mut new = hub.publish(&demo, host("k2")).unwrap();
    assert_eq!(old.ended().await, Ended::TakenOver);
    assert_eq!(
        old.send(Media::Track(h264_track(1))).await,
        Err(Ended::TakenOver)
    );
    old.finish(Finish::Orderly);
    pictures(&mut new, 2).await;
    assert_eq!((shards.pictures(), state(&hub, &demo)), (4, State::Live));
    assert_eq!(hub.status(&demo).unwrap().host.unwrap().key_id, "k2");
    let counts = hub.counts();
    assert_eq!(
        (counts.publications_opened, counts.publications_closed),
        (2, 1)
    );
    assert_eq!(counts.takeovers, 1);
    assert_eq!(
        shards.count(|message| matches!(message, FromHub::Ended { .. })),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_channel_may_keep_its_first_host() {
    let (hub, _) = hub(|_| {});
    let demo = name("demo");
    let refusing = || Host {
        takeover: Takeover::Refuse,
        ..host("k")
    };
    let first = hub.publish(&demo, refusing()).unwrap();
    assert_eq!(
        hub.publish(&demo, refusing()).unwrap_err(),
        Refused::Busy(demo.clone())
    );
    assert_eq!(hub.counts().refused, BTreeMap::from([("busy", 1)]));
    drop(first);
    hub.publish(&demo, refusing()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_encoders_that_fight_for_a_channel_are_parted() {
    let (hub, _) = hub(|_| {});
    let demo = name("demo");
    let mut hosts = vec![];
    for _ in 0..7 {
        hosts.push(hub.publish(&demo, host("k")).unwrap());
        advance(Duration::from_secs(1)).await;
    }
    let again = Duration::from_secs(30);
    let storm = Refused::TakeoverStorm {
        channel: demo.clone(),
        again,
    };
    assert_eq!(hub.publish(&demo, host("k")).unwrap_err(), storm);
    assert!(
        timeout(Duration::from_secs(1), hosts[6].ended())
            .await
            .is_err(),
        "the newest stays"
    );
    advance(Duration::from_secs(29)).await;
    hub.publish(&demo, host("k")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_host_has_30_seconds_and_media_before_its_end_is_played() {
    let (hub, shards) = hub(|_| {});
    let demo = name("demo");
    let id = hub.broadcast_id(&demo).unwrap();
    hub.subscribe(ShardId(0), id).unwrap();
    let mut publication = hub.publish(&demo, host("k")).unwrap();
    publication.send(Media::Track(h264_track(1))).await.unwrap();
    publication
        .send(Media::Frame(picture(0, Picture::Idr, 500)))
        .await
        .unwrap();
    drop(publication);
    settle().await;
    assert_eq!(
        (shards.pictures(), state(&hub, &demo)),
        (1, State::Interrupted)
    );
    let since = hub.status(&demo).unwrap().since;
    tokio::time::sleep(Duration::from_millis(29_900)).await;
    assert_eq!(state(&hub, &demo), State::Interrupted);
    let mut publication = hub.publish(&demo, host("k")).unwrap();
    pictures(&mut publication, 1).await;
    assert_eq!(
        (state(&hub, &demo), hub.status(&demo).unwrap().since),
        (State::Live, since)
    );
    publication.finish(Finish::Orderly);
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    assert_eq!((state(&hub, &demo), hub.live().len()), (State::Waiting, 0));
    assert_eq!(
        shards.count(|message| matches!(message, FromHub::Ended { .. })),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_and_a_kick_end_the_host_at_once() {
    let (hub, _) = hub(|_| {});
    let (one, two) = (name("one"), name("two"));
    let mut first = hub.publish(&one, host("k1")).unwrap();
    let mut second = hub.publish(&two, host("k2")).unwrap();
    settle().await;
    assert_eq!(
        (hub.end_key("k1"), hub.end_key("k1"), hub.end_key("unknown")),
        (1, 0, 0)
    );
    assert_eq!(first.ended().await, Ended::KeyRevoked);
    assert!(hub.kick(&two) && !hub.kick(&two) && !hub.kick(&name("three")));
    assert_eq!(second.ended().await, Ended::Kicked);
    settle().await;
    assert_eq!(
        (state(&hub, &one), state(&hub, &two)),
        (State::Waiting, State::Waiting)
    );
}

#[tokio::test(start_paused = true)]
async fn each_event_tells_how_the_channel_stands_and_the_last_one_how_it_stood() {
    let (hub, _) = hub(|_| {});
    let mut events = hub.events();
    let mut publication = hub.publish(&name("demo"), host("key_a")).unwrap();
    pictures(&mut publication, 5).await;
    settle().await;
    publication.finish(Finish::Orderly);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        seen.push(event);
    }
    let started = &seen[0];
    assert_eq!(started.what, What::Started);
    assert_eq!(started.status.host.as_ref().unwrap().key_id, "key_a");
    let since = started.status.since.unwrap();
    let ended = seen.last().unwrap();
    assert_eq!(ended.what, What::Ended(EndReason::HostFinished));
    assert_eq!(ended.status.since, Some(since));
    assert_eq!(ended.status.tracks.len(), 1);
    let traffic = ended.status.traffic;
    assert_eq!((traffic.video_frames, traffic.audio_frames), (5, 0));
    assert!(traffic.bytes > 0 && traffic.host_bytes == traffic.bytes);

    let mut again = hub.publish(&name("demo"), host("key_a")).unwrap();
    pictures(&mut again, 2).await;
    settle().await;
    let status = hub.status(&name("demo")).unwrap();
    assert_eq!(
        status.traffic.video_frames, 2,
        "a new broadcast counts anew"
    );
    assert_eq!(hub.channel(status.broadcast), Some(name("demo")));
}

#[tokio::test(start_paused = true)]
async fn a_kick_meets_the_host_that_was_meant_and_no_later_one() {
    let (hub, _) = hub(|_| {});
    let channel = name("demo");
    let first = hub.publish(&channel, host("key_a")).unwrap();
    settle().await;
    let present = || hub.status(&channel).unwrap().host.unwrap().id;
    let id = present();
    let mut second = hub.publish(&channel, host("key_a")).unwrap();
    settle().await;
    assert_ne!(present(), id);
    assert_eq!(hub.kick_host(id), None, "it was taken over meanwhile");
    assert_eq!(hub.kick_host(present()), Some(channel.clone()));
    assert_eq!(second.ended().await, Ended::Kicked);
    settle().await;
    assert_eq!(state(&hub, &channel), State::Waiting);
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn live_broadcasts_are_limited_and_one_that_is_interrupted_keeps_its_place() {
    let (hub, _) = hub(|config| config.broadcasts_max = 1);
    let first = hub.publish(&name("one"), host("k")).unwrap();
    let full = || hub.publish(&name("two"), host("k")).unwrap_err();
    assert_eq!(full(), Refused::Full(1));
    settle().await;
    drop(first);
    settle().await;
    assert_eq!(full(), Refused::Full(1));
    hub.publish(&name("one"), host("k"))
        .unwrap()
        .finish(Finish::Orderly);
    tokio::time::sleep(Duration::from_secs(6)).await;
    hub.publish(&name("two"), host("k")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn channels_that_nobody_needs_make_room_for_others() {
    let (hub, _) = hub(|config| config.channels_max = 2);
    let kept = hub.broadcast_id(&name("kept")).unwrap();
    let idle = hub.broadcast_id(&name("idle")).unwrap();
    hub.subscribe(ShardId(0), kept).unwrap();
    hub.subscribe(ShardId(0), idle).unwrap();
    hub.unsubscribe(ShardId(0), idle);
    settle().await;
    let full = Refused::TooManyChannels(2);
    assert_eq!(hub.broadcast_id(&name("new")).unwrap_err(), full, "not yet");
    advance(IDLE_MIN).await;
    hub.broadcast_id(&name("new")).unwrap();
    assert!(hub.status(&name("idle")).is_none() && hub.status(&name("kept")).is_some());
    assert!(hub.subscribe(ShardId(0), idle).is_none());
    assert_eq!(hub.broadcast_id(&name("kept")), Ok(kept));
}

#[tokio::test(start_paused = true)]
async fn a_host_faster_than_its_broadcast_waits_by_bytes_and_by_messages() {
    for (messages, bytes, fits) in [(3, 1 << 20, 3), (100, 5_000, 2)] {
        let (hub, _) = hub(|config| {
            config.queue_messages = messages;
            config.queue_bytes = bytes;
        });
        let mut publication = hub.publish(&name("demo"), host("k")).unwrap();
        // The owner does not run as long as this task does not wait.
        let mut sent = 0;
        while let Some(Ok(())) = {
            let frame = picture(0, Picture::Idr, 2_400);
            futures_now(publication.send(Media::Frame(frame)))
        } {
            sent += 1;
        }
        assert_eq!(sent, fits, "{messages} messages, {bytes} bytes");
        settle().await;
        let frame = picture(0, Picture::Idr, 10_000_000);
        publication.send(Media::Frame(frame)).await.unwrap();
    }
}

/// The outcome if there is one without waiting.
fn futures_now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(outcome) => Some(outcome),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_shard_is_counted_and_may_ask_for_everything_again() {
    let (hub, shards) = hub(|_| {});
    let demo = name("demo");
    let id = hub.broadcast_id(&demo).unwrap();
    hub.subscribe(ShardId(0), id).unwrap();
    let mut publication = hub.publish(&demo, host("k")).unwrap();
    settle().await;
    shards.full.store(true, Ordering::SeqCst);
    pictures(&mut publication, 3).await;
    assert_eq!((shards.pictures(), hub.counts().shard_queue_full), (0, 3));
    shards.full.store(false, Ordering::SeqCst);
    hub.subscribe(ShardId(0), id).unwrap();
    settle().await;
    let whole = |message: &FromHub| matches!(message, FromHub::Snapshot { batches, .. } if batches.len() == 3);
    assert_eq!(shards.count(whole), 1);
}

#[tokio::test]
async fn sound_goes_through_its_rendition_on_another_thread() {
    let (hub, shards) = hub(|_| {});
    let demo = name("demo");
    let id = hub.broadcast_id(&demo).unwrap();
    hub.subscribe(ShardId(0), id).unwrap();
    let mut publication = hub.publish(&demo, host("k")).unwrap();
    publication.send(Media::Track(aac_track())).await.unwrap();
    for number in 0..20 {
        let frame = sound(number * 21_333, bytes::Bytes::from_static(&[5; 100]));
        publication.send(Media::Frame(frame)).await.unwrap();
    }
    let all = async {
        while shards.batches(BatchKind::Audio) < 20 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), all).await.unwrap();
    let renditions = hub.counts().renditions;
    assert_eq!(
        (renditions.opened, renditions.frames, renditions.dropped),
        (1, 20, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn after_the_shutdown_all_are_told_and_nobody_comes_in() {
    let (hub, shards) = hub(|_| {});
    let demo = name("demo");
    let id = hub.broadcast_id(&demo).unwrap();
    hub.subscribe(ShardId(0), id).unwrap();
    let mut publication = hub.publish(&demo, host("k")).unwrap();
    pictures(&mut publication, 1).await;
    hub.shutdown();
    assert_eq!(publication.ended().await, Ended::Shutdown);
    settle().await;
    assert_eq!(
        shards.count(|message| matches!(message, FromHub::Ended { .. })),
        1
    );
    assert_eq!(hub.publish(&demo, host("k")).unwrap_err(), Refused::Closed);
    assert_eq!(hub.broadcast_id(&demo).unwrap_err(), Refused::Closed);
}
