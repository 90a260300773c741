use std::fmt;

use http::{HeaderMap, StatusCode};
use utoipa::IntoParams;
use zongzi_http::Problem;
use zongzi_http::problem::Kind;

use crate::store::Store;
use crate::token::Caller;
use crate::{Control, Once};

const KEY_UNUSABLE: Kind = Kind::new(
    "idempotency-key-unusable",
    "The Idempotency-Key can't be used",
    StatusCode::UNPROCESSABLE_ENTITY,
);

/// Length of an `Idempotency-Key`, in bytes: what is shorter might be met twice by accident.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=255;

/// The header, as the description has it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Header {
    /// Makes it once, however often it is sent with the same key and body within a day; take a new random UUID for each
    /// thing to be made.
    #[param(
        rename = "Idempotency-Key",
        min_length = 16,
        max_length = 255,
        pattern = "^[!-~]{16,255}$"
    )]
    #[expect(dead_code, reason = "it only describes the header, which `of` reads")]
    key: Option<String>,
}

/// What the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) says of the request `body` to make `what`,
/// if it is sent, with or without the quotes of a structured field.
pub(super) fn of<S: Store>(
    headers: &HeaderMap,
    control: &Control<S>,
    caller: &Caller,
    what: &str,
    body: &impl fmt::Debug,
) -> Result<Option<Once>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    let quoted = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    let key = quoted.unwrap_or(key);
    if !KEY_BYTES.contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KEY_UNUSABLE.because(
            "an Idempotency-Key is 16 to 255 visible ASCII characters; take a new random UUID for each thing to be made",
        ));
    }
    Ok(Some(control.once(caller, key, &format!("{what} {body:?}"))))
}
