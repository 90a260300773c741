use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An address that is posted to: `https://HOST[:PORT]/PATH`, or `http://` for receivers in the own network.
///
/// `Debug` shows the host alone: many receivers put a secret into the path.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    uri: Uri,
}

/// The text is not a [`Url`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a hook's URL is https://HOST/PATH (or http:// in your own network), without user name and fragment, at most {max} bytes",
    max = Url::BYTES_MAX
)]
pub struct InvalidUrl;

impl Url {
    /// The longest, in bytes.
    pub const BYTES_MAX: usize = 2_048;

    /// Whether it is spoken with TLS.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The host's name or address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        let usual = if self.is_https() { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(usual)
    }

    /// `HOST[:PORT]` as it was written, for the `Host` header.
    pub(super) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// Path and query.
    pub(super) fn target(&self) -> &str {
        self.uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
    }

    /// The whole of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let text = text.trim();
        if text.len() > Self::BYTES_MAX || text.contains('#') {
            return Err(InvalidUrl);
        }
        let uri: Uri = text.parse().map_err(|_not_a_uri| InvalidUrl)?;
        let spoken = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().ok_or(InvalidUrl)?;
        let bare = !authority.as_str().contains('@') && !authority.host().is_empty();
        // A port that is written and none that can be.
        let port = authority.port_u16().is_some()
            || !authority
                .as_str()
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .ends_with(':')
            || authority.as_str().ends_with(']');
        if !(spoken && bare && port) {
            return Err(InvalidUrl);
        }
        Ok(Self {
            text: text.to_owned(),
            uri,
        })
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({}…)", self.host())
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, host, port, target) in [
            (
                "https://example.com/hook?x=1",
                "example.com",
                443,
                "/hook?x=1",
            ),
            ("http://127.0.0.1:8000", "127.0.0.1", 8000, "/"),
            ("https://[2001:db8::1]:8443/", "2001:db8::1", 8443, "/"),
            ("http://[::1]", "::1", 80, "/"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.target()), (host, port, target));
            assert_eq!(url.as_str(), text);
        }
        let secret: Url = "https://example.com/T0K3N".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Url(example.com…)");
    }

    #[test]
    fn what_can_not_be_posted_to_is_refused() {
        for bad in [
            "",
            "example.com/hook",
            "/hook",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://",
            "https:///x",
            "https://me:secret@example.com/",
            "https://example.com/#part",
            "https://example.com:99999/",
            "https://exa mple.com/",
            &format!("https://example.com/{}", "x".repeat(Url::BYTES_MAX)),
        ] {
            assert_eq!(bad.parse::<Url>(), Err(InvalidUrl), "{bad}");
        }
    }
}
