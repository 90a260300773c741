// A line of viewers over time, drawn as SVG.

import { fill, h, svg } from "./dom.js";
import { count } from "./format.js";
import { say } from "./words.js";

/** @typedef {import("./live.js").Point} Point */

/** The drawing's own units; it stretches to its place. */
const WIDTH = 600, HEIGHT = 120;
/** A line is at least this long, in milliseconds, so that the first seconds do not jump about. */
const SPAN_MS_MIN = 60_000;

/** The next number people like to read on an axis. @param {number} most */
export function top(most) {
  const scale = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  const step = [1, 2, 4, 5, 10].find((step) => step * scale >= most) ?? 10;
  return Math.max(4, step * scale);
}

/** The line and the area below it as SVG paths. @param {Point[]} points @param {number} now @returns {{ line: string, area: string, most: number, spanMs: number }} */
export function shape(points, now) {
  const spanMs = Math.max(SPAN_MS_MIN, now - (points[0]?.at ?? now));
  const most = top(Math.max(0, ...points.map((point) => point.viewers)));
  const x = (/** @type {number} */ at) => (WIDTH * (1 - (now - at) / spanMs)).toFixed(1);
  const y = (/** @type {number} */ viewers) => (HEIGHT - 2 - (HEIGHT - 4) * viewers / most).toFixed(1);
  const line = points.map(({ at, viewers }, index) => `${index === 0 ? "M" : "L"}${x(at)} ${y(viewers)}`).join("");
  const first = points[0];
  const area = first ? `${line}L${x(points.at(-1)?.at ?? now)} ${HEIGHT}L${x(first.at)} ${HEIGHT}Z` : "";
  return { line, area, most, spanMs };
}

/** A chart with an axis; `draw` shows new points. @returns {{ root: HTMLElement, draw: (channel: string, points: Point[]) => void }} */
export function chart() {
  const area = svg("path", { class: "area" }), line = svg("path", { class: "line" });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, area, line);
  const most = h("span", { class: "most" }), ago = h("span"), hint = h("p", { class: "soft" }, say("chart_empty"));
  const root = h("figure", { class: "chart", role: "img" }, h("div", { class: "plot" }, drawing, most),
    h("div", { class: "axis" }, ago, h("span", {}, say("now"))), hint);
  return {
    root,
    draw(channel, points) {
      const drawn = shape(points, Date.now());
      area.setAttribute("d", drawn.area);
      line.setAttribute("d", drawn.line);
      fill(most, count(drawn.most));
      fill(ago, say("minutes_ago", { count: Math.round(drawn.spanMs / 60_000) }));
      hint.hidden = points.length > 5;
      root.setAttribute("aria-label", say("chart_label", { channel, now: points.at(-1)?.viewers ?? 0 }));
    },
  };
}

/** A small line without axis. @param {Point[]} points */
export function spark(points) {
  const { line, area } = shape(points, Date.now());
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "area", d: area }), svg("path", { class: "line", d: line }));
}
