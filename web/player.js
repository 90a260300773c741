// The player's page: keeps a session going, shows what is known of it.

import { backoffMs } from "./backoff.js";
import { byId, controls } from "./controls.js";
import { Health, sample } from "./health.js";
import { follow } from "./status.js";
import { view } from "./view.js";
import { takeToken } from "./token.js";
import { join, Refused } from "./whep.js";
import { number, speak, words } from "./words.js";

/** How often the session's health is looked at, in milliseconds. */
const LOOK_MS = 1_000;
/** Waits shorter than this are not counted down: they are over before they are read, in milliseconds. */
const COUNTED_MS = 2_000;
/** How often the seconds to the next attempt are counted down, in milliseconds. */
const COUNT_MS = 500;
/** A refusal that no quick retry mends is tried again after this long, in milliseconds. */
const HOPELESS_MS = 20_000;
/** Who is not connected after this is in a crowd, as far as one can tell from here, in milliseconds. */
const CROWD_MS = 2_500;

const channel = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const token = takeToken(channel);
const root = byId("player", HTMLElement);
const video = byId("video", HTMLVideoElement);

/** @type {import("./view.js").Model} */
const model = {
  h264: canPlayH264(), status: null, refused: null, why: "", connected: false, everConnected: false, unreachable: 0,
  picture: false, sound: false, steady: false, crowd: false,
};
/** @type {import("./whep.js").Session | null} */
let session = null;
let health = new Health(performance.now());
/** @type {() => void} ends the wait before the next attempt */
let hurry = () => {};
let leaving = false;
/** When the next attempt is due, by performance.now(). @type {number | null} */
let retryAt = null;

/** For tests and for curious people in the console: the connection and what happened when (performance.now()). */
const debug = {
  /** @type {RTCPeerConnection | null} */ pc: null,
  /** @type {Record<string, number>} */ marks: {},
  state: "", text: "", sessions: 0,
};
Reflect.set(window, "zongzi", debug);

/** @type {Promise<unknown>} */
const loaded = new Promise((resolve) => {
  if (document.readyState === "complete") resolve(null);
  else addEventListener("load", resolve, { once: true });
});

speak(document);
show();
const { start } = controls(root, video);
if (model.h264) {
  run();
  setInterval(look, LOOK_MS);
}
follow(channel, token, (status) => {
  model.status = status;
  if (status === null) model.refused = 404;
  else if (model.refused === 404) { model.refused = null; hurry(); }
  show();
});
// A new link pasted over this page's address changes no more than that.
addEventListener("hashchange", () => { if (takeToken(channel) !== token) location.reload(); });
addEventListener("pagehide", () => { leaving = true; session?.close(); });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
addEventListener("online", () => { hurry(); session?.restart(); });

/** One session after the other, for as long as the page is open. */
async function run() {
  let failures = 0;
  while (!leaving) {
    let retryAfterMs = null;
    const crowd = setTimeout(() => { model.crowd = true; show(); }, CROWD_MS);
    try {
      debug.sessions += 1;
      session = await join(`/whep/${encodeURIComponent(channel)}`, token, video, changed, loaded, debug.marks);
      start();
      debug.pc = session.pc;
      model.refused = null;
      pictures(session.pc);
      const loss = await session.over;
      model.unreachable = loss === "unreachable" ? model.unreachable + 1 : 0;
      failures = session.connected ? 0 : failures + 1;
    } catch (error) {
      failures += 1;
      model.refused = error instanceof Refused ? error.status : 0;
      model.why = error instanceof Refused ? error.kind : "";
      retryAfterMs = error instanceof Refused ? error.retryAfterMs : null;
      if (model.refused >= 400 && model.refused < 500 && model.refused !== 429) retryAfterMs ??= HOPELESS_MS;
    }
    clearTimeout(crowd);
    session = null;
    model.crowd = false;
    model.connected = model.picture = model.sound = model.steady = false;
    show();
    await rest(backoffMs(failures, Math.random(), retryAfterMs));
    retryAt = null;
    show();
  }
}

/** @param {number} ms @returns {Promise<void>} */
function rest(ms) {
  if (ms > COUNTED_MS) retryAt = performance.now() + ms;
  const tick = setInterval(show, COUNT_MS);
  show();
  return new Promise((resolve) => {
    const end = () => { clearTimeout(timer); clearInterval(tick); resolve(); };
    const timer = setTimeout(end, ms);
    hurry = end;
  });
}

/** @param {import("./whep.js").Change} change */
function changed(change) {
  model.connected = change === "connected";
  if (model.connected) {
    model.everConnected = true;
    model.unreachable = 0;
    debug.marks.connected ??= performance.now();
    health = new Health(performance.now());
  }
  show();
}

/** Looks whether what arrives is also played. */
async function look() {
  const pc = session?.pc;
  if (!pc || !model.connected) return;
  const playable = model.status?.state === "live" && view(model).state !== "failed";
  const verdict = health.judge(await sample(pc, performance.now()), playable && !document.hidden);
  if (pc !== session?.pc) return;
  model.picture = verdict.picture;
  model.sound = verdict.sound;
  model.steady = verdict.steady;
  show();
  if (verdict.sick) session.close("frozen");
}

/** The first picture counts when it is shown, not at the next look. @param {RTCPeerConnection} pc */
function pictures(pc) {
  if (!video.requestVideoFrameCallback) return;
  video.requestVideoFrameCallback((now) => {
    if (pc !== session?.pc) return;
    debug.marks.picture ??= now;
    model.picture = true;
    show();
  });
}

/** Puts the model on the page, touching only what changed. */
function show() {
  const { state, text, note } = view(model);
  debug.state = state;
  debug.text = text;
  root.dataset.state = state;
  put("headline", state === "live" ? "" : words(text));
  put("detail", state === "live" ? "" : words(`${text}_more`));
  const seconds = retryAt === null ? 0 : Math.ceil((retryAt - performance.now()) / 1_000);
  put("countdown", seconds > 0 ? words("next_try").replace("{}", number.format(seconds)) : "");
  put("note", note ? words(note) : "");
  root.classList.toggle("sound-only", note === "sound_only");
  const title = model.status?.title || channel;
  put("title", title);
  if (document.title !== title) document.title = title;
  const viewers = model.status?.viewers;
  put("viewers", state === "live" && viewers ? `${number.format(viewers)} ${words("watching")}` : "");
}

/** @param {string} id @param {string} text */
function put(id, text) {
  const element = byId(id, HTMLElement);
  if (element.textContent !== text) element.textContent = text;
}

function canPlayH264() {
  if (typeof RTCPeerConnection === "undefined") return false;
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
  return !codecs || codecs.some((codec) => codec.mimeType.toLowerCase() === "video/h264");
}
