//! Public names of things: what kind of thing, and 80 random bits, which keep them apart without a counter.

use crate::random;

/// Makes the type of the names of one kind of thing, and of the error for a text that is none.
macro_rules! names {
    ($(#[$about:meta])* $name:ident: $start:literal, else $error:ident: $says:literal) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        #[doc = concat!("The text is not [`", stringify!($name), "`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($says)]
        pub struct $error;

        impl $name {
            const START: &'static str = $start;

            pub(crate) fn new(bytes: [u8; $crate::id::RANDOM_BYTES]) -> Self {
                Self($crate::id::of(Self::START, bytes))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                let good = $crate::id::is_one(text, Self::START);
                good.then(|| Self(text.to_owned())).ok_or($error)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}
pub(crate) use names;

/// A new one that begins with `start`, such as `key_`.
pub(crate) fn random(start: &str) -> String {
    of(start, random::bytes())
}

/// The one that these bytes make.
pub(crate) fn of(start: &str, bytes: [u8; RANDOM_BYTES]) -> String {
    format!("{start}{}", random::base32(&bytes))
}

/// Whether a text can be one that begins with `start`.
pub(crate) fn is_one(text: &str, start: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = text.strip_prefix(start).unwrap_or_default();
    !rest.is_empty() && text.len() <= LEN_MAX && rest.bytes().all(plain)
}

/// Random bytes in one.
pub(crate) const RANDOM_BYTES: usize = 10;
/// In bytes. Ours are shorter; a store may bring others.
const LEN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_of_its_kind_and_nothing_else_is() {
        let (one, other) = (random("hook_"), random("hook_"));
        assert_ne!(one, other);
        assert_eq!(one.len(), "hook_".len() + 16);
        assert!(is_one(&one, "hook_") && !is_one(&one, "key_"));
        for bad in [
            "",
            "hook_",
            "hook_A",
            "hook_a b",
            "hook",
            "a",
            &format!("hook_{}", "a".repeat(60)),
        ] {
            assert!(!is_one(bad, "hook_"), "{bad}");
        }
        assert!(is_one(&format!("hook_{}", "a".repeat(59)), "hook_"));
    }
}
