use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, header};

use super::Assets;
use super::handlers::{Framing, POLICY_HEADER, Pages, player, send};
use crate::problem;
use crate::public::{self, Channels};
use crate::whep::{self, Sessions};

/// The operator's console: one page, the files that it loads, and the player with all that it asks for, so that the page
/// needs no other origin. It belongs on the operator's listener.
///
/// What the page shows comes from the API, which asks for the token; the page itself is no secret.
#[derive(Debug)]
pub struct Console<S, C> {
    /// The viewers' sessions: an operator who watches is a viewer.
    pub sessions: Arc<S>,
    /// Where WHEP requests are counted.
    pub whep_counters: Arc<whep::Counters>,
    /// The channels as the public sees them.
    pub channels: Arc<C>,
    /// The pages' files.
    pub assets: Assets,
}

/// What the console may load. Scripts only from files, and no text ever becomes markup: Trusted Types forbid the ways by
/// which it could, so that a channel's title or an encoder's name can do nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
     frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

impl<S: Sessions, C: Channels> Console<S, C> {
    /// All of it as one router, without fallbacks. Pages of other origins may call none of it: there is no CORS here.
    pub fn router(self) -> Router {
        let pages = Router::new()
            .route("/", get(page::<C>))
            .route("/embed/{channel}", get(embed::<C>))
            .route("/assets/{*path}", get(file::<C>))
            .with_state(Pages {
                channels: Arc::clone(&self.channels),
                assets: self.assets,
            });
        pages
            .merge(whep::router(self.sessions, self.whep_counters))
            .merge(public::router(self.channels))
    }
}

async fn page<C: Channels>(State(pages): State<Pages<C>>, headers: HeaderMap) -> Response {
    let mut response = send(&headers, pages.assets.page(Assets::CONSOLE));
    let headers = response.headers_mut();
    headers.insert(POLICY_HEADER, HeaderValue::from_static(POLICY));
    let no_referrer = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, no_referrer);
    response
}

async fn embed<C: Channels>(
    State(pages): State<Pages<C>>,
    Path(channel): Path<String>,
    headers: HeaderMap,
) -> Response {
    player(&pages, &channel, &headers, Framing::Own).await
}

async fn file<C: Channels>(
    State(pages): State<Pages<C>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    match pages.assets.operator_file(&path) {
        Some(asset) => send(&headers, asset),
        None => problem::NOT_FOUND
            .because("there is no such file")
            .into_response(),
    }
}
