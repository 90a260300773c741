//! Which pages of other origins may call the public front (Fetch standard, "HTTP-CORS protocol").

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

/// Which origins may call.
#[derive(Debug, Clone, Default)]
pub enum Origins {
    /// Every page may: anyone may embed a player. No cookies are used here, so nothing is given away.
    #[default]
    Any,
    /// Only these, each written as a browser's `Origin` header writes it: `https://example.org`.
    Only(Vec<String>),
}

const ALLOW_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, DELETE, OPTIONS");
const ALLOW_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, If-Match, Last-Event-ID");
const EXPOSE_HEADERS: HeaderValue = HeaderValue::from_static("Location, ETag, Link, Retry-After");
/// How long a browser may remember a preflight's answer, in seconds: a day; browsers cap it lower.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Answers preflights and marks the answers of `router`.
pub fn layer(router: Router, origins: Origins) -> Router {
    let origins = Arc::new(origins);
    router.layer(from_fn(move |request: Request, next: Next| {
        let origins = Arc::clone(&origins);
        async move { apply(&origins, request, next).await }
    }))
}

async fn apply(origins: &Origins, request: Request, next: Next) -> Response {
    let allowed = origins.answer(request.headers().get(header::ORIGIN));
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    mark(response.headers_mut(), origins, allowed, preflight);
    response
}

impl Origins {
    /// The `Access-Control-Allow-Origin` that answers `origin`, if it is let in.
    fn answer(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Only(list) => origin
                .filter(|origin| {
                    list.iter()
                        .any(|allowed| allowed.as_bytes() == origin.as_bytes())
                })
                .cloned(),
        }
    }
}

fn mark(headers: &mut HeaderMap, origins: &Origins, allowed: Option<HeaderValue>, preflight: bool) {
    if matches!(origins, Origins::Only(_)) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Some(allowed) = allowed else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOW_METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    } else {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSE_HEADERS);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(origins: Origins, method: Method, origin: &str) -> Response {
        let router = layer(Router::new().route("/", post(async || "posted")), origins);
        let mut request = http::Request::builder()
            .method(&method)
            .uri("/")
            .header(header::ORIGIN, origin);
        if method == Method::OPTIONS {
            request = request.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        }
        router
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn by_default_every_origin_may_call_and_read_what_whep_needs() {
        let response = ask(Origins::Any, Method::POST, "https://a.example").await;
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(
            response.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS],
            "Location, ETag, Link, Retry-After"
        );
        let preflight = ask(Origins::Any, Method::OPTIONS, "https://a.example").await;
        assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
        assert_eq!(
            preflight.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "*"
        );
        assert!(
            preflight
                .headers()
                .contains_key(header::ACCESS_CONTROL_ALLOW_HEADERS)
        );
    }

    #[tokio::test]
    async fn a_list_lets_in_only_its_own() {
        let list = || Origins::Only(vec!["https://a.example".to_owned()]);
        let named = ask(list(), Method::POST, "https://a.example").await;
        assert_eq!(
            named.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://a.example"
        );
        assert_eq!(named.headers()[header::VARY], "Origin");
        for method in [Method::POST, Method::OPTIONS] {
            let other = ask(list(), method, "https://b.example").await;
            assert!(
                !other
                    .headers()
                    .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            );
            assert_eq!(other.headers()[header::VARY], "Origin");
        }
    }
}
