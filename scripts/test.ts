/**
 * `npm test`: everything that can be proved, on a fresh machine. Installs what the tests need from the system when it may
 * (root on Debian), else names what is missing and which suites that leaves out. The last line counts the tests.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { provideSystem } from "./test/system.ts";
import { runVitest } from "./test/vitest.ts";

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed, and why; a suite that shows it by itself names nothing here. */
  readonly failures?: readonly string[];
}

interface Suite {
  readonly name: string;
  run(): Promise<Outcome>;
}

const root = resolve(import.meta.dirname, "..");

const suites: readonly Suite[] = [
  { name: "check: types, lint, layers, formatting, generated documents", run: () => script("scripts/check.ts") },
  { name: "vitest: packages, command line, end to end, console", run: () => runVitest(root) },
  { name: "chaos: kills and failures, the bounded part", run: () => script("chaos/run.ts", ["--ci"]) },
  ...examples(),
];

const started = performance.now();
provideSystem();
const total = { passed: 0, failed: 0, skipped: 0 };
const summary: string[] = [];
const failures: string[] = [];
for (const suite of suites) {
  console.log(`\n── ${suite.name}`);
  const begun = performance.now();
  const outcome = await suite.run();
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  failures.push(...(outcome.failures ?? []));
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  summary.push(`${outcome.failed > 0 ? "FAIL" : "ok  "} ${suite.name}: ${counts(outcome)} (${seconds} s)`);
}
console.log(`\n${summary.join("\n")}\n${((performance.now() - started) / 1000).toFixed(0)} s in all\n`);
// Last, so that they are in whatever part of a long output is kept.
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(counts(total));
process.exitCode = total.failed > 0 ? 1 : 0;

function counts({ passed, failed, skipped }: Outcome): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Each example is a program that a reader runs as it stands; here against its own model server on loopback. */
function examples(): Suite[] {
  return readdirSync(resolve(root, "examples"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ name: `example: ${file}`, run: () => script(`examples/${file}`, ["--loopback"]) }));
}

/** A program of ours that says by its exit code whether it passed: one test. */
function script(file: string, options: readonly string[] = []): Promise<Outcome> {
  const child = spawn(process.execPath, [resolve(root, file), ...options], { cwd: root, stdio: "inherit" });
  return new Promise((done) => {
    child.on("error", () => done({ passed: 0, failed: 1, skipped: 0 }));
    child.on("exit", (code) => done({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }));
  });
}
