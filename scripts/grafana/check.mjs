#!/usr/bin/env node
// Checks dashboards against the types that Grafana publishes of them: check.mjs FOLDER_OF_DASHBOARDS FOLDER_WITH_NODE_MODULES
// Every field must be one that Grafana knows, with a value that it may have; of each panel its kind's own options and styles as well.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const [dashboards, home] = process.argv.slice(2);
const schema = "@grafana/schema/dist/types/raw/composable";
// Enumerations are written as their values in JSON.
const types = `import type { Dashboard } from "@grafana/schema";
type Json<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
`;
const files = readdirSync(dashboards).filter((name) => name.endsWith(".json")).sort();
const lines = [];
const kinds = new Set();
let panels = 0;
for (const file of files) {
  const dashboard = JSON.parse(readFileSync(join(dashboards, file), "utf8"));
  const at = (value, type, what) => lines.push({ text: `(${JSON.stringify(value)}) satisfies ${type};`, what: `${file}: ${what}` });
  at({ ...dashboard, panels: [] }, "Partial<Json<Dashboard>>", "the dashboard itself");
  for (const panel of dashboard.panels) {
    panels += 1;
    kinds.add(panel.type);
    const { options = {}, fieldConfig = {}, ...rest } = panel;
    const { custom = {}, ...defaults } = fieldConfig.defaults ?? {};
    const name = `panel "${panel.title}"`;
    at([{ ...rest, fieldConfig: { ...fieldConfig, defaults } }], `Json<Dashboard["panels"]>`, name);
    at(options, `Partial<Json<${panel.type}.Options>>`, `${name}, options`);
    if (Object.keys(custom).length > 0) at(custom, `Partial<Json<${panel.type}.FieldConfig>>`, `${name}, fieldConfig.defaults.custom`);
  }
}
const imports = [...kinds].map((kind) => `import type * as ${kind} from "./node_modules/${schema}/${kind}/panelcfg/x/types.gen";\n`).join("");
const head = types + imports;
const source = join(home, "dashboards.ts");
writeFileSync(source, head + lines.map((line) => line.text).join("\n") + "\n");
const flags = ["--noEmit", "--strict", "--skipLibCheck", "--pretty", "false", "--module", "esnext", "--moduleResolution", "bundler", "--ignoreConfig"];
const checked = spawnSync("node", [join(home, "node_modules/typescript/bin/tsc"), ...flags, source], { cwd: home, encoding: "utf8" });
const offset = head.split("\n").length - 1;
for (const line of checked.stdout.split("\n").filter(Boolean)) {
  const [, number, problem] = /dashboards\.ts\((\d+),\d+\): error \w+: (.*)$/.exec(line) ?? [];
  console.log(number ? `${lines[number - 1 - offset]?.what ?? "the types"}: ${problem}` : line);
}
if (checked.error || checked.stderr) console.log(`the types of Grafana cannot be used: ${checked.error ?? checked.stderr}`);
if (checked.status !== 0) process.exit(1);
console.log(`${files.length} dashboards with ${panels} panels: as Grafana's types say`);
