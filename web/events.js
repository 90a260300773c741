// Server-sent events of a channel that asks for a playback token: EventSource can't send one, fetch can.

import { bearer } from "./token.js";

/** After how long a stream that broke is asked for again, in milliseconds. */
const AGAIN_MS = 3_000;

/** A stream of events, as far as EventSource and {@link listen} have it in common. @typedef {{ open: () => boolean, close: () => void }} Listening */

/**
 * Calls `heard` with the data of each event, and asks again when the stream breaks.
 * @param {string} url
 * @param {string} token
 * @param {(data: string) => void} heard
 * @returns {Listening}
 */
export function listen(url, token, heard) {
  const abort = new AbortController();
  let open = false;
  const round = async () => {
    try {
      const response = await fetch(url, { headers: bearer(token), cache: "no-store", signal: abort.signal });
      if (response.ok && response.body) {
        open = true;
        await read(response.body, heard);
      }
    } catch { /* the next round asks again */ }
    open = false;
    if (!abort.signal.aborted) setTimeout(round, AGAIN_MS);
  };
  round();
  return { open: () => open, close: () => abort.abort() };
}

/** @param {ReadableStream<Uint8Array>} body @param {(data: string) => void} heard */
async function read(body, heard) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const { events, rest: left } = cut(rest + decoder.decode(value, { stream: true }));
    rest = left;
    for (const data of events) heard(data);
  }
}

/**
 * The data of the events that are whole in `text`, and what is left of it (HTML standard, "server-sent events"; this
 * server ends lines with a line feed alone).
 * @param {string} text
 */
export function cut(text) {
  const blocks = text.split("\n\n");
  const rest = blocks.pop() ?? "";
  const data = (/** @type {string} */ block) => block.split("\n").filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
  return { events: blocks.map(data).filter((text) => text !== ""), rest };
}
