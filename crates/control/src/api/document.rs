use axum::Json;
use serde_json::Value;
use utoipa::openapi::OpenApi as Described;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{broadcasts, channels, hooks, keys, playback, sessions, tokens, tools};

/// The API's description, OpenAPI 3.1, made from the handlers.
pub(super) async fn serve() -> Json<Described> {
    Json(Document::openapi())
}

/// The same as a value.
pub(super) fn value() -> Value {
    serde_json::to_value(Document::openapi()).expect("the description is JSON")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Zongzi",
        description = "Channels, stream keys, broadcasts, sessions, hooks and tokens of a Zongzi server."
    ),
    paths(
        channels::list,
        channels::create,
        channels::read,
        channels::update,
        channels::delete,
        keys::list,
        keys::create,
        keys::read,
        keys::revoke,
        keys::rotate,
        playback::create_token,
        playback::list_keys,
        playback::rotate_key,
        broadcasts::list,
        broadcasts::read,
        sessions::list,
        sessions::read,
        sessions::kick,
        tokens::list,
        tokens::create,
        tokens::read,
        tokens::revoke,
        hooks::list,
        hooks::create,
        hooks::read,
        hooks::update,
        hooks::delete,
        hooks::dead,
        hooks::redeliver,
        tools::about,
        tools::qr,
    ),
    // Named in a query alone, which does not bring it in.
    components(schemas(broadcasts::Ended)),
    security(("admin_token" = [])),
    modifiers(&Bearer),
)]
struct Document;

/// Says that the token goes into `Authorization: Bearer`.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Described) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("admin_token", SecurityScheme::Http(scheme));
    }
}
