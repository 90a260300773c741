use std::fmt;
use std::str::FromStr;

/// The id of a session: 128 random bits, 32 hexadecimal digits in its address.
///
/// Who knows it may end the session, so it is a secret between server and viewer: `Debug` shows its first digits only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u128);

/// The text is not a [`SessionId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session's id is 32 hexadecimal digits")]
pub struct InvalidSessionId;

impl SessionId {
    const DIGITS: usize = 32;

    /// From 128 bits of a cryptographic random source.
    pub const fn new(random: u128) -> Self {
        Self(random)
    }

    /// The bits.
    pub fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}…", self.0 >> 96)
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != Self::DIGITS || !text.bytes().all(digit) {
            return Err(InvalidSessionId);
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_not_hex| InvalidSessionId)
    }
}

/// A strong entity tag (RFC 9110 §8.8.3) that names the ICE credentials of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntityTag(u64);

impl EntityTag {
    /// Any number that differs between two sets of credentials of one session.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// Reads a tag in its quotes; `None` for what this server never gives out.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('"')?.strip_suffix('"')?;
        if digits.len() != 16 || digits.starts_with('+') {
            return None;
        }
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for EntityTag {
    /// As in the header, with its quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{:016x}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_read_as_it_was_written() {
        let id = SessionId::new(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(SessionId::new(7).to_string().parse(), Ok(SessionId::new(7)));
        for bad in [
            "",
            "7",
            "0123456789ABCDEF0123456789abcdef",
            &"g".repeat(32),
            &"+".repeat(32),
        ] {
            assert_eq!(bad.parse::<SessionId>(), Err(InvalidSessionId), "{bad}");
        }
    }

    #[test]
    fn a_session_id_is_not_printed_for_logs() {
        assert_eq!(format!("{:?}", SessionId::new(u128::MAX)), "ffffffff…");
    }

    #[test]
    fn a_tag_is_read_as_it_was_written() {
        let tag = EntityTag::new(0xfeed);
        assert_eq!(EntityTag::parse(&tag.to_string()), Some(tag));
        for bad in [
            "",
            "\"\"",
            "feed",
            "W/\"000000000000feed\"",
            "\"+00000000000feed\"",
        ] {
            assert_eq!(EntityTag::parse(bad), None, "{bad}");
        }
    }
}
