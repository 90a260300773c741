use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::precondition::{self, Precondition};
use super::{
    Address, BODY_BYTES_MAX, Change, Changed, Counters, Created, EntityTag, Offer, Outcome,
    Refusal, SessionId, Sessions,
};
use crate::problem::Problem;
use crate::public::is_plain;
use crate::{Bearer, Connection, body};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// The WHEP resources over `sessions`, each request counted in `counters`.
pub fn router<S: Sessions>(sessions: Arc<S>, counters: Arc<Counters>) -> Router {
    Router::new()
        .route(
            "/whep/{channel}",
            post(create::<S>).options(describe_endpoint),
        )
        .route(
            "/whep/{channel}/{session}",
            patch(change::<S>)
                .delete(end::<S>)
                .options(describe_session),
        )
        .with_state(Whep { sessions, counters })
}

struct Whep<S> {
    sessions: Arc<S>,
    counters: Arc<Counters>,
}

impl<S> Clone for Whep<S> {
    fn clone(&self) -> Self {
        Self {
            sessions: Arc::clone(&self.sessions),
            counters: Arc::clone(&self.counters),
        }
    }
}

impl<S> Whep<S> {
    /// A malformed request, counted.
    fn malformed(&self, problem: Problem) -> Response {
        self.counters.count(Outcome::BadRequest);
        problem.into_response()
    }

    /// A refused request, counted.
    fn refused(&self, refusal: Refusal) -> Response {
        self.counters.count(refusal.outcome());
        refusal.problem().into_response()
    }
}

async fn create<S: Sessions>(
    State(whep): State<Whep<S>>,
    Path(channel): Path<String>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !is_plain(&channel) {
        return whep.refused(Refusal::UnknownChannel);
    }
    let sdp = match read(&headers, SDP, body).await {
        Ok(sdp) => sdp,
        Err(problem) => return whep.malformed(problem),
    };
    let connection = connection.map(|Extension(connection)| connection);
    match whep
        .sessions
        .create(Offer {
            channel: channel.clone(),
            sdp,
            token: Bearer::of(&headers),
            connection,
        })
        .await
    {
        Ok(created) => {
            whep.counters.count(Outcome::Created);
            created_response(&channel, created)
        }
        Err(refusal) => whep.refused(refusal),
    }
}

async fn change<S: Sessions>(
    State(whep): State<Whep<S>>,
    Path((channel, session)): Path<(String, String)>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(address) = address(channel, &session) else {
        return whep.refused(Refusal::UnknownSession);
    };
    let precondition = match precondition::read(&headers) {
        Ok(precondition) => precondition,
        Err(problem) => return whep.malformed(problem),
    };
    let fragment = match read(&headers, FRAGMENT, body).await {
        Ok(fragment) => fragment,
        Err(problem) => return whep.malformed(problem),
    };
    let change = match precondition {
        Precondition::Any => Change::Restart { fragment },
        Precondition::Tag(etag) => Change::Trickle { etag, fragment },
    };
    let connection = connection.map(|Extension(connection)| connection);
    match whep.sessions.change(address, change, connection).await {
        Ok(Changed::Trickled) => StatusCode::NO_CONTENT.into_response(),
        Ok(Changed::Restarted { etag, fragment }) => restarted_response(etag, fragment),
        Err(refusal) => whep.refused(refusal),
    }
}

async fn end<S: Sessions>(
    State(whep): State<Whep<S>>,
    Path((channel, session)): Path<(String, String)>,
) -> Response {
    let Some(address) = address(channel, &session) else {
        return whep.refused(Refusal::UnknownSession);
    };
    match whep.sessions.delete(address).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => whep.refused(refusal),
    }
}

/// RFC 9725 §4.2: OPTIONS on the endpoint says what may be posted there.
async fn describe_endpoint() -> Response {
    let headers = [("accept-post", SDP), ("allow", "POST, OPTIONS")];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn describe_session() -> Response {
    let headers = [
        ("accept-patch", FRAGMENT),
        ("allow", "PATCH, DELETE, OPTIONS"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn read(
    headers: &HeaderMap,
    media_type: &'static str,
    body: Body,
) -> Result<String, Problem> {
    body::require_media_type(headers, media_type)?;
    body::read_text(body, BODY_BYTES_MAX).await
}

fn address(channel: String, session: &str) -> Option<Address> {
    let session: SessionId = session.parse().ok()?;
    Some(Address { channel, session })
}

fn created_response(channel: &str, created: Created) -> Response {
    let location = HeaderValue::try_from(format!("/whep/{channel}/{}", created.session))
        .expect("a name of plain characters and hexadecimal digits are a header value");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(SDP)),
        (header::LOCATION, location),
        (header::ETAG, tag(created.etag)),
        (
            header::HeaderName::from_static("accept-patch"),
            HeaderValue::from_static(FRAGMENT),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::CREATED, headers, created.answer).into_response()
}

fn restarted_response(etag: EntityTag, fragment: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT)),
        (header::ETAG, tag(etag)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::OK, headers, fragment).into_response()
}

fn tag(etag: EntityTag) -> HeaderValue {
    HeaderValue::try_from(etag.to_string())
        .expect("hexadecimal digits in quotes are a header value")
}
