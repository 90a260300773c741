//! Errors as RFC 9457 problem details: what happened, and what to do.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// The media type of a problem, RFC 9457 §3.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A kind of problem: what stays the same each time it occurs (RFC 9457 §3.1: `type`, `title`, `status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The last part of its `type`, `/problems/{slug}`: what programs compare.
    pub slug: &'static str,
    /// A short sentence for people, the same in each occurrence.
    pub title: &'static str,
    /// The status it is sent with.
    pub status: StatusCode,
}

impl Kind {
    /// Names a kind.
    pub const fn new(slug: &'static str, title: &'static str, status: StatusCode) -> Self {
        Self {
            slug,
            title,
            status,
        }
    }

    /// One occurrence of it. `detail` says what happened this time and what to do about it, and carries no secret.
    pub fn because(self, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            kind: self,
            detail: detail.into(),
            headers: Vec::new(),
        }
    }
}

/// Nothing lives at this address.
pub const NOT_FOUND: Kind = Kind::new("not-found", "Nothing here", StatusCode::NOT_FOUND);
/// The address is right, the method is not.
pub const METHOD_NOT_ALLOWED: Kind = Kind::new(
    "method-not-allowed",
    "Method not allowed",
    StatusCode::METHOD_NOT_ALLOWED,
);
/// The body is longer than it may be.
pub const TOO_LARGE: Kind = Kind::new(
    "body-too-large",
    "Request body too large",
    StatusCode::PAYLOAD_TOO_LARGE,
);
/// The body has another media type than the one that is understood here.
pub const MEDIA_TYPE_UNSUPPORTED: Kind = Kind::new(
    "media-type-unsupported",
    "Wrong content type",
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
);
/// The body did not arrive in time.
pub const BODY_TIMEOUT: Kind = Kind::new(
    "body-timeout",
    "Request body too slow",
    StatusCode::REQUEST_TIMEOUT,
);
/// The body could not be read as what it claims to be.
pub const BODY_UNREADABLE: Kind = Kind::new(
    "body-unreadable",
    "Request body not readable",
    StatusCode::BAD_REQUEST,
);
/// The server did not answer in time.
pub const TIMEOUT: Kind = Kind::new(
    "timeout",
    "The server took too long",
    StatusCode::SERVICE_UNAVAILABLE,
);
/// Something the answer needs can't be had right now.
pub const UNAVAILABLE: Kind = Kind::new(
    "unavailable",
    "Not available right now",
    StatusCode::SERVICE_UNAVAILABLE,
);
/// A limit of the server is reached.
pub const FULL: Kind = Kind::new(
    "full",
    "The server is full",
    StatusCode::SERVICE_UNAVAILABLE,
);
/// A change needs an `If-Match` header and has none (RFC 6585 §3).
pub const PRECONDITION_REQUIRED: Kind = Kind::new(
    "precondition-required",
    "If-Match is missing",
    StatusCode::PRECONDITION_REQUIRED,
);
/// The `If-Match` header names another state than the present one (RFC 9110 §15.5.13).
pub const PRECONDITION_FAILED: Kind = Kind::new(
    "precondition-failed",
    "The resource has changed",
    StatusCode::PRECONDITION_FAILED,
);
/// No channel has this name.
pub const CHANNEL_UNKNOWN: Kind =
    Kind::new("channel-unknown", "No such channel", StatusCode::NOT_FOUND);

/// One occurrence of a [`Kind`] of problem, ready to be sent.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Adds a `Retry-After` header, in whole seconds and at least one.
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait
            .as_secs()
            .saturating_add(u64::from(wait.subsec_nanos() > 0))
            .max(1);
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What kind of problem this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened this time.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            kind: format!("/problems/{}", self.kind.slug),
            title: self.kind.title,
            status: self.kind.status.as_u16(),
            detail: &self.detail,
        };
        let text = serde_json::to_vec(&body).expect("strings and a number always serialize");
        let mut response = (self.kind.status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        response
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_says_what_rfc_9457_asks_for() {
        let response = FULL
            .because("all 10 places are taken; try again in a moment")
            .retry_after(Duration::from_millis(1500))
            .into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let body = axum::body::to_bytes(response.into_body(), 1024)
            .await
            .unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
            serde_json::json!({
                "type": "/problems/full",
                "title": "The server is full",
                "status": 503,
                "detail": "all 10 places are taken; try again in a moment",
            })
        );
    }
}
