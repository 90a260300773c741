use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use zongzi_http::Problem;
use zongzi_http::problem::Kind;

use super::Api;
use super::input::{self, Listed, listed, parse};
use super::refusal::problem;
use crate::broadcast::{Broadcast, BroadcastId};
use crate::store::{BroadcastQuery, Store};

const BROADCAST_UNKNOWN: Kind = Kind::new(
    "broadcast-unknown",
    "No such broadcast",
    StatusCode::NOT_FOUND,
);

/// Which broadcasts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// How many entries, at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Those of this channel.
    #[param(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    channel: Option<String>,
    /// Those that have ended, or those that have not.
    state: Option<Ended>,
}

/// Whether a broadcast has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BroadcastFilter)]
pub(super) enum Ended {
    /// It has not: it is live, or waits for its host.
    Live,
    /// It has.
    Ended,
}

#[utoipa::path(get, path = "/api/v1/broadcasts", tag = "broadcasts", params(Filter), responses(
    (status = 200, description = "A page of broadcasts, the newest first", body = Listed<Broadcast>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn list<S: Store>(
    State(api): State<Api<S>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Listed<Broadcast>>, Problem> {
    let filter = input::query(filter)?;
    let limit = input::limit(filter.limit)?;
    let query = BroadcastQuery {
        channel: filter.channel.as_deref().map(parse).transpose()?,
        ended: filter.state.map(|state| state == Ended::Ended),
        after: filter.after.as_deref().map(parse).transpose()?,
    };
    let store = api.control.store();
    let mut found = store
        .broadcasts(query, limit.saturating_add(1))
        .await
        .map_err(problem)?;
    let running = api.chronicle.running().into_iter();
    let mut running: BTreeMap<BroadcastId, Broadcast> = running
        .map(|broadcast| (broadcast.id.clone(), broadcast))
        .collect();
    for broadcast in &mut found {
        if let Some(now) = running.remove(&broadcast.id) {
            *broadcast = now;
        }
    }
    Ok(Json(listed(found, limit, |broadcast| {
        broadcast.id.to_string()
    })))
}

#[utoipa::path(get, path = "/api/v1/broadcasts/{broadcast}", tag = "broadcasts",
    params(("broadcast" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The broadcast", body = Broadcast),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn read<S: Store>(
    State(api): State<Api<S>>,
    Path(broadcast): Path<String>,
) -> Result<Json<Broadcast>, Problem> {
    let unknown = || BROADCAST_UNKNOWN.because("there is no broadcast of this id (any more)");
    let id: BroadcastId = broadcast.parse().map_err(|_no_id| unknown())?;
    if let Some(running) = api.chronicle.find(&id) {
        return Ok(Json(running));
    }
    let found = api.control.store().broadcast(id).await.map_err(problem)?;
    found.map(Json).ok_or_else(unknown)
}
