// Building the page without markup in strings: what comes from outside is always text.

/**
 * What an element is given: `on…` a listener, `class`, or an attribute; false and null leave it out.
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Properties
 * @typedef {Node | string | number | null | undefined | false} Child
 */

/**
 * An element with attributes, listeners and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Properties} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, properties);
  element.append(...nodes(children));
  return element;
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Properties} [properties]
 * @param {...(Child | Child[])} children
 * @returns {SVGElement}
 */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, properties);
  element.append(...nodes(children));
  return element;
}

/** Puts children in the place of those an element has. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/**
 * Calls `draw` only when what it draws has changed, so that a button is not taken from under a finger.
 * @template T
 * @param {(value: T) => void} draw
 * @returns {(value: T) => void}
 */
export function onChange(draw) {
  /** @type {string | undefined} */
  let last;
  return (value) => {
    const now = JSON.stringify(value);
    if (now === last) return;
    last = now;
    draw(value);
  };
}

/**
 * Keeps a list's elements while what they show changes, so that nothing is taken from under a finger.
 * @template T
 * @param {Element} list
 * @param {(item: T) => string} name what tells items apart
 * @param {(item: T) => { root: Element, draw: (item: T) => void }} make
 * @returns {(items: T[]) => void}
 */
export function keyed(list, name, make) {
  /** @type {Map<string, { root: Element, draw: (item: T) => void }>} */
  let shown = new Map();
  return (items) => {
    const next = new Map(items.map((item) => [name(item), shown.get(name(item)) ?? make(item)]));
    for (const item of items) next.get(name(item))?.draw(item);
    const roots = [...next.values()].map((part) => part.root);
    if (roots.length !== list.children.length || roots.some((root, index) => list.children[index] !== root)) list.replaceChildren(...roots);
    shown = next;
  };
}

/** @param {Element} element @param {Properties} properties */
function apply(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function nodes(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
