// How the server itself does: from its metrics page, in words first.

import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { bitrate, count, size, span, tenth } from "./format.js";
import { parse, rate, sum } from "./metrics.js";
import { facts, section, words } from "./parts.js";
import { say } from "./words.js";

/** @typedef {import("./metrics.js").Page} Page */

/** Between two looks, in milliseconds. */
const LOOK_MS = 3_000;
/** Less room than this on the disk is said, in bytes. */
const DISK_BYTES_MIN = 1e9;
/** More of its files open than this share is said. */
const FILES_MAX = 0.9;

/** @returns {import("./main.js").View} */
export function server() {
  const state = h("div"), figures = h("div"), problem = h("p", { class: "problem" });
  /** @type {{ at: number, page: Page } | null} */
  let before = null;
  let over = false;
  const look = async () => {
    if (over) return;
    try {
      const now = { at: Date.now(), page: parse(await api.metrics()) };
      fill(problem);
      fill(state, ...troubles(before?.page ?? null, now.page));
      fill(figures, facts(values(before, now)));
      before = now;
    } catch (error) {
      const gone = !(error instanceof api.Problem);
      fill(problem, gone ? "" : words(error));
      if (gone) fill(state, h("p", { class: "note" }, say("health_unknown")));
    }
    setTimeout(look, LOOK_MS);
  };
  look();
  const root = h("div", { class: "server" }, h("h1", {}, say("server")), problem,
    h("div", { class: "columns" }, section(say("health"), "health", state), section(say("server"), "figures", figures)));
  return { root, stop: () => { over = true; } };
}

/** What is not as it should be, in words. @param {Page | null} before @param {Page} now */
export function warnings(before, now) {
  const grew = (/** @type {string} */ name) => before !== null && (sum(now, name) ?? 0) > (sum(before, name) ?? 0);
  const found = [];
  if (grew("zongzi_relay_late_batches_total") || grew("zongzi_relay_queue_dropped_batches_total")) found.push(say("health_late"));
  if (grew("zongzi_transport_dropped_datagrams_total")) found.push(say("health_drops"));
  const free = sum(now, "zongzi_store_disk_free_bytes");
  if (free !== null && free < DISK_BYTES_MIN) found.push(say("health_disk", { free: size(free) }));
  if ((sum(now, "process_open_fds") ?? 0) > FILES_MAX * (sum(now, "process_max_fds") ?? Infinity)) found.push(say("health_files"));
  const panics = sum(now, "zongzi_relay_panics_total") ?? 0;
  if (panics > 0) found.push(say("health_panics", { count: count(panics) }));
  const failures = sum(now, "zongzi_store_failures_total") ?? 0;
  if (failures > 0) found.push(say("health_store", { count: count(failures) }));
  return found;
}

/** @param {Page | null} before @param {Page} now */
function troubles(before, now) {
  const found = warnings(before, now);
  return found.length === 0 ? [h("p", { class: "good" }, say("health_well"))] : found.map((text) => h("p", { class: "note" }, text));
}

/** @param {{ at: number, page: Page } | null} before @param {{ at: number, page: Page }} now @returns {[string, string][]} */
function values(before, now) {
  const { page, at } = now;
  const each = (/** @type {string} */ name) => (before ? rate(before.page, page, (at - before.at) / 1000, name) : null);
  const told = (/** @type {number | null} */ value, /** @type {(value: number) => string} */ words) => (value === null ? "…" : words(value));
  const joins = sum(page, "zongzi_relay_join_seconds_count") ?? 0, joining = sum(page, "zongzi_relay_join_seconds_sum") ?? 0;
  return [
    [say("version"), page.get("zongzi_build_info")?.[0]?.labels.version ?? "…"],
    [say("uptime"), told(sum(page, "process_start_time_seconds"), (start) => span(at - start * 1000))],
    [say("hosts_live"), told(sum(page, "zongzi_relay_hosts"), count)],
    [say("viewers_now"), told(sum(page, "zongzi_relay_viewers"), count)],
    [say("cpu"), told(each("process_cpu_seconds_total"), (cores) => say("cores", { count: tenth(cores) }))],
    [say("memory"), told(sum(page, "process_resident_memory_bytes"), size)],
    [say("sending"), told(each("zongzi_transport_sent_bytes_total"), (bytes) => bitrate(bytes * 8))],
    [say("receiving"), told(each("zongzi_relay_received_bytes_total"), (bytes) => bitrate(bytes * 8))],
    [say("join_time"), joins === 0 ? "…" : `${count(joining / joins * 1000)} ms`],
    [say("descriptors"), told(sum(page, "process_open_fds"), count)],
    [say("disk_free"), told(sum(page, "zongzi_store_disk_free_bytes"), size)],
  ];
}
