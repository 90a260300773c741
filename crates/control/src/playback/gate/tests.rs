//! The gate over a real store.

use super::*;
use crate::playback::{Algorithm, ClaimsError, Signed};
use crate::store::Sqlite;
use crate::{Control, NewChannel, Takeover, Text};

struct Bench {
    dir: tempfile::TempDir,
    control: Control<Sqlite>,
    private: Channel,
    public: Channel,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::open(dir.path()).unwrap();
        let make = async |name: &str, private| {
            let new = NewChannel {
                name: name.parse().unwrap(),
                title: Text::default(),
                takeover: Takeover::default(),
                private,
                max_viewers: None,
                once: None,
            };
            control.create_channel(new).await.unwrap()
        };
        Self {
            private: make("private", true).await,
            public: make("public", false).await,
            control,
            dir,
        }
    }

    async fn token(&self, channel: &Channel, change: impl Fn(&mut Claims)) -> String {
        let valid = Duration::from_secs(600);
        let claims = Claims::new(&channel.name, SystemTime::now(), None, valid);
        let mut claims: Claims = Result::<_, ClaimsError>::unwrap(claims);
        change(&mut claims);
        let signed = self
            .control
            .playback_token(channel.name.clone(), Algorithm::EdDsa, claims);
        Result::<Signed, Error>::unwrap(signed.await).token
    }

    fn gate(&self) -> Gate<Sqlite> {
        self.control.playback_gate(GateSettings::default())
    }
}

#[tokio::test]
async fn a_private_channel_opens_to_its_own_token_alone() {
    let bench = Bench::new().await;
    let gate = bench.gate();
    let own = bench.token(&bench.private, |_| {}).await;
    let other = bench.token(&bench.public, |_| {}).await;
    let pass = Pass {
        viewer: None,
        ends: None,
    };
    assert_eq!(gate.check(&bench.private, Some(&own)).await, Ok(Some(pass)));
    for (token, refusal) in [
        (None, Refusal::Needed),
        (Some("x"), Refusal::Invalid),
        (Some(other.as_str()), Refusal::OtherChannel),
    ] {
        assert_eq!(gate.check(&bench.private, token).await, Err(refusal));
    }
    let counted: Vec<_> = gate
        .checks()
        .by_result()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(
        counted,
        [
            ("good", 1),
            ("missing", 1),
            ("invalid", 1),
            ("other_channel", 1)
        ]
    );
}

#[tokio::test]
async fn a_public_channel_lets_everyone_in_and_a_good_token_says_who_it_is() {
    let bench = Bench::new().await;
    let gate = bench.gate();
    let named = bench
        .token(&bench.public, |claims| {
            claims.viewer = Some("anna".parse().unwrap());
            claims.ends_session = true;
        })
        .await;
    for (token, viewer) in [
        (None, None),
        (Some("x"), None),
        (Some(named.as_str()), Some("anna")),
    ] {
        let pass = gate.check(&bench.public, token).await.unwrap();
        assert_eq!(
            pass.as_ref().and_then(|pass| pass.viewer.as_deref()),
            viewer
        );
        assert_eq!(pass.and_then(|pass| pass.ends), None, "it is open for all");
    }
    assert!(
        gate.checks()
            .by_result()
            .iter()
            .all(|(_, count)| *count == 0)
    );
}

#[tokio::test]
async fn a_session_ends_with_its_token_if_token_or_setting_say_so() {
    let bench = Bench::new().await;
    let asks = bench
        .token(&bench.private, |claims| claims.ends_session = true)
        .await;
    let silent = bench.token(&bench.private, |_| {}).await;
    for (end_expired, token, ends) in [
        (false, &silent, false),
        (false, &asks, true),
        (true, &silent, true),
    ] {
        let gate = bench.control.playback_gate(GateSettings {
            end_expired,
            ..GateSettings::default()
        });
        let pass = gate
            .check(&bench.private, Some(token))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(pass.ends.is_some(), ends);
        if let Some(at) = pass.ends {
            let left = at.duration_since(SystemTime::now()).unwrap().as_secs();
            assert!(
                (655..=660).contains(&left),
                "its time and the leeway: {left}"
            );
        }
    }
}

#[tokio::test]
async fn a_rotated_key_is_good_for_its_overlap_in_every_process() {
    let bench = Bench::new().await;
    let gate = bench.gate();
    let before = bench.token(&bench.private, |_| {}).await;
    assert!(gate.check(&bench.private, Some(&before)).await.is_ok());
    let elsewhere = Control::open(bench.dir.path()).unwrap();
    elsewhere
        .rotate_playback_key(Duration::from_secs(60))
        .await
        .unwrap();
    let after = bench.token(&bench.private, |_| {}).await;
    let fresh = bench.gate();
    for token in [&before, &after] {
        assert!(fresh.check(&bench.private, Some(token)).await.is_ok());
    }
    let keys = elsewhere.playback_keys().await.unwrap();
    assert_eq!(
        keys.iter()
            .map(|key| key.retires.is_some())
            .collect::<Vec<_>>(),
        [false, true]
    );
    // Without overlap all that were given out are void; who believed the old keys learns it within a second.
    elsewhere.rotate_playback_key(Duration::ZERO).await.unwrap();
    tokio::time::sleep(BELIEVED).await;
    for token in [&before, &after] {
        for gate in [&gate, &fresh] {
            let refused = gate.check(&bench.private, Some(token)).await;
            assert_eq!(refused, Err(Refusal::Invalid));
        }
    }
    assert_eq!(elsewhere.playback_keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn keys_that_overlap_are_limited() {
    let bench = Bench::new().await;
    let hour = Duration::from_secs(3_600);
    let mut made = 0;
    let error = loop {
        match bench.control.rotate_playback_key(hour).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Limit { max: 8, .. }), "{error}");
    assert_eq!(made, 8);
    bench
        .control
        .rotate_playback_key(Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(bench.control.playback_keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_store_holds_no_secret_of_a_key_and_another_server_has_others() {
    let bench = Bench::new().await;
    let (kid, secret) = bench.control.playback_secret().await.unwrap();
    assert_eq!(
        bench.control.playback_secret().await.unwrap(),
        (kid.clone(), secret.clone())
    );
    let keys = bench.control.playback_keys().await.unwrap();
    assert_eq!((keys.len(), &keys[0].kid), (1, &kid));
    for file in std::fs::read_dir(bench.dir.path()).unwrap() {
        let path = file.unwrap().path();
        let held = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(
            !held.contains(&secret) && !held.contains(&keys[0].public_key),
            "{path:?}"
        );
    }
    let other = Bench::new().await;
    assert_ne!(other.control.playback_secret().await.unwrap().1, secret);
}
