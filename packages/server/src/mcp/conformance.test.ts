import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import baseline from "../../test/mcp/conformance-baseline.json" with { type: "json" };
import { conformanceFixtures } from "../../test/mcp/conformance-fixtures.ts";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

/** The official conformance suite against the mount of a daemon. It has no way to show a token, so the daemon asks for none. */
let folder: string;
let daemon: TestDaemon;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-conformance-"));
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  await writeFile(join(home, "config.json"), JSON.stringify({ auth: "none" }));
  daemon = await startTestDaemon({ home, mcp: [conformanceFixtures] });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ["2025-11-25", 30],
  ["2026-07-28", 37],
] as const)(
  "the server scenarios of MCP %s pass, but for those of the baseline",
  { timeout: 60_000 },
  async (revision, required) => {
    const output = join(folder, revision);
    await runScenarios(`${daemon.url}/mcp`, revision, output);
    const outcomes = await readOutcomes(output);
    expect(outcomes.size).toBeGreaterThanOrEqual(required);
    const failed = [...outcomes].filter(([, failures]) => failures.length > 0);
    const justified = Object.keys(baseline[revision]);
    const unexpected = failed.filter(([scenario]) => !justified.includes(scenario));
    const stale = justified.filter((scenario) => !failed.some(([name]) => name === scenario));
    expect({ unexpected, stale }).toEqual({ unexpected: [], stale: [] });
  },
);

function runScenarios(url: string, revision: string, output: string): Promise<void> {
  const main = join(import.meta.dirname, "../../../../node_modules/@modelcontextprotocol/conformance/dist/index.js");
  const words = ["server", "--url", url, "--requirements", revision, "--output-dir", output];
  return new Promise((resolve) => {
    // The exit code tells of failures too, which are judged by what they are.
    execFile(process.execPath, [main, ...words], { maxBuffer: 10_000_000 }, () => resolve());
  });
}

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** By scenario, the checks that failed or warned. */
async function readOutcomes(output: string): Promise<Map<string, readonly Check[]>> {
  const outcomes = new Map<string, readonly Check[]>();
  for (const name of await readdir(output)) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(name)?.[1];
    if (scenario === undefined) continue;
    const checks = JSON.parse(await readFile(join(output, name, "checks.json"), "utf8")) as Check[];
    outcomes.set(
      scenario,
      checks.filter(({ status }) => status === "FAILURE" || status === "WARNING"),
    );
  }
  return outcomes;
}
