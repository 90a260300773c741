use std::num::NonZeroU32;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;
use zongzi_http::Problem;
use zongzi_media::ChannelName;

use super::input::{self, Listed, Page, PageQuery, bound_to, listed, parse, tag};
use super::once;
use super::refusal::problem;
use crate::store::{Error, Store};
use crate::token::Caller;
use crate::{Channel, ChannelPatch, Control, NewChannel, Takeover};

/// A channel to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewChannel)]
pub(super) struct NewBody {
    /// Its name, which never changes.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    name: String,
    /// Its title, for people.
    #[schema(max_length = 200)]
    #[serde(default)]
    title: String,
    /// Who wins when a second host comes.
    #[serde(default)]
    takeover: Takeover,
    /// Whether viewers need a playback token.
    #[serde(default)]
    private: bool,
    /// Viewers at a time; null: as many as the server takes.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    #[serde(default)]
    max_viewers: Option<NonZeroU32>,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelPatch)]
pub(super) struct PatchBody {
    /// A new title.
    #[schema(max_length = 200)]
    title: Option<String>,
    /// Who wins from now on.
    takeover: Option<Takeover>,
    /// Whether viewers need a playback token from now on; those who watch without one are cut off within a second.
    private: Option<bool>,
    /// Viewers at a time from now on; null: as many as the server takes.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    #[serde(default, deserialize_with = "input::given")]
    max_viewers: Option<Option<NonZeroU32>>,
}

#[utoipa::path(get, path = "/api/v1/channels", tag = "channels", params(Page), responses(
    (status = 200, description = "A page of channels, by name", body = Listed<Channel>),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn list<S: Store>(
    State(control): State<Control<S>>,
    page: PageQuery,
) -> Result<Json<Listed<Channel>>, Problem> {
    let (after, limit) = input::page(page)?;
    let found = control
        .store()
        .channels(after, limit.saturating_add(1))
        .await
        .map_err(problem)?;
    Ok(Json(listed(found, limit, |channel| {
        channel.name.to_string()
    })))
}

#[utoipa::path(post, path = "/api/v1/channels", tag = "channels", params(once::Header),
    request_body = NewBody, responses(
    (status = 201, description = "The channel", body = Channel,
        headers(("Location" = String), ("ETag" = String))),
    (status = 409, description = "The name is taken", content_type = "application/problem+json"),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn create<S: Store>(
    State(control): State<Control<S>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: NewBody = input::json(&headers, body).await?;
    let once = once::of(&headers, &control, &caller, "channel", &body)?;
    let new = NewChannel {
        name: parse(&body.name)?,
        title: parse(&body.title)?,
        takeover: body.takeover,
        private: body.private,
        max_viewers: body.max_viewers,
        once,
    };
    let channel = control.create_channel(new).await.map_err(problem)?;
    let location = [(
        header::LOCATION,
        format!("/api/v1/channels/{}", channel.name),
    )];
    Ok((StatusCode::CREATED, location, with_tag(channel)).into_response())
}

#[utoipa::path(get, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The channel", body = Channel, headers(("ETag" = String))),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn read<S: Store>(
    State(control): State<Control<S>>,
    Path(channel): Path<String>,
) -> Result<Response, Problem> {
    Ok(with_tag(find(&control, &channel).await?))
}

#[utoipa::path(patch, path = "/api/v1/channels/{channel}", tag = "channels",
    params(
        ("channel" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the state that was read"),
    ),
    request_body = PatchBody, responses(
    (status = 200, description = "The channel as it is now", body = Channel,
        headers(("ETag" = String))),
    (status = 412, description = "Somebody else was quicker",
        content_type = "application/problem+json"),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn update<S: Store>(
    State(control): State<Control<S>>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: PatchBody = input::json(&headers, body).await?;
    let patch = ChannelPatch {
        title: body.title.as_deref().map(parse).transpose()?,
        takeover: body.takeover,
        private: body.private,
        max_viewers: body.max_viewers,
    };
    let channel = find(&control, &channel).await?;
    let version = bound_to(&headers, channel.created, channel.version)?;
    let changed = control
        .update_channel(channel.name, version, patch)
        .await
        .map_err(problem)?;
    Ok(with_tag(changed))
}

#[utoipa::path(delete, path = "/api/v1/channels/{channel}", tag = "channels",
    params(
        ("channel" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the state that was read"),
    ),
    responses(
    (status = 204, description = "It is gone with its keys; a live broadcast ends within a second"),
    (status = 412, description = "Somebody else was quicker",
        content_type = "application/problem+json"),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn delete<S: Store>(
    State(control): State<Control<S>>,
    Path(channel): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let channel = find(&control, &channel).await?;
    let version = bound_to(&headers, channel.created, channel.version)?;
    control
        .delete_channel_at(channel.name, version)
        .await
        .map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The channel of that name. What can be no name is no channel either.
pub(super) async fn find<S: Store>(control: &Control<S>, name: &str) -> Result<Channel, Problem> {
    let unknown =
        || zongzi_http::problem::CHANNEL_UNKNOWN.because("there is no channel of this name");
    let name: ChannelName = name.parse().map_err(|_not_a_name| unknown())?;
    let found = control
        .store()
        .channel(name.clone())
        .await
        .map_err(problem)?;
    found.ok_or_else(|| problem(Error::ChannelUnknown(name)))
}

fn with_tag(channel: Channel) -> Response {
    let tag = tag(channel.created, channel.version);
    ([(header::ETAG, tag)], Json(channel)).into_response()
}
