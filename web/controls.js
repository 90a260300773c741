// Sound, full screen, and buttons that go away by themselves.

import { words } from "./words.js";

/** Buttons hide after so long without a move, in milliseconds. */
const IDLE_MS = 3_000;

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return element;
}

/** @param {HTMLElement} root the player @param {HTMLVideoElement} video */
export function controls(root, video) {
  const sound = byId("sound", HTMLButtonElement);
  const screen = byId("screen", HTMLButtonElement);
  const unmute = byId("unmute", HTMLButtonElement);
  const play = byId("play", HTMLButtonElement);

  const show = () => {
    unmute.hidden = !video.muted || root.dataset.sound === "chosen" || !play.hidden;
    label(sound, video.muted ? "sound_on" : "mute");
    sound.setAttribute("aria-pressed", String(!video.muted));
    const full = document.fullscreenElement !== null;
    label(screen, full ? "fullscreen_end" : "fullscreen");
    root.classList.toggle("muted", video.muted);
    root.classList.toggle("full", full);
  };
  const setMuted = (/** @type {boolean} */ muted) => {
    root.dataset.sound = "chosen";
    video.muted = muted;
    show();
  };
  const toggleScreen = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (root.requestFullscreen) root.requestFullscreen().catch(() => {});
    // iPhones have full screen for the video alone.
    else Reflect.get(video, "webkitEnterFullscreen")?.call(video);
  };

  sound.addEventListener("click", () => setMuted(!video.muted));
  unmute.addEventListener("click", () => setMuted(false));
  screen.addEventListener("click", toggleScreen);
  play.addEventListener("click", () => start(true));
  video.addEventListener("volumechange", show);
  video.addEventListener("dblclick", toggleScreen);
  document.addEventListener("fullscreenchange", show);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "m") setMuted(!video.muted);
    if (event.key === "f") toggleScreen();
  });
  autoHide(root);

  /** Plays with sound, else muted, else on a tap. @param {boolean} tapped */
  async function start(tapped) {
    try {
      await video.play();
      play.hidden = true;
    } catch (error) {
      const refused = error instanceof DOMException && error.name === "NotAllowedError";
      if (!refused || tapped) return;
      if (video.muted) {
        play.hidden = false;
      } else {
        video.muted = true;
        await start(false);
      }
    } finally {
      show();
    }
  }
  show();
  return { start: () => start(false) };
}

/** @param {HTMLElement} element @param {string} key */
function label(element, key) {
  element.setAttribute("aria-label", words(key));
  element.setAttribute("title", words(key));
}

/** @param {HTMLElement} root */
function autoHide(root) {
  let timer = 0;
  const awake = () => {
    root.classList.remove("idle");
    clearTimeout(timer);
    timer = setTimeout(() => root.classList.add("idle"), IDLE_MS);
  };
  for (const name of ["pointermove", "pointerdown", "keydown", "focusin"]) root.addEventListener(name, awake);
  awake();
}
