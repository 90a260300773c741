//! The outbox end to end, over a real store and a receiver on loopback.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::broadcast::BroadcastId;
use crate::events::{Events, Kind, What};
use crate::hooks::{Rules, Stats, Writer};
use crate::store::Sqlite;
use crate::{Control, Text};

/// Answers each request with the next of the statuses, the last one for good, and keeps what came.
struct Receiver {
    url: String,
    came: Arc<Mutex<Vec<String>>>,
    _task: JoinHandle<()>,
}

impl Receiver {
    async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut statuses: VecDeque<u16> = statuses.iter().copied().collect();
        let came = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&came);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut sent = vec![0; 8_192];
                let length = stream.read(&mut sent).await.unwrap();
                sent.truncate(length);
                log.lock().unwrap().push(String::from_utf8(sent).unwrap());
                let status = statuses.front().copied().unwrap();
                if statuses.len() > 1 {
                    statuses.pop_front();
                }
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            url,
            came,
            _task: task,
        }
    }

    fn came(&self) -> usize {
        self.came.lock().unwrap().len()
    }
}

/// A server's part that deals with hooks.
struct Bench {
    _dir: tempfile::TempDir,
    control: Control<Sqlite>,
    events: Events,
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Bench {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::open(dir.path()).unwrap();
        let (events, counts) = (Events::default(), Arc::new(Counts::default()));
        let (stop, mut stopping) = watch::channel(false);
        let written = Arc::new(Notify::new());
        let rules = Rules {
            allow_private: true,
            ..Rules::default()
        };
        let client = Client::new(rules, None, Duration::from_secs(5)).unwrap();
        let retry = Retry {
            first: Duration::from_millis(1),
            attempts: 3,
        };
        let writer = Writer::new(
            control.store().clone(),
            events.subscribe(),
            Arc::clone(&counts),
            Arc::clone(&written),
        );
        let courier = control.courier(client, retry, Arc::clone(&counts), written);
        let tasks = vec![
            tokio::spawn(writer.run()),
            tokio::spawn(courier.run(async move {
                let _ = stopping.wait_for(|stop| *stop).await;
            })),
        ];
        Self {
            _dir: dir,
            control,
            events,
            counts,
            stop,
            tasks,
        }
    }

    async fn hook(&self, url: &str, events: &[Kind]) -> HookId {
        let url = url.parse().unwrap();
        let minted = self
            .control
            .create_hook(url, events.to_vec(), Text::default());
        minted.await.unwrap().hook.id
    }

    async fn until(&self, what: &str, good: impl Fn(Stats) -> bool) {
        let waiting = async {
            while !good(self.counts.stats()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = timeout(Duration::from_secs(10), waiting).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.counts.stats());
    }
}

fn peak(viewers: u64) -> What {
    let channel = "demo".parse().unwrap();
    What::ViewersPeak {
        broadcast: BroadcastId::new(&channel, Timestamp::from_unix_ms(7)),
        channel,
        viewers,
    }
}

#[tokio::test]
async fn each_hook_gets_what_it_asked_for_and_the_outbox_is_empty_then() {
    let bench = Bench::start();
    let (all, few) = (Receiver::start(&[204]).await, Receiver::start(&[200]).await);
    bench.hook(&all.url, &[]).await;
    bench.hook(&few.url, &[Kind::KeyCreated]).await;
    for viewers in 1..=3 {
        bench.events.emit(peak(viewers));
    }
    bench
        .until("three posts", |stats| stats.delivered == 3)
        .await;
    assert_eq!((all.came(), few.came()), (3, 0));
    let order = all.came.lock().unwrap().join("\n");
    let at = |viewers: u64| order.find(&format!("\"viewers\":{viewers}")).unwrap();
    assert!(at(1) < at(2) && at(2) < at(3));
    let backlog = bench.control.store().backlog(now()).await.unwrap();
    assert_eq!(backlog, Backlog::default());
}

#[tokio::test]
async fn what_fails_is_tried_again_then_kept_and_posted_anew_when_asked_to() {
    let bench = Bench::start();
    let receiver = Receiver::start(&[500, 302, 429, 200]).await;
    let hook = bench.hook(&receiver.url, &[]).await;
    bench.events.emit(peak(1));
    bench.until("given up", |stats| stats.dead == 1).await;
    let stats = bench.counts.stats();
    assert_eq!((stats.failed, stats.delivered), (2, 0));
    let store = bench.control.store();
    // Counted before it is written.
    let mut dead = Vec::new();
    while dead.is_empty() {
        dead = store.dead_letters(hook.clone(), None, 10).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((dead.len(), dead[0].attempts), (1, 3));
    assert!(dead[0].error.as_ref().unwrap().contains("429"), "{dead:?}");
    store
        .redeliver(hook.clone(), dead[0].id, now())
        .await
        .unwrap();
    bench.until("delivered", |stats| stats.delivered == 1).await;
    let came = receiver.came.lock().unwrap().clone();
    assert_eq!(came.len(), 4);
    let id = |request: &String| {
        let line = request
            .lines()
            .find(|line| line.starts_with("webhook-id: "));
        line.unwrap().to_owned()
    };
    assert!(came.iter().all(|request| id(request) == id(&came[0])));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled() {
    let bench = Bench::start();
    let receiver = Receiver::start(&[410]).await;
    let hook = bench.hook(&receiver.url, &[]).await;
    bench.events.emit(peak(1));
    bench.until("given up", |stats| stats.dead == 1).await;
    let store = bench.control.store();
    let found = store.hook(hook).await.unwrap().unwrap();
    assert!(!found.enabled);
    bench.events.emit(peak(2));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((receiver.came(), bench.counts.stats().queued), (1, 1));
}

#[tokio::test]
async fn a_slow_endpoint_delays_only_itself() {
    let bench = Bench::start();
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let quick = Receiver::start(&[200]).await;
    bench
        .hook(&format!("http://{}/", mute.local_addr().unwrap()), &[])
        .await;
    bench.hook(&quick.url, &[]).await;
    for viewers in 1..=5 {
        bench.events.emit(peak(viewers));
    }
    bench
        .until("five posts", |stats| stats.delivered == 5)
        .await;
    assert_eq!(quick.came(), 5);
}

#[tokio::test]
async fn what_was_told_before_the_end_is_in_the_outbox_after_it() {
    let mut bench = Bench::start();
    // Nobody listens there.
    bench.hook("http://127.0.0.1:1/", &[]).await;
    bench.stop.send_replace(true);
    for viewers in 1..=100 {
        bench.events.emit(peak(viewers));
    }
    bench.events.close();
    for task in bench.tasks.drain(..) {
        task.await.unwrap();
    }
    let backlog = bench.control.store().backlog(now()).await.unwrap();
    assert_eq!(backlog.waiting, 100);
}
