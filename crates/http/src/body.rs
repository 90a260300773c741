//! Request bodies, bounded in bytes and time.

use std::error::Error as _;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::LengthLimitError;

use crate::problem::{self, Problem};

/// How long a body may take to arrive. Ten seconds let 64 KiB through on the slowest phone and no trickle of single
/// bytes hold a connection for long.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// Reads a whole body of at most `bytes_max` bytes.
///
/// # Errors
/// 413 when it is longer, 408 when it takes more than 10 s, 400 when the connection breaks in it.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(ARRIVAL_MAX, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(|e| e.is::<LengthLimitError>()) => {
            Err(problem::TOO_LARGE.because(format!(
                "the body may have at most {bytes_max} bytes; send less"
            )))
        }
        Ok(Err(_)) => Err(problem::BODY_UNREADABLE
            .because("the body broke off before its end; send the request again")),
        Err(_elapsed) => Err(problem::BODY_TIMEOUT.because(format!(
            "the body did not arrive within {} s; send the request again",
            ARRIVAL_MAX.as_secs()
        ))),
    }
}

/// Reads a whole body of at most `bytes_max` bytes as UTF-8 text.
///
/// # Errors
/// As [`read`], and 400 when it is not UTF-8.
pub async fn read_text(body: Body, bytes_max: usize) -> Result<String, Problem> {
    let bytes = read(body, bytes_max).await?;
    String::from_utf8(bytes.into())
        .map_err(|_not_utf8| problem::BODY_UNREADABLE.because("the body is not UTF-8 text"))
}

/// Checks that a body's media type is `wanted` (lower case), parameters such as `charset` left aside.
///
/// # Errors
/// 415 when it is another one or none is given.
pub fn require_media_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = given
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case(wanted)) {
        Ok(())
    } else {
        Err(problem::MEDIA_TYPE_UNSUPPORTED.because(format!(
            "send the body with the header Content-Type: {wanted}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(read_text(Body::from("abcd"), 4).await.unwrap(), "abcd");
        let problem = read_text(Body::from("abcde"), 4).await.unwrap_err();
        assert_eq!(problem.kind().status, StatusCode::PAYLOAD_TOO_LARGE);
        let problem = read_text(Body::from(&b"\xff"[..]), 4).await.unwrap_err();
        assert_eq!(problem.kind(), problem::BODY_UNREADABLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let problem = read(Body::from_stream(never), 4).await.unwrap_err();
        assert_eq!(problem.kind().status, StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn parameters_and_case_of_a_media_type_do_not_matter() {
        for (given, right) in [
            (Some("application/sdp"), true),
            (Some("Application/SDP; charset=utf-8"), true),
            (Some("application/sdpfrag"), false),
            (Some("text/plain"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                headers.insert(header::CONTENT_TYPE, given.parse().unwrap());
            }
            assert_eq!(
                require_media_type(&headers, "application/sdp").is_ok(),
                right,
                "{given:?}"
            );
        }
    }
}
