// Where hosts and viewers find this server.

import * as api from "./api.js";

/** @typedef {import("./api.js").Server} Server */

/** @type {Promise<Server> | null} */
let known = null;

/** What the server says of itself. @returns {Promise<Server>} */
export function about() {
  known ??= api.get("/server").catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

/** Where hosts publish. */
export async function rtmpUrl() {
  const server = await about();
  return `rtmp://${host(server, location.hostname)}${server.rtmp_port === 1935 ? "" : `:${server.rtmp_port}`}/live`;
}

/** Where viewers watch a channel. @param {string} channel */
export async function watchUrl(channel) {
  const server = await about();
  const port = server.http_port === 80 ? "" : `:${server.http_port}`;
  return `http://${host(server, location.hostname)}${port}/watch/${encodeURIComponent(channel)}`;
}

/**
 * The name by which others reach the server: the one that led here, unless that is this machine's own name for itself (a
 * tunnel, or a browser on the server).
 * @param {Server} server
 * @param {string} here
 */
export function host(server, here) {
  const own = here === "localhost" || here === "[::1]" || here.startsWith("127.");
  const address = server.addresses[0];
  if (!own || address === undefined) return here;
  return address.includes(":") ? `[${address}]` : address;
}
