use zongzi_http::Timestamp;

use super::Error;
use crate::Text;
use crate::once::Once;
use crate::secret::Hash;
use crate::token::{Id, Scope, Token};

/// The most named tokens for the API that are good at one time.
pub const TOKENS_MAX: u32 = 200;
/// The most tokens that are no longer good and are still shown; older ones go.
pub const TOKENS_DEAD_MAX: u32 = 1_000;

/// What is needed to make a named token for the API. The secret itself never reaches the store.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its public name.
    pub id: Id,
    /// What its owner calls it.
    pub name: Text,
    /// What it may do.
    pub scope: Scope,
    /// The keyed hash of its secret.
    pub hash: Hash,
    /// How the secret begins.
    pub prefix: String,
    /// When it stops being good by itself.
    pub expires: Option<Timestamp>,
    /// The request that is met once.
    pub once: Option<Once>,
}

/// The part of a [`super::Store`] that keeps named tokens for the API.
pub trait Tokens: Send + Sync + 'static {
    /// Makes a token.
    fn create_token(
        &self,
        token: NewToken,
        now: Timestamp,
    ) -> impl Future<Output = Result<Token, Error>> + Send;

    /// Tokens in the order of their ids, from behind `after`, at most `limit`, revoked ones too.
    fn tokens(
        &self,
        after: Option<Id>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Token>, Error>> + Send;

    /// One token, revoked or not.
    fn token(&self, id: Id) -> impl Future<Output = Result<Option<Token>, Error>> + Send;

    /// Revokes a token. Revoking it again changes nothing.
    fn revoke_token(
        &self,
        id: Id,
        now: Timestamp,
    ) -> impl Future<Output = Result<Token, Error>> + Send;

    /// The token with this hash, unless it is revoked or has expired by `now`. That it is used is noted, to the minute.
    ///
    /// What is looked up is a keyed hash, so how long the look-up takes says nothing of the token.
    fn use_token(
        &self,
        hash: Hash,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(Id, Scope)>, Error>> + Send;
}
