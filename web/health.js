// Is what arrives also played? Judged from figures that the browser keeps of the connection.

/** Video that arrives but is not decoded for this long is frozen for good, in milliseconds. */
const FROZEN_MS_MAX = 5_000;
/** A live channel of which nothing at all arrives for this long is lost to us, in milliseconds. */
const SILENT_MS_MAX = 8_000;
/** What came within this span is coming now, in milliseconds. */
const RECENT_MS = 3_000;

/**
 * @typedef {object} Sample
 * @property {number} now milliseconds on any steady clock
 * @property {number} video video packets received so far
 * @property {number} decoded pictures decoded so far
 * @property {number} audio audio packets received so far
 */
/**
 * @typedef {object} Verdict
 * @property {boolean} picture pictures are coming
 * @property {boolean} sound sound is coming
 * @property {boolean} steady picture or sound came in this look and in the one before, so that it is not a last remainder
 * @property {boolean} sick the session must be made anew
 */

/** Watches one session. */
export class Health {
  /** @type {Sample} */
  #last;
  /** When anything arrived last, or the host was not sending. */
  #arrived;
  /** When the first packet came that no picture has followed yet. @type {number | null} */
  #starved = null;
  #pictureAt = -Infinity;
  #came = false;
  #soundAt = -Infinity;

  /** @param {number} now */
  constructor(now) {
    this.#last = { now, video: 0, decoded: 0, audio: 0 };
    this.#arrived = now;
  }

  /** @param {Sample} sample @param {boolean} live does the server say that the host is sending? @returns {Verdict} */
  judge(sample, live) {
    const { now } = sample, last = this.#last;
    const video = sample.video > last.video, audio = sample.audio > last.audio;
    // A page that slept (a laptop's lid, a hidden tab) has watched nothing: the spans start again.
    const slept = now - last.now > SILENT_MS_MAX;
    if (video || audio || slept || !live) this.#arrived = now;
    if (sample.decoded > last.decoded || slept) this.#starved = null;
    else if (video) this.#starved ??= now;
    const came = sample.decoded > last.decoded || audio;
    const steady = came && this.#came;
    this.#came = came;
    if (sample.decoded > last.decoded) this.#pictureAt = now;
    if (audio) this.#soundAt = now;
    this.#last = sample;
    const frozen = video && this.#starved !== null && now - this.#starved > FROZEN_MS_MAX;
    const silent = now - this.#arrived > SILENT_MS_MAX;
    return {
      picture: now - this.#pictureAt < RECENT_MS,
      sound: now - this.#soundAt < RECENT_MS,
      steady,
      sick: frozen || silent,
    };
  }
}

/** @param {RTCPeerConnection} pc @param {number} now @returns {Promise<Sample>} */
export async function sample(pc, now) {
  const out = { now, video: 0, decoded: 0, audio: 0 };
  for (const stat of (await pc.getStats()).values()) {
    if (stat.type !== "inbound-rtp") continue;
    if (stat.kind === "video") {
      out.video = stat.packetsReceived ?? 0;
      out.decoded = stat.framesDecoded ?? 0;
    } else {
      out.audio = stat.packetsReceived ?? 0;
    }
  }
  return out;
}
