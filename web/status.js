// What the server says of a channel: by events where they come through, by asking where they do not.

import { listen } from "./events.js";
import { bearer } from "./token.js";

/** How often a channel is asked about when events do not come, in milliseconds; spread by a third. */
const POLL_MS = 5_000;
/** Events that were silent for this long are asked after, in milliseconds. */
const QUIET_MS_MAX = 45_000;

/**
 * The public JSON of a channel. Unknown fields are ignored.
 * @typedef {object} Status
 * @property {string} [title]
 * @property {string} state `live`, `interrupted`, or anything else for a channel without a host
 * @property {number} [viewers]
 * @property {string | null} [reason] why it can't be played, as a code
 * @property {string[]} [codecs] RFC 6381 names or everyday names
 */

/**
 * Calls `onstatus` with every change, and with `null` when there is no such channel.
 * @param {string} channel
 * @param {string | null} token of a private channel
 * @param {(status: Status | null) => void} onstatus
 * @returns {() => void} stops it
 */
export function follow(channel, token, onstatus) {
  const url = `/api/public/channels/${encodeURIComponent(channel)}`;
  let heardAt = -Infinity, stopped = false;
  const heard = (/** @type {string} */ data) => {
    const status = parse(data);
    if (!status) return;
    heardAt = performance.now();
    onstatus(status);
  };
  const events = token === null ? source(`${url}/events`, heard) : listen(`${url}/events`, token, heard);

  const ask = async () => {
    try {
      const response = await fetch(url, { headers: bearer(token), cache: "no-store", signal: AbortSignal.timeout(POLL_MS) });
      if (response.status === 404) onstatus(null);
      else if (response.ok) onstatus(await response.json());
    } catch { /* the next round asks again */ }
  };
  const round = async () => {
    const silent = performance.now() - heardAt > QUIET_MS_MAX;
    if (silent || !events.open()) await ask();
    if (!stopped) setTimeout(round, POLL_MS * (0.83 + Math.random() / 3));
  };
  round();
  return () => { stopped = true; events.close(); };
}

/** @param {string} url @param {(data: string) => void} heard @returns {import("./events.js").Listening} */
function source(url, heard) {
  const events = new EventSource(url);
  const told = (/** @type {MessageEvent<string>} */ event) => heard(event.data);
  events.addEventListener("message", told);
  events.addEventListener("status", told);
  return { open: () => events.readyState === EventSource.OPEN, close: () => events.close() };
}

/** @param {string} text @returns {Status | null} */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value?.state === "string" ? value : null;
  } catch {
    return null;
  }
}
