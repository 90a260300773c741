use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use zongzi_http::problem::{self, Kind};
use zongzi_http::{Problem, Timestamp, body};

/// What was sent can be read and makes no sense.
pub(super) const INVALID: Kind = Kind::new(
    "invalid",
    "The request can't be used",
    StatusCode::UNPROCESSABLE_ENTITY,
);

/// The longest request body, in bytes; a title of 200 characters needs far less.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Entries of a page, unless asked for otherwise.
const LIMIT_DEFAULT: u32 = 100;
/// The most entries of a page.
const LIMIT_MAX: u32 = 1_000;

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many entries, at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// A page that was asked for, or why it can't be.
pub(super) type PageQuery = Result<Query<Page>, QueryRejection>;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    /// The entries.
    pub(super) items: Vec<T>,
    /// What to send as `after` for the next page; null on the last one.
    pub(super) next: Option<String>,
}

/// Reads a page's query: where it begins and how long it may be.
pub(super) fn page<T: FromStr<Err: std::error::Error>>(
    query: PageQuery,
) -> Result<(Option<T>, u32), Problem> {
    let page = self::query(query)?;
    let limit = limit(page.limit)?;
    Ok((page.after.as_deref().map(parse).transpose()?, limit))
}

/// Reads a query, with words for what is wrong.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let Query(query) = query.map_err(|error| INVALID.because(error.body_text()))?;
    Ok(query)
}

/// How many entries a page may have.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(INVALID.because(format!("limit is 1 to {LIMIT_MAX}")))
    }
}

/// Makes a page of `items`, which were read with one more than `limit` to see whether there are more.
pub(super) fn listed<T>(mut items: Vec<T>, limit: u32, name: impl Fn(&T) -> String) -> Listed<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(name) } else { None };
    Listed { items, next }
}

/// Reads a value of the request, with its own words for what is wrong.
pub(super) fn parse<T: FromStr<Err: std::error::Error>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| unusable(&error))
}

/// What was sent makes no sense, in the words of what noticed.
pub(super) fn unusable(error: &impl std::error::Error) -> Problem {
    INVALID.because(error.to_string())
}

/// A span of the request in seconds, with words for one that is too long.
pub(super) fn overlap(seconds: u64, longest: Duration) -> Result<Duration, Problem> {
    let span = Duration::from_secs(seconds);
    if span > longest {
        let longest = longest.as_secs();
        return Err(INVALID.because(format!("overlap_seconds is 0 to {longest}")));
    }
    Ok(span)
}

/// Reads a JSON body.
pub(super) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    body::require_media_type(headers, "application/json")?;
    let bytes = body::read(body, BODY_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => INVALID.because(error.to_string()),
        _ => problem::BODY_UNREADABLE.because(format!("the body is not JSON: {error}")),
    })
}

/// Reads a field that may be null: `Some` says that it was there.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The tag of a state. What was deleted and made again has another.
pub(super) fn tag(created: Timestamp, version: u64) -> String {
    format!("\"{:x}-{version}\"", created.unix_ms())
}

/// Checks `If-Match` (RFC 9110 §13.1.1) against the present state, if it is sent, and gives the version that a change is
/// bound to.
pub(super) fn bound_to(
    headers: &HeaderMap,
    created: Timestamp,
    version: u64,
) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let present = tag(created, version);
    let mut tags = value.to_str().unwrap_or_default().split(',').map(str::trim);
    match tags.find(|sent| *sent == "*" || *sent == present) {
        Some("*") => Ok(None),
        Some(_) => Ok(Some(version)),
        None => Err(problem::PRECONDITION_FAILED
            .because("it has been changed meanwhile; read it again and repeat the change")),
    }
}
