//! ICE restarts by PATCH (RFC 9725 §4.3.3) in a real browser: the session, its DTLS and its pictures go on.

use std::time::Duration;

use serde_json::Value;
use zongzi_tests::browser::Browser;
use zongzi_tests::ffmpeg::Host;
use zongzi_tests::note;
use zongzi_tests::server::Server;

/// Within which a page shows something, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// A session whose consent checks are not answered is over after 15 s (DESIGN: a viewer): by then an ICE restart that did
/// not work shows.
const CONSENT_OVER: Duration = Duration::from_secs(18);
/// The longest time without a new picture, in milliseconds: a restart that cost more than a blink would show.
const GAP_MS_MAX: f64 = 1_000.0;

#[test]
fn the_player_restarts_ice_when_its_network_has_changed_and_the_show_goes_on() {
    let (server, _host) = Host::live();
    let mut browser = Browser::start();
    browser.open(&server.url("/watch/demo"));
    browser.wait_shown("pictures", SOON, |shown| shown.pictures > 30);
    let before = ice(&mut browser);
    // What a browser tells a page when its network is there again.
    browser.eval("dispatchEvent(new Event('online'))");
    let after = restarted(&mut browser, &before);
    for side in ["local", "remote"] {
        assert_ne!(
            before[side], after[side],
            "{side} credentials are the old ones"
        );
    }
    assert_eq!(
        before["fingerprint"], after["fingerprint"],
        "DTLS began anew"
    );
    goes_on(&server, &mut browser);
    assert_eq!(
        browser.shown().sessions,
        1,
        "the player made a new session instead"
    );
}

#[test]
fn a_player_of_its_own_restarts_ice_as_often_as_it_likes() {
    let (server, _host) = Host::live();
    let mut browser = Browser::start();
    // The page is there for its origin and its reader alone.
    browser.open(&server.url("/watch/demo"));
    browser.wait_shown("pictures", SOON, |shown| shown.pictures > 10);
    browser.eval("window.zongzi.pc.close()");
    browser.eval(PLAYER);
    for round in 0..3 {
        let before = browser.eval("own.ufrags()");
        let patched = browser.eval("own.restart()");
        note(&format!("restart {round}: {patched}"));
        assert_eq!(patched["status"], 200, "{patched}");
        assert_eq!(patched["type"], "application/trickle-ice-sdpfrag");
        assert!(
            patched["etag"].is_string(),
            "RFC 9725 §4.3.3 wants a new ETag: {patched}"
        );
        let after = browser.eval("own.ufrags()");
        assert_ne!(before[0], after[0]);
        assert_ne!(before[1], after[1]);
        let decoded = browser.eval("own.decoded(30)");
        assert_eq!(decoded, true, "no pictures after restart {round}");
    }
    // A tag of credentials that are no more is refused, and says so.
    assert_eq!(browser.eval("own.trickle(own.tags[0])"), 412);
    assert_eq!(browser.eval("own.trickle(own.tags.at(-1))"), 204);
    assert_eq!(browser.eval("own.trickle(null)"), 428);
    std::thread::sleep(CONSENT_OVER);
    assert_eq!(
        browser.eval("own.decoded(30)"),
        true,
        "the session died with its consent"
    );
    assert_eq!(browser.eval("own.pc.connectionState"), "connected");
    assert_eq!(browser.eval("own.end()"), 200);
}

// ---- the acts ----

/// The credentials that the player's connection uses, and which DTLS peer it speaks to.
fn ice(browser: &mut Browser) -> Value {
    browser.eval(
        "(() => {
          const { pc } = window.zongzi;
          const find = (description, name) => new RegExp(`a=${name}:(.*)`).exec(description?.sdp)?.[1];
          return { local: find(pc.currentLocalDescription, 'ice-ufrag'), remote: find(pc.currentRemoteDescription, 'ice-ufrag'),
            fingerprint: find(pc.currentRemoteDescription, 'fingerprint'), state: pc.connectionState };
        })()",
    )
}

fn restarted(browser: &mut Browser, before: &Value) -> Value {
    zongzi_tests::wait::until("new credentials", SOON, || {
        let now = ice(browser);
        (now["remote"] != before["remote"] && now["state"] == "connected").then_some(now)
    })
}

/// Pictures come without a gap and without loss, for longer than a session lives whose checks are not answered. How many
/// of them a busy machine decodes and shows is not the matter here.
fn goes_on(server: &Server, browser: &mut Browser) {
    let seen = browser.shown().pictures;
    let before = received(browser);
    std::thread::sleep(CONSENT_OVER);
    let after = received(browser);
    note(&format!("before {before}, after {after}"));
    let count = |stats: &Value| stats["frames"].as_u64().unwrap_or_default();
    let frames = count(&after) - count(&before);
    assert!(frames > 16 * 30, "{frames} pictures came in 18 s");
    assert_eq!(after["lost"], before["lost"], "packets were lost");
    let report = browser.report();
    let since = report.pictures.get(seen..).unwrap_or_default();
    let gaps = since.windows(2).map(|pair| pair[1].at - pair[0].at);
    let longest = gaps.fold(0.0, f64::max);
    note(&format!(
        "{frames} came, {} shown, longest gap {longest:.0} ms",
        since.len()
    ));
    assert!(longest < GAP_MS_MAX, "no picture for {longest:.0} ms");
    assert_eq!(report.backwards(), 0);
    assert_eq!(server.metric("zongzi_relay_viewers_opened_total"), 1.0);
}

fn received(browser: &mut Browser) -> Value {
    browser.eval(
        "(async () => {
          for (const stat of (await window.zongzi.pc.getStats()).values()) {
            if (stat.type === 'inbound-rtp' && stat.kind === 'video') return { frames: stat.framesReceived, decoded: stat.framesDecoded, lost: stat.packetsLost, freezes: stat.freezeCount };
          }
          return {};
        })()",
    )
}

/// A WHEP player by the book, with the browser's own `restartIce`.
const PLAYER: &str = r#"
(async () => {
  const pc = new RTCPeerConnection();
  pc.addTransceiver("video", { direction: "recvonly" });
  await pc.setLocalDescription();
  const posted = await fetch("/whep/demo", { method: "POST", headers: { "content-type": "application/sdp" }, body: pc.localDescription.sdp });
  const resource = posted.headers.get("location");
  const tags = [posted.headers.get("etag")];
  let answer = await posted.text();
  await pc.setRemoteDescription({ type: "answer", sdp: answer });
  const type = "application/trickle-ice-sdpfrag";
  const line = (sdp, start) => sdp.split("\r\n").find((one) => one.startsWith(start));
  const fragment = () => ["a=group:BUNDLE", "m=video", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:"]
    .map((start) => line(pc.localDescription.sdp, start)).filter(Boolean).join("\r\n") + "\r\n";
  const patch = (tag, body) => fetch(resource, { method: "PATCH", headers: { "content-type": type, ...(tag ? { "if-match": tag } : {}) }, body });
  const frames = async () => {
    for (const stat of (await pc.getStats()).values()) if (stat.type === "inbound-rtp") return stat.framesDecoded ?? 0;
    return 0;
  };
  const own = {
    pc, tags,
    ufrags: () => [pc.currentLocalDescription, pc.currentRemoteDescription].map((one) => line(one.sdp, "a=ice-ufrag:")),
    async restart() {
      const needed = new Promise((resolve) => { pc.onnegotiationneeded = resolve; });
      pc.restartIce();
      await needed;
      await pc.setLocalDescription();
      const response = await patch("*", fragment());
      const fresh = await response.text();
      const ufrag = line(fresh, "a=ice-ufrag:"), pwd = line(fresh, "a=ice-pwd:");
      answer = answer.replace(/a=ice-ufrag:.*/g, ufrag.trim()).replace(/a=ice-pwd:.*/g, pwd.trim());
      await pc.setRemoteDescription({ type: "answer", sdp: answer });
      tags.push(response.headers.get("etag"));
      return { status: response.status, type: response.headers.get("content-type"), etag: tags.at(-1) };
    },
    async decoded(more) {
      const until = performance.now() + 15_000;
      const start = await frames();
      while (performance.now() < until) {
        if (await frames() >= start + more) return true;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return false;
    },
    trickle: async (tag) => (await patch(tag, fragment())).status,
    end: async () => (await fetch(resource, { method: "DELETE" })).status,
  };
  await own.decoded(1);
  window.own = own;
  return 0;
})()
"#;
