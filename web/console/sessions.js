// Who is connected to a channel, and the way to end a session.

import * as api from "./api.js";
import { fill, h, keyed } from "./dom.js";
import { size, tenth, time } from "./format.js";
import { ask, section } from "./parts.js";
import { say } from "./words.js";

/** @typedef {import("./api.js").Session} Session */

/** Viewers on the page; the API has the rest. */
const SESSIONS_MAX = 50;

/** @param {string} channel */
export function sessions(channel) {
  const list = h("ul", { class: "rows" }), note = h("p", { class: "soft" }, say("loading"));
  const draw = keyed(list, (/** @type {Session} */ session) => session.id, (session) => row(session, () => look()));
  const look = async () => {
    try {
      const of = (/** @type {string} */ kind) => api.get(`/sessions?channel=${encodeURIComponent(channel)}&kind=${kind}&limit=${SESSIONS_MAX}`);
      const [hosts, viewers] = await Promise.all([of("host"), of("viewer")]);
      const all = [...hosts.items, ...viewers.items];
      draw(all);
      fill(note, all.length === 0 ? say("sessions_none") : viewers.next ? say("sessions_more", { count: SESSIONS_MAX }) : "");
    } catch { /* the next look shows it */ }
  };
  return { root: section(say("sessions"), "sessions", list, note), look };
}

/** @param {Session} session @param {() => void} changed */
function row(session, changed) {
  const what = h("strong"), about = h("small");
  const kick = () => ask({
    title: say(`kick_${session.kind}`), text: say(`kick_${session.kind}_more`), yes: say("kick"), danger: true,
    act: async () => {
      await api.remove(`/sessions/${session.id}`);
      changed();
    },
  });
  const root = h("li", { "data-kind": session.kind }, h("div", { class: "what" }, what, about),
    h("div", { class: "buttons" }, h("button", { type: "button", class: "danger kick", onclick: kick }, say("kick"))));
  const draw = (/** @type {Session} */ now) => {
    fill(what, `${say(`kind_${now.kind}`)} · ${say(`state_${now.state}`)}`);
    fill(about, described(now).filter(Boolean).join(" · "));
  };
  return { root, draw };
}

/** @param {Session} session */
function described(session) {
  const about = [session.protocol.toUpperCase(), session.client, session.peer, say("since", { time: time(session.since) }), size(session.bytes)];
  const { loss = null, round_trip_ms: trip = null } = session.link ?? {};
  if (loss !== null) about.push(say("loss", { percent: tenth(loss * 100) }));
  if (trip !== null) about.push(say("round_trip", { ms: Math.round(trip) }));
  return about;
}
