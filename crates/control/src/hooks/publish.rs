use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zongzi_media::ChannelName;

use super::envelope::{document, headers};
use super::{Client, Counts, SigningKey, Url};
use crate::channel::name_as_text;
use crate::events::Id;
use crate::secret::{SecretError, create_private, failed};
use crate::{Text, random};

/// Asks another program whether a host with a good key may publish (`hooks.on_publish`).
#[derive(Debug)]
pub struct PublishHook {
    client: Client,
    url: Url,
    key: SigningKey,
    timeout: Duration,
    fallback: Fallback,
    places: Semaphore,
    counts: Arc<Counts>,
}

/// What holds when there is no usable answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// The host may publish: its key was good.
    Allow,
    /// The host is turned away.
    Deny,
}

/// Who wants to publish where.
#[derive(Debug, Clone, Serialize)]
pub struct PublishQuestion {
    /// The channel that the key opened.
    #[serde(serialize_with = "name_as_text")]
    pub channel: ChannelName,
    /// The key's public id.
    pub key: String,
    /// What the host speaks, such as `rtmp`.
    pub protocol: &'static str,
    /// Where it comes from.
    pub peer: IpAddr,
    /// What it calls itself, at most 128 bytes.
    pub client: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The host may publish.
    Allow,
    /// It may not, and is told why.
    Deny(Text),
    /// It may, on another channel.
    Redirect(ChannelName),
}

/// The key file of `hooks.on_publish` can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishKeyError {
    /// It can't be read or made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It holds no key.
    #[error("{0} holds no whsec_ key; delete it and start again to get a new one")]
    NoKey(String),
}

/// The answer's body.
#[derive(Deserialize)]
struct Body {
    decision: Word,
    #[serde(default)]
    reason: String,
    channel: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Deny,
    Redirect,
}

/// Questions at one time. More hosts wait for a place within their own time.
const QUESTIONS_MAX: usize = 64;
/// The question's kind; no event of the stream.
const KIND: &str = "publish.requested";
/// What a host reads that is denied without words.
const DENIED: &str = "this server's owner does not let you publish now";
/// What a host reads when nobody could be asked.
const UNANSWERED: &str =
    "it can't be checked right now whether you may publish; try again in a moment";

impl PublishHook {
    /// The file of its key in the data directory.
    pub const KEY_FILE: &'static str = "on-publish-secret";
    /// Random bytes in the key.
    const KEY_BYTES: usize = 32;

    /// Asks `url` with `client`, signed with the key in `dir`, which is made if it is not there yet. An answer that comes
    /// after `timeout` does not count.
    ///
    /// This blocks: call it at start.
    ///
    /// # Errors
    /// When the key can't be read or made.
    pub fn new(
        client: &Client,
        url: Url,
        dir: &Path,
        timeout: Duration,
        fallback: Fallback,
        counts: Arc<Counts>,
    ) -> Result<Self, PublishKeyError> {
        Ok(Self {
            client: client.within(timeout),
            url,
            key: load_or_create(dir)?,
            timeout,
            fallback,
            places: Semaphore::new(QUESTIONS_MAX),
            counts,
        })
    }

    /// Asks. The answer comes within the time that was set, whatever the other program does.
    pub async fn ask(&self, question: &PublishQuestion) -> Decision {
        let answered = timeout(self.timeout, async {
            let _place = self.places.acquire().await;
            self.post(question).await
        });
        let why = match answered.await {
            Ok(Ok(decision)) => {
                self.counts.count_decision(&decision);
                return decision;
            }
            Ok(Err(why)) => why,
            Err(_elapsed) => "no answer in time".to_owned(),
        };
        self.counts.unanswered.fetch_add(1, Relaxed);
        tracing::warn!(
            channel = %question.channel,
            reason = why,
            fallback = ?self.fallback,
            "hooks.on_publish gave no usable answer"
        );
        match self.fallback {
            Fallback::Allow => Decision::Allow,
            Fallback::Deny => Decision::Deny(words(UNANSWERED)),
        }
    }

    async fn post(&self, question: &PublishQuestion) -> Result<Decision, String> {
        let id = Id::random();
        let now = SystemTime::now().into();
        let channel = question.channel.as_str();
        let body = document(id.as_str(), KIND, now, Some(channel), question);
        let headers = headers(id.as_str(), &body, &self.key);
        let answer = self.client.post(&self.url, headers, body, true).await;
        let answer = answer.map_err(|error| error.to_string())?;
        decision(answer.status, &answer.body)
    }
}

/// Reads an answer: an empty 2xx allows, 403 denies, and JSON says it in full.
fn decision(status: StatusCode, body: &[u8]) -> Result<Decision, String> {
    let denied = status == StatusCode::FORBIDDEN;
    if !status.is_success() && !denied {
        return Err(format!("answered {status}"));
    }
    if body.is_empty() {
        return Ok(if denied {
            Decision::Deny(words(DENIED))
        } else {
            Decision::Allow
        });
    }
    let body: Body = match serde_json::from_slice(body) {
        Ok(body) => body,
        // Many a framework's 403 has a page with it.
        Err(_not_json) if denied => return Ok(Decision::Deny(words(DENIED))),
        Err(error) => return Err(format!("the answer is no decision: {error}")),
    };
    match body.decision {
        Word::Deny => {
            let reason = body.reason.parse().ok();
            let said = reason.filter(|reason: &Text| !reason.as_str().is_empty());
            Ok(Decision::Deny(said.unwrap_or_else(|| words(DENIED))))
        }
        _ if denied => Ok(Decision::Deny(words(DENIED))),
        Word::Allow => Ok(Decision::Allow),
        Word::Redirect => {
            let channel = body.channel.as_deref().map(str::parse);
            match channel {
                Some(Ok(channel)) => Ok(Decision::Redirect(channel)),
                _ => Err("it redirects to no channel".to_owned()),
            }
        }
    }
}

fn words(text: &str) -> Text {
    text.parse().expect("our own words are one short line")
}

fn load_or_create(dir: &Path) -> Result<SigningKey, PublishKeyError> {
    let path = dir.join(PublishHook::KEY_FILE);
    if !path.exists() {
        let fresh = SigningKey::from_bytes(random::bytes::<{ PublishHook::KEY_BYTES }>().to_vec());
        create_private(dir, &path, format!("{}\n", fresh.expose()).as_bytes())?;
    }
    let text = std::fs::read_to_string(&path).map_err(failed("read", &path))?;
    SigningKey::parse(&text).ok_or_else(|| PublishKeyError::NoKey(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Decision, String> {
        let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
        decision(status, body.as_bytes())
    }

    fn denied(text: &str) -> Result<Decision, String> {
        Ok(Decision::Deny(words(text)))
    }

    #[test]
    fn answers_are_read() {
        for allowed in [(204, ""), (200, ""), (200, r#"{"decision":"allow"}"#)] {
            assert_eq!(read(allowed.0, allowed.1), Ok(Decision::Allow));
        }
        let late = r#"{"decision":"deny","reason":"come back at noon"}"#;
        assert_eq!(read(200, late), denied("come back at noon"));
        assert_eq!(read(403, late), denied("come back at noon"));
        for (status, body) in [
            (403, ""),
            (403, "<h1>Forbidden</h1>"),
            (403, r#"{"decision":"allow"}"#),
            (200, r#"{"decision":"deny"}"#),
            (200, r#"{"decision":"deny","reason":"two\nlines"}"#),
        ] {
            assert_eq!(read(status, body), denied(DENIED), "{status} {body}");
        }
        assert_eq!(
            read(200, r#"{"decision":"redirect","channel":"tea"}"#),
            Ok(Decision::Redirect("tea".parse().unwrap()))
        );
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for (status, body) in [
            (500, ""),
            (301, ""),
            (404, r#"{"decision":"allow"}"#),
            (200, "ok"),
            (200, r#"{"decision":"maybe"}"#),
            (200, r#"{"decision":"redirect"}"#),
            (200, r#"{"decision":"redirect","channel":"No Such Name!"}"#),
        ] {
            assert!(read(status, body).is_err(), "{status} {body}");
        }
    }

    #[test]
    fn its_key_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let key = load_or_create(dir.path()).unwrap().expose();
        assert_eq!(load_or_create(dir.path()).unwrap().expose(), key);
        let path = dir.path().join(PublishHook::KEY_FILE);
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), key);
        std::fs::write(&path, "whsec_\n").unwrap();
        let error = load_or_create(dir.path()).unwrap_err().to_string();
        assert!(error.contains("holds no whsec_ key"), "{error}");
    }
}
