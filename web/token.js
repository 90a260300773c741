// The playback token of a private channel: out of the address bar at once, and kept for this tab alone.

/**
 * The token of this page's address, or the one that this tab was opened with. It is taken out of the address, so that it
 * is not shown, bookmarked or passed on by accident; a reload finds it in the tab's own store.
 * @param {string} channel
 * @returns {string | null}
 */
export function takeToken(channel) {
  const { token, address } = split(location.href);
  if (token === null) return stored(channel);
  history.replaceState(history.state, "", address);
  try {
    sessionStorage.setItem(name(channel), token);
  } catch { /* a browser that stores nothing asks for the link again after a reload */ }
  return token;
}

/**
 * An address without its token, and the token: `#token=…` (which browsers send to no one) or `?token=…`.
 * @param {string} address
 * @returns {{ token: string | null, address: string }}
 */
export function split(address) {
  const url = new URL(address);
  const query = url.searchParams.get("token");
  const parts = url.hash.replace(/^#/, "").split("&");
  const fragment = parts.find((part) => part.startsWith("token="));
  if (query === null && fragment === undefined) return { token: null, address };
  url.searchParams.delete("token");
  url.hash = parts.filter((part) => part !== fragment).join("&");
  const token = fragment?.slice("token=".length) || query;
  return { token: token || null, address: url.href };
}

/** What a request shows. @param {string | null} token @returns {Record<string, string>} */
export const bearer = (token) => (token === null ? {} : { authorization: `Bearer ${token}` });

/** @param {string} channel */
function stored(channel) {
  try {
    return sessionStorage.getItem(name(channel));
  } catch {
    return null;
  }
}

/** @param {string} channel */
const name = (channel) => `zongzi token ${channel}`;
