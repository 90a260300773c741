use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use zongzi_http::Timestamp;
use zongzi_media::ChannelName;

use crate::admin_token::AdminToken;
use crate::events::Kind;
use crate::gate::KeyGate;
use crate::hooks::{self, Client, Counts, Courier, Hook, HookId, MintedHook, NewHook, Retry, Url};
use crate::key::{Key, KeyId, Minted, StreamKey};
use crate::playback::{self, Algorithm, Claims, Gate, GateSettings, Material, Signed, SigningKey};
use crate::secret::{Purpose, Secret};
use crate::store::{
    Error, HOOKS_MAX, NewKey, NewToken, PlaybackKeyRow, Sqlite, Store, TOKENS_DEAD_MAX, TOKENS_MAX,
};
use crate::token::{self, Caller, Scope, Token};
use crate::{Channel, ChannelPatch, NewChannel, Once, Takeover, Text};
use crate::{id, random};

/// Channels and keys, as the command line and the server work with them.
#[derive(Debug, Clone)]
pub struct Control<S> {
    store: S,
    secret: Secret,
}

/// How many rows are read from the store at once.
const PAGE_ROWS: u32 = 1_000;

impl Control<Sqlite> {
    /// Opens the store in the data directory `dir`, making what is not there yet. It may be open in other processes.
    ///
    /// This blocks: call it at start.
    ///
    /// # Errors
    /// When the directory, the secret or the store can't be used; the text names the file and what to do.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let secret = Secret::load_or_create(dir)?;
        let store = Sqlite::open(dir, secret.hash(Purpose::Check, b""))?;
        Ok(Self { store, secret })
    }
}

impl<S: Store> Control<S> {
    /// The token that opens the API, kept in `dir`, made if it is not there yet.
    ///
    /// This blocks: call it at start.
    ///
    /// # Errors
    /// When its file can't be read or made.
    pub fn admin_token(&self, dir: &Path) -> Result<AdminToken, Error> {
        Ok(AdminToken::load_or_create(dir, self.secret.clone())?)
    }

    /// The longest time that a key stays good beside the one that takes its place: a month.
    pub const OVERLAP_MAX: Duration = Duration::from_secs(31 * 86_400);
    /// The longest time that a named token is good, if it is to end at all: ten years.
    pub const TOKEN_SPAN_MAX: Duration = Duration::from_secs(3_650 * 86_400);

    /// Makes the channel `demo` with a key, if this is the first start on this store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn first_start(&self) -> Result<Option<Minted>, Error> {
        let name = first_channel();
        let channel = NewChannel {
            name: name.clone(),
            title: Text::default(),
            takeover: Takeover::default(),
            private: false,
            max_viewers: None,
            once: None,
        };
        let (new, secret) = self.mint(name, Text::default(), None);
        let key = self.store.seed(channel, new, now()).await?;
        Ok(key.map(|key| Minted { key, secret }))
    }

    /// Makes a channel.
    ///
    /// # Errors
    /// When the name is taken, or the store fails.
    pub async fn create_channel(&self, channel: NewChannel) -> Result<Channel, Error> {
        self.store.create_channel(channel, now()).await
    }

    /// All channels, in the order of their names.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn channels(&self) -> Result<Vec<Channel>, Error> {
        let mut all: Vec<Channel> = Vec::new();
        loop {
            let after = all.last().map(|channel| channel.name.clone());
            let page = self.store.channels(after, PAGE_ROWS).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Deletes a channel and its keys. A server that runs on this store ends the channel's broadcast within a second.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn delete_channel(&self, name: ChannelName) -> Result<(), Error> {
        self.delete_channel_at(name, None).await
    }

    /// Changes a channel's settings, if it still is at `version`.
    ///
    /// # Errors
    /// When there is none, it has changed, or the store fails.
    pub async fn update_channel(
        &self,
        name: ChannelName,
        version: Option<u64>,
        patch: ChannelPatch,
    ) -> Result<Channel, Error> {
        self.store.update_channel(name, version, patch, now()).await
    }

    /// [`Control::delete_channel`], if it still is at `version`.
    ///
    /// # Errors
    /// When there is none, it has changed, or the store fails.
    pub async fn delete_channel_at(
        &self,
        name: ChannelName,
        version: Option<u64>,
    ) -> Result<(), Error> {
        self.store.delete_channel(name, version, now()).await
    }

    /// Makes a stream key for a channel.
    ///
    /// # Errors
    /// When there is no such channel, or the store fails.
    pub async fn create_key(&self, channel: ChannelName, label: Text) -> Result<Minted, Error> {
        self.create_key_once(channel, label, None).await
    }

    /// [`Control::create_key`]; for a request that is met once, the same key each time.
    ///
    /// # Errors
    /// When there is no such channel, `once` was used for something else, or the store fails.
    pub async fn create_key_once(
        &self,
        channel: ChannelName,
        label: Text,
        once: Option<Once>,
    ) -> Result<Minted, Error> {
        let (new, secret) = self.mint(channel, label, once);
        let key = self.store.create_key(new, now()).await?;
        Ok(Minted { key, secret })
    }

    /// The keys of one channel or of all, revoked ones too, the oldest first.
    ///
    /// # Errors
    /// When there is no such channel, or the store fails.
    pub async fn keys(&self, channel: Option<ChannelName>) -> Result<Vec<Key>, Error> {
        if let Some(name) = &channel
            && self.store.channel(name.clone()).await?.is_none()
        {
            return Err(Error::ChannelUnknown(name.clone()));
        }
        let mut all: Vec<Key> = Vec::new();
        loop {
            let after = all.last().map(|key| key.id.clone());
            let page = self.store.keys(channel.clone(), after, PAGE_ROWS).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(all)
    }

    /// Makes a key in the place of `old`, which stays good for `overlap`, at most [`Control::OVERLAP_MAX`], so that its
    /// host can change over. A session that `old` opened ends with it.
    ///
    /// # Errors
    /// When there is none or it is revoked, or the store fails.
    pub async fn rotate_key(&self, old: KeyId, overlap: Duration) -> Result<Minted, Error> {
        self.rotate_key_once(old, overlap, None).await
    }

    /// [`Control::rotate_key`]; for a request that is met once, the same key each time.
    ///
    /// # Errors
    /// When there is none or it is revoked, `once` was used for something else, or the store fails.
    pub async fn rotate_key_once(
        &self,
        old: KeyId,
        overlap: Duration,
        once: Option<Once>,
    ) -> Result<Minted, Error> {
        let Some(key) = self.store.key(old.clone()).await? else {
            return Err(Error::KeyUnknown(old));
        };
        let (new, secret) = self.mint(key.channel, key.label, once);
        let now = SystemTime::now();
        let expires = now + overlap.min(Self::OVERLAP_MAX);
        let key = self
            .store
            .rotate_key(old, new, expires.into(), now.into())
            .await?;
        Ok(Minted { key, secret })
    }

    /// Revokes a key. A server that runs on this store ends the session that it opened within a second.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn revoke_key(&self, id: KeyId) -> Result<Key, Error> {
        self.store.revoke_key(id, now()).await
    }

    /// Signs a playback token. The first one makes the key.
    ///
    /// # Errors
    /// When there is no such channel, or the store fails.
    pub async fn playback_token(
        &self,
        channel: ChannelName,
        algorithm: Algorithm,
        claims: Claims,
    ) -> Result<Signed, Error> {
        if self.store.channel(channel.clone()).await?.is_none() {
            return Err(Error::ChannelUnknown(channel));
        }
        let key = self.current_playback_key().await?;
        Ok(playback::sign(&self.secret, &key.kid, algorithm, claims))
    }

    /// The keys whose playback tokens are accepted, the newest first. The first call makes one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn playback_keys(&self) -> Result<Vec<SigningKey>, Error> {
        self.current_playback_key().await?;
        let rows = self.store.playback_keys(now()).await?;
        Ok(rows
            .into_iter()
            .map(|row| row.described(&self.secret))
            .collect())
    }

    /// Lets a new key sign playback tokens; those of the ones before are accepted for `overlap`, at most
    /// [`Control::OVERLAP_MAX`]. A server that runs on this store follows within a second.
    ///
    /// # Errors
    /// When too many keys overlap, or the store fails.
    pub async fn rotate_playback_key(&self, overlap: Duration) -> Result<SigningKey, Error> {
        let now = SystemTime::now();
        let retire = now + overlap.min(Self::OVERLAP_MAX);
        let row = self
            .store
            .rotate_playback_key(new_kid(), retire.into(), now.into())
            .await?;
        Ok(row.described(&self.secret))
    }

    /// The name and HS256 secret (base64url) of the key that signs, for another program that makes playback tokens.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn playback_secret(&self) -> Result<(String, String), Error> {
        let key = self.current_playback_key().await?;
        let secret = Material::of(&self.secret, &key.kid).shared_secret();
        Ok((key.kid, secret))
    }

    async fn current_playback_key(&self) -> Result<PlaybackKeyRow, Error> {
        self.store.current_playback_key(new_kid(), now()).await
    }

    /// Makes a hook that is told of `events`; none named: of all.
    ///
    /// # Errors
    /// When there are too many, or the store fails.
    pub async fn create_hook(
        &self,
        url: Url,
        events: Vec<Kind>,
        label: Text,
    ) -> Result<MintedHook, Error> {
        self.create_hook_once(url, events, label, None).await
    }

    /// [`Control::create_hook`]; for a request that is met once, the same hook each time.
    ///
    /// # Errors
    /// When there are too many, `once` was used for something else, or the store fails.
    pub async fn create_hook_once(
        &self,
        url: Url,
        events: Vec<Kind>,
        label: Text,
        once: Option<Once>,
    ) -> Result<MintedHook, Error> {
        let new = NewHook {
            id: HookId::new(bytes(once.as_ref(), "id")),
            url,
            events,
            label,
            salt: bytes(once.as_ref(), "salt"),
            once,
        };
        let hook = self.store.create_hook(new, now()).await?;
        let key = hooks::SigningKey::derive(&self.secret, &hook.salt);
        Ok(MintedHook { hook, key })
    }

    /// All hooks.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn hooks(&self) -> Result<Vec<Hook>, Error> {
        self.store.hooks(None, HOOKS_MAX).await
    }

    /// Deletes a hook and what was on its way to it.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn delete_hook(&self, id: HookId) -> Result<(), Error> {
        self.store.delete_hook(id, None).await
    }

    /// Makes a named token for the API, good for `span`, or until it is revoked.
    ///
    /// # Errors
    /// When there are too many, `once` was used for something else, or the store fails.
    pub async fn create_token(
        &self,
        name: Text,
        scope: Scope,
        span: Option<Duration>,
        once: Option<Once>,
    ) -> Result<token::Minted, Error> {
        let secret = token::Shown::new(bytes(once.as_ref(), "secret"));
        let now = SystemTime::now();
        let new = NewToken {
            id: token::Id::new(bytes(once.as_ref(), "id")),
            name,
            scope,
            hash: self
                .secret
                .hash(Purpose::AdminToken, secret.expose().as_bytes()),
            prefix: secret.prefix(),
            expires: span.map(|span| (now + span.min(Self::TOKEN_SPAN_MAX)).into()),
            once,
        };
        let token = self.store.create_token(new, now.into()).await?;
        Ok(token::Minted { token, secret })
    }

    /// All named tokens, revoked ones too, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tokens(&self) -> Result<Vec<Token>, Error> {
        let mut all = self
            .store
            .tokens(None, TOKENS_MAX.saturating_add(TOKENS_DEAD_MAX))
            .await?;
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(all)
    }

    /// Revokes a named token: it opens nothing from now on, in a running server too.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn revoke_token(&self, id: token::Id) -> Result<Token, Error> {
        self.store.revoke_token(id, now()).await
    }

    /// Who shows this token; `None`: nobody who may do anything.
    pub(crate) async fn caller(
        &self,
        admin: &AdminToken,
        shown: &str,
    ) -> Result<Option<Caller>, Error> {
        if admin.is(shown) {
            return Ok(Some(Caller {
                token: None,
                scope: Scope::Admin,
            }));
        }
        if !token::is_shaped(shown) {
            return Ok(None);
        }
        let hash = self.secret.hash(Purpose::AdminToken, shown.as_bytes());
        let found = self.store.use_token(hash, now()).await?;
        Ok(found.map(|(id, scope)| Caller {
            token: Some(id),
            scope,
        }))
    }

    /// For the request `what` that `caller` wants to be met once, under the name `key`.
    pub(crate) fn once(&self, caller: &Caller, key: &str, what: &str) -> Once {
        Once::new(&self.secret, caller, key, what)
    }

    /// The store behind it.
    pub fn store(&self) -> &S {
        &self.store
    }

    fn mint(&self, channel: ChannelName, label: Text, once: Option<Once>) -> (NewKey, StreamKey) {
        let secret = StreamKey::new(bytes(once.as_ref(), "secret"));
        let new = NewKey {
            id: KeyId::new(bytes(once.as_ref(), "id")),
            channel,
            hash: self
                .secret
                .hash(Purpose::StreamKey, secret.expose().as_bytes()),
            prefix: secret.prefix(),
            label,
            once,
        };
        (new, secret)
    }
}

impl<S: Store + Clone> Control<S> {
    /// The gate that hosts' keys are checked at.
    pub fn gate(&self) -> KeyGate<S> {
        KeyGate::new(self.store.clone(), self.secret.clone())
    }

    /// The gate that viewers' playback tokens are checked at.
    pub fn playback_gate(&self, settings: GateSettings) -> Gate<S> {
        Gate::new(self.store.clone(), self.secret.clone(), settings)
    }

    /// Who posts what is in the outbox; `written` is notified when something new is.
    pub fn courier(
        &self,
        client: Client,
        retry: Retry,
        counts: Arc<Counts>,
        written: Arc<Notify>,
    ) -> Courier<S> {
        let (store, secret) = (self.store.clone(), self.secret.clone());
        Courier::new(store, secret, client, retry, counts, written)
    }
}

/// Random bytes, or those that belong to a request that is met once.
fn bytes<const N: usize>(once: Option<&Once>, part: &str) -> [u8; N] {
    once.map_or_else(random::bytes, |once| once.bytes(part))
}

fn first_channel() -> ChannelName {
    "demo".parse().expect("four letters are a channel's name")
}

/// A new name for a playback key: 80 random bits keep names apart without a counter.
fn new_kid() -> String {
    id::random("pb_")
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
