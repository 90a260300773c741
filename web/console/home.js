// All channels: those that are live first, with their viewers.

import * as api from "./api.js";
import { spark } from "./chart.js";
import { fill, h, keyed, onChange } from "./dom.js";
import { bitrate, count, span, viewers } from "./format.js";
import * as live from "./live.js";
import { ask, badge, field, words } from "./parts.js";
import { say, spoken } from "./words.js";

/** @typedef {import("./api.js").Channel} Channel */
/** @typedef {import("./api.js").Broadcast} Broadcast */

/** Channels on the page; the API has the rest. */
const CHANNELS_MAX = 1_000;

/** @returns {import("./main.js").View} */
export function home() {
  const sums = h("div", { class: "sums" }), now = h("div", { class: "cards", id: "live" }), others = h("ul", { class: "rows", id: "offline" });
  const problem = h("p", { class: "problem", role: "alert" });
  const nobody = h("p", { class: "soft", hidden: true }, say("nobody_live")), rest = h("h2", {}, say("other_channels"));
  /** @type {Channel[]} */
  let channels = [];
  /** @type {Broadcast[]} */
  let broadcasts = [];

  const drawLive = keyed(now, (/** @type {Broadcast} */ broadcast) => broadcast.channel, () => card(() => channels));
  const drawRest = onChange((/** @type {Channel[]} */ list) => {
    rest.hidden = list.length === 0;
    fill(others, ...list.map((channel) => h("li", {}, h("a", { class: "row", href: address(channel.name) },
      h("span", { class: "what" }, h("strong", {}, channel.title || channel.name), channel.title ? h("small", {}, channel.name) : null),
      badge("offline")))));
  });
  const draw = () => {
    const names = new Set(broadcasts.map((broadcast) => broadcast.channel));
    const all = broadcasts.reduce((sum, broadcast) => sum + (broadcast.now?.viewers ?? 0), 0);
    fill(sums, number(say("live_channels"), count(broadcasts.length)), number(say("viewers_now"), count(all)));
    drawLive(broadcasts);
    nobody.hidden = broadcasts.length > 0;
    drawRest(channels.filter((channel) => !names.has(channel.name)));
  };
  const load = async () => {
    try {
      channels = (await api.get(`/channels?limit=${CHANNELS_MAX}`)).items;
      fill(problem);
      draw();
    } catch (error) {
      fill(problem, words(error));
    }
  };
  load();
  const stop = live.follow((list) => {
    broadcasts = list;
    draw();
  });
  const root = h("div", { class: "home" }, h("div", { class: "title" }, h("h1", {}, say("channels")),
    h("button", { type: "button", class: "main", id: "new-channel", onclick: create }, say("new_channel"))), problem, sums, nobody, now, rest, others);
  return { root, stop };
}

/** @param {string} name */
const address = (name) => `#/channel/${encodeURIComponent(name)}`;

/** @param {string} name @param {string} value */
const number = (name, value) => h("div", { class: "sum" }, h("b", {}, value), h("span", {}, name));

/** One live channel. @param {() => Channel[]} channels */
function card(channels) {
  const root = h("a", { class: "card live-card" });
  const draw = (/** @type {Broadcast} */ broadcast) => {
    const title = channels().find((channel) => channel.name === broadcast.channel)?.title || broadcast.channel;
    const picture = broadcast.tracks.find((track) => track.height);
    const notes = broadcast.advisories.filter((advisory) => advisory.active);
    const about = [picture ? `${picture.height}p` : null, broadcast.now ? bitrate(broadcast.now.bitrate_bps) : null,
      span(Date.now() - Date.parse(broadcast.started))];
    root.href = address(broadcast.channel);
    fill(root, h("div", { class: "title" }, h("strong", {}, title), badge(broadcast.state)),
      h("p", { class: "big" }, viewers(broadcast.now?.viewers ?? 0)), spark(live.line(broadcast.channel)),
      h("p", { class: "soft" }, about.filter(Boolean).join(" · ")),
      ...notes.map((note) => h("p", { class: "note" }, note.effect[spoken])));
  };
  return { root, draw };
}

function create() {
  const name = h("input", {
    name: "name", id: "channel-name", required: true, maxlength: 64, pattern: "[a-z0-9][a-z0-9_\\-]*", autocomplete: "off", autocapitalize: "none", spellcheck: "false",
  });
  ask({
    title: say("new_channel"),
    fields: [field(say("name"), say("name_hint"), name), field(say("title"), say("title_hint"), h("input", { name: "title", maxlength: 200 }))],
    yes: say("create"),
    act: async (form) => {
      const made = await api.post("/channels", { name: form.get("name"), title: form.get("title") });
      location.hash = address(made.name);
    },
  });
}
