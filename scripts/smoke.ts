/**
 * `npm run smoke`: the examples of the harness against a real provider, with a real key. Opt-in, because it costs money and
 * sends what the examples ask: it runs only when OPENAI_API_KEY or OPENAI_BASE_URL, and MODEL, say where. (The same
 * programs run on loopback in `npm test`.)
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const { OPENAI_API_KEY, OPENAI_BASE_URL, MODEL } = process.env;
if (!MODEL || !(OPENAI_API_KEY || OPENAI_BASE_URL)) {
  console.error("Set MODEL, and OPENAI_API_KEY or OPENAI_BASE_URL, to say which provider is to be asked.");
  process.exit(2);
}

const folder = resolve(import.meta.dirname, "../examples");
const examples = readdirSync(folder).filter((name) => name.endsWith(".ts"));
const failed = examples.filter((name) => {
  console.log(`\n── ${name}`);
  return spawnSync(process.execPath, [join(folder, name)], { stdio: "inherit" }).status !== 0;
});
console.log(`\n${examples.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length > 0 ? 1 : 0;
