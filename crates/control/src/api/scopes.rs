use http::{Method, StatusCode};
use zongzi_http::Problem;
use zongzi_http::problem::Kind;

use crate::token::{Caller, Scope};

const SCOPE_NEEDED: Kind = Kind::new(
    "scope-needed",
    "The token does not allow this",
    StatusCode::FORBIDDEN,
);

/// Gives the caller back if he may do what needs the scope `needed`.
pub(super) fn allow(caller: Caller, needed: Scope) -> Result<Caller, Problem> {
    if caller.scope >= needed {
        return Ok(caller);
    }
    let has = caller.scope;
    Err(SCOPE_NEEDED.because(format!(
        "this needs a token with the scope {needed}; the one shown has {has}"
    )))
}

/// What a request needs, by its method and its path below `/api/v1`. What is not named here needs [`Scope::Admin`], so
/// that nothing new is open by mistake.
pub(super) fn needed(method: &Method, path: &str) -> Scope {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let reads = *method == Method::GET || *method == Method::HEAD;
    match (reads, segments.as_slice()) {
        (_, ["tokens" | "hooks" | "playback-keys", ..]) => Scope::Admin,
        // A QR code changes nothing.
        (_, ["qr"]) => Scope::Read,
        (
            true,
            [
                "server" | "channels" | "keys" | "broadcasts" | "sessions",
                ..,
            ],
        ) => Scope::Read,
        (false, ["keys", ..] | ["channels", _, "keys"]) => Scope::Keys,
        _ => Scope::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_needs_the_whole() {
        for (method, path, scope) in [
            (Method::GET, "/channels", Scope::Read),
            (Method::GET, "/channels/tea/keys", Scope::Read),
            (Method::HEAD, "/sessions/ses_1", Scope::Read),
            (Method::GET, "/server", Scope::Read),
            (Method::POST, "/qr", Scope::Read),
            (Method::GET, "/tokens", Scope::Admin),
            (Method::GET, "/something/new", Scope::Admin),
            (Method::POST, "/channels/tea/keys", Scope::Keys),
            (Method::POST, "/keys/key_a/rotate", Scope::Keys),
            (Method::DELETE, "/keys/key_a", Scope::Keys),
            // A channel may be called keys.
            (Method::DELETE, "/channels/keys", Scope::Admin),
            (Method::PATCH, "/channels/keys", Scope::Admin),
            (Method::DELETE, "/sessions/ses_1", Scope::Admin),
            (Method::POST, "/channels", Scope::Admin),
        ] {
            assert_eq!(needed(&method, path), scope, "{method} {path}");
        }
    }
}
