//! Tokens good and bad, against keys that are known. The clock is the tests' own.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::playback::claims::NumericDate;

const NOW: u64 = 1_800_000_000;
const KID: &str = "pb_ours";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn secret() -> Secret {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key-secret"), [7; 32]).unwrap();
    Secret::load_or_create(dir.path()).unwrap()
}

fn key(kid: &str, retires: Option<u64>) -> SigningKey {
    SigningKey {
        kid: kid.to_owned(),
        public_key: Material::of(&secret(), kid).public_key(),
        created: at(1).into(),
        retires: retires.map(|seconds| at(seconds).into()),
    }
}

/// Another issuer, who signs with a pair of his own.
fn issuer() -> (Ed25519KeyPair, IssuerKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let public = IssuerKey(DecodingKey::from_ed_der(pair.public_key().as_ref()));
    (pair, public)
}

fn ring() -> Ring {
    Ring::new(
        &secret(),
        vec![
            key(KID, None),
            key("pb_old", Some(NOW + 100)),
            key("pb_dead", Some(NOW)),
        ],
        vec![issuer().1],
    )
}

fn claims() -> Claims {
    Claims {
        channel: "demo".to_owned(),
        exp: NumericDate::from(at(NOW + 600)),
        nbf: None,
        viewer: None,
        ends_session: false,
    }
}

/// Three parts, written as RFC 7515 §7.1 says and signed as `sign` does.
fn by_hand(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hmac(key: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    move |message| aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
}

/// The HS256 secret of ours, as another program is given it.
fn shared(kid: &str) -> Vec<u8> {
    let text = Material::of(&secret(), kid).shared_secret();
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn plain() -> Value {
    json!({"channel": "demo", "exp": NOW + 600})
}

fn read(token: &str) -> Result<Claims, Refusal> {
    ring().read(token, at(NOW))
}

#[test]
fn what_was_signed_is_read_by_either_algorithm() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let said = Claims {
            viewer: Some("顾客 7".parse().unwrap()),
            ends_session: true,
            ..claims()
        };
        let signed = sign(&secret(), KID, algorithm, said.clone());
        assert_eq!(read(&signed.token), Ok(said), "{algorithm}");
        assert!(!format!("{signed:?}").contains(&signed.token));
    }
}

#[test]
fn a_token_of_rfc_8037_s_key_is_what_others_make_of_it() {
    // RFC 8037 appendix A.4: the key of A.1 signs "Example of Ed25519 signing".
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()).as_ref());
    assert_eq!(
        signature,
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn another_issuer_signs_with_his_own_key_under_any_name_but_ours() {
    let (pair, _) = issuer();
    let signs = |message: &[u8]| pair.sign(message).as_ref().to_vec();
    for header in [
        json!({"alg": "EdDSA"}),
        json!({"alg": "EdDSA", "kid": "shop-2026", "typ": "JWT"}),
    ] {
        let token = by_hand(&header, &plain(), signs);
        assert_eq!(read(&token), Ok(claims()), "{header}");
    }
    let posing = by_hand(&json!({"alg": "EdDSA", "kid": KID}), &plain(), signs);
    assert_eq!(read(&posing), Err(Refusal::Invalid));
}

#[test]
fn another_program_signs_with_the_shared_secret_with_or_without_its_name() {
    for header in [json!({"alg": "HS256", "kid": KID}), json!({"alg": "HS256"})] {
        let token = by_hand(&header, &plain(), hmac(&shared(KID)));
        assert_eq!(read(&token), Ok(claims()), "{header}");
    }
}

#[test]
fn an_old_key_is_good_until_it_retires() {
    let token = |kid| sign(&secret(), kid, Algorithm::EdDsa, claims()).token;
    assert_eq!(read(&token("pb_old")), Ok(claims()));
    assert_eq!(
        ring().read(&token("pb_old"), at(NOW + 100)),
        Err(Refusal::Invalid)
    );
    assert_eq!(read(&token("pb_dead")), Err(Refusal::Invalid));
    assert_eq!(read(&token("pb_never")), Err(Refusal::Invalid));
    // Without its name it opens no more than with it.
    let nameless = by_hand(&json!({"alg": "HS256"}), &plain(), hmac(&shared("pb_dead")));
    assert_eq!(read(&nameless), Err(Refusal::Invalid));
}

#[test]
fn no_algorithm_is_taken_for_another() {
    let public = URL_SAFE_NO_PAD.decode(key(KID, None).public_key).unwrap();
    let issuers = issuer().0.public_key().as_ref().to_vec();
    let none = |_: &[u8]| Vec::new();
    let ours = |alg: &str| json!({"alg": alg, "kid": KID});
    let good = sign(&secret(), KID, Algorithm::EdDsa, claims()).token;
    let (message, signature) = good.rsplit_once('.').unwrap();
    let body = message.split_once('.').unwrap().1;
    let head = |header: Value| URL_SAFE_NO_PAD.encode(header.to_string());
    for (what, token) in [
        ("none", by_hand(&ours("none"), &plain(), none)),
        ("None", by_hand(&ours("None"), &plain(), none)),
        ("no alg", by_hand(&json!({"kid": KID}), &plain(), none)),
        ("empty signature", format!("{message}.")),
        ("no signature", message.to_owned()),
        (
            "public key as secret",
            by_hand(&ours("HS256"), &plain(), hmac(&public)),
        ),
        (
            "its text as secret",
            by_hand(
                &ours("HS256"),
                &plain(),
                hmac(key(KID, None).public_key.as_bytes()),
            ),
        ),
        (
            "issuer's key as secret",
            by_hand(&json!({"alg": "HS256"}), &plain(), hmac(&issuers)),
        ),
        (
            "HS512",
            by_hand(&ours("HS512"), &plain(), hmac(&shared(KID))),
        ),
        (
            "RS256",
            by_hand(&ours("RS256"), &plain(), hmac(&shared(KID))),
        ),
        (
            "HMAC called EdDSA",
            by_hand(&ours("EdDSA"), &plain(), hmac(&shared(KID))),
        ),
        (
            "EdDSA called HS256",
            format!("{}.{body}.{signature}", head(ours("HS256"))),
        ),
        ("empty secret", by_hand(&ours("HS256"), &plain(), hmac(b""))),
        ("a key of its own", {
            let own = json!({"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x":
                URL_SAFE_NO_PAD.encode(stranger().public_key().as_ref())}});
            by_hand(&own, &plain(), |message| {
                stranger().sign(message).as_ref().to_vec()
            })
        }),
    ] {
        assert_eq!(read(&token), Err(Refusal::Invalid), "{what}");
    }
}

fn stranger() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[66; 32]).unwrap()
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    let good = sign(&secret(), KID, Algorithm::Hs256, claims()).token;
    assert!(read(&good).is_ok());
    for index in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let bad = String::from_utf8(bytes).unwrap();
        assert_eq!(read(&bad), Err(Refusal::Invalid), "{index}");
    }
    for cut in 0..good.len() {
        let short = good.get(..cut).unwrap();
        assert_eq!(read(short), Err(Refusal::Invalid), "{cut}");
    }
}

#[test]
fn times_are_taken_with_a_minute_of_leeway() {
    for (exp, nbf, expected) in [
        (NOW + 1, None, Ok(())),
        (NOW - 59, None, Ok(())),
        (NOW - 60, None, Err(Refusal::Expired)),
        (0, None, Err(Refusal::Expired)),
        (NOW + 600, Some(NOW + 60), Ok(())),
        (
            NOW + 600,
            Some(NOW + 61),
            Err(Refusal::Early(Duration::from_secs(1))),
        ),
        (NOW - 60, Some(NOW + 61), Err(Refusal::Expired)),
        (u64::MAX, Some(0), Ok(())),
    ] {
        let mut said = json!({"channel": "demo", "exp": exp});
        if let Some(nbf) = nbf {
            said["nbf"] = json!(nbf);
        }
        let token = by_hand(&json!({"alg": "HS256"}), &said, hmac(&shared(KID)));
        assert_eq!(read(&token).map(|_| ()), expected, "{said}");
    }
}

#[test]
fn claims_that_are_missing_or_make_no_sense_open_nothing() {
    for said in [
        json!({"channel": "demo"}),
        json!({"exp": NOW + 600}),
        json!({"channel": "demo", "exp": "soon"}),
        json!({"channel": "demo", "exp": null}),
        json!({"channel": "demo", "exp": -1}),
        json!({"channel": ["demo"], "exp": NOW + 600}),
        json!({"channel": "demo", "exp": NOW + 600, "nbf": "x"}),
        json!({"channel": "demo", "exp": NOW + 600, "sub": 7}),
        json!({"channel": "demo", "exp": NOW + 600, "sub": "x".repeat(129)}),
        json!({"channel": "demo", "exp": NOW + 600, "ends_session": "yes"}),
        json!({"channel": "demo", "exp": NOW + 600, "aud": "another"}),
        json!({"channel": "demo", "exp": NOW + 600, "aud": ["a", "b"]}),
        json!([1, 2]),
        json!("demo"),
    ] {
        let token = by_hand(&json!({"alg": "HS256"}), &said, hmac(&shared(KID)));
        assert_eq!(read(&token), Err(Refusal::Invalid), "{said}");
    }
    for said in [
        json!({"channel": "demo", "exp": NOW + 600, "aud": "zongzi", "iss": "shop", "iat": 1, "jti": "x"}),
        json!({"channel": "demo", "exp": NOW + 600, "aud": ["a", "zongzi"]}),
    ] {
        let token = by_hand(&json!({"alg": "HS256"}), &said, hmac(&shared(KID)));
        assert_eq!(read(&token), Ok(claims()), "{said}");
    }
}

#[test]
fn a_header_that_asks_for_what_is_not_known_here_is_refused() {
    let header = json!({"alg": "HS256", "kid": KID, "crit": ["b64"], "b64": false});
    let token = by_hand(&header, &plain(), hmac(&shared(KID)));
    assert_eq!(read(&token), Err(Refusal::Invalid));
}

#[test]
fn a_token_that_is_too_long_is_not_looked_at() {
    let padded = |length: usize| {
        let said = json!({"channel": "demo", "exp": NOW + 600, "x": "y".repeat(length)});
        by_hand(&json!({"alg": "HS256"}), &said, hmac(&shared(KID)))
    };
    assert!(padded(2_000).len() < TOKEN_BYTES_MAX);
    assert_eq!(read(&padded(2_000)), Ok(claims()));
    assert!(padded(3_000).len() > TOKEN_BYTES_MAX);
    assert_eq!(read(&padded(3_000)), Err(Refusal::Invalid));
    assert_eq!(read(&"a.".repeat(1 << 20)), Err(Refusal::Invalid));
}

#[test]
fn garbage_is_refused() {
    let nested = URL_SAFE_NO_PAD.encode("[".repeat(1_000));
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "e30.e30.",
        "\u{0}.\u{0}.\u{0}",
        &format!("{nested}.{nested}.x"),
    ] {
        assert_eq!(read(token), Err(Refusal::Invalid), "{token:?}");
    }
}
