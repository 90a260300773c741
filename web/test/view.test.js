// What viewers are told, case by case.
import assert from "node:assert/strict";
import { test } from "node:test";
import { view } from "../view.js";
import { words } from "../words.js";

const fresh = {
  h264: true, status: null, refused: null, why: "", connected: false, everConnected: false, unreachable: 0, picture: false, sound: false, steady: false,
  crowd: false,
};
/** @param {object} change @param {string} state @param {string} text */
const check = (change, state, text) => {
  const seen = view({ ...fresh, ...change });
  assert.deepEqual([seen.state, seen.text], [state, text], JSON.stringify(change));
};
const connected = { connected: true, everConnected: true };

test("each stage of a good session has its words", () => {
  check({}, "connecting", "connecting");
  check({ ...connected, status: { state: "waiting" } }, "waiting", "waiting");
  check({ ...connected, status: { state: "live" } }, "connecting", "connecting");
  check({ ...connected, status: { state: "live" }, picture: true }, "live", "live");
  check({ ...connected, status: { state: "interrupted" } }, "waiting", "interrupted");
  check({ everConnected: true, picture: true }, "reconnecting", "reconnecting");
});

test("who waits for his turn in a crowd is told so, once in he is not", () => {
  check({ crowd: true }, "connecting", "crowd");
  check({ crowd: true, everConnected: true }, "reconnecting", "reconnecting");
  check({ crowd: true, refused: 503 }, "failed", "full");
  check({ refused: 503, why: "channel-full" }, "failed", "channel_full");
  check({ ...connected, crowd: true, picture: true }, "live", "live");
  check({ ...connected, crowd: true, status: { state: "waiting" } }, "waiting", "waiting");
});

test("a picture that plays is live whatever the status says", () => {
  check({ ...connected, picture: true }, "live", "live");
  check({ ...connected, picture: true, status: { state: "waiting" } }, "live", "live");
});

test("a last remainder of a host who is gone is not live, and his return is", () => {
  const interrupted = { ...connected, status: { state: "interrupted" }, picture: true };
  check(interrupted, "waiting", "interrupted");
  check({ ...interrupted, steady: true }, "live", "live");
});

test("what can't be played is said instead of a black picture", () => {
  for (const reason of ["hevc", "av1", "video_codec"]) {
    check({ ...connected, sound: true, status: { state: "live", reason } }, "failed", reason);
  }
  check({ h264: false }, "failed", "no_h264");
});

test("a picture without sound, or less smooth, plays, and says why", () => {
  for (const reason of ["audio_codec", "he_aac", "keyframes_only", "reduced_frame_rate", "upload_stalls"]) {
    const seen = view({ ...fresh, ...connected, picture: true, status: { state: "live", reason } });
    assert.deepEqual(seen, { state: "live", text: "live", note: reason });
  }
  assert.equal(view({ ...fresh, ...connected, sound: true }).note, "sound_only");
});

test("who waits for a keyframe is told, and who has a picture is not", () => {
  const status = { state: "live", reason: "no_keyframe" };
  check({ ...connected, status }, "waiting", "no_keyframe");
  check({ ...connected, picture: true, status }, "live", "live");
});

test("every refusal has its words", () => {
  for (const [status, text] of [[401, "private"], [403, "private"], [404, "no_channel"], [406, "no_h264"], [503, "full"], [400, "error"]]) {
    check({ refused: status }, "failed", String(text));
  }
  for (const [why, text] of [["needed", "private"], ["expired", "link_expired"], ["early", "link_early"], ["invalid", "link_invalid"],
    ["other-channel", "link_other"]]) {
    check({ refused: 401, why: `playback-token-${why}` }, "failed", String(text));
    for (const language of ["en", "zh"]) for (const key of [`${text}`, `${text}_more`]) assert.ok(words(key, language), key);
  }
  check({ refused: 0 }, "reconnecting", "unanswered");
  check({ refused: 502, everConnected: true }, "reconnecting", "reconnecting");
  check({ unreachable: 3 }, "failed", "unreachable");
});
