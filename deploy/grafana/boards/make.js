// Writes ../dashboards/*.json, or with --check says which of them are not as they would be written.
import { readFileSync, writeFileSync } from "node:fs";

import { overview } from "./overview.js";
import { server } from "./server.js";
import { show } from "./show.js";

const check = process.argv.includes("--check");
let stale = 0;
for (const [name, made] of Object.entries({ overview, server, show })) {
  const file = new URL(`../dashboards/${name}.json`, import.meta.url);
  const text = `${JSON.stringify(made.build(), null, 1)}\n`;
  if (!check) {
    writeFileSync(file, text);
  } else if (readFileSync(file, "utf8") !== text) {
    console.error(`deploy/grafana/dashboards/${name}.json is not what deploy/grafana/boards makes: run script/boards`);
    stale += 1;
  }
}
process.exitCode = stale === 0 ? 0 : 1;
