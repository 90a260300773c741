//! Named tokens for the API: what each may do, and how long.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zongzi_http::Timestamp;

use crate::{Text, id, random};

/// How every token for the API begins, so that people and scanners know one when they see it.
pub(crate) const START: &str = "zat_";
/// Random bytes in a token: 160 bits, which no one guesses.
pub(crate) const RANDOM_BYTES: usize = 20;
/// Characters of a token that may be shown to tell tokens apart. Four of them after the start leave 140 bits.
const SHOWN_CHARS: usize = START.len() + 4;

/// What a token may do; each includes those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything but tokens and webhooks.
    Read,
    /// Make, rotate and revoke stream keys.
    Keys,
    /// Everything.
    Admin,
}

impl Scope {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Keys, Self::Admin];

    /// Its name in commands, JSON and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Keys => "keys",
            Self::Admin => "admin",
        }
    }
}

/// The text is not a [`Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is read, keys or admin")]
pub struct InvalidScope;

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let mut all = Self::ALL.into_iter();
        all.find(|scope| scope.as_str() == text).ok_or(InvalidScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

id::names! {
    /// A token's public name.
    Id: "tok_", else InvalidId: "a token's id begins with tok_, as `zongzi admin-token list` shows it"
}

/// A token as the store holds it: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AdminToken)]
pub struct Token {
    /// Its public name.
    #[schema(value_type = String, pattern = "^tok_[a-z0-9]{1,60}$")]
    pub id: Id,
    /// What its owner calls it.
    #[schema(value_type = String, max_length = 200)]
    pub name: Text,
    /// What it may do.
    pub scope: Scope,
    /// How the secret begins, to tell tokens apart.
    pub prefix: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When somebody last came with it, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
    /// When it stops being good by itself, if it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked: Option<Timestamp>,
}

/// The secret of a token. Shown once, when it is made; never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    pub(crate) fn new(bytes: [u8; RANDOM_BYTES]) -> Self {
        Self(format!("{START}{}", random::base32(&bytes)))
    }

    /// The secret itself, to show it once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn prefix(&self) -> String {
        self.0.chars().take(SHOWN_CHARS).collect()
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(…)")
    }
}

/// A token that was just made, with its secret, which can't be had again.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The token.
    pub token: Token,
    /// Its secret.
    pub secret: Shown,
}

/// Whether a text may be a token at all; what is not shaped like one need not be looked up.
pub(crate) fn is_shaped(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = text.strip_prefix(START);
    rest.is_some_and(|rest| rest.len() == RANDOM_BYTES * 8 / 5 && rest.bytes().all(plain))
}

/// Who calls the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The id of a named token; `None`: the token in the data directory.
    pub token: Option<Id>,
    /// What may be done.
    pub scope: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_include_each_other_and_are_read_as_they_are_written() {
        assert!(Scope::Read < Scope::Keys && Scope::Keys < Scope::Admin);
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!("root".parse::<Scope>(), Err(InvalidScope));
    }

    #[test]
    fn secrets_show_only_their_beginning() {
        let secret = Shown::new(random::bytes());
        assert_eq!(secret.expose().len(), "zat_".len() + 32);
        assert!(secret.expose().starts_with(&secret.prefix()));
        assert!(is_shaped(secret.expose()) && !is_shaped("zat_short") && !is_shaped(""));
        assert_eq!(
            (secret.prefix().len(), format!("{secret:?}")),
            (8, "Shown(…)".to_owned())
        );
        let id = Id::new(random::bytes());
        assert_eq!(id.as_str().parse(), Ok(id));
        for bad in ["", "tok_", "key_a", "tok_A"] {
            assert_eq!(bad.parse::<Id>(), Err(InvalidId), "{bad}");
        }
    }
}
