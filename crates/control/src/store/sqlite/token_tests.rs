//! Named tokens and requests that are met once, over the years.

use zongzi_http::Timestamp;

use super::tests::{at, channel, key, open};
use crate::once::Once;
use crate::secret::Secret;
use crate::store::{Error, NewToken, ONCE_KEPT_MS, Store as _, TOKENS_MAX, Tokens as _};
use crate::token::{Caller, Id, Scope};
use crate::{NewChannel, Text};

fn token(number: u16, expires: Option<Timestamp>) -> NewToken {
    let mut hash = [0; 32];
    hash[..2].copy_from_slice(&number.to_be_bytes());
    NewToken {
        id: format!("tok_{number:05}").parse().unwrap(),
        name: Text::default(),
        scope: Scope::Keys,
        hash,
        prefix: "zat_abcd".to_owned(),
        expires,
        once: None,
    }
}

#[tokio::test]
async fn tokens_are_found_until_they_expire_and_their_use_is_noted_to_the_minute() {
    let (_dir, store) = open();
    let new = token(1, Some(at(200_000)));
    let (hash, id) = (new.hash, new.id.clone());
    store.create_token(new, at(1)).await.unwrap();
    let found = Some((id.clone(), Scope::Keys));
    let used = async || store.token(id.clone()).await.unwrap().unwrap().last_used;
    for (now, noted) in [(10_000, 10_000), (69_999, 10_000), (70_001, 70_001)] {
        assert_eq!(store.use_token(hash, at(now)).await.unwrap(), found);
        assert_eq!(used().await, Some(at(noted)));
    }
    assert_eq!(store.use_token(hash, at(199_999)).await.unwrap(), found);
    assert_eq!(store.use_token(hash, at(200_000)).await.unwrap(), None);
    assert_eq!(store.use_token([9; 32], at(5)).await.unwrap(), None);
}

#[tokio::test]
async fn there_are_so_many_good_tokens_and_no_more() {
    let (_dir, store) = open();
    for number in 0..u16::try_from(TOKENS_MAX).unwrap() {
        store
            .create_token(token(number, None), at(1))
            .await
            .unwrap();
    }
    let more = store.create_token(token(999, None), at(2)).await;
    assert!(matches!(more, Err(Error::Limit { .. })), "{more:?}");
    let first: Id = "tok_00000".parse().unwrap();
    let revoked = store.revoke_token(first.clone(), at(3)).await.unwrap();
    let again = store.revoke_token(first, at(4)).await.unwrap();
    assert_eq!((revoked.revoked, again.revoked), (Some(at(3)), Some(at(3))));
    store.create_token(token(999, None), at(5)).await.unwrap();
    let lost = store.revoke_token("tok_x".parse().unwrap(), at(6)).await;
    assert!(matches!(lost, Err(Error::TokenUnknown(_))), "{lost:?}");
}

#[tokio::test]
async fn what_is_met_once_is_known_for_a_day_and_never_made_twice() {
    let (dir, store) = open();
    let secret = Secret::load_or_create(dir.path()).unwrap();
    let caller = Caller {
        token: None,
        scope: Scope::Admin,
    };
    let once = Once::new(&secret, &caller, "a key", "a request");
    assert_eq!(once.bytes::<20>("id"), once.bytes::<20>("id"));
    assert_ne!(once.bytes::<20>("id"), once.bytes::<20>("secret"));
    store.create_channel(channel("demo"), at(1)).await.unwrap();
    let new = crate::store::NewKey {
        once: Some(once.clone()),
        ..key(1, "demo")
    };
    let made = store.create_key(new.clone(), at(2)).await.unwrap();
    let day = u64::try_from(ONCE_KEPT_MS).unwrap();
    let again = store.create_key(new.clone(), at(2 + day)).await.unwrap();
    assert_eq!(made, again);
    // Nobody knows the request any more, but the key that it made is there.
    let late = store.create_key(new, at(3 + day)).await;
    assert!(matches!(late, Err(Error::Reused)), "{late:?}");
    let late = NewChannel {
        once: Some(once),
        ..channel("other")
    };
    store.create_channel(late, at(3 + day)).await.unwrap();
    assert_eq!(store.keys(None, None, 10).await.unwrap().len(), 1);
}
