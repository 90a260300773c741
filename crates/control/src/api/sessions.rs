use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use zongzi_http::Problem;
use zongzi_http::problem::Kind;

use super::Api;
use super::input::{self, Listed, listed, parse};
use crate::events::What;
use crate::session::{self, Session};
use crate::store::Store;

const SESSION_UNKNOWN: Kind =
    Kind::new("session-unknown", "No such session", StatusCode::NOT_FOUND);

/// Which sessions.
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
    /// Hosts, or viewers.
    kind: Option<session::Role>,
}

#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(Filter), responses(
    (status = 200, description = "A page of those who are connected now, by id",
        body = Listed<Session>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn list<S: Store>(
    State(api): State<Api<S>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Listed<Session>>, Problem> {
    let filter = input::query(filter)?;
    let limit = input::limit(filter.limit)?;
    let found = api.sessions.page(&session::Query {
        channel: filter.channel.as_deref().map(parse).transpose()?,
        kind: filter.kind,
        after: filter.after.as_deref().map(parse).transpose()?,
        limit: usize::try_from(limit.saturating_add(1)).unwrap_or(usize::MAX),
    });
    Ok(Json(listed(found, limit, |session| session.id.to_string())))
}

#[utoipa::path(get, path = "/api/v1/sessions/{session}", tag = "sessions",
    params(("session" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The session", body = Session),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn read<S: Store>(
    State(api): State<Api<S>>,
    Path(session): Path<String>,
) -> Result<Json<Session>, Problem> {
    let id = known(&session)?;
    api.sessions.one(id).map(Json).ok_or_else(unknown)
}

#[utoipa::path(delete, path = "/api/v1/sessions/{session}", tag = "sessions",
    params(("session" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The session as it was; it has ended, and a host's broadcast with it",
        body = Session),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn kick<S: Store>(
    State(api): State<Api<S>>,
    Path(session): Path<String>,
) -> Result<Json<Session>, Problem> {
    let id = known(&session)?;
    let kicked = api.sessions.kick(id).ok_or_else(unknown)?;
    api.events.emit(What::SessionKicked {
        channel: kicked.channel.clone(),
        session: kicked.id,
        role: kicked.kind,
    });
    tracing::info!(
        session = %kicked.id,
        channel = %kicked.channel,
        protocol = kicked.protocol,
        "session kicked"
    );
    Ok(Json(kicked))
}

/// What can be no id is no session either.
fn known(id: &str) -> Result<session::Id, Problem> {
    id.parse().map_err(|_no_id| unknown())
}

fn unknown() -> Problem {
    SESSION_UNKNOWN.because("this session is over or never was")
}
