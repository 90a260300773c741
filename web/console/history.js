// A channel's past broadcasts.

import { h } from "./dom.js";
import { bitrate, count, span, time } from "./format.js";
import { pages, section } from "./parts.js";
import { has, say, spoken } from "./words.js";

/** @typedef {import("./api.js").Broadcast} Broadcast */

/** @param {string} channel */
export function history(channel) {
  const list = pages(`/broadcasts?channel=${encodeURIComponent(channel)}&state=ended&limit=10`, row, say("history_none"));
  return { root: section(say("history"), "history", list.root), load: () => list.load(true) };
}

/** @param {Broadcast} broadcast */
function row(broadcast) {
  const end = `end_${broadcast.reason}`;
  const about = [say("peak_of", { count: count(broadcast.viewers_peak) }), say("unique_of", { count: count(broadcast.viewers_unique) }),
    broadcast.average_bitrate_bps ? bitrate(broadcast.average_bitrate_bps) : null, has(end) ? say(end) : broadcast.reason];
  const lasted = broadcast.ended && say("lasted", { span: span(Date.parse(broadcast.ended) - Date.parse(broadcast.started)) });
  return h("li", {}, h("div", { class: "what" }, h("strong", {}, [time(broadcast.started), lasted].filter(Boolean).join(" · ")),
    h("small", {}, about.filter(Boolean).join(" · ")), ...broadcast.advisories.map((advisory) => h("small", { class: "warn" }, advisory.effect[spoken]))));
}
