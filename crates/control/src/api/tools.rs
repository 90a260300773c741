//! What an operator's page needs besides: where this server is found, and QR codes.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zongzi_http::Problem;

use super::input::{self, INVALID};

/// Where hosts and viewers find this server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct About {
    /// The running version.
    pub version: &'static str,
    /// Addresses by which others reach it, the best first; empty when none is known.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// The port for RTMP.
    pub rtmp_port: u16,
    /// The port for pages and WHEP.
    pub http_port: u16,
}

#[utoipa::path(get, path = "/api/v1/server", tag = "server", responses(
    (status = 200, description = "Where hosts and viewers find this server", body = About),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn about(State(about): State<Arc<About>>) -> Json<About> {
    Json(About::clone(&about))
}

/// What a QR code is to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QrBody {
    /// The text: an address, a stream key.
    #[schema(min_length = 1, max_length = 512)]
    text: String,
}

/// The longest text of a QR code, in bytes: a code that a phone reads from a screen.
const TEXT_BYTES_MAX: usize = 512;
/// The width of a picture, in pixels, before it is scaled; a page scales it as it likes.
const WIDTH_MIN: u32 = 240;

#[utoipa::path(post, path = "/api/v1/qr", tag = "server", request_body = QrBody, responses(
    (status = 200, description = "A QR code", content_type = "image/svg+xml", body = String),
    (status = "4XX", description = "A problem", content_type = "application/problem+json"),
))]
pub(super) async fn qr(headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let QrBody { text } = input::json(&headers, body).await?;
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(INVALID.because(format!("text has 1 to {TEXT_BYTES_MAX} bytes")));
    }
    let code = QrCode::with_error_correction_level(&text, EcLevel::M)
        .map_err(|error| INVALID.because(format!("no QR code can say this: {error}")))?;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(WIDTH_MIN, WIDTH_MIN)
        .build();
    // The text may be a secret: it came in a body and no one on the way may keep the picture.
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, picture).into_response())
}
