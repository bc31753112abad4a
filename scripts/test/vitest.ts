import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
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
    /** Why the file could not be loaded. */
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Runs every test file. Skipped and failed tests are named: nothing is left out silently. */
export async function runVitest(root: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "benchtop-vitest-"));
  try {
    const file = join(folder, "report.json");
    const code = await run(root, ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`]);
    if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
    return outcomeOf(root, JSON.parse(readFileSync(file, "utf8")) as Report, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function outcomeOf(root: string, report: Report, code: number): Outcome {
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
    failures: report.testResults.flatMap((file) => failuresOf(root, file)),
  };
}

function failuresOf(root: string, { name, status, message, assertionResults }: Report["testResults"][number]) {
  const file = relative(root, name);
  const failed = assertionResults.filter((assertion) => assertion.status === "failed");
  if (status === "failed" && failed.length === 0) return [`${file}: ${startOf(message ?? "")}`];
  return failed.map(
    ({ fullName, failureMessages }) => `${file} > ${fullName}: ${startOf(failureMessages?.join("\n") ?? "")}`,
  );
}

/** The words and where they were thrown, without the colours of a terminal. */
function startOf(message: string): string {
  return stripVTControlCharacters(message).split("\n").slice(0, 6).join("\n    ").slice(0, 800);
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
