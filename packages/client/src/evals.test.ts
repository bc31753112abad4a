import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EvalReport, type EvalSuiteInput, type RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { startDaemon, type Daemon } from "@benchtop/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import { createClient, type Client } from "./index.ts";

/** Evaluations over the wire, on a real daemon that refuses answers unlike their schema, against a model server on loopback. */
let folder: string;
let daemon: Daemon;
let models: ModelServer;
let client: Client;

const prices = { inputPerMillion: 1, outputPerMillion: 2 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-evals-"));
  models = await startModelServer();
  await start();
  await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true, prices });
});
afterAll(async () => {
  await daemon.close();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  daemon = await startDaemon({
    home: join(folder, "home"),
    configDir: join(folder, "config"),
    port: 0,
    checkOutputs: true,
  });
  client = createClient({ url: daemon.url, token: daemon.token });
}

const suite: EvalSuiteInput = {
  name: "echo",
  models: ["loop/gpt-5.2"],
  prompt: "repeat: {{input}}",
  evaluators: [
    { type: "exact" },
    { type: "model-graded", model: "loop/gpt-5.2-mini", rubric: "Says what was expected." },
  ],
  thresholds: { passRate: 0.5 },
  cases: [
    { id: "right", input: "Paris", expected: "Paris" },
    { id: "wrong", input: "Lyon", expected: "Marseille" },
    { id: "hostile", input: "<script>alert(1)</script>", expected: "<script>alert(1)</script>" },
  ],
};

async function eventsOf(runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of client.follow(runId)) events.push(event);
  return events;
}

async function reportOf(runId: string): Promise<EvalReport> {
  const file = await client.downloadReport({ runId });
  return EvalReport.parse(JSON.parse(new TextDecoder().decode(await file.arrayBuffer())));
}

test("H6 an evaluation asks in child runs of one trace, judges, and keeps its reports", async () => {
  const { runId, traceId } = await client.call("evals.run", { suite });
  const events = await eventsOf(runId);
  expect(checkInvariants(events, { ended: true })).toEqual([]);
  expect(events.at(-1)).toMatchObject({
    type: "Completed",
    result: { outcome: "passed", models: [{ passed: 2, failed: 1 }] },
  });

  const progress = events.filter((event) => event.type === "PhaseChanged");
  expect(progress.map(({ done, total }) => [done, total])).toEqual([0, 1, 2, 3].map((done) => [done, 3]));
  expect(new Set(progress.map(({ detail }) => detail?.["caseId"]))).toEqual(
    new Set([undefined, "right", "wrong", "hostile"]),
  );
  expect(events.filter((event) => event.type === "MetricLogged")).toMatchObject([
    { name: "pass rate", value: 2 / 3 },
    { name: "score exact", value: 2 / 3 },
    { name: "score model-graded", value: 2 / 3 },
  ]);

  const children = events.flatMap((event) => (event.type === "SubRunStarted" ? [event.childRunId] : []));
  expect(children).toHaveLength(6);
  for (const child of children) {
    expect(await client.call("runs.get", { runId: child })).toMatchObject({
      kind: "prompt",
      parentRunId: runId,
      traceId,
      status: "success",
    });
  }

  const listed = (input: { parentRunId?: string; questions?: boolean }) =>
    client.call("runs.list", { limit: 1000, ...input }).then(({ items }) => items.map((run) => run.runId));
  expect(await listed({})).not.toContain(children[0]);
  expect(await listed({})).toContain(runId);
  expect(await listed({ questions: true })).toContain(children[0]);
  expect(new Set(await listed({ parentRunId: runId }))).toEqual(new Set(children));

  const report = await reportOf(runId);
  expect(report.samples.map(({ caseId, outcome, output }) => [caseId, outcome, output])).toEqual([
    ["right", "passed", "Paris"],
    ["wrong", "failed", "Lyon"],
    ["hostile", "passed", "<script>alert(1)</script>"],
  ]);
  expect(children).toContain(report.samples[0]?.runId);
  expect(report.samples[1]?.verdicts[1]).toMatchObject({
    outcome: "failed",
    reason: "It does not say what was expected.",
  });
  expect(report.summary.spent.costMicros).toBeGreaterThan(0);

  const html = await client.downloadReport({ runId, format: "html" });
  expect(html.mediaType).toBe("text/html; charset=utf-8");
  const page = new TextDecoder().decode(await html.arrayBuffer());
  expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  expect(page.match(/<script/g)).toHaveLength(1);

  expect((await client.call("evals.list", { limit: 5 })).items[0]).toMatchObject({
    runId,
    name: "echo",
    status: "success",
    progress: { done: 3, total: 3 },
    summary: { outcome: "passed" },
  });
  expect(await client.call("evals.get", { runId })).toMatchObject({
    suite: { name: "echo", prompt: "repeat: {{input}}" },
  });
});

test("H6 the same question is not asked twice, and the report says so", async () => {
  const cached: EvalSuiteInput = {
    ...suite,
    name: "cached",
    prompt: "repeat: once {{input}}",
    evaluators: [{ type: "contains" }],
  };
  const first = await client.call("evals.run", { suite: cached });
  await eventsOf(first.runId);
  const asked = models.requests.length;
  const second = await client.call("evals.run", { from: first.runId });
  await eventsOf(second.runId);
  expect(models.requests).toHaveLength(asked);
  const report = await reportOf(second.runId);
  expect(report.summary).toMatchObject({ spent: { inputTokens: 0 }, models: [{ cached: 3 }] });
  expect(report.samples.map(({ runId }) => runId)).toEqual(
    (await reportOf(first.runId)).samples.map(({ runId }) => runId),
  );

  const third = await client.call("evals.run", { from: first.runId, cache: false });
  await eventsOf(third.runId);
  expect(models.requests).toHaveLength(asked + 3);
  expect(await client.call("evals.compare", { runId: first.runId, otherRunId: third.runId })).toMatchObject({
    suiteChanged: false,
    models: [{ fixed: 0, regressed: 0, same: 3, pValue: 1 }],
  });
});

test("H6 several models are asked, and a model that fails spoils its own answers alone", async () => {
  const { runId } = await client.call("evals.run", {
    suite: { ...suite, name: "two", evaluators: [{ type: "contains" }] },
    models: ["loop/gpt-5.2", "loop/too-long"],
  });
  await eventsOf(runId);
  const { summary } = await reportOf(runId);
  expect(summary).toMatchObject({
    outcome: "failed",
    models: [
      { model: "loop/gpt-5.2", passed: 2, errors: 0 },
      { model: "loop/too-long", passed: 0, errors: 3, passRate: 0 },
    ],
    thresholds: [{ met: true }, { met: false }],
  });
});

test("H6 a stopped evaluation stops its children and keeps a report of what there is", async () => {
  const slow = {
    ...suite,
    name: "slow",
    prompt: "count to 400 for {{input}}",
    evaluators: [{ type: "regex" as const, pattern: "400" }],
  };
  const { runId } = await client.call("evals.run", { suite: { ...slow, concurrency: 1 }, models: ["loop/slow"] });
  const events: RunEvent[] = [];
  for await (const event of client.follow(runId)) {
    events.push(event);
    if (event.type === "SubRunStarted") await client.call("runs.abort", { runId });
  }
  expect(checkInvariants(events, { ended: true })).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "USER_CANCELED" } });
  expect(events.filter((event) => event.type === "SubRunFinished")).toMatchObject([{ status: "error" }]);
  expect((await reportOf(runId)).summary).toMatchObject({
    complete: false,
    models: [{ notRun: 3 }],
    stopped: { code: "USER_CANCELED" },
  });
  expect((await client.call("evals.list", { limit: 1 })).items[0]).toMatchObject({
    status: "error",
    errorCode: "USER_CANCELED",
    summary: { complete: false },
  });
});

test("H6 the budget of a suite holds for all its questions together", async () => {
  const cases = Array.from({ length: 30 }, (_, index) => ({
    id: `${index}`,
    input: `number ${index}`,
    expected: `${index}`,
  }));
  const costly = {
    ...suite,
    name: "costly",
    prompt: "count to 50 for {{input}}",
    evaluators: [{ type: "contains" as const }],
    cases,
  };
  const { runId } = await client.call("evals.run", {
    suite: { ...costly, thresholds: {}, budget: { costUsd: 0.002 } },
  });
  const events = await eventsOf(runId);
  expect(checkInvariants(events, { ended: true })).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "BUDGET_CAP_REACHED" } });
  expect(events.find(({ type }) => type === "BudgetExceeded")).toMatchObject({ limit: "maxCostMicros", allowed: 2000 });
  const { summary } = await reportOf(runId);
  expect(summary.complete).toBe(false);
  // The model server writes more than it may, so the answers that were on their way overshoot.
  expect(summary.spent.costMicros).toBeLessThan(2000 + 4 * 500);
  expect(await client.call("runs.get", { runId })).toMatchObject({ status: "budget_exceeded" });
});

test("H6 nothing is sent to a model elsewhere before a person agrees", async () => {
  await client.call("providers.add", {
    name: "far",
    kind: "openai-chat",
    baseUrl: "https://models.example/v1",
    prices,
  });
  const { runId } = await client.call("evals.run", { suite, models: ["far/gpt-5.2"] });
  const events = await eventsOf(runId);
  expect(events.find(({ type }) => type === "ConsentRequired")).toMatchObject({ providerId: "far" });
  expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "EGRESS_CONSENT_REQUIRED" } });
  expect(events.filter(({ type }) => type === "SubRunStarted")).toEqual([]);
});

test("H6 a suite that cannot be run is refused before anything starts", async () => {
  const before = (await client.call("runs.list", { kind: "eval" })).items.length;
  const twice = { ...suite, cases: [...suite.cases, ...suite.cases] };
  await expect(client.call("evals.run", { suite: twice })).rejects.toThrow('The id "right" is used twice');
  await expect(client.call("evals.run", {})).rejects.toThrow("Give a `suite`, or `from`");
  await expect(client.call("evals.run", { suite, models: ["nobody/x"] })).rejects.toMatchObject({
    code: "PROVIDER_NOT_CONFIGURED",
  });
  await expect(client.call("evals.run", { from: "run_none" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await client.call("runs.list", { kind: "eval" })).items).toHaveLength(before);
});

test("H6 a run that is no evaluation has no report", async () => {
  const { runId } = await client.call("runs.start", { model: "loop/gpt-5.2", prompt: "hello" });
  await eventsOf(runId);
  await expect(client.downloadReport({ runId })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(client.call("evals.get", { runId })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("H6 the question of a suite replays like any prompt, with its limits and its temperature", async () => {
  const { runId } = await client.call("evals.run", {
    suite: {
      ...suite,
      name: "replayed",
      temperature: 0.5,
      maxOutputTokens: 300,
      instructions: "Say {{input}}.",
      evaluators: [{ type: "model-graded", model: "loop/gpt-5.2", rubric: "Another rubric." }],
    },
  });
  const events = await eventsOf(runId);
  const children = events.flatMap((event) => (event.type === "SubRunStarted" ? [event.childRunId] : []));
  expect(children).toHaveLength(6);
  for (const child of children) {
    expect((await client.call("runs.replay", { runId: child })).report).toMatchObject({ outcome: "identical" });
  }
  // The grader is asked for JSON of its schema, the model for no more tokens than it may use.
  expect(models.requests.slice(-6).filter(({ body }) => body.includes('"json_schema"'))).toHaveLength(3);
  expect(models.requests.slice(-6).filter(({ body }) => /"max\w*_tokens":300\b/.test(body))).toHaveLength(3);
});
