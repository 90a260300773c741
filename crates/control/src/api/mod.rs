//! The REST API of the admin listener, `/api/v1`, and its OpenAPI description.
//!
//! Every request carries the admin token; every error is an RFC 9457 problem; lists come in pages; channels and
//! hooks have an `ETag`, and a change with `If-Match` is refused when somebody else was quicker.

mod auth;
mod channels;
mod document;
mod hooks;
mod input;
mod keys;
mod playback;
mod refusal;

use axum::Router;
use axum::routing::{get, post};

use crate::store::Store;
use crate::{AdminToken, Control};

/// The API over `control`, opened by `token`. Merge it into the admin router.
pub fn router<S: Store + Clone>(control: Control<S>, token: AdminToken) -> Router {
    let api = Router::new()
        .route(
            "/channels",
            get(channels::list::<S>).post(channels::create::<S>),
        )
        .route(
            "/channels/{channel}",
            get(channels::read::<S>)
                .patch(channels::update::<S>)
                .delete(channels::delete::<S>),
        )
        .route(
            "/channels/{channel}/keys",
            get(keys::list::<S>).post(keys::create::<S>),
        )
        .route(
            "/keys/{key}",
            get(keys::read::<S>).delete(keys::revoke::<S>),
        )
        .route("/keys/{key}/rotate", post(keys::rotate::<S>))
        .merge(playback::routes())
        .route("/hooks", get(hooks::list::<S>).post(hooks::create::<S>))
        .route(
            "/hooks/{hook}",
            get(hooks::read::<S>)
                .patch(hooks::update::<S>)
                .delete(hooks::delete::<S>),
        )
        .route("/hooks/{hook}/dead-letters", get(hooks::dead::<S>))
        .route(
            "/hooks/{hook}/dead-letters/{delivery}/redeliver",
            post(hooks::redeliver::<S>),
        )
        .with_state(control);
    Router::new()
        .nest("/api/v1", auth::layer(api, token))
        .route("/api/openapi.json", get(document::serve))
}

#[cfg(test)]
mod hook_tests;
#[cfg(test)]
mod tests;
