//! The REST API of the admin listener, `/api/v1`, and its OpenAPI description.
//!
//! Every request carries the admin token or a named one whose scope allows it; every error is an RFC 9457 problem; lists
//! come in pages; channels and hooks have an `ETag`, and a change with `If-Match` is refused when somebody else was
//! quicker.

mod auth;
mod broadcasts;
mod channels;
mod document;
mod hooks;
mod input;
mod keys;
mod once;
mod page;
mod playback;
mod refusal;
mod scopes;
mod sessions;
mod tokens;
mod tools;

pub use tools::About;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};

use crate::chronicle::Chronicle;
use crate::events::Events;
use crate::session::Sessions;
use crate::store::Store;
use crate::{AdminToken, Control};

/// What the API is about.
#[derive(Clone)]
#[expect(
    missing_debug_implementations,
    reason = "whoever implements the trait need not be shown"
)]
pub struct Api<S> {
    /// Channels and keys.
    pub control: Control<S>,
    /// Broadcasts, live and past.
    pub chronicle: Arc<Chronicle<S>>,
    /// Who is connected.
    pub sessions: Arc<dyn Sessions>,
    /// Where what is done is told.
    pub events: Events,
    /// Where hosts and viewers find the server.
    pub about: Arc<About>,
}

impl<S: Clone> FromRef<Api<S>> for Control<S> {
    fn from_ref(api: &Api<S>) -> Self {
        api.control.clone()
    }
}

impl<S> FromRef<Api<S>> for Arc<About> {
    fn from_ref(api: &Api<S>) -> Self {
        Self::clone(&api.about)
    }
}

/// The API, opened by `token`. Merge it into the admin router.
pub fn router<S: Store + Clone>(api: Api<S>, token: AdminToken) -> Router {
    let control = api.control.clone();
    let routes = Router::new()
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
        .route("/broadcasts", get(broadcasts::list::<S>))
        .route("/broadcasts/{broadcast}", get(broadcasts::read::<S>))
        .route("/sessions", get(sessions::list::<S>))
        .route(
            "/sessions/{session}",
            get(sessions::read::<S>).delete(sessions::kick::<S>),
        )
        .route("/server", get(tools::about))
        .route("/qr", post(tools::qr))
        .merge(playback::routes())
        .route("/tokens", get(tokens::list::<S>).post(tokens::create::<S>))
        .route(
            "/tokens/{token}",
            get(tokens::read::<S>).delete(tokens::revoke::<S>),
        )
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
        .with_state(api);
    let door = auth::Door::new(control, token);
    Router::new()
        .nest("/api/v1", auth::layer(routes, door))
        .route("/api/openapi.json", get(document::serve))
        .route("/api/docs", get(page::serve))
        .route("/api/docs.css", get(page::style))
}

#[cfg(test)]
mod hook_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
