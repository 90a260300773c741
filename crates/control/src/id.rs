//! Public names of things: what kind of thing, and 80 random bits, which keep them apart without a counter.

use crate::random;

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
