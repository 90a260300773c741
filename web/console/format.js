// Numbers, sizes, spans and times as this language writes them.

import { say, spoken } from "./words.js";

const LOCALE = spoken === "zh" ? "zh-CN" : "en";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(LOCALE, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const year = new Intl.DateTimeFormat(LOCALE, { year: "numeric", month: "short", day: "numeric" });
/** Spans below this are told with hours and minutes alone, in milliseconds. */
const DAY_MS = 86_400_000;

/** @param {number} count */
export const count = (count) => whole.format(count);
/** @param {number} value */
export const tenth = (value) => one.format(value);

/** @param {number} bits bits a second */
export function bitrate(bits) {
  if (bits >= 1e9) return `${one.format(bits / 1e9)} Gb/s`;
  return bits >= 1e6 ? `${one.format(bits / 1e6)} Mb/s` : `${whole.format(bits / 1e3)} kb/s`;
}

/** @param {number} bytes */
export function size(bytes) {
  for (const [unit, least] of /** @type {[string, number][]} */ ([["TB", 1e12], ["GB", 1e9], ["MB", 1e6]])) {
    if (bytes >= least) return `${one.format(bytes / least)} ${unit}`;
  }
  return `${whole.format(bytes / 1e3)} kB`;
}

/** How long something lasts, its two biggest units. @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  const units = spoken === "zh" ? ["天", "小时", "分", "秒"] : ["d", "h", "min", "s"];
  const first = Math.max(0, parts.findIndex((part) => part > 0));
  const biggest = parts.every((part) => part === 0) ? 3 : first;
  return [biggest, biggest + 1].filter((index) => index < 4 && (index === biggest || parts[index] !== 0))
    .map((index) => `${parts[index]} ${units[index]}`).join(" ");
}

/** A moment: today by its hour, else by its day. @param {string} text RFC 3339 @param {number} [now] */
export function time(text, now = Date.now()) {
  const date = new Date(text), age = Math.abs(now - date.getTime());
  if (age < DAY_MS && new Date(now).getDate() === date.getDate()) return clock.format(date);
  return age < 300 * DAY_MS ? day.format(date) : year.format(date);
}

/** @param {number} viewers */
export const viewers = (viewers) => `${count(viewers)} ${say(viewers === 1 ? "viewers_one" : "viewers")}`;
