// The texts that the WHEP client reads and writes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "../backoff.js";
import { iceFragment, retryAfterMs, withIce, withStereo } from "../whep.js";

test("Retry-After is read as seconds and as a date, and bounded", () => {
  const now = Date.parse("Wed, 21 Oct 2026 07:28:00 GMT");
  for (const [text, ms] of [["7", 7_000], [" 0 ", 0], ["Wed, 21 Oct 2026 07:28:30 GMT", 30_000], ["99999", 120_000],
    ["Wed, 21 Oct 2020 07:28:00 GMT", 0], ["soon", null], ["", null], [null, null]]) {
    assert.equal(retryAfterMs(/** @type {string | null} */ (text), now), ms, String(text));
  }
});

test("waits grow, are spread, stay bounded, and never undercut the server", () => {
  assert.equal(backoffMs(0, 0, null), 300);
  assert.equal(backoffMs(0, 1, null), 600);
  assert.equal(backoffMs(3, 1, null), 4_800);
  assert.equal(backoffMs(1e9, 1, null), 15_000);
  assert.ok(backoffMs(0, 0, 5_000) >= 5_000);
});

test("stereo is asked for once, on the Opus line alone", () => {
  const offer = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=fmtp:63 111/111\r\n";
  const stereo = withStereo(offer);
  assert.equal(stereo, offer.replace("a=fmtp:111 ", "a=fmtp:111 stereo=1;"));
  assert.equal(withStereo(stereo), stereo);
  assert.equal(withStereo("v=0\r\n"), "v=0\r\n");
});

test("an ICE restart sends the credentials, and puts the server's into the answer", () => {
  const offer = "v=0\r\na=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:new\r\na=ice-pwd:word\r\na=mid:0\r\nm=audio 9 X 111\r\na=ice-ufrag:new\r\n";
  assert.equal(iceFragment(offer),
    "a=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:new\r\na=ice-pwd:word\r\n");
  const answer = "v=0\r\nm=video 9\r\na=ice-ufrag:old\r\na=ice-pwd:oldpwd\r\na=candidate:1 old\r\na=end-of-candidates\r\nm=audio 9\r\na=ice-ufrag:old\r\na=ice-pwd:oldpwd\r\n";
  const merged = withIce(answer, "a=ice-ufrag:srv\r\na=ice-pwd:srvpwd\r\na=candidate:1 fresh\r\na=end-of-candidates\r\n");
  assert.ok(!merged.includes("old"), merged);
  assert.equal(merged.match(/a=ice-ufrag:srv/g)?.length, 2);
  assert.ok(merged.includes("a=candidate:1 fresh"));
  assert.equal(withIce(answer, "a=mid:0\r\n"), answer);
});
