use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A line of text for people, such as a channel's title or a key's label: at most 200 characters, none of them a control
/// character, no white space at its ends. May be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Text(String);

/// The text is not a [`Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a title or label is one line of at most {max} characters", max = Text::CHARS_MAX)]
pub struct InvalidText;

impl Text {
    /// The most characters.
    pub const CHARS_MAX: usize = 200;

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let text = text.trim();
        if text.chars().count() > Self::CHARS_MAX || text.chars().any(char::is_control) {
            return Err(InvalidText);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_short_line() {
        assert_eq!(" 粽子 tea \n".parse::<Text>().unwrap().as_str(), "粽子 tea");
        assert_eq!("".parse::<Text>(), Ok(Text::default()));
        assert!("粽".repeat(200).parse::<Text>().is_ok());
        for bad in ["a\nb", "a\u{7}b", &"x".repeat(201)] {
            assert_eq!(bad.parse::<Text>(), Err(InvalidText));
        }
    }
}
