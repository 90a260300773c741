//! The operator's router: health and the metrics page. It belongs on a listener that the public does not reach.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;

use crate::health::{self, Ready};
use crate::problem;

/// The media type of the Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/metrics` with the text that `metrics` makes, `/healthz` and `/readyz`. Merge more routes into it, then give it its
/// [fallbacks](crate::with_fallbacks).
///
/// `metrics` runs on the blocking pool, so it may take locks and read files.
pub fn router(
    metrics: impl Fn() -> String + Clone + Send + Sync + 'static,
    ready: Ready,
) -> Router {
    Router::new()
        .route("/metrics", get(async move || scrape(metrics.clone()).await))
        .merge(health::router(ready))
}

async fn scrape(metrics: impl Fn() -> String + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(metrics).await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics page could not be made");
            problem::UNAVAILABLE
                .because("the metrics page could not be made; the server's log says why")
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(ready: Result<(), String>, path: &str) -> (StatusCode, String) {
        let router = router(
            || "zongzi_up 1\n".to_owned(),
            Ready::new(move || ready.clone()),
        );
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn the_metrics_page_is_what_the_closure_gives() {
        assert_eq!(
            ask(Ok(()), "/metrics").await,
            (StatusCode::OK, "zongzi_up 1\n".to_owned())
        );
    }

    #[tokio::test]
    async fn a_server_that_is_not_ready_is_healthy_all_the_same() {
        let not_ready = Err("the store can't be read".to_owned());
        assert_eq!(ask(not_ready.clone(), "/healthz").await.0, StatusCode::OK);
        let (status, body) = ask(not_ready, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("the store can't be read"), "{body}");
        assert_eq!(ask(Ok(()), "/readyz").await.0, StatusCode::OK);
    }
}
