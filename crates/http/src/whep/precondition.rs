use http::{HeaderMap, header};

use super::session::EntityTag;
use crate::problem::{self, Problem};

/// What a PATCH says of the state it was made for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Precondition {
    /// Whatever the state is: an ICE restart.
    Any,
    /// This state.
    Tag(EntityTag),
}

/// Reads `If-Match` as RFC 9725 §4.3 uses it: `*` for an ICE restart, one strong tag for trickled candidates. A quoted
/// star, which that RFC's prose shows and some clients send, counts as the star.
///
/// # Errors
/// 428 without the header; 412 when it can't be a tag of this server.
pub(super) fn read(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Err(problem::PRECONDITION_REQUIRED.because(
            "a PATCH needs If-Match: the session's ETag to trickle candidates, or * to restart ICE",
        ));
    };
    match value.to_str().map(str::trim) {
        Ok("*" | "\"*\"") => Ok(Precondition::Any),
        Ok(text) => EntityTag::parse(text)
            .map(Precondition::Tag)
            .ok_or_else(stale),
        Err(_) => Err(stale()),
    }
}

/// The tag is not, or no longer, the session's.
pub(super) fn stale() -> Problem {
    problem::PRECONDITION_FAILED.because(
        "If-Match does not name the session's present ICE credentials; restart ICE with If-Match: *",
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(value: Option<&'static str>) -> Result<Precondition, u16> {
        let value = value.map(|value| (header::IF_MATCH, HeaderValue::from_static(value)));
        read(&value.into_iter().collect()).map_err(|problem| problem.kind().status.as_u16())
    }

    #[test]
    fn if_match_is_required_and_says_which_change_is_meant() {
        assert_eq!(check(None), Err(428));
        assert_eq!(check(Some("*")), Ok(Precondition::Any));
        assert_eq!(check(Some("\"*\"")), Ok(Precondition::Any));
        assert_eq!(
            check(Some("\"000000000000002a\"")),
            Ok(Precondition::Tag(EntityTag::new(42)))
        );
        for foreign in ["", "\"x\"", "W/\"000000000000002a\"", "\"a\", \"b\""] {
            assert_eq!(check(Some(foreign)), Err(412), "{foreign}");
        }
    }
}
