use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zongzi_http::Problem;

use super::input::{self, Listed, Page, PageQuery, bound_to, listed, parse, tag};
use super::once;
use super::refusal::problem;
use crate::Control;
use crate::events::Kind;
use crate::hooks::{Delivery, Hook, HookId, HookPatch, MintedHook};
use crate::store::{Error, Store};
use crate::token::Caller;

/// A hook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHook)]
pub(super) struct NewBody {
    /// Where events are posted to.
    #[schema(pattern = "^https?://", max_length = 2048)]
    url: String,
    /// Which events; none named: all of them.
    #[serde(default)]
    events: Vec<Kind>,
    /// What you call it.
    #[schema(max_length = 200)]
    #[serde(default)]
    label: String,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HookPatch)]
pub(super) struct PatchBody {
    /// Another address.
    #[schema(pattern = "^https?://", max_length = 2048)]
    url: Option<String>,
    /// Other events; an empty list: all of them.
    events: Option<Vec<Kind>>,
    /// Another label.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Whether it is told anything.
    enabled: Option<bool>,
}

/// A hook that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = MintedHook)]
pub(super) struct MintedBody {
    #[serde(flatten)]
    about: Hook,
    /// What its messages are signed with, shown this once.
    secret: String,
}

#[utoipa::path(get, path = "/api/v1/hooks", tag = "hooks", operation_id = "list_hooks", params(Page),
    responses(
    (status = 200, description = "A page of hooks, by id", body = Listed<Hook>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn list<S: Store>(
    State(control): State<Control<S>>,
    page: PageQuery,
) -> Result<Json<Listed<Hook>>, Problem> {
    let (after, limit) = input::page(page)?;
    let found = control
        .store()
        .hooks(after, limit.saturating_add(1))
        .await
        .map_err(problem)?;
    Ok(Json(listed(found, limit, |hook| hook.id.to_string())))
}

#[utoipa::path(post, path = "/api/v1/hooks", tag = "hooks", operation_id = "create_hook",
    params(once::Header), request_body = NewBody, responses(
    (status = 201, description = "The hook with its secret, which is not shown again",
        body = MintedBody, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn create<S: Store>(
    State(control): State<Control<S>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: NewBody = input::json(&headers, body).await?;
    let once = once::of(&headers, &control, &caller, "hook", &body)?;
    let (url, label) = (parse(&body.url)?, parse(&body.label)?);
    let MintedHook { hook, key } = control
        .create_hook_once(url, unique(body.events), label, once)
        .await
        .map_err(problem)?;
    let headers = [
        (header::LOCATION, format!("/api/v1/hooks/{}", hook.id)),
        (header::ETAG, tag(hook.created, hook.version)),
        // A secret: nobody on the way may keep it.
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = MintedBody {
        about: hook,
        secret: key.expose(),
    };
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

#[utoipa::path(get, path = "/api/v1/hooks/{hook}", tag = "hooks", operation_id = "read_hook",
    params(("hook" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The hook, without its secret", body = Hook,
        headers(("ETag" = String))),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn read<S: Store>(
    State(control): State<Control<S>>,
    Path(hook): Path<String>,
) -> Result<Response, Problem> {
    Ok(with_tag(find(&control, &hook).await?))
}

#[utoipa::path(patch, path = "/api/v1/hooks/{hook}", tag = "hooks", operation_id = "update_hook",
    params(
        ("hook" = String, Path, description = "Its id"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the state that was read"),
    ),
    request_body = PatchBody, responses(
    (status = 200, description = "The hook as it is now", body = Hook, headers(("ETag" = String))),
    (status = 412, description = "Somebody else was quicker",
        content_type = "application/problem+json"),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn update<S: Store>(
    State(control): State<Control<S>>,
    Path(hook): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: PatchBody = input::json(&headers, body).await?;
    let patch = HookPatch {
        url: body.url.as_deref().map(parse).transpose()?,
        events: body.events.map(unique),
        label: body.label.as_deref().map(parse).transpose()?,
        enabled: body.enabled,
    };
    let hook = find(&control, &hook).await?;
    let version = bound_to(&headers, hook.created, hook.version)?;
    let changed = control
        .store()
        .update_hook(hook.id, version, patch)
        .await
        .map_err(problem)?;
    Ok(with_tag(changed))
}

#[utoipa::path(delete, path = "/api/v1/hooks/{hook}", tag = "hooks", operation_id = "delete_hook",
    params(
        ("hook" = String, Path, description = "Its id"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the state that was read"),
    ),
    responses(
    (status = 204, description = "It is gone, with what was on its way to it"),
    (status = 412, description = "Somebody else was quicker",
        content_type = "application/problem+json"),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn delete<S: Store>(
    State(control): State<Control<S>>,
    Path(hook): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let hook = find(&control, &hook).await?;
    let version = bound_to(&headers, hook.created, hook.version)?;
    control
        .store()
        .delete_hook(hook.id, version)
        .await
        .map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/api/v1/hooks/{hook}/dead-letters", tag = "hooks",
    operation_id = "list_dead_letters",
    params(("hook" = String, Path, description = "Whose"), Page), responses(
    (status = 200, description = "A page of deliveries that were given up, the oldest first",
        body = Listed<Delivery>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn dead<S: Store>(
    State(control): State<Control<S>>,
    Path(hook): Path<String>,
    page: PageQuery,
) -> Result<Json<Listed<Delivery>>, Problem> {
    let (after, limit) = input::page(page)?;
    let found = control
        .store()
        .dead_letters(parse(&hook)?, after, limit.saturating_add(1))
        .await
        .map_err(problem)?;
    Ok(Json(listed(found, limit, |delivery| {
        delivery.id.to_string()
    })))
}

#[utoipa::path(post, path = "/api/v1/hooks/{hook}/dead-letters/{delivery}/redeliver", tag = "hooks",
    operation_id = "redeliver",
    params(
        ("hook" = String, Path, description = "Whose"),
        ("delivery" = String, Path, description = "Which"),
    ),
    responses(
    (status = 202, description = "It will be posted within a second", body = Delivery),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn redeliver<S: Store>(
    State(control): State<Control<S>>,
    Path((hook, delivery)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let now = std::time::SystemTime::now().into();
    let (hook, delivery) = (parse(&hook)?, parse(&delivery)?);
    let redelivered = control.store().redeliver(hook, delivery, now).await;
    Ok((StatusCode::ACCEPTED, Json(redelivered.map_err(problem)?)).into_response())
}

async fn find<S: Store>(control: &Control<S>, id: &str) -> Result<Hook, Problem> {
    let id: HookId = parse(id)?;
    let found = control.store().hook(id.clone()).await.map_err(problem)?;
    found.ok_or_else(|| problem(Error::HookUnknown(id)))
}

fn with_tag(hook: Hook) -> Response {
    let tag = tag(hook.created, hook.version);
    ([(header::ETAG, tag)], Json(hook)).into_response()
}

fn unique(mut events: Vec<Kind>) -> Vec<Kind> {
    events.sort_unstable();
    events.dedup();
    events
}
