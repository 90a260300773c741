use std::sync::Arc;

use axum::Router;

use crate::cors::{self, Origins};
use crate::fallback::{method_not_allowed, with_fallbacks};
use crate::health::{self, Ready};
use crate::pages::{self, Assets};
use crate::public::{self, Channels, Hosts};
use crate::whep::{self, Sessions};

/// Everything on the public listener.
#[derive(Debug)]
pub struct Front<S, C, H> {
    /// The viewers' sessions.
    pub sessions: Arc<S>,
    /// Where WHEP requests are counted.
    pub whep_counters: Arc<whep::Counters>,
    /// The channels as the public sees them.
    pub channels: Arc<C>,
    /// What hosts may know of their own.
    pub hosts: Arc<H>,
    /// The pages' files.
    pub assets: Assets,
    /// Which other origins' pages may call WHEP and the public JSON.
    pub origins: Origins,
    /// What `/readyz` answers.
    pub ready: Ready,
}

impl<S: Sessions, C: Channels, H: Hosts> Front<S, C, H> {
    /// All of it as one router, for [`crate::server::serve`].
    pub fn router(self) -> Router {
        let shared = whep::router(self.sessions, self.whep_counters)
            .merge(public::router(Arc::clone(&self.channels)))
            // Here, so that another origin's page can read this answer too.
            .method_not_allowed_fallback(method_not_allowed);
        let router = cors::layer(shared, self.origins)
            .merge(pages::router(self.channels, self.assets.clone()))
            .merge(public::host_router(self.hosts))
            .merge(health::router(self.ready));
        pages::with_not_found_page(with_fallbacks(router), self.assets)
    }
}
