use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::is_public;
use super::{Rules, Url};

/// Posts to endpoints, each on a connection of its own: the name is resolved, the address checked, and that address
/// connected to, so a name that changes between the two gains nothing. No redirect is followed.
#[derive(Clone)]
pub struct Client {
    rules: Rules,
    tls: TlsConnector,
    timeout: Duration,
}

/// What an endpoint answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// How long it asks to be left alone (`Retry-After` in seconds, RFC 9110 §10.2.3).
    pub(super) retry_after: Option<Duration>,
    /// The body, if it was asked for.
    pub(super) body: Bytes,
}

/// Why a post got no answer. The texts name the host and never the path, which may hold a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The name has no address.
    #[error("{host} can't be resolved: {source}")]
    Unresolved {
        /// Whose.
        host: String,
        /// Why not.
        source: io::Error,
    },
    /// No address of the name may be connected to.
    #[error(
        "{0} is in a private or special network; hooks.allow or hooks.allow_private would let it"
    )]
    Forbidden(String),
    /// Plain HTTP would cross the Internet.
    #[error("{0} is on the Internet and its URL has no https://")]
    Plain(String),
    /// Nobody answers there.
    #[error("can't connect to {host}: {source}")]
    Unreachable {
        /// Where.
        host: String,
        /// Why not.
        source: io::Error,
    },
    /// The certificate is wrong, or TLS fails otherwise.
    #[error("TLS with {host}: {source}")]
    Tls {
        /// With whom.
        host: String,
        /// What is wrong.
        source: io::Error,
    },
    /// What came is no HTTP answer.
    #[error("{host} gives no HTTP answer: {source}")]
    Http {
        /// Who.
        host: String,
        /// What is wrong.
        source: hyper::Error,
    },
    /// The answer's body is too long or broke off.
    #[error("{0} sends a body that is too long or broken")]
    Body(String),
    /// It took too long.
    #[error("{host} did not answer within {} s", .most.as_secs_f32())]
    Late {
        /// Who.
        host: String,
        /// How long was waited.
        most: Duration,
    },
    /// The file of certificates can't be used.
    #[error("can't read certificates from {path}: {why}")]
    Certificates {
        /// Which file.
        path: String,
        /// Why not.
        why: String,
    },
}

/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;
/// The longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most header lines of an answer.
const HEADERS_MAX: usize = 64;
/// The longest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;

impl Client {
    /// A client that trusts the public certificate authorities (Mozilla's list, as built in), or those in the PEM file
    /// `authorities` and no others. `timeout` is for a whole post.
    ///
    /// # Errors
    /// When the file can't be used.
    pub fn new(
        rules: Rules,
        authorities: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, SendError> {
        let mut roots = RootCertStore::empty();
        match authorities {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let unusable = |why: String| SendError::Certificates {
                    path: path.display().to_string(),
                    why,
                };
                let found = CertificateDer::pem_file_iter(path)
                    .map_err(|error| unusable(error.to_string()))?;
                for certificate in found {
                    let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                    roots
                        .add(certificate)
                        .map_err(|error| unusable(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(unusable("it holds none".to_owned()));
                }
            }
        }
        Ok(Self {
            rules,
            tls: TlsConnector::from(Arc::new(trusting(roots))),
            timeout,
        })
    }

    /// The same with another time for a whole post.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// Posts `body`. `read` says whether the answer's body is wanted.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: String,
        read: bool,
    ) -> Result<Answer, SendError> {
        let exchange = async {
            let stream = self.connect(url).await?;
            if !url.is_https() {
                return exchange(stream, url, headers, body, read).await;
            }
            let tls = |source| SendError::Tls {
                host: url.host().to_owned(),
                source,
            };
            let name = ServerName::try_from(url.host().to_owned())
                .map_err(|error| tls(io::Error::other(error)))?;
            let stream = self.tls.connect(name, stream).await.map_err(tls)?;
            exchange(stream, url, headers, body, read).await
        };
        timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(SendError::Late {
                    host: url.host().to_owned(),
                    most: self.timeout,
                })
            })
    }

    async fn connect(&self, url: &Url) -> Result<TcpStream, SendError> {
        let host = || url.host().to_owned();
        let found = lookup_host((url.host(), url.port()))
            .await
            .map_err(|source| SendError::Unresolved {
                host: host(),
                source,
            })?;
        let permitted: Vec<SocketAddr> = found
            .filter(|address| self.rules.permits(address.ip()))
            .take(ADDRESSES_MAX)
            .collect();
        let mut failure = None;
        for address in permitted {
            if !url.is_https() && is_public(address.ip()) {
                return Err(SendError::Plain(host()));
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = Some(error),
            }
        }
        Err(match failure {
            Some(source) => SendError::Unreachable {
                host: host(),
                source,
            },
            None => SendError::Forbidden(host()),
        })
    }
}

fn trusting(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// One request and its answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &Url,
    headers: HeaderMap,
    body: String,
    read: bool,
) -> Result<Answer, SendError> {
    let failed = |source| SendError::Http {
        host: url.host().to_owned(),
        source,
    };
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // Ended with this function, however it ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.target().parse().expect("a URL's path is a URI");
    *request.headers_mut() = headers;
    let host = HeaderValue::try_from(url.authority()).expect("a URL's authority is plain ASCII");
    request.headers_mut().insert(header::HOST, host);
    request
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    let response = sender.send_request(request).await.map_err(failed)?;
    let status = response.status();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let body = if read {
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX);
        let whole = body.collect().await;
        whole
            .map_err(|_too_long_or_broken| SendError::Body(url.host().to_owned()))?
            .to_bytes()
    } else {
        Bytes::new()
    };
    Ok(Answer {
        status,
        retry_after,
        body,
    })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("rules", &self.rules)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
