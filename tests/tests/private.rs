//! A private channel is shown to who has a playback token, and to nobody else.

use std::time::Duration;

use serde_json::{Value, json};
use zongzi_tests::browser::{self, Browser};
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::http::{self, Response};
use zongzi_tests::jwt::{self, Issuer};
use zongzi_tests::server::{Options, Server};
use zongzi_tests::{offer, place, wait};

/// Within which a page shows something, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// Within which the server follows a change that another process has made, and a page is told.
const FOLLOWED: Duration = Duration::from_secs(5);

#[test]
fn who_watches_without_a_token_is_cut_off_and_a_link_lets_him_in_again() {
    let (server, _host) = Host::live();
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    browser.wait_shown("pictures", SOON, |shown| shown.pictures > 10);
    server.command(&["channel", "set", "demo", "--private", "true"]);
    let shown = browser.wait_shown("a refusal", FOLLOWED, |shown| shown.text == "private");
    assert!(
        shown.words.contains("This stream is private"),
        "{}",
        shown.words
    );
    assert_eq!(viewers(&server), 0.0);

    let token = token(&server, &["--viewer", "anna"]);
    // Twice: a token in the query, then one in the fragment.
    for link in ["/watch/demo?lang=en&token=", "/watch/demo?lang=en#token="] {
        browser.open("about:blank");
        browser.open(&server.url(&format!("{link}{token}")));
        browser.wait_shown("pictures", SOON, |shown| {
            shown.state == "live" && shown.pictures > 10
        });
        let address = browser.eval("location.href");
        assert_eq!(
            address,
            server.url("/watch/demo?lang=en"),
            "the token stands in the address bar"
        );
        let left = browser
            .eval("document.documentElement.outerHTML + document.cookie + document.referrer");
        assert!(
            !left.to_string().contains(&token),
            "the token stands in the page"
        );
    }
    browser.wait_shown("what only token holders are told", SOON, |shown| {
        shown.words.contains("1 watching")
    });
    // The tab knows it still.
    browser.eval("location.reload()");
    browser.wait_shown("pictures again", SOON, |shown| {
        shown.state == "live" && shown.pictures > 10
    });

    // A channel that is public again asks for nothing.
    server.command(&["channel", "set", "demo", "--private", "false"]);
    wait::until("an open door", FOLLOWED, || {
        (join(&server, None).status == 201).then_some(())
    });
}

#[test]
fn an_embedded_player_takes_its_token_too() {
    let (server, _host) = Host::live();
    server.command(&["channel", "set", "demo", "--private", "true"]);
    let token = token(&server, &[]);
    let mut browser = Browser::start();
    browser.open(&server.url(&format!("/embed/demo?token={token}")));
    browser.wait_shown("pictures", SOON, |shown| {
        shown.state == "live" && shown.pictures > 10
    });
    assert_eq!(browser.eval("location.href"), server.url("/embed/demo"));
}

#[test]
fn a_bad_link_is_said_in_plain_words_in_both_languages() {
    let server = Server::start();
    server.command(&["channel", "set", "demo", "--private", "true"]);
    server.command(&["channel", "create", "other", "--private"]);
    let secret = Shared::of(&server);
    let expired = secret.sign(&json!({"channel": "demo", "exp": jwt::seconds(-120)}));
    let early = secret
        .sign(&json!({"channel": "demo", "exp": jwt::seconds(900), "nbf": jwt::seconds(600)}));
    let good = secret.sign(&json!({"channel": "demo", "exp": jwt::seconds(900)}));
    let cut = good.get(..good.len() - 9).expect("a token is ASCII");
    for (locale, cases) in [
        (
            "en-US",
            [
                ("demo", "", "private", "This stream is private"),
                ("demo", &expired, "link_expired", "This link has expired"),
                ("demo", &early, "link_early", "This link is not valid yet"),
                ("demo", cut, "link_invalid", "This link does not work"),
                (
                    "other",
                    &good,
                    "link_other",
                    "This link is for another channel",
                ),
            ],
        ),
        (
            "zh-CN",
            [
                ("demo", "", "private", "这是私密直播"),
                ("demo", &expired, "link_expired", "链接已过期"),
                ("demo", &early, "link_early", "链接尚未生效"),
                ("demo", cut, "link_invalid", "链接无效"),
                ("other", &good, "link_other", "此链接属于其他频道"),
            ],
        ),
    ] {
        let mut browser = Browser::start_with(browser::Options {
            locale,
            reader: false,
            ..Default::default()
        });
        for (channel, token, text, words) in cases {
            browser.open("about:blank");
            browser.eval("0");
            let link = if token.is_empty() {
                String::new()
            } else {
                format!("?token={token}")
            };
            assert_eq!(
                browser.open(&server.url(&format!("/watch/{channel}{link}"))),
                200
            );
            // What this tab was given before does not count here.
            browser.eval("sessionStorage.clear()");
            let shown = browser.wait_shown(words, SOON, |shown| shown.text == text);
            assert!(
                shown.state == "failed" && shown.words.contains(words),
                "{}",
                shown.words
            );
        }
        let picture = place::cache().join(format!("link-other-{locale}.png"));
        browser.screenshot(&picture);
    }
}

#[test]
fn a_session_ends_with_its_token_where_that_is_asked_for_and_the_page_says_so() {
    let (server, _host) = Host::live();
    server.command(&["channel", "set", "demo", "--private", "true"]);
    let secret = Shared::of(&server);
    let mut browser = Browser::start();
    // Over for 40 s, and accepted for 60 s after: 20 s from now.
    let until = jwt::seconds(-40);
    let ends = secret.sign(&json!({"channel": "demo", "exp": until, "ends_session": true}));
    let stays = secret.sign(&json!({"channel": "demo", "exp": until, "ends_session": false}));
    let stranger = http_session(&server, &stays);
    browser.open(&server.url(&format!("/watch/demo?token={ends}")));
    browser.wait_shown("pictures", SOON, |shown| {
        shown.state == "live" && shown.pictures > 10
    });
    let shown = browser.wait_shown("the end", Duration::from_secs(40), |shown| {
        shown.text == "link_expired"
    });
    assert!(
        shown.words.contains("Ask the host for a new link"),
        "{}",
        shown.words
    );
    assert!(jwt::seconds(0) >= until + 60, "it ended before its time");
    assert_eq!(
        server.metric_of("zongzi_relay_sessions_closed_total", "reason=\"expired\""),
        1.0
    );
    // Who joined with a token that does not ask for it keeps his session, though the token opens nothing more.
    assert_eq!(stranger.delete(&server), 200);
    assert_eq!(join(&server, Some(&stays)).status, 401);
}

#[test]
fn a_setting_ends_every_session_with_its_token() {
    let server = Options::default()
        .set("playback.end_expired", "true")
        .start();
    server.command(&["channel", "set", "demo", "--private", "true"]);
    let mut browser = Browser::start();
    let token = Shared::of(&server).sign(&json!({"channel": "demo", "exp": jwt::seconds(-45)}));
    browser.open(&server.url(&format!("/watch/demo?token={token}")));
    browser.wait_state("waiting", SOON);
    browser.wait_shown("the end", SOON, |shown| shown.text == "link_expired");
}

#[test]
fn every_door_asks_for_a_token_and_says_what_to_do() {
    let issuer = Issuer::new();
    let server = Options::default()
        .set(
            "playback.public_keys",
            &json!([issuer.public_key()]).to_string(),
        )
        .start();
    server.command(&[
        "channel",
        "set",
        "demo",
        "--private",
        "true",
        "--title",
        "Secret tasting",
    ]);
    server.command(&["channel", "create", "other"]);
    let secret = Shared::of(&server);
    let claims = json!({"channel": "demo", "exp": jwt::seconds(600)});
    let eddsa = json!({"alg": "EdDSA"});
    let ours = token(&server, &[]);
    let stranger = Issuer::new();
    let public = std::fs::read_to_string(issuer.public_key()).expect("it was written");
    let bad = [
        (401, "invalid", "garbage".to_owned()),
        (401, "invalid", "a.b.c".to_owned()),
        (
            401,
            "invalid",
            jwt::unsigned(&json!({"alg": "none"}), &claims),
        ),
        (
            401,
            "invalid",
            jwt::unsigned(&json!({"alg": "EdDSA", "kid": secret.kid}), &claims),
        ),
        (
            401,
            "invalid",
            jwt::hs256(
                &json!({"alg": "HS256"}),
                &claims,
                &base64url(public.as_bytes()),
            ),
        ),
        (401, "invalid", stranger.sign(&eddsa, &claims)),
        (
            401,
            "invalid",
            issuer.sign(&json!({"alg": "EdDSA", "kid": secret.kid}), &claims),
        ),
        (
            401,
            "invalid",
            issuer.sign(&json!({"alg": "EdDSA", "crit": ["x"], "x": 1}), &claims),
        ),
        (401, "invalid", format!("{ours}{}", "A".repeat(5_000))),
        (
            401,
            "expired",
            secret.sign(&json!({"channel": "demo", "exp": jwt::seconds(-61)})),
        ),
        (
            401,
            "early",
            secret.sign(
                &json!({"channel": "demo", "exp": jwt::seconds(900), "nbf": jwt::seconds(100)}),
            ),
        ),
        (
            403,
            "other-channel",
            secret.sign(&json!({"channel": "other", "exp": jwt::seconds(600)})),
        ),
        (
            403,
            "other-channel",
            issuer.sign(
                &eddsa,
                &json!({"channel": "other", "exp": jwt::seconds(600)}),
            ),
        ),
    ];
    let good = [
        ours.clone(),
        token(&server, &["--algorithm", "hs256"]),
        secret.sign(&claims),
        issuer.sign(&eddsa, &claims),
        issuer.sign(
            &json!({"alg": "EdDSA", "kid": "shop-7", "typ": "JWT"}),
            &claims,
        ),
        secret.sign(&json!({"channel": "demo", "exp": jwt::seconds(-50)})),
        secret.sign(&json!({"channel": "demo", "exp": jwt::seconds(600), "nbf": jwt::seconds(50)})),
    ];
    let missing = [(401, "needed", String::new())];
    for (status, kind, shown) in missing.iter().chain(&bad) {
        let token = (!shown.is_empty()).then_some(shown.as_str());
        for (door, answer) in doors(&server, token) {
            assert_eq!(answer.status, *status, "{door} {kind}: {}", answer.body);
            let problem: Value = serde_json::from_str(&answer.body).expect("a problem is JSON");
            assert_eq!(
                problem["type"],
                format!("/problems/playback-token-{kind}"),
                "{door}"
            );
            assert!(
                problem["detail"]
                    .as_str()
                    .is_some_and(|text| text.len() > 20),
                "{problem}"
            );
            assert!(
                answer
                    .header("www-authenticate")
                    .is_some_and(|v| v.starts_with("Bearer")),
                "{}",
                answer.head
            );
            assert!(!answer.body.contains("tasting"), "{}", answer.body);
            assert!(
                shown.is_empty() || !answer.body.contains(shown),
                "{}",
                answer.body
            );
        }
    }
    for token in &good {
        for (door, answer) in doors(&server, Some(token)) {
            assert!(
                matches!(answer.status, 200 | 201),
                "{door} {token}: {}",
                answer.body
            );
        }
        // In the address it counts for nothing: addresses stand in logs.
        let asked = server.get(&format!("/api/public/channels/demo?token={token}"));
        assert_eq!(asked.status, 401);
    }
    let said = server.status_with("demo", &ours);
    assert_eq!(
        (&said["title"], &said["private"]),
        (&json!("Secret tasting"), &json!(true))
    );

    // After a leak all that were given out are void.
    server.command(&["playback-key", "rotate", "--overlap", "0s"]);
    wait::until("the old key to be gone", FOLLOWED, || {
        (join(&server, Some(&ours)).status == 401).then_some(())
    });
    assert_eq!(join(&server, Some(&token(&server, &[]))).status, 201);
    assert_eq!(
        join(&server, Some(&issuer.sign(&eddsa, &claims))).status,
        201,
        "the other issuer's are not ours"
    );
}

#[test]
fn a_public_key_that_is_none_is_named_before_anything_starts() {
    let issuer = Issuer::new();
    let data = tempfile::tempdir().expect("a folder can be made");
    for (path, words) in [
        (issuer.private_key(), "private key"),
        (place::root().join("README.md"), "no Ed25519 public key"),
        (data.path().join("missing.pem"), "can't read"),
    ] {
        let (status, said) = Options::default()
            .set("playback.public_keys", &json!([path]).to_string())
            .refused(&data.path().join("data"));
        assert_eq!(status.code(), Some(2), "{said}");
        let file = path.file_name().expect("a file").to_string_lossy();
        assert!(
            said.contains("playback.public_keys") && said.contains(words) && said.contains(&*file),
            "{said}"
        );
        assert!(
            !said.contains("MC4CAQ"),
            "the key itself is printed: {said}"
        );
        assert!(!data.path().join("data").exists());
    }
}

// ---- the acts ----

/// A host who is live on `demo`.
fn token(server: &Server, options: &[&str]) -> String {
    let args: Vec<_> = ["token", "demo"].iter().chain(options).copied().collect();
    server.command(&args).trim().to_owned()
}

/// What another program of the operator's signs with.
struct Shared {
    kid: String,
    secret: String,
}

impl Shared {
    fn of(server: &Server) -> Self {
        let out = server.command(&["playback-key", "secret", "--json"]);
        let out: Value = serde_json::from_str(&out).expect("--json prints JSON");
        let text = |name: &str| out[name].as_str().expect("it is there").to_owned();
        Self {
            kid: text("kid"),
            secret: text("secret"),
        }
    }

    fn sign(&self, claims: &Value) -> String {
        jwt::hs256(
            &json!({"alg": "HS256", "kid": self.kid}),
            claims,
            &self.secret,
        )
    }
}

fn join(server: &Server, token: Option<&str>) -> Response {
    ask(server, "POST", "/whep/demo", token, offer::SDP)
}

fn ask(server: &Server, method: &str, path: &str, token: Option<&str>, body: &str) -> Response {
    let shown = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/sdp")];
    headers.extend(shown.as_deref().map(|shown| ("authorization", shown)));
    http::request(server.ready.http, method, path, &headers, body)
}

/// Each place where a private channel would show itself.
fn doors(server: &Server, token: Option<&str>) -> [(&'static str, Response); 3] {
    let json = "/api/public/channels/demo";
    let events = format!("{json}/events");
    [
        ("WHEP", join(server, token)),
        ("JSON", ask(server, "GET", json, token, "")),
        ("events", first_of_stream(server, &events, token)),
    ]
}

/// The beginning of an answer that does not end by itself.
fn first_of_stream(server: &Server, path: &str, token: Option<&str>) -> Response {
    let shown = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = shown
        .as_deref()
        .map(|shown| ("authorization", shown))
        .into_iter()
        .collect();
    http::beginning(server.ready.http, "GET", path, &headers)
}

/// A session that a program holds.
struct Held(String);

fn http_session(server: &Server, token: &str) -> Held {
    let answer = join(server, Some(token));
    assert_eq!(answer.status, 201, "{}", answer.body);
    Held(answer.header("location").expect("201 names it").to_owned())
}

impl Held {
    fn delete(&self, server: &Server) -> u16 {
        http::request(server.ready.http, "DELETE", &self.0, &[], "").status
    }
}

fn viewers(server: &Server) -> f64 {
    server.metric("zongzi_relay_viewers")
}

fn base64url(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let index = bits >> (18 - 6 * place) & 63;
            out.push(char::from(alphabet[index as usize]));
        }
    }
    out
}
