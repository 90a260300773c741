// The pages beside the player: the start page, and the one for a channel that is not there.

import { speak } from "./words.js";

speak(document);
const form = document.querySelector("form");
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = String(new FormData(form).get("channel") ?? "").trim().toLowerCase();
  if (name) location.assign(`/watch/${encodeURIComponent(name)}`);
});
