import {
  agentLoop,
  memoryJournal,
  startRun,
  type Candidate,
  type ProviderAdapter,
  type RunResult,
} from "@benchtop/harness";
import { BenchtopError, newId, newTraceId, type RunEvent } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failureOf } from "../../test/runtime-failure.ts";
import { ScriptedModels, ScriptedStart } from "../../test/runtime-scripted-llama.ts";
import { OllamaServer } from "../../test/runtime-servers/ollama.ts";
import { Fleet } from "./embedded/fleet.ts";
import { ollamaRuntime } from "./remote/ollama.ts";

const spare: ProviderAdapter = {
  id: "spare",
  async *stream() {
    yield [];
    yield [{ type: "text", text: "from the spare one" }];
    yield [{ type: "finish", reason: "stop" }];
  },
};

/** Runs a plan of a model and then the spare one, with two attempts each and no wait. */
async function run(first: Candidate): Promise<{ result: RunResult; asked: string[]; errors: string[] }> {
  const init = {
    runId: newId("run"),
    traceId: newTraceId(),
    kind: "test",
    userId: "tester",
    contract: {},
    input: "go",
  };
  const body = agentLoop({
    input: "go on",
    candidates: [first, { provider: spare, modelId: "spare" }],
    reliability: { retry: { maxAttempts: 2, initialDelayMs: 0 } },
  });
  const handle = await startRun(memoryJournal(), init, body);
  const events: RunEvent[] = [];
  for await (const event of handle) events.push(event);
  return {
    result: await handle.result,
    asked: events.flatMap((event) =>
      event.type === "ProviderCallStarted" ? [`${event.providerId}/${event.modelId}`] : [],
    ),
    errors: events.flatMap((event) =>
      event.type === "ProviderCallFinished" && event.error ? [event.error.error_code] : [],
    ),
  };
}

describe("P2.3 a plan goes on with its next model", () => {
  let models: ScriptedModels;
  let processes: ScriptedStart;
  let fleet: Fleet;
  beforeEach(() => {
    models = new ScriptedModels();
    processes = new ScriptedStart();
    for (const name of ["small-10", "huge-500"]) models.add(name);
    fleet = new Fleet({
      id: "benchtop",
      models,
      start: processes.start,
      estimateMemory: ({ name }) => Number(name.split("-")[1]),
      memory: { bytes: 100 },
      maxWaiting: 1,
      firstRetryDelayMs: 1,
    });
  });
  afterEach(async () => {
    await fleet.close();
    models.remove();
  });
  const local = (modelId: string): Candidate => ({ provider: fleet.adapter(modelId), modelId });

  test.for<[string, () => void, string, readonly string[]]>([
    ["is not installed", () => {}, "gone", ["PROVIDER_NOT_CONFIGURED"]],
    ["can never be loaded", () => {}, "huge-500", ["PROVIDER_UNAVAILABLE"]],
    [
      "cannot be opened",
      () => processes.failures.push(new BenchtopError("VALIDATION_FAILED", "No model.")),
      "small-10",
      ["VALIDATION_FAILED"],
    ],
    [
      "crashes whenever it is loaded",
      () => processes.failures.push(new Error("crash"), new Error("crash"), new Error("crash")),
      "small-10",
      ["PROVIDER_UNAVAILABLE", "PROVIDER_UNAVAILABLE"],
    ],
  ])("when the first one %s", async ([, prepare, model, codes]) => {
    prepare();
    const { result, asked, errors } = await run(local(model));
    expect([result.output, asked.at(-1), errors]).toEqual(["from the spare one", "spare/spare", codes]);
  });

  test("when the first one crashes in the middle of its answer, twice", async () => {
    const running = run(local("small-10"));
    for (const count of [1, 2]) {
      await expect.poll(() => processes.started[count - 1]?.state.busy).toBe(1);
      processes.started[count - 1]?.crash();
    }
    const { result, errors } = await running;
    expect([result.output, errors]).toEqual(["from the spare one", ["PROVIDER_UNAVAILABLE", "PROVIDER_UNAVAILABLE"]]);
  });

  test("when too many wait for the first one", async () => {
    const abort = new AbortController();
    const request = { modelId: "small-10", messages: [{ role: "user" as const, content: "go on" }] };
    const ask = async (): Promise<void> => {
      for await (const _ of fleet.adapter("small-10").stream(request, abort.signal));
    };
    const others = [failureOf(ask()), failureOf(ask())];
    await expect.poll(async () => (await fleet.metrics(abort.signal)).waiting).toBe(1);
    const { result, errors } = await run(local("small-10"));
    expect([result.output, errors]).toEqual(["from the spare one", ["PROVIDER_RATE_LIMITED", "PROVIDER_RATE_LIMITED"]]);
    abort.abort();
    expect((await Promise.all(others)).map(({ code }) => code)).toEqual(["USER_CANCELED", "USER_CANCELED"]);
  });

  test("when a server is down, does not know the model, or answers with another", async () => {
    const server = await new OllamaServer().listen();
    const ollama = ollamaRuntime({ id: "ollama", baseUrl: server.url, look: fetch, ask: fetch });
    const remote = (modelId: string): Candidate => ({ provider: ollama.adapter(modelId), modelId });
    expect((await run(remote("unknown"))).errors).toEqual(["PROVIDER_NOT_CONFIGURED"]);
    server.misbehave("impostor");
    const { result, errors } = await run(remote("tiny"));
    expect([result.output, errors]).toEqual(["from the spare one", ["PROVIDER_NOT_CONFIGURED"]]);
    await server.close();
    expect((await run(remote("tiny"))).errors).toEqual(["NETWORK_UNAVAILABLE", "NETWORK_UNAVAILABLE"]);
  });
});
