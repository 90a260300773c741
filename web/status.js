// What the server says of a channel: by events where they come through, by asking where they do not.

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
 * @param {(status: Status | null) => void} onstatus
 * @returns {() => void} stops it
 */
export function follow(channel, onstatus) {
  const url = `/api/public/channels/${encodeURIComponent(channel)}`;
  let heardAt = -Infinity, stopped = false;
  const events = new EventSource(`${url}/events`);
  const heard = (/** @type {MessageEvent<string>} */ event) => {
    const status = parse(event.data);
    if (!status) return;
    heardAt = performance.now();
    onstatus(status);
  };
  events.addEventListener("message", heard);
  events.addEventListener("status", heard);

  const ask = async () => {
    try {
      const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(POLL_MS) });
      if (response.status === 404) onstatus(null);
      else if (response.ok) onstatus(await response.json());
    } catch { /* the next round asks again */ }
  };
  const round = async () => {
    const silent = performance.now() - heardAt > QUIET_MS_MAX;
    if (silent || events.readyState !== EventSource.OPEN) await ask();
    if (!stopped) setTimeout(round, POLL_MS * (0.83 + Math.random() / 3));
  };
  round();
  return () => { stopped = true; events.close(); };
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
