use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

/// The files that the pages are made of, by their path in `web/`: the binary decides which they are.
#[derive(Clone)]
pub struct Assets(Arc<BTreeMap<&'static str, Asset>>);

/// A page that [`Assets`] must have is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page {0} is not among the files built into this program")]
pub struct MissingPage(&'static str);

#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub(super) bytes: Bytes,
    pub(super) content_type: HeaderValue,
    /// Strong: made from the bytes.
    pub(super) etag: HeaderValue,
}

impl Assets {
    /// The player, at `/watch/{channel}` and `/embed/{channel}`.
    pub(super) const WATCH: &'static str = "watch.html";
    /// The landing page.
    pub(super) const INDEX: &'static str = "index.html";
    /// The operator's console.
    pub(super) const CONSOLE: &'static str = "console/index.html";
    /// What a person sees at an address where nothing is.
    pub(super) const NOT_FOUND: &'static str = "not-found.html";

    /// From paths such as `player.js` and what the files hold. The type is told by the extension.
    ///
    /// # Errors
    /// When one of the pages `watch.html`, `index.html`, `not-found.html`, `console/index.html` is missing.
    pub fn new(
        files: impl IntoIterator<Item = (&'static str, &'static [u8])>,
    ) -> Result<Self, MissingPage> {
        let assets: BTreeMap<_, _> = files
            .into_iter()
            .map(|(path, bytes)| (path, Asset::new(path, bytes)))
            .collect();
        for page in [Self::WATCH, Self::INDEX, Self::NOT_FOUND, Self::CONSOLE] {
            if !assets.contains_key(page) {
                return Err(MissingPage(page));
            }
        }
        Ok(Self(Arc::new(assets)))
    }

    /// The file at `path` for anyone: neither a page, which has an address of its own, nor a part of the console.
    pub(super) fn file(&self, path: &str) -> Option<&Asset> {
        self.operator_file(path)
            .filter(|_| !path.starts_with("console/"))
    }

    /// The file at `path`, unless it is a page.
    pub(super) fn operator_file(&self, path: &str) -> Option<&Asset> {
        self.0.get(path).filter(|_| !path.ends_with(".html"))
    }

    /// One of the pages named above.
    pub(super) fn page(&self, path: &'static str) -> &Asset {
        self.0
            .get(path)
            .expect("new() has checked that the pages are there")
    }
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Asset {
    fn new(path: &str, bytes: &'static [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        let etag = HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish()))
            .expect("hexadecimal digits in quotes are a header value");
        Self {
            bytes: Bytes::from_static(bytes),
            content_type: HeaderValue::from_static(content_type(path)),
            etag,
        }
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
