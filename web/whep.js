// A WHEP viewer's side (draft-ietf-wish-whep over the HTTP of RFC 9725): one `Session` is one
// session at the server. Reconnecting is the caller's affair (player.js).

import { bearer } from "./token.js";

/** How long the server may take to answer a request, in milliseconds. */
const REQUEST_MS_MAX = 10_000;
/** How long ICE and DTLS may take after the answer, in milliseconds. */
const CONNECT_MS_MAX = 12_000;
/** How long a connection may be silent before ICE is restarted, in milliseconds. */
const SILENCE_MS_MAX = 2_500;
/** How long an ICE restart may take, in milliseconds. */
const RESTART_MS_MAX = 6_000;
/** The longest Retry-After that is obeyed as it is; a viewer does not wait longer, in milliseconds. */
const RETRY_AFTER_MS_MAX = 120_000;

/** The server said no. */
export class Refused extends Error {
  /**
   * @param {number} status HTTP status
   * @param {string} kind the last part of the problem's type (RFC 9457), "" if it has none
   * @param {string} detail what the problem says
   * @param {number | null} retryAfterMs how long the server asked to wait
   */
  constructor(status, kind, detail, retryAfterMs) {
    super(detail || `HTTP ${status}`);
    this.status = status;
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** @typedef {"connected" | "interrupted"} Change */
/** @typedef {"unreachable" | "lost" | "closed" | "frozen"} Loss */

/** One session. Made by {@link join}. */
export class Session {
  /** @type {Promise<Loss>} resolves once, when the session is over */
  over;
  /** Did media ever have a way to us? */
  connected = false;
  /** @type {(loss: Loss) => void} */
  #end = () => {};
  /** @type {number | undefined} */
  #timer;
  #restarting = false;

  /**
   * @param {RTCPeerConnection} pc
   * @param {string} resource the session's URL, "" if the server named none
   * @param {string} answer the server's SDP
   * @param {(change: Change) => void} onchange
   */
  constructor(pc, resource, answer, onchange) {
    this.pc = pc;
    this.resource = resource;
    this.answer = answer;
    this.onchange = onchange;
    this.over = new Promise((resolve) => { this.#end = resolve; });
    this.#after(CONNECT_MS_MAX, () => this.close("unreachable"));
    pc.addEventListener("connectionstatechange", () => this.#changed());
    this.#changed();
  }

  /**
   * A server that ends a session closes its DTLS; the connection's own state does not show that.
   * @param {RTCDtlsTransport | null | undefined} transport
   */
  hearGoodbye(transport) {
    transport?.addEventListener("statechange", () => {
      if (transport.state === "closed") this.close("lost");
    });
  }

  /** Ends the session and tells the server, even while the page goes away. @param {Loss} loss */
  close(loss = "closed") {
    clearTimeout(this.#timer);
    this.pc.close();
    if (this.resource) {
      fetch(this.resource, { method: "DELETE", keepalive: true }).catch(() => {});
      this.resource = "";
    }
    this.#end(loss);
  }

  #changed() {
    switch (this.pc.connectionState) {
      case "connected":
        this.connected = true;
        clearTimeout(this.#timer);
        this.onchange("connected");
        break;
      case "disconnected":
        this.#after(SILENCE_MS_MAX, () => this.restart());
        break;
      case "failed":
        if (this.connected) this.restart();
        else this.close("unreachable");
        break;
    }
  }

  /** Looks for a new way to the server without giving up the session (RFC 9725 §4.3.3). */
  async restart() {
    if (this.#restarting || this.pc.connectionState === "closed") return;
    this.#restarting = true;
    if (this.pc.connectionState !== "connected") this.onchange("interrupted");
    this.#after(RESTART_MS_MAX, () => this.close("lost"));
    try {
      const offer = await this.pc.createOffer({ iceRestart: true });
      await this.pc.setLocalDescription(offer);
      const response = await request(this.resource, {
        method: "PATCH",
        headers: { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" },
        body: iceFragment(offer.sdp ?? ""),
      });
      this.answer = withIce(this.answer, await response.text());
      await this.pc.setRemoteDescription({ type: "answer", sdp: this.answer });
      // A connection that was whole stays so while ICE looks anew, and tells of no change.
      if (this.pc.connectionState === "connected") this.#changed();
    } catch {
      this.close("lost");
    } finally {
      this.#restarting = false;
    }
  }

  /** @param {number} ms @param {() => void} then */
  #after(ms, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }
}

/**
 * Opens a session that plays in `video`.
 *
 * The tracks are in the element before the answer comes, nothing waits for candidates (the server is ICE-lite, its answer
 * is complete), and the POST leaves before the offer is applied here: each of these brings the first picture forward.
 *
 * @param {string} url WHEP endpoint
 * @param {string | null} token of a private channel
 * @param {HTMLVideoElement} video
 * @param {(change: Change) => void} onchange
 * @param {Promise<unknown>} loaded when the page is: an element that has tracks and no picture yet holds up the page's
 *   load event, and with it the browser's own sign of loading, for as long as there is no host
 * @param {Record<string, number>} marks gets `post`, `answer`: when each happened, on performance.now()'s clock
 * @returns {Promise<Session>}
 */
export async function join(url, token, video, onchange, loaded, marks) {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  try {
    const receivers = ["video", "audio"].map((kind) => pc.addTransceiver(kind, { direction: "recvonly" }).receiver);
    const stream = new MediaStream(receivers.map((receiver) => receiver.track));
    const offer = await pc.createOffer();
    const sdp = withStereo(offer.sdp ?? "");
    marks.post = performance.now();
    const asked = request(url, { method: "POST", headers: { ...bearer(token), "content-type": "application/sdp" }, body: sdp });
    const attached = loaded.then(() => { video.srcObject = stream; });
    const [response] = await Promise.all([asked, pc.setLocalDescription({ type: "offer", sdp }), attached]);
    marks.answer = performance.now();
    const answer = await response.text();
    const location = response.headers.get("location");
    const session = new Session(pc, location ? new URL(location, response.url).href : "", answer, onchange);
    try {
      await pc.setRemoteDescription({ type: "answer", sdp: answer });
      session.hearGoodbye(receivers[0]?.transport);
    } catch (error) {
      session.close("lost");
      throw error;
    }
    return session;
  } catch (error) {
    pc.close();
    throw error;
  }
}

/**
 * fetch with a time-out; anything but a 2xx is thrown as {@link Refused}.
 * @param {string} url @param {RequestInit} init
 */
async function request(url, init) {
  const response = await fetch(url, { ...init, cache: "no-store", signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  const detail = typeof problem?.detail === "string" ? problem.detail : problem?.title;
  const kind = typeof problem?.type === "string" ? problem.type.split("/").at(-1) : "";
  throw new Refused(response.status, kind, String(detail ?? ""), retryAfterMs(response.headers.get("retry-after"), Date.now()));
}

/**
 * Retry-After (RFC 9110 §10.2.3) as milliseconds from now.
 * @param {string | null} text seconds, or a date
 * @param {number} now milliseconds since 1970
 * @returns {number | null}
 */
export function retryAfterMs(text, now) {
  if (text === null || text.trim() === "") return null;
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : null;
}

/** Says that this side plays stereo: browsers ask for mono Opus unless told (RFC 7587 §7.1). @param {string} sdp */
export function withStereo(sdp) {
  const type = /^a=rtpmap:(\d+) opus\/48000/im.exec(sdp)?.[1];
  if (!type) return sdp;
  return sdp.replace(new RegExp(`^(a=fmtp:${type} )(?!.*\\bstereo=)`, "m"), "$1stereo=1;");
}

/** What an ICE restart sends (RFC 8840 §9): the offer's new credentials. @param {string} offer */
export function iceFragment(offer) {
  const lines = offer.split(/\r?\n/);
  const find = (/** @type {string} */ start) => lines.find((line) => line.startsWith(start));
  const kept = [find("a=group:BUNDLE"), find("m="), find("a=mid:"), find("a=ice-ufrag:"), find("a=ice-pwd:")];
  return kept.filter((line) => line !== undefined).join("\r\n") + "\r\n";
}

/**
 * The answer with the credentials and candidates of the fragment that answered an ICE restart.
 * @param {string} answer @param {string} fragment
 */
export function withIce(answer, fragment) {
  const fresh = fragment.split(/\r?\n/).filter((line) => /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/.test(line));
  const ufrag = fresh.find((line) => line.startsWith("a=ice-ufrag:"));
  const pwd = fresh.find((line) => line.startsWith("a=ice-pwd:"));
  if (!ufrag || !pwd) return answer;
  const candidates = fresh.filter((line) => line.startsWith("a=candidate:"));
  /** @type {string[]} */
  const out = [];
  for (const line of answer.split(/\r?\n/)) {
    if (line.startsWith("a=ice-ufrag:")) out.push(ufrag);
    else if (line.startsWith("a=ice-pwd:")) out.push(pwd, ...candidates);
    else if (candidates.length && /^a=(candidate:|end-of-candidates)/.test(line)) continue;
    else out.push(line);
  }
  return out.join("\r\n");
}
