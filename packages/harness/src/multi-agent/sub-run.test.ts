import type { Journal, RunEvent } from "@benchtop/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { journalCutAt, notedJournal } from "../../test/recorded-runs.ts";
import { calls, ends, says, scriptedProvider, used, type Act } from "../../test/scripted-provider.ts";
import { agentUnderTest, eventOf, finished, startProgram, typesOf } from "../../test/started-runs.ts";
import { approval } from "../gates/approval.ts";
import { memoryJournal, type MemoryJournal } from "../journal/memory.ts";
import { frames, LoopbackServer, openaiChatDialect } from "../provider/conformance.ts";
import { openaiChat } from "../provider/openai-chat.ts";
import { endRun, interruption } from "../replay/end-run.ts";
import { resumeRun } from "../replay/resume-run.ts";
import type { RunBody } from "../run/scope.ts";
import { agentTool, handOffTool } from "./agent-tool.ts";
import { planExecuteEvaluate } from "./plan-execute-evaluate.ts";
import { startSubRun, subRunsOn } from "./sub-run.ts";

const servers: LoopbackServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const toHelper = (task: string) => [calls("helper", { task }, "h1"), used(10, 10), ends("tool-calls")];

/** An agent whose model asks "helper" first and then says that it is done. */
function parentOf(journal: Journal, helper: RunBody, options: { handOff?: boolean; hasAsked?: boolean } = {}) {
  const answers = [toHelper("count"), [says("Done."), used(10, 10), ends()]];
  const provider = scriptedProvider(...answers.slice(options.hasAsked ? 1 : 0));
  const make = options.handOff ? handOffTool : agentTool;
  const tool = make({ name: "helper", description: "Helps.", runs: subRunsOn(journal), agent: () => helper });
  return { provider, body: agentUnderTest({ provider, tools: [tool] }) };
}

const answering = (...acts: Act[]) => agentUnderTest({ provider: scriptedProvider(acts) });
const prices = { inputPerMillion: 1, outputPerMillion: 1 };

/** Waits for an event of a run that is about to begin. */
async function comesTo(journal: MemoryJournal, runId: string, type: RunEvent["type"]): Promise<void> {
  await expect.poll(() => journal.runs.get(runId)).toBeDefined();
  for await (const event of journal.follow(runId)) if (event.type === type) return;
}

const asksToPay = [calls("pay", {}, "p1"), ends()];

/** An agent that may pay once a person has agreed. */
function payer(...scripts: (readonly Act[])[]): RunBody {
  const pay = {
    name: "pay",
    description: "Pays.",
    inputSchema: { type: "object" },
    effects: "external" as const,
    idempotent: false,
    execute: async () => ({ content: "paid" }),
  };
  const gates = [approval({ mode: "enforcing" })];
  return agentUnderTest({ provider: scriptedProvider(...scripts), tools: [pay], gates });
}

/** Says yes, once nobody drives the run any more. */
async function approved(journal: MemoryJournal, runId: string): Promise<void> {
  const child = payer([says("Paid."), ends()]);
  const resumed = () => resumeRun(journal, runId, child, { decision: "approve" }).then(() => true, isRefused);
  await expect.poll(resumed).toBe(true);
}

function isRefused(): boolean {
  return false;
}

describe("H7 a run inside a run", () => {
  test("has a journal of its own, names its parent and the call, and shares the trace", async () => {
    const journal = memoryJournal();
    const { provider, body } = parentOf(journal, answering(says("Three."), used(7, 3), ends()));
    const { events, result } = await finished(await startProgram(body, { journal }));
    const { childRunId, callId } = eventOf(events, "SubRunStarted");
    const child = await journal.read(childRunId);
    expect(eventOf(child, "RunStarted")).toMatchObject({
      parentRunId: result.runId,
      parentCallId: callId,
      traceId: events[0]?.traceId,
      input: { task: "count" },
    });
    expect(eventOf(events, "SubRunFinished")).toMatchObject({ childRunId, status: "success", output: "Three." });
    expect(provider.requests[1]?.messages.at(-1)).toMatchObject({ role: "tool", content: "Three." });
    expect(result.totals).toMatchObject({
      usage: { inputTokens: 20, outputTokens: 20 },
      children: { runs: 1, usage: { inputTokens: 7, outputTokens: 3 } },
    });
  });

  test("fails for itself: the parent is told the cause, and goes on", async () => {
    const journal = memoryJournal();
    const { provider, body } = parentOf(journal, answering(ends("length")));
    const failing: RunBody = async (run) => {
      await body(run);
      throw interruption();
    };
    const parent = parentOf(journal, failing);
    const { events, result } = await finished(await startProgram(parent.body, { journal }));
    expect(eventOf(events, "SubRunFinished")).toMatchObject({
      status: "error",
      error: { error_code: "RUN_INTERRUPTED" },
    });
    expect(parent.provider.requests[1]?.messages.at(-1)).toMatchObject({
      isError: true,
      content: expect.stringContaining("RUN_INTERRUPTED"),
    });
    expect(result.status).toBe("success");
    expect(provider.requests).toHaveLength(2);
  });

  test("gets no more than its parent has left, through any number of levels", async () => {
    const journal = memoryJournal();
    const runs = subRunsOn(journal);
    const leaf = agentUnderTest({ provider: scriptedProvider([says("x"), used(100, 100), ends()]), prices });
    const level: RunBody = async (run) => {
      await startSubRun(run, runs, { name: "first", body: leaf, input: null, contract: { maxSteps: 3 } });
      await startSubRun(run, runs, { name: "second", body: leaf, input: null });
      return { output: "" };
    };
    const top: RunBody = async (run) => {
      await startSubRun(run, runs, { name: "level", body: level, input: null });
      return { output: "" };
    };
    const contract = { maxTotalTokens: 1000, maxCostMicros: 5000, maxDurationMs: 60_000, maxSteps: 9 };
    const { result } = await finished(await startProgram(top, { journal, contract }));
    expect(result.totals.children).toEqual({
      runs: 3,
      usage: { inputTokens: 200, outputTokens: 200 },
      costMicros: 400,
    });
    const { items } = await journal.runs.list();
    const contracts = Object.fromEntries(items.map(({ runId, contract }, place) => [place, { runId, contract }]));
    expect(contracts[0]?.contract).toMatchObject({ maxTotalTokens: 800, maxCostMicros: 4800, maxSteps: 9 });
    expect(contracts[1]?.contract).toMatchObject({ maxTotalTokens: 1000, maxCostMicros: 5000, maxSteps: 3 });
    for (const { contract } of items) expect(contract.maxDurationMs).toBeLessThanOrEqual(60_000);
  });

  test("that uses the budget up ends for it, and a further one is not begun", async () => {
    const journal = memoryJournal();
    const runs = subRunsOn(journal);
    const leaf = agentUnderTest({ provider: scriptedProvider([says("x"), used(600, 600), ends()]) });
    const top: RunBody = async (run) => {
      const first = await startSubRun(run, runs, { name: "first", body: leaf, input: null });
      expect(first.status).toBe("budget_exceeded");
      await startSubRun(run, runs, { name: "second", body: leaf, input: null });
      return { output: "" };
    };
    const { events, result } = await finished(await startProgram(top, { journal, contract: { maxTotalTokens: 1000 } }));
    expect(result.error?.code).toBe("BUDGET_CAP_REACHED");
    expect(events.filter((event) => event.type === "SubRunStarted")).toHaveLength(1);
  });

  test("is canceled with its parent: its connection is closed, and the parent ends after it", async () => {
    const server = await LoopbackServer.start(() => ({
      chunks: [frames(openaiChatDialect.events({ text: ["Let me "] }).slice(0, 2))],
      ending: "hang",
    }));
    servers.push(server);
    const journal = memoryJournal();
    const helper = agentUnderTest({ provider: openaiChat({ id: "loopback", baseUrl: server.url }) });
    const handle = await startProgram(parentOf(journal, helper).body, { journal });
    for await (const event of handle) {
      if (event.type !== "SubRunStarted") continue;
      await comesTo(journal, event.childRunId, "OutputDelta");
      handle.control.abort();
    }
    await server.abandoned();
    const { events, result } = await finished(handle);
    expect(eventOf(events, "SubRunFinished").error?.error_code).toBe("USER_CANCELED");
    expect(result.error?.code).toBe("USER_CANCELED");
  });

  test("that waits for a person keeps its parent waiting, and goes on with it", async () => {
    const journal = memoryJournal();
    const handle = await startProgram(parentOf(journal, payer(asksToPay)).body, { journal });
    for await (const event of handle) {
      if (event.type !== "SubRunStarted") continue;
      await comesTo(journal, event.childRunId, "Suspended");
      await approved(journal, event.childRunId);
    }
    const { events, result } = await finished(handle);
    expect(eventOf(events, "SubRunFinished").output).toBe("Paid.");
    expect(result.output).toBe("Done.");
  });

  test("that waits for a person is waited for by another process, too, after a crash", async () => {
    const { journal, log } = notedJournal();
    const first = await startProgram(parentOf(journal, payer(asksToPay)).body, { journal });
    let childRunId = "";
    for await (const event of first) {
      if (event.type !== "SubRunStarted") continue;
      ({ childRunId } = event);
      await comesTo(journal, childRunId, "Suspended");
      break;
    }
    const cut = await journalCutAt(log, log.length);
    first.control.abort();
    await first.result;

    const { provider, body } = parentOf(cut, payer(asksToPay), { hasAsked: true });
    const handle = await resumeRun(cut, first.runId, body);
    await approved(cut, childRunId);
    const { events, result } = await finished(handle);
    expect(result).toMatchObject({ status: "success", totals: { children: { runs: 1 } } });
    expect(events.filter((event) => event.type === "SubRunStarted")).toHaveLength(1);
    expect(provider.requests).toHaveLength(1);
  });

  test("that waits for a person ends when its parent is canceled", async () => {
    const journal = memoryJournal();
    const handle = await startProgram(parentOf(journal, payer(asksToPay)).body, { journal });
    for await (const event of handle) {
      if (event.type !== "SubRunStarted") continue;
      await comesTo(journal, event.childRunId, "Suspended");
      handle.control.abort();
    }
    const { events } = await finished(handle);
    const { childRunId, error } = eventOf(events, "SubRunFinished");
    expect(error?.error_code).toBe("USER_CANCELED");
    expect((await journal.read(childRunId)).at(-1)).toMatchObject({ error: { error_code: "USER_CANCELED" } });
  });

  test("that was open when its parent's process died ends with its parent, and what it used is known", async () => {
    const journal = memoryJournal();
    const init = { traceId: "t", kind: "agent", userId: "u", contract: {}, input: null };
    const parent = await journal.create({ ...init, runId: "parent" });
    const child = await journal.create({ ...init, runId: "child", parentRunId: "parent" });
    parent.write({ type: "SubRunStarted", childRunId: "child", name: "helper" });
    child.write({ type: "StepStarted", step: 1 });
    await Promise.all([parent.close(), child.close()]);
    await endRun(journal, "parent", interruption());
    expect(typesOf(await journal.read("child"))).toEqual(["RunStarted", "StepStarted", "StepFinished", "Error"]);
    expect(typesOf(await journal.read("parent"))).toEqual(["RunStarted", "SubRunStarted", "SubRunFinished", "Error"]);
    expect(eventOf(await journal.read("parent"), "SubRunFinished")).toMatchObject({
      status: "error",
      totals: { steps: 1 },
    });
  });
});

const alwaysFailing: RunBody = () => Promise.reject(interruption());

describe("H7 a hand-off", () => {
  test("ends the run with the answer of the agent that took over", async () => {
    const journal = memoryJournal();
    const { provider, body } = parentOf(journal, answering(says("I have it now."), ends()), { handOff: true });
    const { result } = await finished(await startProgram(body, { journal }));
    expect(result).toMatchObject({ status: "success", output: "I have it now." });
    expect(provider.requests).toHaveLength(1);
  });

  test("that failed goes back to the agent that handed off", async () => {
    const journal = memoryJournal();
    const { provider, body } = parentOf(journal, alwaysFailing, { handOff: true });
    const { result } = await finished(await startProgram(body, { journal }));
    expect(result.output).toBe("Done.");
    expect(provider.requests).toHaveLength(2);
  });
});

const role = (...answers: string[]) => scriptedProvider(...answers.map((text) => [says(text), used(1, 1), ends()]));
const plan = (...steps: string[]) => JSON.stringify({ steps });
const verdict = (accepted: boolean, feedback = "") => JSON.stringify({ accepted, feedback });

async function worked(roles: Record<"planner" | "executor" | "evaluator", ReturnType<typeof role>>, maxRounds = 3) {
  const journal = memoryJournal();
  const body = planExecuteEvaluate({
    task: "Build it.",
    runs: subRunsOn(journal),
    maxRounds,
    planner: (input, output) => agentUnderTest({ provider: roles.planner, input, output }),
    executor: (input) => agentUnderTest({ provider: roles.executor, input }),
    evaluator: (input, output) => agentUnderTest({ provider: roles.evaluator, input, output }),
  });
  return await finished(await startProgram(body, { journal }));
}

const asked = ({ requests }: ReturnType<typeof role>, place: number): string =>
  requests[place]?.messages.at(-1)?.content ?? "";

describe("H7 plan, execute, evaluate", () => {
  test("is done when the judge accepts", async () => {
    const roles = { planner: role(plan("a", "b")), executor: role("did a", "did b"), evaluator: role(verdict(true)) };
    const { events, result } = await worked(roles);
    expect(result).toMatchObject({ output: "did b", result: { accepted: true, rounds: 1 } });
    expect(events.flatMap((event) => (event.type === "SubRunStarted" ? [event.name] : []))).toEqual([
      "planner 1",
      "executor 1.1",
      "executor 1.2",
      "evaluator 1",
    ]);
    expect(asked(roles.executor, 1)).toContain("did a");
  });

  test("plans anew with the judge's feedback, as often as it may", async () => {
    const roles = {
      planner: role(plan("a")),
      executor: role("did a"),
      evaluator: role(verdict(false, "Too short.")),
    };
    const { result } = await worked(roles, 2);
    expect(asked(roles.planner, 1)).toContain("Too short.");
    expect(result).toMatchObject({ status: "success", result: { accepted: false, rounds: 2, feedback: "Too short." } });
  });

  test("tells the judge of a step that failed, and does the others", async () => {
    const failing = scriptedProvider([{ type: "throw", error: interruption() }], [says("did b"), ends()]);
    const roles = { planner: role(plan("a", "b")), executor: failing, evaluator: role(verdict(true)) };
    const { result } = await worked(roles);
    expect(asked(roles.evaluator, 0)).toContain("This step failed");
    expect(result.output).toBe("did b");
  });

  test("ends with the failure of a planner", async () => {
    const roles = { planner: role("no plan"), executor: role("x"), evaluator: role(verdict(true)) };
    const { result } = await worked(roles);
    expect(result.error?.info).toMatchObject({ error_code: "VALIDATION_FAILED", subphase: "output" });
  });
});
