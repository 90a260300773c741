// The server's API with the admin token. The token is kept in this tab alone (sessionStorage) and sent in a header:
// no other site's page can make a browser send it, and closing the tab is logging out.

const TOKEN = "zongzi-admin-token";
/** An answer takes no longer than this, in milliseconds. */
const ANSWER_MS_MAX = 10_000;

/**
 * A page of a list.
 * @template T
 * @typedef {{ items: T[], next: string | null }} Listed
 */
/** @typedef {{ name: string, title: string, takeover: "newest" | "refuse", created: string, version: number, private?: boolean, max_viewers?: number | null }} Channel */
/** @typedef {{ id: string, channel: string, prefix: string, label: string, created: string, last_used: string | null, expires: string | null, revoked: string | null }} Key */
/** @typedef {Key & { key: string }} Minted */
/** @typedef {{ kind: string, codec: string, rfc6381: string | null, width: number | null, height: number | null }} Track */
/** @typedef {{ code: string, effect: { en: string, zh: string }, setting: { en: string, zh: string }, active: boolean }} Advisory */
/**
 * @typedef {object} Broadcast
 * @property {string} id
 * @property {string} channel
 * @property {"live" | "interrupted" | "ended"} state
 * @property {string} started
 * @property {string | null} ended
 * @property {string | null} reason
 * @property {{ protocol: string, client: string | null, key: string } | null} host
 * @property {Track[]} tracks
 * @property {Advisory[]} advisories
 * @property {number} interruptions
 * @property {number | null} average_bitrate_bps
 * @property {number} viewers_peak
 * @property {number} viewers_unique
 * @property {{ viewers: number, bitrate_bps: number, frames_per_second: number } | null} now
 */
/**
 * @typedef {object} Session
 * @property {string} id
 * @property {"host" | "viewer"} kind
 * @property {string} channel
 * @property {"publishing" | "connecting" | "waiting" | "watching"} state
 * @property {string} protocol
 * @property {string | null} peer
 * @property {string | null} client
 * @property {string} since
 * @property {number} bytes
 * @property {{ loss: number | null, round_trip_ms: number | null } | null} link
 */
/** @typedef {{ version: string, addresses: string[], rtmp_port: number, http_port: number }} Server */

/** An answer that is no success (RFC 9457), in words. */
export class Problem extends Error {
  /** @param {number} status @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Called when the server wants another token. */
let onrefused = () => {};

/** @param {() => void} callback */
export function whenRefused(callback) {
  onrefused = callback;
}

export const token = () => sessionStorage.getItem(TOKEN);

export function forgetToken() {
  sessionStorage.removeItem(TOKEN);
}

/** Keeps the token if it is the right one. @param {string} shown @returns {Promise<void>} rejects with a `Problem` */
export async function logIn(shown) {
  await call("GET", "/api/v1/channels?limit=1", undefined, shown);
  sessionStorage.setItem(TOKEN, shown);
}

/** @param {string} path below /api/v1 @returns {Promise<any>} */
export const get = (path) => request("GET", `/api/v1${path}`);
/** @param {string} path @param {unknown} body @returns {Promise<any>} */
export const post = (path, body) => request("POST", `/api/v1${path}`, body);
/** @param {string} path @param {unknown} body @returns {Promise<any>} */
export const patch = (path, body) => request("PATCH", `/api/v1${path}`, body);
/** @param {string} path @returns {Promise<any>} */
export const remove = (path) => request("DELETE", `/api/v1${path}`);
/** The picture of a QR code that says `text`. @param {string} text @returns {Promise<Blob>} */
export const qr = (text) => request("POST", "/api/v1/qr", { text });
/** The metrics page. @returns {Promise<string>} */
export const metrics = () => request("GET", "/metrics");
/** What viewers may know of a channel. @param {string} channel @param {string | null} pass playback token of a private one @returns {Promise<any>} */
export const status = (channel, pass) => call("GET", `/api/public/channels/${encodeURIComponent(channel)}`, undefined, pass);
/** A playback token for a private channel. @param {string} channel @param {number} seconds how long it is good @returns {Promise<string>} */
export const pass = async (channel, seconds) => (await post(`/channels/${encodeURIComponent(channel)}/playback-tokens`, { expires_seconds: seconds })).token;

/** @param {string} method @param {string} url @param {unknown} [body] */
async function request(method, url, body) {
  try {
    return await call(method, url, body, token());
  } catch (error) {
    if (error instanceof Problem && error.status === 401) onrefused();
    throw error;
  }
}

/** @param {string} method @param {string} url @param {unknown} body @param {string | null} shown */
async function call(method, url, body, shown) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (shown) headers.authorization = `Bearer ${shown}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(url, {
    method, headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MS_MAX),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const type = response.headers.get("content-type") ?? "";
  if (!response.ok) {
    const problem = type.includes("json") ? await response.json() : {};
    throw new Problem(response.status, String(problem.detail ?? problem.title ?? response.status));
  }
  if (type.startsWith("application/json")) return response.json();
  if (type.startsWith("image/")) return response.blob();
  return response.text();
}
