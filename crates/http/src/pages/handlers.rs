use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::assets::{Asset, Assets};
use crate::problem;
use crate::public::Channels;
use crate::public::look_up;

/// The landing page, the player's pages of `channels`, and the files under `/assets/`.
pub fn router<C: Channels>(channels: Arc<C>, assets: Assets) -> Router {
    Router::new()
        .route("/", get(landing))
        .route("/watch/{channel}", get(watch::<C>))
        .route("/embed/{channel}", get(embed::<C>))
        .route("/assets/{*path}", get(file))
        .with_state(Pages { channels, assets })
}

/// Puts a page in words in place of a bare 404 where a person asked: a browser that navigates.
pub(crate) fn with_not_found_page(router: Router, assets: Assets) -> Router {
    router.layer(from_fn_with_state(
        assets,
        async |State(assets), request: Request, next: Next| {
            let person = wants_page(request.headers());
            let response = next.run(request).await;
            if person && response.status() == StatusCode::NOT_FOUND {
                not_found(&assets)
            } else {
                response
            }
        },
    ))
}

pub(super) struct Pages<C> {
    pub(super) channels: Arc<C>,
    pub(super) assets: Assets,
}

impl<C> Clone for Pages<C> {
    fn clone(&self) -> Self {
        Self {
            channels: Arc::clone(&self.channels),
            assets: self.assets.clone(),
        }
    }
}

/// What a page may load: its own files, and calls to its own server. Scripts only from files, so that text which slips
/// into a page can't run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
     form-action 'none'";
pub(super) const POLICY_HEADER: HeaderName = header::CONTENT_SECURITY_POLICY;

/// Who may show a page in a frame.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    Nobody,
    /// Pages of the same origin.
    Own,
    Anyone,
}

async fn landing<C: Channels>(State(pages): State<Pages<C>>, headers: HeaderMap) -> Response {
    page(&headers, pages.assets.page(Assets::INDEX), Framing::Nobody)
}

async fn watch<C: Channels>(
    State(pages): State<Pages<C>>,
    Path(channel): Path<String>,
    headers: HeaderMap,
) -> Response {
    player(&pages, &channel, &headers, Framing::Nobody).await
}

async fn embed<C: Channels>(
    State(pages): State<Pages<C>>,
    Path(channel): Path<String>,
    headers: HeaderMap,
) -> Response {
    player(&pages, &channel, &headers, Framing::Anyone).await
}

pub(super) async fn player<C: Channels>(
    pages: &Pages<C>,
    channel: &str,
    headers: &HeaderMap,
    framing: Framing,
) -> Response {
    match look_up(&*pages.channels, channel).await {
        Ok(_) => page(headers, pages.assets.page(Assets::WATCH), framing),
        Err(problem) if problem.kind() == problem::CHANNEL_UNKNOWN => not_found(&pages.assets),
        Err(problem) => problem.into_response(),
    }
}

async fn file<C: Channels>(
    State(pages): State<Pages<C>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    match pages.assets.file(&path) {
        Some(asset) => send(&headers, asset),
        None => problem::NOT_FOUND
            .because("there is no such file")
            .into_response(),
    }
}

fn page(headers: &HeaderMap, asset: &Asset, framing: Framing) -> Response {
    let mut response = send(headers, asset);
    protect(response.headers_mut(), framing);
    response
}

fn not_found(assets: &Assets) -> Response {
    let asset = assets.page(Assets::NOT_FOUND);
    let type_of = [(header::CONTENT_TYPE, asset.content_type.clone())];
    let mut response = (StatusCode::NOT_FOUND, type_of, asset.bytes.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    protect(headers, Framing::Nobody);
    response
}

fn protect(headers: &mut HeaderMap, framing: Framing) {
    let ancestors = match framing {
        Framing::Nobody => "'none'",
        Framing::Own => "'self'",
        Framing::Anyone => "*",
    };
    let policy = HeaderValue::try_from(format!("{POLICY}; frame-ancestors {ancestors}"))
        .expect("a policy of plain characters is a header value");
    headers.insert(POLICY_HEADER, policy);
    headers.insert(
        header::REFERRER_POLICY,
        // A page's address may hold a playback token until its script has taken it out.
        HeaderValue::from_static("no-referrer"),
    );
}

/// A file with its tag; a browser that has it is told so (RFC 9110 §13.1.2). It asks each time, so that a new server's
/// page never meets an old one's script.
pub(super) fn send(headers: &HeaderMap, asset: &Asset) -> Response {
    let common = [
        (header::ETAG, asset.etag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    if has_already(headers, &asset.etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let type_of = [(header::CONTENT_TYPE, asset.content_type.clone())];
    (common, type_of, asset.bytes.clone()).into_response()
}

fn has_already(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let (Some(Ok(given)), Ok(etag)) = (
        headers.get(header::IF_NONE_MATCH).map(HeaderValue::to_str),
        etag.to_str(),
    ) else {
        return false;
    };
    // A proxy that compresses makes a tag weak; the comparison for this header does not mind.
    given
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// Whether a browser asks for something to show, and not a script for something to read.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.trim_start().starts_with("text/html"))
}
