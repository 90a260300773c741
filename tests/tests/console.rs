//! An operator works with the console in a real browser: logs in, makes a channel and a key, sees a live stream and its
//! viewers, watches, kicks, replaces and revokes. The page's own content security policy is in force.

use std::time::Duration;

use serde_json::Value;
use zongzi_tests::browser::{Browser, Options};
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::load::Crowd;
use zongzi_tests::server::Server;
use zongzi_tests::source::Clip;
use zongzi_tests::wait;

/// Within which a page shows something, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
const VIEWERS: u32 = 5;

#[test]
fn an_operator_runs_a_show_from_the_console() {
    let server = Server::start();
    let mut operator = Operator::at(&server, false, "en-US");
    operator.log_in(&server);

    operator.click("#new-channel");
    operator.fill("dialog [name=name]", "tea");
    operator.fill("dialog [name=title]", "Tea <b>house</b>");
    operator.click("dialog .main");
    operator.until("the channel's page", "text('h1') === 'Tea <b>house</b>'");
    operator.until("no host", "text('.title .badge') === 'Offline'");
    operator.until("no key", "text('.keys').includes('There is no key yet')");

    operator.click("#new-key");
    operator.fill("dialog [name=label]", "OBS");
    operator.click("dialog .main");
    let qr = "document.querySelector('dialog .qr')?.naturalWidth > 0";
    operator.until("the key's QR code", qr);
    let key = operator.text("[data-name=stream-key]");
    let port = server.ready.rtmp.port();
    assert!(key.starts_with("sk_"), "{key}");
    let rtmp = operator.text("[data-name=rtmp-server]");
    assert!(rtmp.ends_with(&format!(":{port}/live")), "{rtmp}");
    operator.click("dialog .main");
    operator.until("the key in the list", "text('.keys li strong') === 'OBS'");
    let page = operator.text("body");
    assert!(!page.contains(&key), "the key is shown once: {page}");

    let mut host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
    operator.until("live", "text('.title .badge') === 'Live'");
    operator.until("the picture", "text('.host').includes('640×360')");
    operator.until(
        "a bit rate",
        r"/Bit rate\s*[\d.,]+ [kM]b\/s/.test(text('.host'))",
    );
    let _crowd = Crowd::come(
        &server,
        "tea",
        VIEWERS,
        &["--sampled", "0", "--seconds", "600"],
    );
    operator.until("the viewers", &viewers_are(VIEWERS));
    operator.until(
        "their sessions",
        "document.querySelectorAll('.sessions [data-kind=viewer]').length === 5",
    );
    operator.until(
        "a line",
        "document.querySelector('.chart .line').getAttribute('d').split('L').length > 2",
    );

    operator.click("#watch");
    let playing = "document.querySelector('iframe')?.contentWindow.zongzi?.state === 'live'";
    operator.until("the player", playing);
    operator.until("one more viewer", &viewers_are(VIEWERS + 1));
    operator.click(".preview button");
    operator.until("one less again", &viewers_are(VIEWERS));

    operator.click(".sessions [data-kind=viewer] .kick");
    operator.click("dialog .danger");
    operator.until("a viewer gone", &viewers_are(VIEWERS - 1));
    server.wait_status("tea", "a viewer gone", |status| {
        status["viewers"] == VIEWERS - 1
    });

    operator.click(".keys .rotate");
    operator.click("dialog .main");
    operator.until(
        "the new key",
        "text('[data-name=stream-key]').startsWith('sk_')",
    );
    let new_key = operator.text("[data-name=stream-key]");
    assert_ne!(new_key, key);
    operator.click("dialog .main");
    operator.until(
        "both keys, the old one for a while",
        "document.querySelectorAll('.keys > .rows li').length === 2 && text('.keys').includes('Good until')",
    );

    // The newest is on top: the last one is the one that is live.
    operator.click(".keys > .rows li:last-child .revoke");
    operator.click("dialog .danger");
    operator.until(
        "one key",
        "document.querySelectorAll('.keys > .rows li').length === 1",
    );
    operator.until("the end of the show", "text('.title .badge') === 'Offline'");
    host.wait(SOON);

    operator.until(
        "the show in the history, by itself",
        "text('.history').includes('key revoked')",
    );

    operator.go("#/server");
    operator.until(
        "the server's health",
        "text('.health').includes('All is well')",
    );
    operator.until("its version", "text('.figures').includes('Version')");

    operator.click("#log-out");
    operator.until("the log-in", "document.querySelector('#token') !== null");
    assert_eq!(operator.browser.eval("sessionStorage.length"), 0);
    operator.complained_of_nothing();
}

#[test]
fn an_operator_with_a_phone_reads_chinese_and_never_scrolls_sideways() {
    on_a_phone("zh-CN", ["登录", "直播中", "一切正常"]);
}

#[test]
fn english_fits_a_phone_as_well() {
    on_a_phone("en-US", ["Log in", "Live", "All is well"]);
}

/// Goes through all pages; `words` are the log-in's, those of a live channel, and those of a server that is well.
fn on_a_phone(locale: &str, [log_in, live, well]: [&str; 3]) {
    let server = Server::start();
    let key = server.key("demo").key;
    let long = "a-channel-whose-name-is-as-long-as-names-may-be-0123456789-01234";
    server.command(&["channel", "create", long]);
    let _host = Host::publish(&Clip::SMALL.file(), &server.rtmp_url(), &key);
    server.wait_live("demo");
    let _viewer = Crowd::come(&server, "demo", 1, &["--sampled", "0", "--seconds", "600"]);
    let mut operator = Operator::at(&server, true, locale);
    operator.until("the log-in", &format!("text('form .main') === '{log_in}'"));
    operator.fits();
    operator.log_in(&server);
    operator.until(
        "the live channel",
        &format!("text('.live-card .badge') === '{live}'"),
    );
    operator.fits();
    operator.click(".live-card");
    operator.until("its key", "text('.keys li').includes('sk_')");
    operator.until("its host", "text('.host').includes('H.264')");
    operator.fits();
    operator.click("#new-key");
    operator.click("dialog .main");
    let qr = "document.querySelector('dialog .qr')?.naturalWidth > 0";
    operator.until("the key's QR code", qr);
    operator.fits();
    operator.click("dialog .main");
    operator.go("#/server");
    operator.until(
        "the server's health",
        &format!("text('.health').includes('{well}')"),
    );
    operator.fits();
    operator.go(&format!("#/channel/{long}"));
    operator.until("a long name", &format!("text('h1') === '{long}'"));
    operator.fits();
    operator.complained_of_nothing();
}

#[test]
fn a_wrong_token_opens_nothing_and_is_said() {
    let server = Server::start();
    let mut operator = Operator::at(&server, false, "en-US");
    operator.fill("#token", "zat_wrong");
    operator.click("form .main");
    operator.until("words", "text('.problem') === 'This is not the token.'");
    assert_eq!(operator.browser.eval("sessionStorage.length"), 0);
    // One that was good and is no more leads back here.
    operator
        .browser
        .eval("sessionStorage.setItem('zongzi-admin-token', 'zat_old')");
    operator.browser.open(&operator.url);
    operator.until("words", "text('.problem') === 'Please log in again.'");
    assert_eq!(operator.browser.eval("sessionStorage.length"), 0);
}

#[test]
fn a_server_that_is_gone_is_said_on_every_page() {
    let server = Server::start();
    let token = server.admin_token();
    let mut operator = Operator::at(&server, true, "en-US");
    operator.log_in(&server);
    operator.go("#/server");
    let well = "text('.health').includes('All is well')";
    operator.until("health", well);
    let silent = "!document.querySelector('.trouble').hidden && text('.trouble').includes('does not answer')";
    assert_eq!(operator.browser.eval(silent), false);
    let _data = server.stop();
    operator.until("words over the page", silent);
    operator.until("health", "text('.health').includes('does not answer')");
    assert_eq!(operator.browser.eval(well), false, "it is not well");
    operator.fits();
    operator.go("#/channel/demo");
    operator.until(
        "a channel's page",
        "text('.keys').includes('does not answer')",
    );
    operator.fits();
    // Logging in tells a server that is gone from a wrong token. The page itself can't be had any more.
    operator.browser.eval("import('/assets/console/login.js').then(({ logIn }) => document.body.replaceChildren(logIn(() => {})))");
    operator.fill("#token", &token);
    operator.click("form .main");
    operator.until("words", "text('.problem').includes('does not answer')");
    operator.fits();
}

/// Someone with a browser and the console's address.
struct Operator {
    browser: Browser,
    url: String,
}

impl Operator {
    fn at(server: &Server, phone: bool, locale: &str) -> Self {
        let mut browser = Browser::start_with(Options {
            phone,
            locale,
            reader: false,
            init: Some(
                "globalThis.text = (selector) => document.querySelector(selector)?.innerText.trim() ?? '';",
            ),
            ..Options::default()
        });
        let url = format!("http://{}/", server.ready.admin);
        assert_eq!(browser.open(&url), 200);
        let mut operator = Self { browser, url };
        operator.until("the log-in", "document.querySelector('#token') !== null");
        operator
    }

    fn log_in(&mut self, server: &Server) {
        self.fill("#token", &server.admin_token());
        self.click("form .main");
        self.until(
            "the channels",
            "document.querySelector('#new-channel') !== null",
        );
    }

    /// Goes to another page of the console.
    fn go(&mut self, hash: &str) {
        self.browser.eval(&format!("location.hash = '{hash}'"));
    }

    fn fill(&mut self, selector: &str, text: &str) {
        self.browser.fill(selector, text);
    }

    fn click(&mut self, selector: &str) {
        self.browser.click(selector);
    }

    fn text(&mut self, selector: &str) -> String {
        let text = self.browser.eval(&format!("text('{selector}')"));
        text.as_str().expect("a text").to_owned()
    }

    /// Waits until `condition` holds in the page.
    fn until(&mut self, what: &str, condition: &str) {
        let seen = wait::try_until(SOON, || {
            (self.browser.eval(condition) == Value::Bool(true)).then_some(())
        });
        assert!(
            seen.is_some(),
            "waited {SOON:?} in vain for {what}: {condition}; the page says: {}",
            self.browser.shown().words
        );
    }

    /// Nothing is wider than the screen, and all that is tapped is big enough for a finger.
    fn fits(&mut self) {
        // Not against innerWidth: a phone zooms out of a page that is too wide, and innerWidth grows with it.
        let over = "document.documentElement.scrollWidth - screen.width";
        assert_eq!(self.browser.eval(over), 0, "it scrolls sideways");
        // Fields scroll by themselves.
        let spilt = "[...document.querySelectorAll('body :not(input)')].filter((one) => one.clientWidth > 0 && !one.closest('svg')\
            && one.scrollWidth > one.clientWidth + 1).map((one) => `${one.tagName}.${one.className}: ${one.innerText}`)";
        assert_eq!(self.browser.eval(spilt), serde_json::json!([]));
        let small = "[...document.querySelectorAll('button, nav a, a.row')]\
            .filter((one) => one.offsetHeight > 0 && one.offsetHeight < 44).map((one) => one.innerText)";
        assert_eq!(self.browser.eval(small), serde_json::json!([]));
    }

    fn complained_of_nothing(&mut self) {
        let complaints = self.browser.shown().complaints;
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

fn viewers_are(count: u32) -> String {
    format!("text('[data-name=viewers_now] b') === '{count}'")
}
