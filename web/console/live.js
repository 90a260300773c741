// What is live, asked for every two seconds while somebody looks, and how many watched lately.

import * as api from "./api.js";

/** @typedef {import("./api.js").Broadcast} Broadcast */
/** One moment of a channel's line. @typedef {{ at: number, viewers: number }} Point */

/** Between two looks, in milliseconds. */
const LOOK_MS = 2_000;
/** Points of a line: a quarter of an hour. */
const POINTS_MAX = 450;
/** Channels whose line is kept. */
const LINES_MAX = 200;

/** @type {Map<string, Point[]>} */
const lines = new Map();
/** @type {Set<(live: Broadcast[]) => void>} */
const followers = new Set();
/** @type {Broadcast[] | null} */
let last = null;
/** @type {(reached: boolean) => void} */
let onreach = () => {};

/** Looks from now on, as long as the page is seen. @param {(reached: boolean) => void} reach told whether the server answers */
export function start(reach) {
  onreach = reach;
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  const round = async () => {
    if (!document.hidden && api.token()) await look();
    setTimeout(round, LOOK_MS);
  };
  round();
}

/** Tells what is live, now if it is known, and at each look. @param {(live: Broadcast[]) => void} told @returns {() => void} ends it */
export function follow(told) {
  followers.add(told);
  if (last) told(last);
  else look();
  return () => followers.delete(told);
}

/** How many watched a channel lately, the oldest first. @param {string} channel */
export const line = (channel) => lines.get(channel) ?? [];

async function look() {
  try {
    const { items } = await api.get("/broadcasts?state=live&limit=1000");
    last = items;
    note(items);
    onreach(true);
    for (const told of followers) told(items);
  } catch (error) {
    if (!(error instanceof api.Problem)) onreach(false);
  }
}

/** @param {Broadcast[]} live */
function note(live) {
  const at = Date.now();
  for (const broadcast of live.slice(0, LINES_MAX)) {
    const points = lines.get(broadcast.channel) ?? [];
    points.push({ at, viewers: broadcast.now?.viewers ?? 0 });
    lines.set(broadcast.channel, points.slice(-POINTS_MAX));
  }
  const names = new Set(live.map((broadcast) => broadcast.channel));
  for (const channel of lines.keys()) if (!names.has(channel)) lines.delete(channel);
}
