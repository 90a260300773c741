use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a channel: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`, beginning with a letter or a digit.
///
/// It appears in URLs, logs and metrics, so it needs no escaping anywhere. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Arc<str>);

/// The text is not a [`ChannelName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a channel name is 1 to {max} characters of a-z, 0-9, '-' and '_', beginning with a letter or digit", max = ChannelName::MAX_LEN)]
pub struct InvalidChannelName;

impl ChannelName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChannelName {
    type Err = InvalidChannelName;

    fn from_str(text: &str) -> Result<Self, InvalidChannelName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(plain);
        if first && text.len() <= Self::MAX_LEN && bytes.all(|b| plain(b) || b == b'-' || b == b'_')
        {
            Ok(Self(text.into()))
        } else {
            Err(InvalidChannelName)
        }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in ["demo", "a", "0", "tea-house_2", &"x".repeat(64)] {
            assert_eq!(good.parse::<ChannelName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "Demo",
            "-a",
            "_a",
            "a b",
            "a/b",
            "茶",
            "a.b",
            &"x".repeat(65),
        ] {
            assert_eq!(bad.parse::<ChannelName>(), Err(InvalidChannelName), "{bad}");
        }
    }
}
