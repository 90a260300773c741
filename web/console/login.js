// The one who knows the token is the operator.

import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { words } from "./parts.js";
import { say } from "./words.js";

/** @param {() => void} done @param {string} [why] what to say first */
export function logIn(done, why = "") {
  const problem = h("p", { class: "problem", role: "alert" }, why);
  const token = h("input", {
    id: "token", name: "token", type: "password", required: true, autocomplete: "current-password", autocapitalize: "none",
    spellcheck: "false", "aria-describedby": "token-where",
  });
  const button = h("button", { type: "submit", class: "main" }, say("log_in"));
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    button.disabled = true;
    fill(problem);
    try {
      await api.logIn(token.value.trim());
      done();
    } catch (error) {
      const wrong = error instanceof api.Problem && error.status === 401;
      fill(problem, wrong ? say("token_wrong") : words(error));
      token.select();
    } finally {
      button.disabled = false;
    }
  };
  return h("form", { class: "card", onsubmit: submit },
    h("img", { src: "/assets/icon.svg", alt: "", width: 64, height: 64 }), h("h1", {}, `Zongzi · ${say("console")}`),
    // Password managers keep a name with each password.
    h("input", { name: "username", autocomplete: "username", value: "admin", hidden: true }),
    h("label", { class: "field", for: "token" }, h("span", { class: "label" }, say("token"))), token,
    h("small", { id: "token-where" }, say("token_where")), problem, button);
}
