//! `/healthz` (the process answers) and `/readyz` (it can do its work), for load balancers and supervisors.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::problem;

/// Answers whether the server can do its work right now; if not, why, in words without secrets.
#[derive(Clone)]
pub struct Ready(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl Ready {
    /// Asks `check` for each request; it must answer at once.
    pub fn new(check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready(…)")
    }
}

/// The two routes.
pub fn router(ready: Ready) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || readiness(&ready)))
}

fn readiness(ready: &Ready) -> Response {
    match (ready.0)() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => problem::UNAVAILABLE
            .because(why)
            .retry_after(Duration::from_secs(5))
            .into_response(),
    }
}
