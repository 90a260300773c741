use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zongzi_http::{Problem, Timestamp};

use super::Api;
use super::channels::find;
use super::input::{self, Listed, parse, unusable};
use super::refusal::problem;
use crate::Control;
use crate::playback::{Algorithm, Claims, SigningKey, ViewerId};
use crate::store::Store;

/// What lets viewers watch private channels.
pub(super) fn routes<S: Store + Clone>() -> Router<Api<S>> {
    Router::new()
        .route(
            "/channels/{channel}/playback-tokens",
            post(create_token::<S>),
        )
        .route("/playback-keys", get(list_keys::<S>))
        .route("/playback-keys/rotate", post(rotate_key::<S>))
}

/// A playback token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlaybackToken)]
pub(super) struct NewToken {
    /// Who watches, for counting viewers.
    #[schema(min_length = 1, max_length = 128)]
    viewer: Option<String>,
    /// For how long it opens the channel, in seconds: 1 to 366 days.
    #[schema(minimum = 1, maximum = 31_622_400, default = 7_200)]
    #[serde(default = "two_hours")]
    expires_seconds: u64,
    /// Lets its time begin only so many seconds later: at most 366 days.
    #[schema(maximum = 31_622_400)]
    begins_seconds: Option<u64>,
    /// Whether the viewer is cut off when it expires.
    #[serde(default)]
    ends_session: bool,
    /// How it is signed.
    #[serde(default)]
    algorithm: Algorithm,
}

/// A playback token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackToken)]
pub(super) struct Token {
    /// The token: a secret. For browsers: `/watch/{channel}#token=…`.
    token: String,
    /// The channel that it opens.
    channel: String,
    /// From when on, if not at once.
    #[schema(value_type = Option<String>, format = DateTime)]
    begins: Option<Timestamp>,
    /// Until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
    /// Which key has signed it.
    kid: String,
}

/// How the key that signs is to be replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaybackKeyRotation)]
pub(super) struct RotateBody {
    /// How long tokens of the keys before are still accepted, in seconds: 0 to a month.
    #[schema(maximum = 2_678_400, default = 86_400)]
    #[serde(default = "a_day")]
    overlap_seconds: u64,
}

fn two_hours() -> u64 {
    7_200
}

fn a_day() -> u64 {
    86_400
}

#[utoipa::path(post, path = "/api/v1/channels/{channel}/playback-tokens", tag = "playback",
    params(("channel" = String, Path, description = "The channel that it opens")),
    request_body = NewToken, responses(
    (status = 201, description = "The token, which is kept nowhere", body = Token),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn create_token<S: Store>(
    State(control): State<Control<S>>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: NewToken = input::json(&headers, body).await?;
    let channel = find(&control, &channel).await?.name;
    let begins = body.begins_seconds.map(Duration::from_secs);
    let valid = Duration::from_secs(body.expires_seconds);
    let mut claims = Claims::new(&channel, SystemTime::now(), begins, valid)
        .map_err(|error| unusable(&error))?;
    claims.viewer = body.viewer.as_deref().map(parse::<ViewerId>).transpose()?;
    claims.ends_session = body.ends_session;
    let signed = control
        .playback_token(channel, body.algorithm, claims)
        .await
        .map_err(problem)?;
    // A secret: nobody on the way may keep it.
    let unkept = [(header::CACHE_CONTROL, "no-store")];
    let token = Token {
        token: signed.token,
        channel: signed.claims.channel,
        begins: signed
            .claims
            .nbf
            .and_then(|date| date.time())
            .map(Into::into),
        expires: signed.claims.exp.time().map(Into::into),
        kid: signed.kid,
    };
    Ok((StatusCode::CREATED, unkept, Json(token)).into_response())
}

#[utoipa::path(get, path = "/api/v1/playback-keys", tag = "playback", responses(
    (status = 200, description = "The keys whose tokens are accepted, the one that signs first; at most 8, so `next` is null",
        body = Listed<SigningKey>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn list_keys<S: Store>(
    State(control): State<Control<S>>,
) -> Result<Json<Listed<SigningKey>>, Problem> {
    let items = control.playback_keys().await.map_err(problem)?;
    Ok(Json(Listed { items, next: None }))
}

#[utoipa::path(post, path = "/api/v1/playback-keys/rotate", tag = "playback",
    request_body = RotateBody, responses(
    (status = 201, description = "The key that signs from now on", body = SigningKey),
    (status = 409, description = "Too many keys overlap", content_type = "application/problem+json"),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn rotate_key<S: Store>(
    State(control): State<Control<S>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: RotateBody = input::json(&headers, body).await?;
    let overlap = input::overlap(body.overlap_seconds, Control::<S>::OVERLAP_MAX)?;
    let key = control
        .rotate_playback_key(overlap)
        .await
        .map_err(problem)?;
    Ok((StatusCode::CREATED, Json(key)).into_response())
}
