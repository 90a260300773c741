//! The public JSON and its events, in virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use futures_util::StreamExt as _;
use http::{Request, StatusCode, header};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::*;
use crate::Timestamp;

/// One channel, `demo`, or a store that can't be asked.
struct Fake(Mutex<Result<Option<ChannelStatus>, Unavailable>>);

impl Channels for Fake {
    async fn status(&self, channel: &str) -> Result<Option<ChannelStatus>, Unavailable> {
        let status = self.0.lock().unwrap().clone()?;
        Ok(status.filter(|status| status.channel == channel))
    }

    async fn admit(
        &self,
        _channel: &str,
        token: Option<&Bearer>,
    ) -> Result<Admission, playback::Refusal> {
        let status = self.0.lock().unwrap().clone();
        let private = status.is_ok_and(|status| status.is_some_and(|status| status.private));
        match token.map(Bearer::expose) {
            _ if !private => Ok(Admission::Open),
            Some("good") => Ok(Admission::ByToken { ends: None }),
            Some("short") => Ok(Admission::ByToken {
                ends: Some(Instant::now() + Duration::from_secs(20)),
            }),
            Some(_) => Err(playback::Refusal::Invalid),
            None => Err(playback::Refusal::Needed),
        }
    }
}

impl Fake {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Ok(Some(live(0))))))
    }

    fn set(&self, status: Result<Option<ChannelStatus>, Unavailable>) {
        *self.0.lock().unwrap() = status;
    }
}

fn live(viewers: u64) -> ChannelStatus {
    ChannelStatus {
        channel: "demo".to_owned(),
        title: "Zongzi".to_owned(),
        private: false,
        state: State::Live,
        viewers,
        viewers_by_protocol: BTreeMap::from([("webrtc", viewers)]),
        viewers_peak: 9,
        viewers_total: 20,
        viewers_unique: 12,
        waiting: 0,
        since: Some(Timestamp::from_unix_ms(0)),
        codecs: vec!["avc1.64001f".to_owned(), "mp4a.40.2".to_owned()],
        video: Some(VideoStatus {
            rendition: "without_b_frames",
            width: Some(1_280),
            height: Some(720),
            half_rate: false,
        }),
        reason: Some(Reason::ReducedFrameRate),
    }
}

async fn ask(router: axum::Router, path: &str) -> Response {
    ask_with(router, path, None).await
}

async fn ask_with(router: axum::Router, path: &str, token: Option<&str>) -> Response {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

fn private(viewers: u64) -> ChannelStatus {
    ChannelStatus {
        private: true,
        ..live(viewers)
    }
}

/// The next event's viewer count; `None` when the stream has ended.
async fn next_viewers(events: &mut BodyDataStream) -> Option<u64> {
    let chunk = String::from_utf8(events.next().await?.unwrap().into()).unwrap();
    assert!(chunk.contains("event: status\n"), "{chunk}");
    let data = chunk
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    serde_json::from_str::<serde_json::Value>(data).unwrap()["viewers"].as_u64()
}

#[tokio::test]
async fn the_json_says_what_everyone_may_know() {
    let response = ask(router(Fake::new()), "/api/public/channels/demo").await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 4096)
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
        serde_json::json!({
            "channel": "demo",
            "title": "Zongzi",
            "private": false,
            "state": "live",
            "viewers": 0,
            "viewers_by_protocol": {"webrtc": 0},
            "viewers_peak": 9,
            "viewers_total": 20,
            "viewers_unique": 12,
            "waiting": 0,
            "since": "1970-01-01T00:00:00.000Z",
            "codecs": ["avc1.64001f", "mp4a.40.2"],
            "video": {"rendition": "without_b_frames", "width": 1280, "height": 720, "half_rate": false},
            "reason": "reduced_frame_rate",
        })
    );
}

#[tokio::test]
async fn reasons_are_sent_under_their_code() {
    use Reason::{
        AudioCodec, Av1, HeAac, Hevc, KeyframesOnly, NoKeyframe, ReducedFrameRate, UploadStalls,
        VideoCodec,
    };
    for reason in [
        Hevc,
        Av1,
        VideoCodec,
        AudioCodec,
        HeAac,
        ReducedFrameRate,
        KeyframesOnly,
        NoKeyframe,
        UploadStalls,
    ] {
        assert_eq!(serde_json::json!(reason), reason.as_str());
    }
}

#[tokio::test]
async fn an_unknown_channel_and_a_store_that_fails_are_told_apart() {
    let fake = Fake::new();
    for path in [
        "/api/public/channels/nobody",
        "/api/public/channels/no%20body/events",
    ] {
        let response = ask(router(fake.clone()), path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    fake.set(Err(Unavailable));
    let response = ask(router(fake), "/api/public/channels/demo").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
}

#[tokio::test(start_paused = true)]
async fn a_follower_is_told_the_state_at_once_then_each_change() {
    let fake = Fake::new();
    let response = ask(router(fake.clone()), "/api/public/channels/demo/events").await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut events = response.into_body().into_data_stream();
    let start = Instant::now();
    assert_eq!(next_viewers(&mut events).await, Some(0));
    assert_eq!(start.elapsed(), Duration::ZERO);
    fake.set(Ok(Some(live(3))));
    assert_eq!(next_viewers(&mut events).await, Some(3));
    assert!(
        start.elapsed() <= Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    // Nothing changes: the same again, to show that the stream lives.
    assert_eq!(next_viewers(&mut events).await, Some(3));
    assert!(
        start.elapsed() >= Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    fake.set(Err(Unavailable));
    assert_eq!(
        next_viewers(&mut events).await,
        Some(3),
        "who can't be asked is believed on"
    );
    fake.set(Ok(None));
    while next_viewers(&mut events).await.is_some() {}
}

#[tokio::test]
async fn of_a_private_channel_nothing_is_said_to_who_shows_no_token() {
    let fake = Fake::new();
    fake.set(Ok(Some(private(7))));
    for path in [
        "/api/public/channels/demo",
        "/api/public/channels/demo/events",
        "/api/public/channels/demo?token=good",
    ] {
        for token in [None, Some("wrong")] {
            let response = ask_with(router(fake.clone()), path, token).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
            let body = axum::body::to_bytes(response.into_body(), 4096)
                .await
                .unwrap();
            let said = String::from_utf8(body.into()).unwrap();
            for secret in ["Zongzi", "7", "live", "avc1"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
        let response = ask_with(router(fake.clone()), path, Some("good")).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_end_when_the_channel_becomes_private_or_the_token_is_over() {
    let fake = Fake::new();
    let path = "/api/public/channels/demo/events";
    let body = |response: Response| response.into_body().into_data_stream();
    let mut open = body(ask(router(fake.clone()), path).await);
    assert_eq!(next_viewers(&mut open).await, Some(0));
    fake.set(Ok(Some(private(1))));
    assert_eq!(next_viewers(&mut open).await, None);

    let start = Instant::now();
    let mut short = body(ask_with(router(fake.clone()), path, Some("short")).await);
    let mut good = body(ask_with(router(fake), path, Some("good")).await);
    while next_viewers(&mut short).await.is_some() {}
    assert!((20..=31).contains(&start.elapsed().as_secs()));
    for _ in 0..5 {
        assert_eq!(next_viewers(&mut good).await, Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn many_changes_in_a_second_are_one_event() {
    let fake = Fake::new();
    let response = ask(router(fake.clone()), "/api/public/channels/demo/events").await;
    let mut events = response.into_body().into_data_stream();
    next_viewers(&mut events).await;
    let (start, mut told) = (Instant::now(), 0);
    let churn = tokio::spawn(async move {
        for viewers in 1.. {
            tokio::time::sleep(Duration::from_millis(10)).await;
            fake.set(Ok(Some(live(viewers))));
        }
    });
    while start.elapsed() < Duration::from_secs(10) {
        next_viewers(&mut events).await;
        told += 1;
    }
    churn.abort();
    assert!((5..=10).contains(&told), "{told} events in 10 s");
}

#[tokio::test(start_paused = true)]
async fn followers_are_limited_and_a_place_is_given_back() {
    let fake = Fake::new();
    let router = handlers::with_places(fake, 2);
    let path = "/api/public/channels/demo/events";
    let first = ask(router.clone(), path).await;
    let _second = ask(router.clone(), path).await;
    let third = ask(router.clone(), path).await;
    assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(third.headers().contains_key(header::RETRY_AFTER));
    drop(first);
    assert_eq!(ask(router, path).await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_at_a_channel_that_nobody_follows() {
    let fake = Fake::new();
    let feed = Arc::new(events::Feed::new(Arc::clone(&fake), 10));
    let one = feed.follow(live(0)).unwrap();
    let other = feed.follow(live(0)).unwrap();
    assert_eq!(feed.followed_count(), 1);
    drop((one, other));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(feed.followed_count(), 0);
    assert_eq!(
        Arc::strong_count(&fake),
        2,
        "the feed's and the test's own: the task is gone"
    );
}
