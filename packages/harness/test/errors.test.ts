import type { Journal, RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { describe, expect, test } from "vitest";
import {
  agentLoop,
  callsToUndo,
  endRun,
  forkRun,
  interruption,
  memoryJournal,
  planExecuteEvaluate,
  resumeRun,
  startSubRun,
  subRunsOn,
  ToolRegistry,
  undoRun,
  type Gate,
  type JsonSchema,
  type RunBody,
  type Tool,
} from "../src/index.ts";
import { runSuite } from "../src/evals/run-suite.ts";
import { parseSuite } from "../src/evals/suite-file.ts";
import { calls, ends, says, scriptedProvider, used } from "./scripted-provider.ts";
import { agentUnderTest, eventOf, finished, startAgent, startProgram } from "./started-runs.ts";

/** Failures that a run comes to seldom. */

const charge: Tool = {
  name: "charge",
  description: "Charges.",
  inputSchema: { type: "object" },
  effects: "external",
  idempotent: false,
  execute: async () => ({ content: "charged" }),
};
const child: RunBody = async () => ({ output: "child" });
const role = () => child;
const runCase = () => Promise.reject(new Error("It was asked."));
const number: JsonSchema = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };

describe("H4 a plan that nobody can serve", () => {
  test("says of each model why", async () => {
    const provider = scriptedProvider([says("x"), ends()]);
    const candidates = [{ provider, modelId: "small", capabilities: { tools: false } }] as const;
    const { events, result } = await finished(
      await startProgram(agentLoop({ candidates, input: "go", tools: [charge] })),
    );
    expect(result.error).toMatchObject({ code: "VALIDATION_FAILED", message: expect.stringContaining("small") });
    expect(eventOf(events, "CandidatesSkipped").skipped).toHaveLength(1);
    expect(provider.requests).toEqual([]);
  });
});

describe("H1 an answer that has to follow a schema", () => {
  test("and does not, also after it was corrected, ends the run", async () => {
    const provider = scriptedProvider([says("no number"), ends()]);
    const { result } = await finished(await startAgent({ provider, output: { name: "number", schema: number } }));
    expect(result.error?.info).toMatchObject({
      error_code: "VALIDATION_FAILED",
      subphase: "output",
      detail: { schema: "number" },
    });
    expect(provider.requests).toHaveLength(2);
  });
});

describe("H7 a run that was cut off", () => {
  test("waits where nobody knows whether a tool took effect; skipped, the model is told and the tool not run", async () => {
    const journal = memoryJournal();
    const runId = await killedInTool(journal);
    let ran = false;
    const watched = { ...charge, execute: async () => ((ran = true), { content: "" }) };
    const body = agentUnderTest({ provider: scriptedProvider([says("as you wish"), ends()]), tools: [watched] });
    const waiting = await (await resumeRun(journal, runId, body)).result;
    expect(waiting).toMatchObject({ status: "suspended", suspended: { reason: "outcome-unknown", tool: "charge" } });

    await expect(resumeRun(journal, runId, body)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await expect(resumeRun(journal, runId, body, { decision: "approve" })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    const { events } = await finished(await resumeRun(journal, runId, body, { decision: "skip", note: "I saw it." }));
    expect(eventOf(events, "ToolCallFinished")).toMatchObject({
      outcome: "unknown",
      content: expect.stringContaining("I saw it."),
      error: { error_code: "RUN_INTERRUPTED" },
    });
    expect(ran).toBe(false);
  });

  test("takes no decision that it does not wait for", async () => {
    const journal = memoryJournal();
    const runId = await killedInTool(journal);
    const body = agentUnderTest({ provider: scriptedProvider([says("x"), ends()]), tools: [charge] });
    await expect(resumeRun(journal, runId, body, { decision: "retry" })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
  });

  test("is ended without its program: what was open is closed, and its failure says why", async () => {
    const journal = memoryJournal();
    const runId = await killedInTool(journal);
    expect(await endRun(journal, runId, interruption())).toBe(true);
    const events = await journal.read(runId);
    expect(checkInvariants(events, { ended: true })).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "RUN_INTERRUPTED", run_id: runId } });
    expect(await endRun(journal, runId, interruption())).toBe(false);
  });
});

describe("H7 a fork", () => {
  test("of an event that is not there is refused", async () => {
    const { journal, events, body } = await ended();
    await expect(forkRun(journal, events, body, { at: 999 })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(forkRun(journal, events, body, { at: -1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("that is asked something else does not pass under what a gate said of the old question", async () => {
    const { journal, events, body } = await ended([
      { name: "g", points: ["input"], mode: "enforcing", check: async () => ({ decision: "allow" }) },
    ]);
    const at = events.length - 1;
    await expect(forkRun(journal, events, body, { at, input: "Something else." })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
  });
});

describe("H7 an undo", () => {
  test("ends where a compensation fails, and says so without its words", async () => {
    const journal = memoryJournal();
    const provider = scriptedProvider([calls("charge", {}), ends()], [says("done"), ends()]);
    const tool: Tool = {
      ...charge,
      compensate: async () => {
        throw new Error("secret words");
      },
    };
    const { events } = await finished(await startAgent({ provider, tools: [tool] }, { journal }));
    const undo = undoRun(callsToUndo(events), new ToolRegistry([tool]));
    const undone = await finished(await startProgram(undo, { journal }));
    expect(undone.result.error?.info).toMatchObject({ error_code: "TOOL_FAILED", subphase: "undo" });
    expect(eventOf(undone.events, "Compensated")).toMatchObject({
      outcome: "error",
      error: { error_code: "TOOL_FAILED" },
    });
    expect(JSON.stringify(undone.events)).not.toContain("secret words");
  });
});

describe("H2 a run inside a run", () => {
  test("is not started by a run that has used up its budget", async () => {
    const journal = memoryJournal();
    const body: RunBody = async (run) => {
      const callId = "call_1";
      const asked = { providerId: "p", modelId: "m", attempt: 1, requestHash: "0", messageCount: 1 };
      run.write({ type: "ProviderCallStarted", callId, ...asked });
      const usage = { inputTokens: 60, outputTokens: 40 };
      run.write({ type: "ProviderCallFinished", callId, outcome: "success", usage, durationMs: 1 });
      await startSubRun(run, subRunsOn(journal), { name: "helper", body: child, input: null });
      return { output: "" };
    };
    const { result } = await finished(await startProgram(body, { journal, contract: { maxTotalTokens: 100 } }));
    expect(result.error?.info).toMatchObject({ error_code: "BUDGET_CAP_REACHED", detail: { limit: "maxTotalTokens" } });
  });

  test("that waits for a person is ended with the run that started it", async () => {
    const journal = memoryJournal();
    const asks: Gate = {
      name: "g",
      points: ["tool-call"],
      mode: "enforcing",
      check: async () => ({ decision: "ask", question: "May it?" }),
    };
    const provider = scriptedProvider([calls("charge", {}), ends()]);
    const waiting = agentUnderTest({ provider, tools: [charge], gates: [asks] });
    const parent: RunBody = async (run) => {
      const { status } = await startSubRun(run, subRunsOn(journal), { name: "helper", body: waiting, input: null });
      return { output: status };
    };
    const handle = await startProgram(parent, { journal });
    const { childRunId } = await firstOf(handle, "SubRunStarted");
    for await (const event of journal.follow(childRunId)) if (event.type === "Suspended") break;
    handle.control.abort();
    const { result } = await finished(handle);
    expect(result.output).toBe("error");
    const events = await journal.read(childRunId);
    expect(checkInvariants(events, { ended: true })).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "USER_CANCELED" } });
  });

  test("whose journal closes before its end is interrupted", async () => {
    const memory = memoryJournal();
    const closing: Journal = {
      ...memory,
      follow: async function* () {
        yield* [];
      },
    };
    const parent: RunBody = async (run) => {
      await startSubRun(run, subRunsOn(closing), { name: "helper", body: child, input: null });
      return { output: "" };
    };
    const { result } = await finished(await startProgram(parent, { journal: memory }));
    expect(result.error?.code).toBe("RUN_INTERRUPTED");
  });

  test("that plans without a plan ends the whole", async () => {
    const journal = memoryJournal();
    const body = planExecuteEvaluate({
      task: "t",
      planner: role,
      executor: role,
      evaluator: role,
      runs: subRunsOn(journal),
    });
    const { result } = await finished(await startProgram(body, { journal }));
    expect(result.error).toMatchObject({ code: "VALIDATION_FAILED", message: expect.stringContaining("planner") });
  });
});

test("H6 a suite that became invalid after it was parsed is not run", async () => {
  const suite = parseSuite({
    name: "sums",
    models: ["test/adder"],
    prompt: "What is {{input}}?",
    evaluators: [{ type: "numeric" }],
    cases: [{ id: "a", input: "1+1", expected: 2 }],
  });
  await expect(runSuite({ ...suite, prompt: "What is {{nothing}}?" }, { runCase })).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
  });
});

/** A run whose process was killed while its tool ran. */
async function killedInTool(journal: Journal): Promise<string> {
  const provider = scriptedProvider([calls("charge", {}, "c1"), used(1, 1), ends()]);
  const whole = await finished(await startAgent({ provider, tools: [charge] }, { contract: { maxSteps: 1 } }));
  const open = whole.events.findIndex((event) => event.type === "ToolCallRequested");
  const init = { runId: "run_killed", traceId: "t", kind: "test", userId: "tester", contract: {}, input: "go" };
  const writer = await journal.create(init);
  for (const { runId: _, seq, at: __, traceId: ___, ...event } of whole.events.slice(0, open + 1)) {
    if (seq > 0) writer.write(event);
  }
  await writer.close();
  return writer.runId;
}

async function ended(gates: readonly Gate[] = []): Promise<{ journal: Journal; events: RunEvent[]; body: RunBody }> {
  const journal = memoryJournal();
  const body = agentUnderTest({ provider: scriptedProvider([says("x"), ends()]), gates });
  const { events } = await finished(await startProgram(body, { journal }));
  return { journal, events, body };
}

async function firstOf<Type extends RunEvent["type"]>(
  events: AsyncIterable<RunEvent>,
  type: Type,
): Promise<Extract<RunEvent, { type: Type }>> {
  for await (const event of events) if (event.type === type) return event as Extract<RunEvent, { type: Type }>;
  throw new Error(`There is no ${type}.`);
}
