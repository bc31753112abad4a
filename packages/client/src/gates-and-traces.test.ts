import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RunEvent } from "@benchtop/protocol";
import { startDaemon } from "@benchtop/server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import { startCollector, status, type Collector } from "../../harness/test/collector.ts";
import { createClient, type Client } from "./index.ts";

const key = ["AKIA", "QWERTYUIOP234567"].join("");

let folder: string;
let models: ModelServer;
let collector: Collector;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-gates-"));
  models = await startModelServer();
  collector = await startCollector();
});
afterEach(async () => {
  await models.close();
  await collector.close();
  await rm(folder, { recursive: true, force: true });
});

interface Started extends AsyncDisposable {
  readonly client: Client;
  /** Starts a prompt and gives its journal once it has ended. */
  ask(prompt: string): Promise<{ runId: string; events: RunEvent[] }>;
}

async function daemonWith(config: object): Promise<Started> {
  const home = join(folder, "home");
  await mkdir(home, { recursive: true });
  await writeFile(join(home, "config.json"), JSON.stringify(config));
  const daemon = await startDaemon({ home, configDir: join(folder, "config"), port: 0, checkOutputs: true });
  const client = createClient({ url: daemon.url, token: daemon.token });
  const { items } = await client.call("providers.list", {});
  if (items.length === 0) {
    await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
  }
  return {
    client,
    async ask(prompt) {
      const { runId } = await client.call("runs.start", { model: "loop/gpt-5.2", prompt });
      const events: RunEvent[] = [];
      for await (const event of client.follow(runId)) events.push(event);
      return { runId, events };
    },
    [Symbol.asyncDispose]: () => daemon.close(),
  };
}

const decisionsIn = (events: readonly RunEvent[]) => events.filter((event) => event.type === "GateDecided");

async function completed(client: Client): Promise<string> {
  const { runId } = await client.call("runs.start", { model: "loop/gpt-5.2", prompt: "hello" });
  for await (const event of client.follow(runId)) if (event.type === "Completed") return runId;
  throw new Error("The run did not complete.");
}

test("H6 a daemon without configuration notices secrets on their way to a model, and changes nothing", async () => {
  await using daemon = await daemonWith({});
  const { events } = await daemon.ask(`what is ${key}?`);
  expect(decisionsIn(events)).toMatchObject([
    { gate: "secrets", point: "input", mode: "shadow", decision: "redact", findings: ["aws-access-key"] },
  ]);
  expect(events.at(-1)?.type).toBe("Completed");
  expect(JSON.stringify(models.requests)).toContain(key);
});

test("H6 an enforcing gate of the configuration decides what a model gets, and what ends a run", async () => {
  const gates = [
    { policy: "secrets", mode: "enforcing" },
    { policy: "personal-data", mode: "enforcing", options: { action: "deny" } },
  ];
  await using daemon = await daemonWith({ gates });
  const { events } = await daemon.ask(`what is ${key}?`);
  expect(events.at(-1)?.type).toBe("Completed");
  expect(JSON.stringify(models.requests)).not.toContain(key);
  expect(JSON.stringify(models.requests)).toContain("[redacted: aws-access-key]");

  const sent = models.requests.length;
  const refused = await daemon.ask("write to anna@benchtop.dev");
  expect(refused.events.at(-1)).toMatchObject({
    type: "Error",
    error: { error_code: "POLICY_DENIED", detail: { gate: "personal-data", point: "input" } },
  });
  expect(models.requests).toHaveLength(sent);
});

test("H6 a call that needs approval waits for a person, across a restart, and is made once they say yes", async () => {
  const gates = [{ policy: "approval", mode: "enforcing", options: { effects: ["draft"] } }];
  let runId: string;
  {
    await using daemon = await daemonWith({ gates });
    const { client } = daemon;
    const { workbenchId } = await client.call("workbenches.create", { name: "budget" });
    const { sha256 } = await client.upload(new TextEncoder().encode("item,amount\nrent,700\nfood,300\ntotal,900\n"));
    await client.call("files.add", { workbenchId, uploads: [{ path: "data.csv", sha256 }] });
    const task = "make the totals consistent";
    ({ runId } = await client.call("workshop.runAgent", { workbenchId, model: "loop/gpt-5.2", task }));
    await expect
      .poll(async () => (await client.call("runs.get", { runId })).suspension)
      .toMatchObject({
        reason: "approval",
        gate: "approval",
      });
    expect(await client.call("draft.getState", { workbenchId: "budget" })).toMatchObject({ exists: false });
  }
  await using daemon = await daemonWith({ gates });
  const { client } = daemon;
  await client.call("runs.resume", { runId, decision: "approve" });
  await expect.poll(async () => (await client.call("runs.get", { runId })).status, { timeout: 10_000 }).toBe("success");
  const { items } = await client.call("runs.eventPage", { runId });
  expect(items.filter(({ type }) => type === "DraftChanged")).toHaveLength(1);
  expect(decisionsIn(items).map(({ decision }) => decision)).toEqual(["allow", "allow", "ask"]);
});

test("H6 every run of a daemon is traced, without its content, and the status says how it goes", async () => {
  const trace = { otlp: { url: collector.url }, file: { path: "traces.jsonl" } };
  await using daemon = await daemonWith({ trace });
  const { runId, events } = await daemon.ask("the words that nobody may see");
  await expect.poll(() => collector.spans.length, { timeout: 10_000 }).toBe(2);
  expect(collector.spans).toMatchObject([
    { name: "chat gpt-5.2", traceId: events[0]?.traceId },
    { name: "invoke_agent prompt", attributes: { "benchtop.run.id": runId } },
  ]);
  expect(collector.problems).toEqual([]);
  const { traces, otherConnections } = await daemon.client.call("system.status", {});
  expect(traces).toMatchObject([
    { target: collector.url, passedOn: 2, dropped: 0 },
    { target: join(folder, "home", "traces.jsonl"), dropped: 0 },
  ]);
  expect(otherConnections).toEqual([{ purpose: "trace collector", target: collector.url }]);

  const lines = async () => (await readFile(join(folder, "home", "traces.jsonl"), "utf8")).trim().split("\n");
  await expect.poll(lines, { timeout: 10_000 }).toHaveLength(events.length);
  const everything = `${JSON.stringify(collector.spans)}${(await lines()).join("")}`;
  expect(everything).not.toContain("nobody may see");
});

test("H6 what a collector that was away did not get, it gets after a restart, and nothing twice", async () => {
  const trace = { otlp: { url: collector.url, content: "redacted" } };
  let first: string;
  {
    await using daemon = await daemonWith({ trace });
    ({ runId: first } = await daemon.ask(`earlier, with ${key}`));
    await expect.poll(() => collector.spans.length, { timeout: 10_000 }).toBe(2);
    collector.answers.push(...Array.from({ length: 50 }, () => status(503)));
    await daemon.ask("while it was away");
  }
  collector.answers.length = 0;
  await using daemon = await daemonWith({ trace });
  const { runId: last } = await daemon.ask("afterwards");
  await expect
    .poll(() => new Set(collector.spans.map(({ attributes }) => attributes["benchtop.run.id"])).size, {
      timeout: 20_000,
    })
    .toBe(3);
  await expect.poll(() => collector.spans.length, { timeout: 10_000 }).toBe(6);
  expect(new Set(collector.spans.map(({ spanId }) => spanId)).size).toBe(6);
  const ids = collector.spans.map(({ attributes }) => attributes["benchtop.run.id"]);
  expect(ids).toEqual(expect.arrayContaining([first, last]));
  expect(JSON.stringify(collector.spans)).toContain("while it was away");
  expect(JSON.stringify(collector.spans)).not.toContain(key);
});

test("H6 kill -9 loses no span: the next daemon passes on what the collector had not taken", async () => {
  const home = join(folder, "home");
  await mkdir(home, { recursive: true });
  await writeFile(join(home, "config.json"), JSON.stringify({ trace: { otlp: { url: collector.url } } }));
  const program = join(import.meta.dirname, "../../server/test/daemon-process.ts");
  const spawned = async () => {
    const child = spawn(process.execPath, [program, home, join(folder, "config")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    return { child, client: createClient(JSON.parse(line) as { url: string; token: string }) };
  };
  const first = await spawned();
  const ids: string[] = [];
  try {
    await first.client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
    collector.answers.push(...Array.from({ length: 50 }, () => status(503)));
    ids.push(await completed(first.client));
    await expect.poll(() => collector.requests.length, { timeout: 10_000 }).toBeGreaterThan(0);
    ids.push(await completed(first.client));
  } finally {
    const exited = once(first.child, "exit");
    first.child.kill("SIGKILL");
    await exited;
  }
  expect(collector.spans).toEqual([]);
  collector.answers.length = 0;

  const second = await spawned();
  try {
    const roots = () => collector.spans.filter(({ name }) => name === "invoke_agent prompt");
    await expect
      .poll(() => new Set(roots().map(({ attributes }) => attributes["benchtop.run.id"])), { timeout: 20_000 })
      .toEqual(new Set(ids));
    expect(collector.spans).toHaveLength(4);
  } finally {
    const exited = once(second.child, "exit");
    second.child.kill("SIGKILL");
    await exited;
  }
});

test("H6 headers for a collector come from the environment, and their absence stops the start", async () => {
  const trace = { otlp: { url: collector.url, headersEnv: "TEST_COLLECTOR_HEADERS" } };
  await expect(daemonWith({ trace })).rejects.toThrow(/TEST_COLLECTOR_HEADERS is not set/);
  process.env["TEST_COLLECTOR_HEADERS"] = "x-key=a%20b,authorization=Basic%20eA==";
  try {
    await using daemon = await daemonWith({ trace });
    await daemon.ask("hello");
    await expect
      .poll(() => collector.requests[0]?.headers, { timeout: 10_000 })
      .toMatchObject({
        "x-key": "a b",
        authorization: "Basic eA==",
      });
  } finally {
    delete process.env["TEST_COLLECTOR_HEADERS"];
  }
});
