// Every language has every word, and every word that a view or page names is there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { choose, keys, words } from "../words.js";

test("the languages have the same keys, none empty", () => {
  assert.deepEqual(keys("zh"), keys("en"));
  for (const language of ["en", "zh"]) for (const key of keys(language)) assert.ok(words(key, language), `${language} ${key}`);
});

test("what the pages name has words", () => {
  for (const page of ["watch.html", "index.html", "not-found.html"]) {
    const html = readFileSync(new URL(`../${page}`, import.meta.url), "utf8");
    for (const [, key] of html.matchAll(/data-(?:words|label)="([^"]+)"/g)) assert.ok(words(key ?? "", "en"), `${page}: ${key}`);
  }
});

test("pages hold no inline script or style, which the content security policy forbids", () => {
  for (const page of ["watch.html", "index.html", "not-found.html"]) {
    const html = readFileSync(new URL(`../${page}`, import.meta.url), "utf8");
    assert.doesNotMatch(html, /<style|style=|<script(?![^>]*\ssrc=)|\son[a-z]+=/i, page);
  }
});

test("the reader's first language that is spoken here wins", () => {
  assert.equal(choose(["fr", "zh-TW", "en"]), "zh");
  assert.equal(choose(["en-GB", "zh"]), "en");
  assert.equal(choose([]), "en");
});
