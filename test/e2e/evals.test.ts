import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

const suite = `name: echo
model: local/gpt-5.2
prompt: "repeat: {{input}}"
dataset: cases.jsonl
evaluators:
  - type: exact
  - { type: model-graded, model: local/gpt-5.2, rubric: Says what was expected. }
thresholds: { passRate: 0.6 }
`;
const cases =
  '{"id":"fr","input":"Paris","expected":"Paris"}\n{"id":"it","input":"Milan","expected":"Rome"}\n{"id":"jp","input":"Tokyo","expected":"Tokyo"}\n';

async function prepared() {
  const model = await startModelServer({ apiKey: "sk-loopback" });
  const home = await Home.create();
  await home.addProvider(model.url);
  await home.write({ "suite.yaml": suite, "cases.jsonl": cases });
  return {
    home,
    model,
    async [Symbol.asyncDispose]() {
      await home[Symbol.asyncDispose]();
      await model.close();
    },
  };
}

test("H6 a suite that reaches its thresholds exits with 0 and leaves its reports", async () => {
  await using bench = await prepared();
  const { home } = bench;
  const run = await home.ok("eval", "run", "suite.yaml", "--html", "report.html", "--report", "report.json");
  expect(run.stdout).toMatch(/✓ passed\s+fr/);
  expect(run.stdout).toMatch(/✗ failed\s+it/);
  expect(run.stdout).toMatch(/✓ passRate: 0\.6667, required 0\.6/);
  expect(await readFile(join(home.files, "report.html"), "utf8")).toContain("<title>echo · evaluation</title>");
  expect(JSON.parse(await readFile(join(home.files, "report.json"), "utf8"))).toMatchObject({
    version: 1,
    summary: { outcome: "passed" },
  });

  const list = (await home.ok("eval", "list", "--json")).json as { items: { runId: string; name: string }[] };
  expect(list.items).toMatchObject([{ name: "echo" }]);
  const shown = await home.ok("eval", "show", list.items[0]?.runId ?? "");
  expect(shown.stdout).toMatch(/✗ failed\s+it/);
  expect(shown.stdout).not.toMatch(/✓ passed\s+fr/);
  expect(shown.stdout).toContain("It does not say what was expected.");
});

test("H6 a missed threshold and a regression exit with 1", async () => {
  await using bench = await prepared();
  const { home } = bench;
  const first = (await home.ok("eval", "run", "suite.yaml", "--json")).json as { runId: string; comparison: null };
  expect(first.comparison).toBeNull();
  await home.write({ "suite.yaml": suite.replace("0.6", "0.9") });
  expect((await home.run(["eval", "run", "suite.yaml"])).code).toBe(1);

  // The same cases, asked in a way that spoils one answer.
  await home.write({ "suite.yaml": suite.replace("repeat: {{input}}", "repeat: {{expected}}") });
  const better = (await home.ok("eval", "run", "suite.yaml", "--compare", first.runId, "--json")).json as {
    runId: string;
  };
  await home.write({ "suite.yaml": suite });
  const worse = await home.run(["eval", "run", "suite.yaml", "--compare", "last", "--fail-on-regression"]);
  expect(worse.code).toBe(1);
  expect(worse.stdout).toContain("1 regressed");
  expect(worse.stdout).toMatch(/regressed\s+it/);

  const compared = await home.ok("eval", "compare", first.runId, better.runId, "--json");
  expect(compared.json).toMatchObject({ suiteChanged: true, models: [{ fixed: 1, regressed: 0 }] });
});

test("H6 what is wrong with a suite is said with file, line and field, and nothing is asked", async () => {
  await using bench = await prepared();
  const { home, model } = bench;
  await home.write({ "bad.yaml": suite.replace("evaluators:", "evaluator:") });
  const unknown = await home.run(["eval", "run", "bad.yaml", "--json"]);
  expect(unknown.code).toBe(2);
  expect(unknown.error().message).toMatch(/^bad\.yaml:5: /);
  await home.write({ "cases.jsonl": `${cases}{"input":\n` });
  const broken = await home.run(["eval", "run", "suite.yaml"]);
  expect(broken.code).toBe(2);
  expect(broken.stderr).toContain("cases.jsonl:4: This line is not JSON.");
  expect((await home.run(["eval", "run", "missing.yaml"])).code).toBe(1);
  expect(model.requests.filter(({ path }) => path !== "/v1/models")).toEqual([]);
});

test("H6 without consent nothing is sent to a model elsewhere, and the exit code says so", async () => {
  await using bench = await prepared();
  const { home } = bench;
  await home.ok("providers", "add", "far", "--kind", "openai-chat", "--base-url", "https://models.example/v1");
  const refused = await home.run(["eval", "run", "suite.yaml", "--model", "far/gpt-5.2", "--json"]);
  expect(refused.code).toBe(6);
  expect(refused.error().error_code).toBe("EGRESS_CONSENT_REQUIRED");
});
