use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// Where a collector listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// With `/v1/traces` at its end (OTLP 1.0, "OTLP/HTTP Request").
    pub(super) path: String,
}

impl FromStr for Endpoint {
    type Err = &'static str;

    /// Of `http://HOST[:PORT][/PATH]`, the base that `/v1/traces` is put behind.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_invalid| "is no URL")?;
        if uri.scheme_str() != Some("http") {
            return Err("must begin with http://; for TLS put a collector on this machine");
        }
        if uri.query().is_some() {
            return Err("may have no query");
        }
        let host = uri.host().ok_or("names no host")?;
        let base = uri.path().trim_end_matches('/');
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(OTLP_PORT),
            path: format!("{base}/v1/traces"),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Of OTLP over HTTP.
const OTLP_PORT: u16 = 4318;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_leads_to_its_traces() {
        for (text, expected) in [
            ("http://localhost", "http://localhost:4318/v1/traces"),
            ("http://[::1]:9/", "http://::1:9/v1/traces"),
            (
                "http://10.0.0.1:80/otlp/",
                "http://10.0.0.1:80/otlp/v1/traces",
            ),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), expected);
        }
        for wrong in [
            "",
            "localhost:4318",
            "https://a",
            "http://a/?x=1",
            "http://",
        ] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }
}
