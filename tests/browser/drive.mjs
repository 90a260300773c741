// Drives Chromium for the whole-system tests: reads one JSON command a line, answers each with one JSON line.
// tests/src/browser.rs is the other end. Commands: open, state, eval, report, requests, screenshot, fill, click.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const READER = readFileSync(new URL("reader.js", import.meta.url), "utf8");
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", // for root, without a display, in a container
  "--disable-features=WebRtcHideLocalIpsWithMdns",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pings",
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
];
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

const options = JSON.parse(process.argv[2] ?? "{}");
if (options.autoplay !== false) FLAGS.push("--autoplay-policy=no-user-gesture-required");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
const context = await browser.newContext({
  locale: options.locale ?? "en-US",
  bypassCSP: options.reader !== false, // the reader's worklet is not the page's own
  ...(options.phone ? PHONE : { viewport: { width: 1280, height: 720 } }),
});
if (options.reader !== false) await context.addInitScript(READER);
if (options.init) await context.addInitScript(options.init);
const page = await context.newPage();
const devtools = await context.newCDPSession(page);
/**
 * Runs a script in the page. Playwright's own way counts as a person's touch, which would let a page play with sound.
 * @param {string} expression
 */
async function evaluate(expression) {
  const { result, exceptionDetails } = await devtools.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}
/** What the page complained of. @type {string[]} */
const complaints = [];
page.on("pageerror", (error) => complaints.push(error.message));
page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });

/** Every request of the page: method, address, and what it says it came from. @type {string[]} */
const requests = [];
page.on("request", (request) => requests.push([request.method(), request.url(), request.headers().referer ?? ""].join(" ").trim()));

const commands = {
  async open({ url }) {
    const response = await page.goto(url, { waitUntil: "commit" });
    return { status: response?.status() };
  },
  state: () => evaluate(`({
    state: window.zongzi?.state, text: window.zongzi?.text, sessions: window.zongzi?.sessions,
    words: document.body?.innerText, pictures: window.__reader?.pictures.length, ticks: window.__reader?.ticks.length,
  })`).then((state) => ({ ...state, complaints })),
  eval: ({ script }) => evaluate(script),
  report: () => evaluate("window.__reader.report()"),
  requests: () => requests,
  async screenshot({ path }) {
    await page.screenshot({ path });
    return {};
  },
  async fill({ selector, text }) {
    await page.fill(selector, text, { timeout: 5_000 });
    return {};
  },
  async click({ selector }) {
    await page.click(selector, { timeout: 5_000 });
    return {};
  },
};

const say = (/** @type {unknown} */ value) => process.stdout.write(`${JSON.stringify(value ?? null)}\n`);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  try {
    say({ ok: await commands[command](rest) ?? null });
  } catch (error) {
    say({ error: String(error) });
  }
}
await browser.close();
