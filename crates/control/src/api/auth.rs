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

use super::refusal::problem;
use super::scopes;
use crate::gate::throttle::Throttle;
use crate::store::Store;
use crate::token::Caller;
use crate::{AdminToken, Control};

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
pub(super) fn layer<S: Store + Clone>(router: Router, door: Door<S>) -> Router {
    let door = Arc::new(door);
    router.layer(from_fn(move |mut request: Request, next: Next| {
        let door = Arc::clone(&door);
        async move {
            let shown = door.check(request.headers(), request.extensions()).await;
            let allowed = shown.and_then(|caller| {
                let needed = scopes::needed(request.method(), request.uri().path());
                scopes::allow(caller, needed)
            });
            match allowed {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    next.run(request).await
                }
                Err(problem) => problem.into_response(),
            }
        }
    }))
}

/// Where tokens are checked.
pub(super) struct Door<S> {
    control: Control<S>,
    token: AdminToken,
    throttle: Mutex<Throttle>,
}

impl<S: Store> Door<S> {
    pub(super) fn new(control: Control<S>, token: AdminToken) -> Self {
        Self {
            control,
            token,
            throttle: Mutex::default(),
        }
    }

    async fn check(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<Caller, Problem> {
        let peer = extensions.get::<Connection>().map(|ends| ends.peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let now = Instant::now();
        if let Some(wait) = self.with_throttle(|throttle| throttle.refused_for(peer, now)) {
            return Err(THROTTLED
                .because("too many wrong tokens from this address; wait as Retry-After says")
                .retry_after(wait));
        }
        let Some(shown) = bearer(headers) else {
            return Err(needed(
                "send the token from the file admin-token in the data directory as Authorization: Bearer TOKEN",
            ));
        };
        let caller = self.control.caller(&self.token, shown).await;
        if let Some(caller) = caller.map_err(problem)? {
            return Ok(caller);
        }
        self.with_throttle(|throttle| throttle.wrong(peer, now));
        tokio::time::sleep(WRONG_DELAY).await;
        Err(needed(
            "the token is wrong, revoked or expired; one that is right stands in the file admin-token in the data directory",
        ))
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
