#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::{Error, Offer};

/// One line of SDP: its type letter and value (RFC 8866 §5).
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) kind: u8,
    pub(super) value: &'a str,
}

impl<'a> Line<'a> {
    /// An attribute's name and value; a flag's value is empty.
    pub(super) fn attribute(&self) -> Option<(&'a str, &'a str)> {
        (self.kind == b'a').then(|| self.value.split_once(':').unwrap_or((self.value, "")))
    }

    pub(super) const fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed {
            line: self.number,
            what,
        }
    }
}

/// The lines of a text, ended by CRLF or LF alone; empty lines are skipped.
pub(super) fn lines(text: &str) -> Result<impl Iterator<Item = Result<Line<'_>, Error>>, Error> {
    if text.len() > Offer::BYTES_MAX {
        return Err(Error::TooLarge("more than 64 KiB"));
    }
    Ok(text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| {
            let number = index.saturating_add(1);
            if number > Offer::LINES_MAX {
                return Err(Error::TooLarge("more than 2,000 lines"));
            }
            line.split_once('=')
                .and_then(|(kind, value)| match kind.as_bytes() {
                    [kind] => Some(Line {
                        number,
                        kind: *kind,
                        value,
                    }),
                    _ => None,
                })
                .ok_or(Error::Malformed {
                    line: number,
                    what: "a letter, \"=\" and a value",
                })
        }))
}
