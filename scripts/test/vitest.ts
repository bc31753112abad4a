import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "../test.ts";

/** The fields of vitest's JSON report that are counted here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** Runs every test file. Skipped tests are named: nothing is left out silently. */
export async function runVitest(root: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "benchtop-vitest-"));
  try {
    const file = join(folder, "report.json");
    const code = await run(root, ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`]);
    if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
    return outcomeOf(JSON.parse(readFileSync(file, "utf8")) as Report, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function outcomeOf(report: Report, code: number): Outcome {
  const skipped = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => !["passed", "failed"].includes(status)).map(({ fullName }) => fullName),
  );
  for (const name of skipped) console.log(`skipped: ${name}`);
  // A file that could not be loaded, or an error outside any test, is one failure.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((assertion) => assertion.status === "failed"),
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function run(root: string, options: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), ...options], {
    cwd: root,
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
