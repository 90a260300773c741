//! Real sockets of loopback on the other side.

use base64::Engine as _;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const SOON: Duration = Duration::from_secs(5);

fn open() -> Rules {
    Rules {
        allow_private: true,
        ..Rules::default()
    }
}

/// A receiver that answers each connection with `answer` and gives back what was sent.
async fn receiver(answer: impl AsRef<[u8]>) -> (u16, JoinSet<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = answer.as_ref().to_vec();
    let mut receiver = JoinSet::new();
    receiver.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = vec![0; 4_096];
        let length = stream.read(&mut sent).await.unwrap();
        let _ = stream.write_all(&answer).await;
        sent.truncate(length);
        String::from_utf8(sent).unwrap()
    });
    (port, receiver)
}

async fn post(client: &Client, url: &str, read: bool) -> Result<Answer, SendError> {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("a/b"))]);
    let url = url.parse().unwrap();
    client.post(&url, headers, "{}".to_owned(), read).await
}

#[tokio::test]
async fn a_post_says_what_it_should_and_the_answer_is_read() {
    let client = Client::new(open(), None, SOON).unwrap();
    let (port, mut receiver) =
        receiver("HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nhi").await;
    let url = format!("http://localhost:{port}/hook?secret=1");
    let answer = post(&client, &url, true).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (503, &b"hi"[..])
    );
    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    let sent = receiver.join_next().await.unwrap().unwrap();
    assert!(
        sent.starts_with("POST /hook?secret=1 HTTP/1.1\r\n"),
        "{sent}"
    );
    assert!(
        sent.contains(&format!("host: localhost:{port}\r\n")),
        "{sent}"
    );
    assert!(sent.contains("content-length: 2\r\n") && sent.ends_with("\r\n\r\n{}"));
}

#[tokio::test]
async fn a_private_address_is_not_even_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = Client::new(Rules::default(), None, SOON).unwrap();
    for host in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        for scheme in ["http", "https"] {
            let answer = post(&client, &format!("{scheme}://{host}:{port}/"), false).await;
            assert!(
                matches!(answer, Err(SendError::Forbidden(_))),
                "{host}: {answer:?}"
            );
        }
    }
    let nobody = timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "somebody connected");
    // The same with leave, to know that the way is open.
    let rules = Rules {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..Rules::default()
    };
    let client = Client::new(rules, None, Duration::from_millis(200)).unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let (answer, accepted) = tokio::join!(post(&client, &url, false), listener.accept());
    accepted.unwrap();
    assert!(matches!(answer, Err(SendError::Late { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_no_errand() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = elsewhere.local_addr().unwrap();
    let client = Client::new(open(), None, SOON).unwrap();
    let (port, _receiver) = receiver(format!(
        "HTTP/1.1 307 There\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n"
    ))
    .await;
    let url = format!("http://127.0.0.1:{port}/");
    let answer = post(&client, &url, false).await.unwrap();
    assert_eq!(answer.status.as_u16(), 307);
    let nobody = timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(nobody.is_err(), "the redirect was followed");
}

#[tokio::test]
async fn answers_have_bounds() {
    let client = Client::new(open(), None, SOON).unwrap();
    let endless = [
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        vec![b'x'; BODY_BYTES_MAX + 1],
    ]
    .concat();
    let (port, _receiver) = receiver(endless).await;
    let answer = post(&client, &format!("http://127.0.0.1:{port}/"), true).await;
    assert!(matches!(answer, Err(SendError::Body(_))), "{answer:?}");
    let head = [
        b"HTTP/1.1 200 OK\r\nx: ".to_vec(),
        vec![b'x'; HEAD_BYTES_MAX + 1],
        b"\r\n\r\n".to_vec(),
    ]
    .concat();
    for bad in [head, b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Vec::new()] {
        let (port, _receiver) = receiver(bad).await;
        let answer = post(&client, &format!("http://127.0.0.1:{port}/"), true).await;
        assert!(matches!(answer, Err(SendError::Http { .. })), "{answer:?}");
    }
    let nowhere = post(&client, "http://no-such-name.invalid/", false).await;
    assert!(
        matches!(nowhere, Err(SendError::Unresolved { .. })),
        "{nowhere:?}"
    );
    let said = nowhere.unwrap_err().to_string();
    assert!(said.contains("no-such-name.invalid"), "{said}");
}

/// An authority's certificate as PEM, and what a server needs whose certificate it made for `name`.
fn certificates(name: &str) -> (String, TlsAcceptor) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(authority.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    (pem, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn tls_asks_for_a_certificate_of_that_name_by_an_authority_that_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (pem, acceptor) = certificates("localhost");
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let _server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not like the certificate ends it here.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut sent = [0; 4_096];
            let _ = stream.read(&mut sent).await;
            let _ = stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").await;
        }
    });
    let trusting = Client::new(open(), Some(&path), SOON).unwrap();
    let good = post(&trusting, &format!("https://localhost:{port}/"), false).await;
    assert_eq!(good.unwrap().status.as_u16(), 204);
    let other_name = post(&trusting, &format!("https://127.0.0.1:{port}/"), false).await;
    assert!(
        matches!(other_name, Err(SendError::Tls { .. })),
        "{other_name:?}"
    );
    let public = Client::new(open(), None, SOON).unwrap();
    let unknown = post(&public, &format!("https://localhost:{port}/"), false).await;
    assert!(matches!(unknown, Err(SendError::Tls { .. })), "{unknown:?}");
}

#[test]
fn a_file_without_certificates_is_said_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    for text in [
        None,
        Some("nothing"),
        Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let error = Client::new(open(), Some(&path), SOON).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}
