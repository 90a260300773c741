// What a viewer is told, from all that is known. A pure function, so that every case can be tested.

/** Codes for which there is no picture at all; with the others it plays, and they are a remark beside it. */
const NO_PICTURE = ["hevc", "av1", "video_codec"];
const LESS = ["audio_codec", "he_aac", "keyframes_only", "reduced_frame_rate", "upload_stalls"];
/** So many attempts in a row without a connection are the network's fault, as far as one can tell from here. */
const UNREACHABLE_MAX = 3;

/**
 * @typedef {object} Model
 * @property {boolean} h264 can this browser play H.264 over WebRTC?
 * @property {import("./status.js").Status | null} status what the server says of the channel; null: not known yet
 * @property {number | null} refused HTTP status of the last refusal
 * @property {string} why what kind of problem it was
 * @property {boolean} connected does media have a way to us?
 * @property {boolean} everConnected
 * @property {number} unreachable attempts in a row that were answered and then never connected
 * @property {boolean} picture
 * @property {boolean} sound
 * @property {boolean} crowd has this attempt been under way for longer than one takes?
 * @property {boolean} steady both last looks found picture or sound coming
 */
/**
 * @typedef {object} View
 * @property {"connecting" | "waiting" | "live" | "reconnecting" | "failed"} state
 * @property {string} text key of the words
 * @property {string} [note] key of a remark beside a picture that plays
 */

/** @param {Model} model @returns {View} */
export function view(model) {
  const reason = model.status?.reason ?? "";
  if (!model.h264) return { state: "failed", text: "no_h264" };
  if (NO_PICTURE.includes(reason)) return { state: "failed", text: reason };
  const note = LESS.includes(reason) ? reason : model.sound && !model.picture ? "sound_only" : undefined;
  // What still trickles out of a broadcast whose host is gone is no live picture.
  const remainder = model.status?.state === "interrupted" && !model.steady;
  if (model.connected && (model.picture || model.sound) && !remainder) return { state: "live", text: "live", note };
  if (model.refused !== null) return refusal(model.refused, model.why, model.everConnected);
  if (!model.connected) {
    if (model.unreachable >= UNREACHABLE_MAX) return { state: "failed", text: "unreachable" };
    if (model.everConnected) return { state: "reconnecting", text: "reconnecting" };
    return { state: "connecting", text: model.crowd ? "crowd" : "connecting" };
  }
  switch (model.status?.state) {
    case "live": return reason === "no_keyframe" ? { state: "waiting", text: reason } : { state: "connecting", text: "connecting" };
    case "interrupted": return { state: "waiting", text: "interrupted" };
    default: return { state: "waiting", text: "waiting" };
  }
}

/** What is wrong with the link to a private channel. @type {Record<string, string>} */
const LINK = {
  "playback-token-expired": "link_expired",
  "playback-token-early": "link_early",
  "playback-token-invalid": "link_invalid",
  "playback-token-other-channel": "link_other",
};

/** @param {number} status @param {string} why @param {boolean} everConnected @returns {View} */
function refusal(status, why, everConnected) {
  switch (status) {
    case 401: case 403: return { state: "failed", text: LINK[why] ?? "private" };
    case 404: return { state: "failed", text: "no_channel" };
    case 406: return { state: "failed", text: "no_h264" };
    case 429: case 503: return { state: "failed", text: why === "channel-full" ? "channel_full" : "full" };
    default:
      if (status > 0 && status < 500) return { state: "failed", text: "error" };
      return { state: "reconnecting", text: everConnected ? "reconnecting" : "unanswered" };
  }
}
