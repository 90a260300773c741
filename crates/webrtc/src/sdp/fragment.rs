#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::answer::write_candidates;
use super::lines::{Line, lines};
use super::{Error, Kind};
use crate::ice::Credentials;

/// A fragment of SDP as trickle ICE sends it by PATCH (RFC 8840 §9, RFC 9725 §4.3): candidates, or new credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The peer's credentials. When they are others than before the peer asks for an ICE restart.
    pub credentials: Option<Credentials>,
    /// How many candidates it has. (Their addresses don't matter to ICE-lite.)
    pub candidates: usize,
    /// There will be no more candidates.
    pub end_of_candidates: bool,
}

impl Fragment {
    /// Reads a fragment. Bounds are those of an offer.
    ///
    /// # Errors
    /// When it is no SDP, too large, or its credentials are malformed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (mut ufrag, mut pwd) = (None, None);
        let mut fragment = Self {
            credentials: None,
            candidates: 0,
            end_of_candidates: false,
        };
        for line in lines(text)? {
            let line = line?;
            match line.attribute() {
                Some(("ice-ufrag", value)) if ufrag.is_none() => {
                    ufrag = Some(Self::ufrag(&line, value)?);
                }
                Some(("ice-pwd", value)) if pwd.is_none() => pwd = Some(Self::pwd(&line, value)?),
                Some(("candidate", _)) => {
                    fragment.candidates = fragment.candidates.saturating_add(1);
                }
                Some(("end-of-candidates", _)) => fragment.end_of_candidates = true,
                _ => {}
            }
        }
        fragment.credentials = ufrag
            .zip(pwd)
            .map(|(ufrag, pwd)| Credentials { ufrag, pwd });
        Ok(fragment)
    }

    /// Writes the answer to an ICE restart: our new credentials and candidates (RFC 9725 §4.3.3). `kind` and `mid` are
    /// those of the first accepted m-section.
    #[must_use]
    pub fn write_restart(
        credentials: &Credentials,
        candidates: &[SocketAddr],
        kind: Kind,
        mid: &str,
    ) -> String {
        let mut text = String::new();
        let media = match kind {
            Kind::Audio => "audio",
            Kind::Video | Kind::Other => "video",
        };
        let Credentials { ufrag, pwd } = credentials;
        // Writing to a string can't fail.
        let _infallible = write!(
            text,
            "a=ice-lite\r\na=group:BUNDLE {mid}\r\nm={media} 9 UDP/TLS/RTP/SAVPF 0\r\n\
             a=mid:{mid}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n",
        );
        write_candidates(candidates, &mut text);
        text
    }

    /// RFC 8839 §5.4: 4 to 256 ice-chars.
    pub(super) fn ufrag(line: &Line<'_>, value: &str) -> Result<String, Error> {
        ice_chars(value, 4)
            .map(str::to_owned)
            .ok_or_else(|| line.malformed("an ice-ufrag of 4 to 256 characters"))
    }

    /// RFC 8839 §5.4: 22 to 256 ice-chars.
    pub(super) fn pwd(line: &Line<'_>, value: &str) -> Result<String, Error> {
        ice_chars(value, 22)
            .map(str::to_owned)
            .ok_or_else(|| line.malformed("an ice-pwd of 22 to 256 characters"))
    }
}

fn ice_chars(value: &str, least: usize) -> Option<&str> {
    let valid = (least..=256).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    valid.then_some(value)
}
