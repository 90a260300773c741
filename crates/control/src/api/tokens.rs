use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zongzi_http::Problem;

use super::input::{self, Listed, Page, PageQuery, listed, parse};
use super::once;
use super::refusal::problem;
use crate::Control;
use crate::store::{Error, Store};
use crate::token::{Caller, Id, Scope, Token};

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAdminToken)]
pub(super) struct NewBody {
    /// What its owner calls it.
    #[schema(max_length = 200)]
    name: String,
    /// What it may do.
    scope: Scope,
    /// How long it is good, in seconds; null: until it is revoked. At most ten years.
    #[schema(minimum = 1, maximum = 315_360_000)]
    expires_in_seconds: Option<u64>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = MintedAdminToken)]
pub(super) struct MintedBody {
    #[serde(flatten)]
    about: Token,
    /// The secret, shown this once.
    token: String,
}

#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens",
    operation_id = "list_tokens", params(Page), responses(
    (status = 200, description = "A page of named tokens, by id, revoked ones too", body = Listed<Token>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn list<S: Store>(
    State(control): State<Control<S>>,
    page: PageQuery,
) -> Result<Json<Listed<Token>>, Problem> {
    let (after, limit) = input::page(page)?;
    let found = control
        .store()
        .tokens(after, limit.saturating_add(1))
        .await
        .map_err(problem)?;
    Ok(Json(listed(found, limit, |token| token.id.to_string())))
}

#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", operation_id = "create_token",
    params(once::Header),
    request_body = NewBody, responses(
    (status = 201, description = "The token with its secret, which is not shown again",
        body = MintedBody, headers(("Location" = String))),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn create<S: Store>(
    State(control): State<Control<S>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: NewBody = input::json(&headers, body).await?;
    let once = once::of(&headers, &control, &caller, "token", &body)?;
    let name = parse(&body.name)?;
    let expires = body.expires_in_seconds.map(Duration::from_secs);
    if expires.is_some_and(|span| span.is_zero() || span > Control::<S>::TOKEN_SPAN_MAX) {
        return Err(input::INVALID.because("expires_in_seconds is 1 to 315360000 (ten years)"));
    }
    let minted = control
        .create_token(name, body.scope, expires, once)
        .await
        .map_err(problem)?;
    let headers = [
        (
            header::LOCATION,
            format!("/api/v1/tokens/{}", minted.token.id),
        ),
        // A secret: nobody on the way may keep it.
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = MintedBody {
        token: minted.secret.expose().to_owned(),
        about: minted.token,
    };
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

#[utoipa::path(get, path = "/api/v1/tokens/{token}", tag = "tokens", operation_id = "read_token",
    params(("token" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The token, without its secret", body = Token),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn read<S: Store>(
    State(control): State<Control<S>>,
    Path(token): Path<String>,
) -> Result<Json<Token>, Problem> {
    let id: Id = parse(&token)?;
    let found = control.store().token(id.clone()).await.map_err(problem)?;
    found
        .map(Json)
        .ok_or_else(|| problem(Error::TokenUnknown(id)))
}

#[utoipa::path(delete, path = "/api/v1/tokens/{token}", tag = "tokens", operation_id = "revoke_token",
    params(("token" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The token, revoked: it opens nothing from now on", body = Token),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn revoke<S: Store>(
    State(control): State<Control<S>>,
    Path(token): Path<String>,
) -> Result<Json<Token>, Problem> {
    let id: Id = parse(&token)?;
    control.revoke_token(id).await.map(Json).map_err(problem)
}
