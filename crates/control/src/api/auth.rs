use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::Instant;
use zongzi_http::problem::Kind;
use zongzi_http::{Connection, Problem};

use crate::AdminToken;
use crate::gate::throttle::Throttle;

const UNAUTHORIZED: Kind = Kind::new(
    "admin-token-needed",
    "The admin token is needed",
    StatusCode::UNAUTHORIZED,
);
const THROTTLED: Kind = Kind::new(
    "too-many-guesses",
    "Too many wrong tokens",
    StatusCode::TOO_MANY_REQUESTS,
);

/// What a wrong token costs.
const WRONG_DELAY: Duration = Duration::from_secs(1);

/// Lets only those through to `router` who show the token as `Authorization: Bearer …` (RFC 6750 §2.1).
pub(super) fn layer(router: Router, token: AdminToken) -> Router {
    let door = Arc::new(Door {
        token,
        throttle: Mutex::default(),
    });
    router.layer(from_fn(move |request: Request, next: Next| {
        let door = Arc::clone(&door);
        async move {
            match door.check(request.headers(), request.extensions()).await {
                Ok(()) => next.run(request).await,
                Err(problem) => problem.into_response(),
            }
        }
    }))
}

struct Door {
    token: AdminToken,
    throttle: Mutex<Throttle>,
}

impl Door {
    async fn check(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<(), Problem> {
        let peer = extensions.get::<Connection>().map(|ends| ends.peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let now = Instant::now();
        if let Some(wait) = self.with_throttle(|throttle| throttle.refused_for(peer, now)) {
            return Err(THROTTLED
                .because("too many wrong tokens from this address; wait as Retry-After says")
                .retry_after(wait));
        }
        match bearer(headers) {
            Some(shown) if self.token.is(shown) => Ok(()),
            Some(_) => {
                self.with_throttle(|throttle| throttle.wrong(peer, now));
                tokio::time::sleep(WRONG_DELAY).await;
                Err(needed(
                    "the token is wrong; the right one stands in the file admin-token in the data directory",
                ))
            }
            None => Err(needed(
                "send the token from the file admin-token in the data directory as Authorization: Bearer TOKEN",
            )),
        }
    }

    fn with_throttle<T>(&self, work: impl FnOnce(&mut Throttle) -> T) -> T {
        work(&mut self.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn needed(detail: &'static str) -> Problem {
    UNAUTHORIZED
        .because(detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
