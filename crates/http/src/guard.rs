use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::HeaderName;
use http::header::{self, HeaderValue};

/// What each answer says to browsers unless its handler has said otherwise: it is what it says it is, it shows and runs
/// nothing, it sends no addresses on, and nobody keeps it.
const DEFAULTS: [(HeaderName, HeaderValue); 4] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Puts the [`DEFAULTS`] on the answers of `router`.
pub(crate) fn layer(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| {
        let mut response: Response = next.run(request).await;
        for (name, value) in DEFAULTS {
            response.headers_mut().entry(name).or_insert(value);
        }
        response
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::Request;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn what_a_handler_says_stays_and_the_rest_is_said_for_it() {
        let router = axum::Router::new().route(
            "/page",
            get(async || {
                [
                    ("cache-control", "no-cache"),
                    ("content-security-policy", "x"),
                ]
            }),
        );
        let router = crate::with_fallbacks(router);
        for (path, cache, policy) in [
            ("/page", "no-cache", "x"),
            (
                "/nowhere",
                "no-store",
                "default-src 'none'; frame-ancestors 'none'",
            ),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let headers = response.headers();
            assert_eq!(headers["cache-control"], cache, "{path}");
            assert_eq!(headers["content-security-policy"], policy, "{path}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
            assert_eq!(headers.get_all("cache-control").iter().count(), 1);
        }
    }
}
