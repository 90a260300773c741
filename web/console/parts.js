// Pieces that more than one page uses: dialogs, copying, badges, facts.

import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { say } from "./words.js";

/** How long "copied" stands, in milliseconds. */
const COPIED_MS = 1_600;

/** @typedef {import("./dom.js").Child} Child */

/** @param {unknown} error */
export const words = (error) => (error instanceof api.Problem ? error.message : say("no_answer"));

/** Where a channel stands, as a badge. @param {string} state */
export const badge = (state) => h("span", { class: `badge ${state}` }, say(state));

/** Names with values. @param {[string, Child][]} pairs */
export const facts = (pairs) => h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

/** A section of a page with a heading. @param {string} title @param {string} name @param {...Child} children */
export function section(title, name, ...children) {
  return h("section", { class: `card ${name}`, "aria-labelledby": `${name}-title` }, h("h2", { id: `${name}-title` }, title), ...children);
}

/** Text to be taken elsewhere, with a button that copies it. @param {string} label @param {string} text @param {string} [name] */
export function copyable(label, text, name) {
  const button = h("button", { type: "button", class: "copy", onclick: () => copy() }, say("copy"));
  const value = h("output", { class: "code", "data-name": name }, text);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      select(value); // Over plain HTTP a browser gives pages no clipboard.
    }
    fill(button, say("copied"));
    setTimeout(() => fill(button, say("copy")), COPIED_MS);
  };
  return h("div", { class: "copyable" }, h("span", { class: "label" }, label), h("div", { class: "line" }, value, button));
}

/** @param {Element} element */
function select(element) {
  getSelection()?.selectAllChildren(element);
  document.execCommand("copy");
}

/** A QR code that says `text`. @param {string} text @param {string} label */
export function code(text, label) {
  const picture = h("img", { class: "qr", alt: label, width: 240, height: 240 });
  api.qr(text).then((blob) => {
    picture.src = URL.createObjectURL(blob);
    picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
  }, () => picture.remove());
  return picture;
}

/** A dialog over the page, gone when it is closed. @param {string} title @param {(close: () => void) => Child[]} content */
export function dialog(title, content) {
  const root = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => root.remove() });
  root.append(h("h2", { id: "dialog-title" }, title));
  fill(root, root.firstChild, ...content(() => root.close()));
  document.body.append(root);
  root.showModal();
  return root;
}

/**
 * Asks for something, then does it. What goes wrong is said in the dialog, which stays.
 * @param {{ title: string, text?: string, fields?: Child[], yes: string, danger?: boolean, act: (form: FormData) => Promise<void> }} question
 */
export function ask({ title, text, fields = [], yes, danger = false, act }) {
  dialog(title, (close) => {
    const problem = h("p", { class: "problem", role: "alert" });
    const button = h("button", { type: "submit", class: danger ? "danger" : "main" }, yes);
    const form = h("form", {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        button.disabled = true;
        fill(problem);
        try {
          await act(new FormData(form));
          close();
        } catch (error) {
          fill(problem, words(error));
        } finally {
          button.disabled = false;
        }
      },
    }, text ? h("p", {}, text) : null, ...fields, problem,
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: close }, say("cancel")), button));
    return [form];
  });
}

/** A labelled field. @param {string} label @param {string} hint @param {HTMLElement} input */
export const field = (label, hint, input) => h("label", { class: "field" }, h("span", { class: "label" }, label), input, hint ? h("small", {}, hint) : null);

/** A list that can be read on. @template T @param {string} path with its query @param {(item: T) => Node} row @param {string} empty what to say when there is nothing */
export function pages(path, row, empty) {
  const list = h("ul", { class: "rows" }), more = h("button", { type: "button", hidden: true, onclick: () => load() }, say("more"));
  const note = h("p", { class: "soft" }, say("loading"));
  /** @type {string | null} */
  let next = null;
  const load = async (fresh = false) => {
    const after = fresh || !next ? "" : `&after=${encodeURIComponent(next)}`;
    try {
      const page = /** @type {import("./api.js").Listed<T>} */ (await api.get(path + after));
      const rows = page.items.map(row);
      if (fresh) fill(list, ...rows);
      else list.append(...rows);
      next = page.next;
      more.hidden = next === null;
      fill(note, list.childElementCount === 0 ? empty : "");
    } catch (error) {
      fill(note, words(error));
    }
  };
  load(true);
  return { root: h("div", {}, list, note, more), load };
}
