// The console: logs in, shows the page that the address names, and keeps the head of every page.

import * as api from "./api.js";
import { channel } from "./channel.js";
import { fill, h } from "./dom.js";
import { home } from "./home.js";
import * as live from "./live.js";
import { logIn } from "./login.js";
import { server } from "./server.js";
import { say, spoken, switchLanguage } from "./words.js";

/**
 * A page: what it shows, and what ends its work.
 * @typedef {{ root: Node, stop: () => void }} View
 */

const place = h("main", { id: "page" });
const trouble = h("p", { class: "trouble", role: "status", hidden: true }, say("unreachable"));
/** @type {View | null} */
let shown = null;

document.documentElement.lang = spoken === "zh" ? "zh-CN" : "en";
document.title = `Zongzi · ${say("console")}`;

function language() {
  return h("button", { type: "button", class: "quiet", lang: spoken === "zh" ? "en" : "zh-CN", onclick: switchLanguage }, say("other_language"));
}

function leave() {
  api.forgetToken();
  // A fresh page: nothing of what was shown stays in memory.
  location.assign("/");
}

/** @param {string} [why] */
function begin(why) {
  shown?.stop();
  shown = null;
  if (!api.token()) {
    fill(document.body, h("main", { class: "login" }, logIn(begin, why), language()));
    return;
  }
  const link = (/** @type {string} */ to, /** @type {string} */ words) => h("a", { href: to }, words);
  fill(document.body, h("header", { class: "head" },
    h("a", { href: "#/", class: "mark" }, h("img", { src: "/assets/icon.svg", alt: "", width: 32, height: 32 }), h("strong", {}, "Zongzi")),
    h("nav", {}, link("#/", say("channels")), link("#/server", say("server"))),
    language(), h("button", { type: "button", class: "quiet", id: "log-out", onclick: leave }, say("log_out"))), trouble, place);
  show();
}

function show() {
  if (!api.token()) return;
  shown?.stop();
  const [, kind, name] = location.hash.split("/");
  if (kind === "channel" && name) shown = channel(decodeURIComponent(name));
  else if (kind === "server") shown = server();
  else shown = home();
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.getAttribute("href") === (kind === "server" ? "#/server" : "#/");
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  fill(place, shown.root);
  scrollTo(0, 0);
}

api.whenRefused(() => {
  api.forgetToken();
  begin(say("token_again"));
});
addEventListener("hashchange", show);
live.start((reached) => {
  trouble.hidden = reached;
  document.body.classList.toggle("unreached", !reached); // what is shown is old
});
begin();
