// The watchdog, second by second on a made-up clock.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Health } from "../health.js";

/** Runs `seconds` looks; `feed` gives what has come until then. Returns the last verdict, or the second it was sick.
 * @param {(second: number) => {video: number, decoded: number, audio: number}} feed
 * @param {number} seconds @param {boolean} [live] */
function watch(feed, seconds, live = true) {
  const health = new Health(0);
  for (let second = 1; second <= seconds; second += 1) {
    const verdict = health.judge({ now: second * 1000, ...feed(second) }, live);
    if (verdict.sick) return { sickAt: second };
    if (second === seconds) return verdict;
  }
  throw new Error("no look at all");
}

test("a stream that plays is well, with picture, sound, or both", () => {
  assert.deepEqual(watch((s) => ({ video: s * 300, decoded: s * 30, audio: s * 50 }), 60), { picture: true, sound: true, steady: true, sick: false });
  assert.deepEqual(watch((s) => ({ video: 0, decoded: 0, audio: s * 50 }), 60), { picture: false, sound: true, steady: true, sick: false });
  assert.deepEqual(watch((s) => ({ video: s * 300, decoded: s * 30, audio: 0 }), 60), { picture: true, sound: false, steady: true, sick: false });
});

test("video that comes and is not decoded is frozen, even while sound plays", () => {
  const found = watch((s) => ({ video: s * 300, decoded: Math.min(s, 5) * 30, audio: s * 50 }), 60);
  assert.deepEqual(found, { sickAt: 12 });
});

test("a live channel of which nothing comes is lost", () => {
  assert.deepEqual(watch((s) => ({ video: Math.min(s, 5), decoded: Math.min(s, 5), audio: 0 }), 60), { sickAt: 14 });
  assert.deepEqual(watch(() => ({ video: 0, decoded: 0, audio: 0 }), 60), { sickAt: 9 });
});

test("a host who is not there makes nobody sick", () => {
  assert.deepEqual(watch(() => ({ video: 9, decoded: 9, audio: 9 }), 600, false), { picture: false, sound: false, steady: false, sick: false });
});

test("what comes in one burst is not steady", () => {
  const burst = watch((s) => ({ video: s < 8 ? 0 : 60, decoded: s < 8 ? 0 : 60, audio: 0 }), 8, false);
  assert.deepEqual(burst, { picture: true, sound: false, steady: false, sick: false });
});

test("a page that slept starts its spans again", () => {
  const health = new Health(0);
  health.judge({ now: 1000, video: 1, decoded: 1, audio: 1 }, true);
  assert.equal(health.judge({ now: 900_000, video: 1, decoded: 1, audio: 1 }, true).sick, false);
});
