use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use crate::{guard, problem};

/// How long a handler may think before the request is answered 503, headers of the answer counted, its body not.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Gives `router` an answer in problem+json for addresses and methods it does not know, an end to waiting, and on each
/// answer the headers that keep browsers from doing with it what it is not for.
pub fn with_fallbacks(router: Router) -> Router {
    let router = router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(time_limit));
    guard::layer(router)
}

async fn not_found() -> Response {
    problem::NOT_FOUND
        .because("nothing lives at this address; check its spelling")
        .into_response()
}

pub(crate) async fn method_not_allowed() -> Response {
    problem::METHOD_NOT_ALLOWED
        .because("this address does not take that method; the Allow header lists those it takes")
        .into_response()
}

async fn time_limit(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => problem::TIMEOUT
            .because("the server is too busy to answer; try again in a moment")
            .retry_after(Duration::from_secs(5))
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::{StatusCode, header};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(method: &str, path: &str) -> Response {
        let router = Router::new()
            .route("/here", get(async || "here"))
            .route("/stuck", get(std::future::pending::<&'static str>));
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty());
        with_fallbacks(router)
            .oneshot(request.unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn what_no_route_takes_is_a_problem() {
        let response = ask("GET", "/there").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            problem::MEDIA_TYPE
        );
    }

    #[tokio::test]
    async fn a_wrong_method_is_a_problem_that_lists_the_right_ones() {
        let response = ask("PUT", "/here").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            problem::MEDIA_TYPE
        );
        assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_hangs_is_answered_for() {
        let response = ask("GET", "/stuck").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }
}
