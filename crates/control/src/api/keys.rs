use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zongzi_http::Problem;

use super::channels::find;
use super::input::{self, Listed, Page, PageQuery, listed, parse};
use super::once;
use super::refusal::problem;
use crate::store::{Error, Store};
use crate::token::Caller;
use crate::{Control, Key, KeyId, Minted};

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub(super) struct NewBody {
    /// What its owner calls it.
    #[schema(max_length = 200)]
    #[serde(default)]
    label: String,
}

/// How a key is to be replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRotation)]
pub(super) struct RotateBody {
    /// How long the old key stays good, in seconds: 0 to a month.
    #[schema(maximum = 2_678_400)]
    #[serde(default)]
    overlap_seconds: u64,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = MintedKey)]
pub(super) struct MintedBody {
    #[serde(flatten)]
    about: Key,
    /// The secret, shown this once.
    key: String,
}

#[utoipa::path(get, path = "/api/v1/channels/{channel}/keys", tag = "keys",
    params(("channel" = String, Path, description = "Whose keys"), Page), responses(
    (status = 200, description = "A page of keys, by id, revoked ones too", body = Listed<Key>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn list<S: Store>(
    State(control): State<Control<S>>,
    Path(channel): Path<String>,
    page: PageQuery,
) -> Result<Json<Listed<Key>>, Problem> {
    let (after, limit) = input::page(page)?;
    let channel = find(&control, &channel).await?.name;
    let found = control
        .store()
        .keys(Some(channel), after, limit.saturating_add(1))
        .await
        .map_err(problem)?;
    Ok(Json(listed(found, limit, |key| key.id.to_string())))
}

#[utoipa::path(post, path = "/api/v1/channels/{channel}/keys", tag = "keys",
    params(("channel" = String, Path, description = "Which channel it opens"), once::Header),
    request_body = NewBody, responses(
    (status = 201, description = "The key with its secret, which is not shown again",
        body = MintedBody, headers(("Location" = String))),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn create<S: Store>(
    State(control): State<Control<S>>,
    Path(channel): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: NewBody = input::json(&headers, body).await?;
    let label = parse(&body.label)?;
    let channel = find(&control, &channel).await?.name;
    let what = format!("key of {channel}");
    let once = once::of(&headers, &control, &caller, &what, &body)?;
    let made = control.create_key_once(channel, label, once).await;
    Ok(minted(made.map_err(problem)?))
}

#[utoipa::path(get, path = "/api/v1/keys/{key}", tag = "keys",
    params(("key" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The key, without its secret", body = Key),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn read<S: Store>(
    State(control): State<Control<S>>,
    Path(key): Path<String>,
) -> Result<Json<Key>, Problem> {
    let id: KeyId = parse(&key)?;
    let found = control.store().key(id.clone()).await.map_err(problem)?;
    found
        .map(Json)
        .ok_or_else(|| problem(Error::KeyUnknown(id)))
}

#[utoipa::path(delete, path = "/api/v1/keys/{key}", tag = "keys",
    params(("key" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The key, revoked; its live session ends within a second",
        body = Key),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn revoke<S: Store>(
    State(control): State<Control<S>>,
    Path(key): Path<String>,
) -> Result<Json<Key>, Problem> {
    control
        .revoke_key(parse(&key)?)
        .await
        .map(Json)
        .map_err(problem)
}

#[utoipa::path(post, path = "/api/v1/keys/{key}/rotate", tag = "keys",
    params(("key" = String, Path, description = "The old key's id"), once::Header),
    request_body = RotateBody, responses(
    (status = 201, description = "The new key with its secret, which is not shown again",
        body = MintedBody, headers(("Location" = String))),
    (status = 409, description = "The old key is revoked already",
        content_type = "application/problem+json"),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn rotate<S: Store>(
    State(control): State<Control<S>>,
    Path(key): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: RotateBody = input::json(&headers, body).await?;
    let overlap = input::overlap(body.overlap_seconds, Control::<S>::OVERLAP_MAX)?;
    let old: KeyId = parse(&key)?;
    let what = format!("key in the place of {old}");
    let once = once::of(&headers, &control, &caller, &what, &body)?;
    let made = control.rotate_key_once(old, overlap, once).await;
    Ok(minted(made.map_err(problem)?))
}

fn minted(minted: Minted) -> Response {
    let headers = [
        (header::LOCATION, format!("/api/v1/keys/{}", minted.key.id)),
        // A secret: nobody on the way may keep it.
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = MintedBody {
        key: minted.secret.expose().to_owned(),
        about: minted.key,
    };
    (StatusCode::CREATED, headers, Json(body)).into_response()
}
