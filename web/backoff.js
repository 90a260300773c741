// How long to wait before the next attempt.

/** The longest first wait, in milliseconds. */
const FIRST_MS = 600;
/** The longest wait of all, in milliseconds. */
const MS_MAX = 15_000;

/**
 * Doubles with every failed attempt and is spread at random over its upper half, so that the viewers of a server that
 * restarts do not all come back in one instant. What the server asked for is never undercut, and
 * those whom a full server sent away together come back over as long again.
 *
 * @param {number} failures attempts in a row that failed, 0 after a session that had worked
 * @param {number} random 0 to 1
 * @param {number | null} retryAfterMs what the server asked for
 * @returns {number} milliseconds
 */
export function backoffMs(failures, random, retryAfterMs) {
  const most = Math.min(FIRST_MS * 2 ** Math.min(failures, 10), MS_MAX);
  if (retryAfterMs !== null) return retryAfterMs + Math.max(most, retryAfterMs) * random;
  return most * (0.5 + 0.5 * random);
}
