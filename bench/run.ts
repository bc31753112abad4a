/**
 * `npm run bench [NAME…]`: every benchmark (or the named ones), one after another so that none disturbs the other.
 * Each prints its own Markdown table with the peers of the same run; docs/benchmarks.md keeps what was measured.
 */
import { spawnSync } from "node:child_process";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";

const all = [
  "journal",
  "tokens",
  "turns",
  "harness",
  "startup",
  "publish",
  "transports",
  "subscribers",
  "llama",
  "train",
];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}. There are: ${all.join(", ")}.`);
  process.exit(2);
}

const processor = cpus()[0]?.model ?? "unknown processor";
const gibibytes = Math.round(totalmem() / 2 ** 30);
console.log(
  `${processor}, ${cpus().length} cores, ${gibibytes} GiB, ${platform()} ${release()} ${arch()}, Node ${process.version}`,
);

let failed = 0;
for (const name of wanted.length > 0 ? wanted : all) {
  console.log(`\n## ${name}\n`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], { stdio: "inherit" });
  if (status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
