// When a viewer comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "../backoff.js";

test("waits double, are spread over their upper half, and end at a quarter of a minute", () => {
  assert.deepEqual([0, 1, 2, 3].map((failures) => backoffMs(failures, 1, null)), [600, 1200, 2400, 4800]);
  assert.equal(backoffMs(2, 0, null), 1200);
  for (const failures of [5, 50, 5000]) assert.equal(backoffMs(failures, 1, null), 15_000);
});

test("what the server asked for is never undercut, and a crowd that was sent away comes back spread out", () => {
  for (const failures of [1, 2, 9]) {
    const waits = [0, 0.25, 0.5, 0.75, 1].map((random) => backoffMs(failures, random, 5_000));
    assert.equal(Math.min(...waits), 5_000);
    assert.ok(Math.max(...waits) >= 10_000, "within as long again, not all in one second");
    assert.equal(new Set(waits).size, waits.length);
  }
});
