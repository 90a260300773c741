// A channel's settings, and its end.

import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { ask, field, section, words } from "./parts.js";
import { say } from "./words.js";

/** How long "saved" stands, in milliseconds. */
const SAVED_MS = 2_000;

/** @param {import("./api.js").Channel} channel @param {(channel: import("./api.js").Channel) => void} changed */
export function settings(channel, changed) {
  const path = `/channels/${encodeURIComponent(channel.name)}`;
  const title = h("input", { name: "title", maxlength: 200, value: channel.title });
  const takeover = h("select", { name: "takeover" }, ["newest", "refuse"].map((value) => h("option", { value, selected: channel.takeover === value }, say(`takeover_${value}`))));
  const fields = [field(say("title"), say("title_hint"), title), field(say("takeover"), "", takeover)];
  // Shown where the server knows them.
  if (channel.private !== undefined) {
    fields.push(h("label", { class: "check" }, h("input", { type: "checkbox", name: "private", checked: channel.private }), say("private")));
  }
  if (channel.max_viewers !== undefined) {
    fields.push(field(say("max_viewers"), "", h("input", { name: "max_viewers", type: "number", min: 1, inputmode: "numeric", value: channel.max_viewers })));
  }
  const note = h("p", { role: "status" });
  const save = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    /** @type {Record<string, unknown>} */
    const change = { title: form.get("title"), takeover: form.get("takeover") };
    if (channel.private !== undefined) change.private = form.has("private");
    if (channel.max_viewers !== undefined) change.max_viewers = form.get("max_viewers") ? Number(form.get("max_viewers")) : null;
    try {
      changed(await api.patch(path, change));
      fill(note, say("saved"));
      setTimeout(() => fill(note), SAVED_MS);
    } catch (error) {
      fill(note, words(error));
    }
  };
  const end = () => ask({
    title: say("delete_sure", { name: channel.name }), text: say("delete_more"), yes: say("delete_channel"), danger: true,
    act: async () => {
      await api.remove(path);
      location.hash = "#/";
    },
  });
  return section(say("settings"), "settings", h("form", { onsubmit: save }, fields, note,
    h("div", { class: "buttons" }, h("button", { type: "button", class: "danger", id: "delete-channel", onclick: end }, say("delete_channel")),
      h("button", { type: "submit", class: "main" }, say("save")))));
}
