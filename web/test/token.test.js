// A token leaves the address whole, and nothing else does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cut } from "../events.js";
import { bearer, split } from "../token.js";

test("a token is taken out of query or fragment, and the rest of the address stays", () => {
  const at = "https://h.example/watch/demo";
  for (const [address, token, left] of [
    ["", null, ""],
    ["?lang=zh#chat", null, "?lang=zh#chat"],
    ["?token=a.b-c_d.e", "a.b-c_d.e", ""],
    ["?lang=zh&token=t&x=1#chat", "t", "?lang=zh&x=1#chat"],
    ["#token=t", "t", ""],
    ["?x=1#chat&token=t", "t", "?x=1#chat"],
    ["?token=old#token=new", "new", ""],
    ["?token=", null, ""],
    ["?token=a&token=b", "a", ""],
  ]) {
    assert.deepEqual(split(`${at}${address}`), { token, address: `${at}${left}` }, String(address));
  }
});

test("a token is shown in a header, and none is none", () => {
  assert.deepEqual(bearer("t"), { authorization: "Bearer t" });
  assert.deepEqual(bearer(null), {});
});

test("events are read however the network cuts them", () => {
  const stream = "retry: 3000\nevent: status\ndata: {\"a\":1}\n\n: still here\n\nevent: status\ndata: two\ndata: lines\n\nevent: sta";
  for (let at = 0; at <= stream.length; at += 1) {
    const first = cut(stream.slice(0, at));
    const second = cut(first.rest + stream.slice(at));
    assert.deepEqual([...first.events, ...second.events], ['{"a":1}', "two\nlines"], String(at));
    assert.equal(second.rest, "event: sta");
  }
});
