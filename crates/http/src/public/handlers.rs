use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, http::HeaderValue};
use futures_util::stream::{self, Stream};
use http::{HeaderMap, header};
use tokio::time::Instant;

use super::events::{FOLLOWERS_MAX, Feed, Follower};
use super::{ChannelStatus, Channels, is_plain};
use crate::Bearer;
use crate::playback::{Admission, Refusal};
use crate::problem::{self, Problem};

/// The public JSON and events of `channels`.
pub fn router<C: Channels>(channels: Arc<C>) -> Router {
    with_places(channels, FOLLOWERS_MAX)
}

pub(super) fn with_places<C: Channels>(channels: Arc<C>, followers_max: usize) -> Router {
    let feed = Arc::new(Feed::new(Arc::clone(&channels), followers_max));
    Router::new()
        .route(
            "/api/public/channels/{channel}",
            get(
                async |State(channels): State<Arc<C>>,
                       Path(channel): Path<String>,
                       headers: HeaderMap| {
                    status(&*channels, &channel, &headers).await
                },
            ),
        )
        .route(
            "/api/public/channels/{channel}/events",
            get(
                async move |State(channels): State<Arc<C>>,
                            Path(channel): Path<String>,
                            headers: HeaderMap| {
                    events(&*channels, &feed, &channel, &headers).await
                },
            ),
        )
        .with_state(channels)
}

async fn status<C: Channels>(
    channels: &C,
    channel: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let status = look_up(channels, channel).await?;
    admit(channels, channel, headers).await?;
    let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((fresh, Json(status)).into_response())
}

async fn events<C: Channels>(
    channels: &C,
    feed: &Arc<Feed<C>>,
    channel: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let status = look_up(channels, channel).await?;
    let admission = admit(channels, channel, headers).await?;
    let Some(follower) = feed.follow(status) else {
        return Err(problem::FULL
            .because("too many follow events already; ask for the channel's JSON every few seconds")
            .retry_after(Duration::from_secs(30)));
    };
    // Some proxies hold back a stream until they are told not to.
    let through = [("x-accel-buffering", "no"), ("cache-control", "no-store")];
    Ok((through, Sse::new(told(follower, admission))).into_response())
}

async fn admit<C: Channels>(
    channels: &C,
    channel: &str,
    headers: &HeaderMap,
) -> Result<Admission, Problem> {
    let admitted = channels.admit(channel, Bearer::of(headers).as_ref()).await;
    admitted.map_err(Refusal::problem)
}

/// Looks a channel up. What is found is not for everyone if the channel is private.
///
/// # Errors
/// 404 when there is none, 503 when it can't be looked up.
pub(crate) async fn look_up<C: Channels>(
    channels: &C,
    channel: &str,
) -> Result<ChannelStatus, Problem> {
    let unknown = || {
        problem::CHANNEL_UNKNOWN
            .because("no channel has this name; check its spelling, or ask the host")
    };
    if !is_plain(channel) {
        return Err(unknown());
    }
    match channels.status(channel).await {
        Ok(status) => status.ok_or_else(unknown),
        Err(error) => Err(problem::UNAVAILABLE
            .because(format!("{error}; try again in a moment"))
            .retry_after(Duration::from_secs(2))),
    }
}

/// The least time between two events of one follower.
const EVENT_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The most time: without a change the present state is said again, which keeps proxies and the page's own watch at ease.
const EVENT_INTERVAL_MAX: Duration = Duration::from_secs(15);
/// After how long a browser comes back when the stream broke.
const RECONNECT: Duration = Duration::from_secs(3);

/// The state at once, then each change, at most one a second; ends when the channel is deleted, becomes private to who
/// has shown no token, or with what let the follower in.
fn told(follower: Follower, admission: Admission) -> impl Stream<Item = Result<Event, Infallible>> {
    let state = (follower, admission, true);
    stream::unfold(state, async |(mut follower, admission, first)| {
        if !first {
            tokio::time::sleep(EVENT_INTERVAL_MIN).await;
            let rest = EVENT_INTERVAL_MAX.saturating_sub(EVENT_INTERVAL_MIN);
            // Silence and the end of the looking task are both told by the view below.
            let _ = tokio::time::timeout(rest, follower.view.changed()).await;
        }
        let status = follower.view.borrow_and_update().clone()?;
        let over = match admission {
            Admission::Open => status.private,
            Admission::ByToken { ends } => ends.is_some_and(|at| at <= Instant::now()),
        };
        if over {
            return None;
        }
        let text = serde_json::to_string(&status).expect("a status has only strings and numbers");
        let mut event = Event::default().event("status").data(text);
        if first {
            event = event.retry(RECONNECT);
        }
        Some((Ok(event), (follower, admission, false)))
    })
}
