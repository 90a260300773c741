// One channel: who watches, how the host does, keys, sessions, history, settings.

import * as api from "./api.js";
import { chart } from "./chart.js";
import { fill, h, onChange } from "./dom.js";
import { bitrate, count, span, tenth, time } from "./format.js";
import { history } from "./history.js";
import { keys } from "./keys.js";
import * as live from "./live.js";
import { badge, code, copyable, dialog, facts, section, words } from "./parts.js";
import { watchUrl } from "./places.js";
import { sessions } from "./sessions.js";
import { settings } from "./settings.js";
import { say, spoken } from "./words.js";

/** @typedef {import("./api.js").Broadcast} Broadcast */

/** How long the link that is shown for a private channel is good, in seconds: a day. */
const PASS_SECONDS = 86_400;
/** Between two looks at the numbers that only the public JSON has, in milliseconds. */
const LOOK_MS = 3_000;

/** @param {string} name @returns {import("./main.js").View} */
export function channel(name) {
  const heading = h("h1", {}, name), state = h("span"), numbers = h("div", { class: "sums" }), host = h("div");
  const line = chart(), watch = preview(name, () => pass), about = h("div");
  const list = sessions(name), past = history(name);
  let over = false;
  /** @type {string | null} */
  let pass = null;

  let wasOn = false;
  const draw = (/** @type {Broadcast[]} */ all) => {
    const broadcast = all.find((broadcast) => broadcast.channel === name) ?? null;
    line.draw(name, live.line(name));
    drawHost(broadcast);
    if (wasOn && !broadcast) past.load();
    wasOn = broadcast !== null;
  };
  const drawHost = onChange((/** @type {Broadcast | null} */ broadcast) => {
    fill(state, badge(broadcast?.state ?? "offline"));
    fill(host, ...health(broadcast));
  });
  const drawNumbers = onChange((/** @type {any} */ status) => {
    const pairs = status.state === "offline" ? [["waiting", status.waiting]]
      : [["viewers_now", status.viewers], ["peak", status.viewers_peak], ["unique", status.viewers_unique], ["total", status.viewers_total]];
    fill(numbers, ...pairs.map(([key, value]) => h("div", { class: "sum", "data-name": key }, h("b", {}, count(value ?? 0)), h("span", {}, say(key)))));
  });
  const look = async () => {
    if (over) return;
    if (!document.hidden) {
      await api.status(name, pass).then(drawNumbers, () => undefined);
      await list.look();
    }
    setTimeout(look, LOOK_MS);
  };
  api.get(`/channels/${encodeURIComponent(name)}`).then(async (/** @type {import("./api.js").Channel} */ found) => {
    const title = (/** @type {import("./api.js").Channel} */ now) => fill(heading, now.title || now.name);
    title(found);
    if (found.private) pass = await api.pass(name, PASS_SECONDS);
    const url = (await watchUrl(name)) + fragment(pass);
    const show = () => dialog(say("viewer_link"), (close) => [code(url, say("viewer_link")), h("p", { class: "code" }, url),
      h("div", { class: "buttons" }, h("button", { type: "button", class: "main", onclick: close }, say("close")))]);
    fill(about, copyable(say("viewer_link"), url, "viewer-link"), found.private ? h("p", { class: "soft" }, say("viewer_link_private")) : null, h("button", { type: "button", onclick: show }, say("show_qr")));
    right.append(settings(found, title));
  }, (error) => fill(about, h("p", { class: "problem" }, words(error))));

  const right = h("div", { class: "column" }, section(say("host"), "host", host, watch.root), list.root);
  const place = h("div", { class: "columns" }, h("div", { class: "column" },
    section(say("viewers_now"), "viewers", numbers, line.root, about),
    keys(name), past.root), right);
  look();
  const unfollow = live.follow(draw);
  const root = h("div", { class: "channel" }, h("a", { class: "back", href: "#/" }, `‹ ${say("back")}`),
    h("div", { class: "title" }, heading, state), place);
  const stop = () => {
    over = true;
    unfollow();
    watch.stop();
  };
  return { root, stop };
}

/** How the host does, in words and numbers. @param {Broadcast | null} broadcast */
function health(broadcast) {
  if (!broadcast) return [h("p", { class: "soft" }, say("host_none"))];
  const notes = broadcast.advisories.filter((advisory) => advisory.active);
  const picture = broadcast.tracks.find((track) => track.kind === "video"), sound = broadcast.tracks.find((track) => track.kind === "audio");
  const words = broadcast.state === "interrupted" ? [h("p", { class: "note" }, say("host_gone"))]
    : notes.length === 0 ? [h("p", { class: "good" }, say("host_well"))] : [];
  return [...words, ...notes.map(advice), facts([
    [say("live"), span(Date.now() - Date.parse(broadcast.started))],
    [say("encoder"), [broadcast.host?.client, broadcast.host?.protocol.toUpperCase()].filter(Boolean).join(" · ") || say("none")],
    [say("picture"), picture ? [picture.codec, picture.width ? `${picture.width}×${picture.height}` : null].filter(Boolean).join(" · ") : say("none")],
    [say("sound"), sound?.codec ?? say("none")],
    [say("bitrate"), broadcast.now ? bitrate(broadcast.now.bitrate_bps) : say("none")],
    [say("frame_rate"), broadcast.now ? tenth(broadcast.now.frames_per_second) : say("none")],
    [say("interruptions"), count(broadcast.interruptions)],
    [say("went_live", { time: "" }).trim(), time(broadcast.started)],
  ])];
}

/** @param {import("./api.js").Advisory} advisory */
const advice = (advisory) => h("div", { class: "note" }, h("strong", {}, advisory.effect[spoken]), h("p", {}, advisory.setting[spoken]));

/** Where an address carries a playback token: behind `#`, which browsers send to no one. @param {string | null} pass */
const fragment = (pass) => (pass === null ? "" : `#token=${pass}`);

/** The player, when it is asked for: whoever looks is a viewer too. @param {string} name @param {() => string | null} pass */
function preview(name, pass) {
  const place = h("div", { class: "preview" });
  const stop = () => fill(place, h("button", { type: "button", id: "watch", onclick: start }, say("watch_here")), h("small", {}, say("watch_counts")));
  const start = () => fill(place, h("iframe", { src: `/embed/${encodeURIComponent(name)}${fragment(pass())}`, allow: "autoplay; fullscreen", title: name }),
    h("button", { type: "button", onclick: stop }, say("watch_stop")));
  stop();
  return { root: place, stop };
}
