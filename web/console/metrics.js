// The metrics page (Prometheus text format), as far as the console needs it.

/**
 * @typedef {{ labels: Record<string, string>, value: number }} Sample
 * @typedef {Map<string, Sample[]>} Page
 */

/** @param {string} text @returns {Page} */
export function parse(text) {
  /** @type {Page} */
  const page = new Map();
  for (const line of text.split("\n")) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!found) continue;
    const [, name = "", list = "", value = ""] = found;
    const labels = Object.fromEntries([...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text]));
    const samples = page.get(name) ?? [];
    samples.push({ labels, value: Number(value) });
    page.set(name, samples);
  }
  return page;
}

/** The sum of a metric's samples whose labels are as wanted; `null` if there are none. @param {Page} page @param {string} name @param {Record<string, string>} [wanted] */
export function sum(page, name, wanted = {}) {
  const samples = (page.get(name) ?? []).filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
  return samples.length === 0 ? null : samples.reduce((total, { value }) => total + value, 0);
}

/** How much a counter grew each second between two pages; `null` where it can't be told. @param {Page} before @param {Page} after @param {number} seconds @param {string} name @param {Record<string, string>} [wanted] */
export function rate(before, after, seconds, name, wanted) {
  const [first, last] = [sum(before, name, wanted), sum(after, name, wanted)];
  return first === null || last === null || seconds <= 0 ? null : Math.max(0, last - first) / seconds;
}
