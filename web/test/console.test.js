// The console's words, numbers, lines and warnings.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { shape, top } from "../console/chart.js";
import { bitrate, size, span } from "../console/format.js";
import { parse, rate, sum } from "../console/metrics.js";
import { host } from "../console/places.js";
import { warnings } from "../console/server.js";
import { keys, say } from "../console/words.js";

const source = (/** @type {string} */ name) => readFileSync(new URL(`../console/${name}`, import.meta.url), "utf8");

test("the languages have the same keys with the same values, none empty", () => {
  assert.deepEqual(keys("zh"), keys("en"));
  const values = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const key of keys("en")) {
    assert.ok(say(key, {}, "zh"), key);
    assert.deepEqual(values(say(key, {}, "zh")), values(say(key, {}, "en")), key);
  }
});

test("what the modules say has words, and every word is said", () => {
  const all = readdirSync(new URL("../console/", import.meta.url)).filter((name) => name.endsWith(".js") && name !== "words.js").map(source).join("\n");
  for (const [, key] of all.matchAll(/\bsay\("([a-z_]+)"/g)) assert.ok(keys("en").includes(key ?? ""), key);
  const made = /^(state_|kind_|kick_|end_|takeover_|live$|interrupted$|offline$|viewers)/;
  for (const key of keys("en")) assert.ok(made.test(key) || all.includes(`"${key}"`), `nobody says ${key}`);
});

test("nothing becomes markup, and the page holds no inline script or style", () => {
  for (const name of readdirSync(new URL("../console/", import.meta.url)).filter((name) => name.endsWith(".js"))) {
    assert.doesNotMatch(source(name), /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b/, name);
  }
  assert.doesNotMatch(source("index.html"), /<style|style=|<script(?![^>]*\ssrc=)|\son[a-z]+=/i);
});

test("numbers are short", () => {
  assert.deepEqual([bitrate(940_000), bitrate(2_610_000), bitrate(1.5e9)], ["940 kb/s", "2.6 Mb/s", "1.5 Gb/s"]);
  assert.deepEqual([size(500), size(2.5e6), size(81e9)], ["1 kB", "2.5 MB", "81 GB"]);
  assert.deepEqual([span(0), span(59_000), span(3_600_000), span(3_661_000), span(90_000_000)], ["0 s", "59 s", "1 h", "1 h 1 min", "1 d 1 h"]);
});

test("a line ends now and its axis ends at a number people read", () => {
  assert.deepEqual([top(0), top(3), top(7), top(1_300), top(2_001)], [4, 4, 10, 2_000, 4_000]);
  const drawn = shape([{ at: 0, viewers: 0 }, { at: 120_000, viewers: 10 }], 120_000);
  assert.equal(drawn.line, "M0.0 118.0L600.0 2.0");
  assert.equal(drawn.spanMs, 120_000);
  assert.equal(shape([], 0).area, "");
});

test("the metrics page is read with its labels", () => {
  const page = parse('# HELP a b\na_total{kind="x",text="say \\"hi\\", {now}"} 3\na_total{kind="y"} 4\nb 1.5\n');
  assert.deepEqual([sum(page, "a_total"), sum(page, "a_total", { kind: "y" }), sum(page, "b"), sum(page, "c")], [7, 4, 1.5, null]);
  assert.equal(rate(parse("b 1"), parse("b 7"), 3, "b"), 2);
  assert.equal(rate(parse("b 9"), parse("b 1"), 3, "b"), 0, "a server that was started again");
  assert.equal(rate(parse(""), parse("b 1"), 3, "b"), null);
});

test("what is wrong with the server is said, and nothing when nothing is", () => {
  const well = parse("zongzi_relay_late_batches_total 5\nprocess_open_fds 10\nprocess_max_fds 1000\nzongzi_store_disk_free_bytes 5e10\n");
  assert.deepEqual(warnings(well, well), []);
  const ill = parse("zongzi_relay_late_batches_total 6\nprocess_open_fds 950\nprocess_max_fds 1000\nzongzi_store_disk_free_bytes 5e8\nzongzi_relay_panics_total 1\n");
  assert.equal(warnings(well, ill).length, 4);
});

test("others reach the server by the name that led here, or by its address where that is this machine's own", () => {
  const server = { version: "", addresses: ["203.0.113.7"], rtmp_port: 1935, http_port: 8080 };
  assert.equal(host(server, "live.example.org"), "live.example.org");
  for (const own of ["localhost", "127.0.0.1", "[::1]"]) assert.equal(host(server, own), "203.0.113.7");
  assert.equal(host({ ...server, addresses: ["2001:db8::1"] }, "localhost"), "[2001:db8::1]");
  assert.equal(host({ ...server, addresses: [] }, "localhost"), "localhost");
});
