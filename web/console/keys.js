// Stream keys: make, show once, replace, revoke.

import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { time } from "./format.js";
import { ask, code, copyable, dialog, field, section, words } from "./parts.js";
import { rtmpUrl } from "./places.js";
import { say } from "./words.js";

/** @typedef {import("./api.js").Key} Key */
/** @typedef {import("./api.js").Minted} Minted */

/** How long a replaced key stays good, in seconds: time to type in the new one. */
const OVERLAP_SECONDS = 3_600;
/** Keys on the page; the API has the rest. */
const KEYS_MAX = 1_000;

/** @param {string} channel */
export function keys(channel) {
  const good = h("ul", { class: "rows" }), old = h("ul", { class: "rows" }), note = h("p", { class: "soft" }, say("loading"));
  const summary = h("summary"), rest = h("details", { hidden: true }, summary, old);
  const load = async () => {
    try {
      const { items } = /** @type {import("./api.js").Listed<Key>} */ (await api.get(`/channels/${encodeURIComponent(channel)}/keys?limit=${KEYS_MAX}`));
      items.sort((one, other) => (one.created < other.created ? 1 : -1));
      const revoked = items.filter((key) => key.revoked);
      const usable = items.filter((key) => !key.revoked);
      fill(good, ...usable.map((key) => row(key, load)));
      fill(old, ...revoked.map((key) => row(key, load)));
      fill(summary, say("keys_old", { count: revoked.length }));
      rest.hidden = revoked.length === 0;
      fill(note, usable.length === 0 ? say("keys_none") : "");
    } catch (error) {
      fill(note, words(error));
    }
  };
  load();
  const make = () => ask({
    title: say("new_key"),
    fields: [field(say("key_label"), say("key_label_hint"), h("input", { name: "label", maxlength: 200 }))],
    yes: say("create"),
    act: async (form) => {
      await present(await api.post(`/channels/${encodeURIComponent(channel)}/keys`, { label: form.get("label") }));
      load();
    },
  });
  return section(say("keys"), "keys", h("p", { class: "soft" }, say("keys_hint")), good, note, rest,
    h("button", { type: "button", class: "main", id: "new-key", onclick: make }, say("new_key")));
}

/** @param {Key} key @param {() => void} changed */
function row(key, changed) {
  const name = key.label || `${key.prefix}…`;
  const when = [say("created", { time: time(key.created) }), key.last_used ? say("last_used", { time: time(key.last_used) }) : say("never_used")];
  if (key.revoked) when.push(say("revoked", { time: time(key.revoked) }));
  else if (key.expires) when.push(say("expires", { time: time(key.expires) }));
  const rotate = () => ask({
    title: say("rotate_key"), text: say("rotate_more"), yes: say("rotate"),
    fields: [h("label", { class: "check" }, h("input", { type: "checkbox", name: "now" }), say("rotate_now"))],
    act: async (form) => {
      await present(await api.post(`/keys/${key.id}/rotate`, { overlap_seconds: form.get("now") ? 0 : OVERLAP_SECONDS }));
      changed();
    },
  });
  const revoke = () => ask({
    title: say("revoke_key"), text: say("revoke_more", { name }), yes: say("revoke"), danger: true,
    act: async () => {
      await api.remove(`/keys/${key.id}`);
      changed();
    },
  });
  return h("li", { class: key.revoked ? "gone" : "", "data-key": key.id }, h("div", { class: "what" }, h("strong", {}, name),
    key.label ? h("code", {}, `${key.prefix}…`) : null, h("small", {}, when.join(" · "))),
  key.revoked ? null : h("div", { class: "buttons" }, h("button", { type: "button", class: "rotate", onclick: rotate }, say("rotate")),
    h("button", { type: "button", class: "danger revoke", onclick: revoke }, say("revoke"))));
}

/** Shows a key's secret, this once. @param {Minted} minted */
async function present(minted) {
  const server = await rtmpUrl();
  const whole = `${server}/${minted.key}`;
  dialog(say("key_for", { channel: minted.channel }), (close) => [h("p", { class: "note" }, say("key_once")),
    copyable(say("rtmp_server"), server, "rtmp-server"), copyable(say("stream_key"), minted.key, "stream-key"),
    copyable(say("rtmp_whole"), whole, "rtmp-whole"), code(whole, say("show_qr")), h("small", {}, say("qr_key")),
    h("div", { class: "buttons" }, h("button", { type: "button", class: "main", onclick: close }, say("close")))]);
}
