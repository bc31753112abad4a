import { BenchtopError, type Journal, type Message, type RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { describe, expect, test } from "vitest";
import { journalCutAt, notedJournal } from "../../test/recorded-runs.ts";
import { calls, ends, says, scriptedProvider, used, type Act } from "../../test/scripted-provider.ts";
import { agentUnderTest, eventOf, finished, startProgram, type AgentUnderTest } from "../../test/started-runs.ts";
import { callsToUndo } from "../compensation/undo-run.ts";
import { secretsGate } from "../gates/text-gate.ts";
import { memoryJournal } from "../journal/memory.ts";
import type { Tool } from "../tools/tool.ts";
import { endRun, interruption } from "./end-run.ts";
import { forkRun, type ForkOptions } from "./fork-run.ts";
import { replayRun } from "./replay-run.ts";
import { resumeRun } from "./resume-run.ts";

const work: Tool = {
  name: "work",
  description: "Works.",
  inputSchema: { type: "object" },
  effects: "external",
  idempotent: false,
  execute: async () => ({ content: "worked" }),
};
const down: Act = { type: "throw", error: new BenchtopError("PROVIDER_AUTH_FAILED", "No.") };

/** A run that works once, and ends with what its provider's last script says. */
async function origin(...last: Act[]): Promise<{ journal: Journal; events: RunEvent[] }> {
  const journal = memoryJournal();
  const provider = scriptedProvider([says("I will."), calls("work", {}, "c1"), used(100, 10), ends()], last);
  const { events } = await finished(await startProgram(program({ provider }), { journal }));
  return { journal, events };
}

const program = (config: AgentUnderTest) => agentUnderTest({ tools: [work], ...config });

async function fork(
  { journal, events }: { journal: Journal; events: readonly RunEvent[] },
  config: Partial<AgentUnderTest>,
  options: ForkOptions,
  ...scripts: (readonly Act[])[]
) {
  const provider = scriptedProvider(...scripts);
  const handle = await forkRun(journal, events, program({ provider, ...config }), options);
  const forked = await finished(handle);
  const again = program({ provider: scriptedProvider(), ...config });
  expect(await replayRun(forked.events, again)).toMatchObject({ outcome: "identical" });
  return { ...forked, provider, journal };
}

const context = (maxTokens: number) => ({ maxTokens, reservedOutputTokens: 100, overflow: "summarize" as const });
const longHistory: Message[] = Array.from({ length: 6 }, (_, turn): Message[] => [
  { role: "user", content: `q${turn} ${"word ".repeat(5000)}` },
  { role: "assistant", content: `a${turn} ${"word ".repeat(5000)}` },
]).flat();

const done = [says("Done."), used(1, 1), ends()];

const briefly = (...scripts: (readonly Act[])[]) =>
  program({ provider: scriptedProvider(...scripts), instructions: "Be brief." });

describe("H7 a fork", () => {
  test("of a run that failed tries again, with another model or the same", async () => {
    const failed = await origin(says("Hm"), down);
    expect(failed.events.at(-1)?.type).toBe("Error");
    const { events, result, provider } = await fork(failed, {}, { model: "scripted/other" }, done);
    expect(result).toMatchObject({ status: "success", output: "Done.", totals: { steps: 0, toolCalls: 0 } });
    expect(provider.requests).toHaveLength(1);
    expect(provider.requests[0]?.messages.at(-1)).toMatchObject({ role: "tool", content: "worked" });
    expect(eventOf(events, "RunStarted")).toMatchObject({
      model: "scripted/other",
      parentRunId: failed.events[0]?.runId,
      forkedFrom: { runId: failed.events[0]?.runId, seq: failed.events.length - 1 },
    });
  });

  test("is told a hint before its first turn of its own, wherever it begins", async () => {
    const whole = await origin(says("Fine."), used(100, 10), ends());
    for (const { seq } of whole.events) {
      const { provider, result } = await fork(whole, {}, { at: seq, hint: "In metres.", userId: "bob" }, done);
      expect({ seq, status: result.status }).toEqual({ seq, status: "success" });
      const last = provider.requests.at(-1)?.messages.filter(({ content }) => content === "In metres.");
      expect({ seq, told: last }).toEqual({ seq, told: [{ role: "user", content: "In metres." }] });
    }
  });

  test("that is asked something else begins before what was asked, and does it all anew", async () => {
    const whole = await origin(says("Fine."), ends());
    const { provider, result, events } = await fork(whole, { input: "rest" }, { input: "rest" }, done);
    expect(result.totals).toMatchObject({ steps: 1, toolCalls: 0 });
    expect(provider.requests[0]?.messages).toEqual([{ role: "user", content: "rest" }]);
    expect(eventOf(events, "RunStarted")).toMatchObject({ input: "rest", forkedFrom: { seq: 0 } });
  });

  test("cannot be asked something else under what a gate decided about the old question", async () => {
    const journal = memoryJournal();
    const gates = [secretsGate({ mode: "enforcing" })];
    const provider = scriptedProvider(done);
    const { events } = await finished(await startProgram(program({ provider, gates }), { journal }));
    const body = program({ provider, gates, input: "rest" });
    await expect(forkRun(journal, events, body, { input: "rest", at: 3 })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    const handle = await forkRun(journal, events, body, { input: "rest" });
    expect(eventOf((await finished(handle)).events, "GateDecided").seq).toBeGreaterThan(1);
  });

  test("is limited by its own contract alone, however much its origin had used", async () => {
    const whole = await origin(says("Fine."), used(500, 500), ends());
    const contract = { maxTotalTokens: 60, maxSteps: 1 };
    const { result } = await fork(whole, {}, { hint: "Again.", contract }, [says("Ok."), used(20, 5), ends()]);
    expect(result).toMatchObject({ status: "success", totals: { steps: 1, usage: { inputTokens: 20 } } });
    const spent = await fork(whole, {}, { hint: "Again.", contract }, [says("Ok."), used(90, 5), ends()]);
    expect(spent.result.status).toBe("budget_exceeded");
  });

  test.for<[string, number, number]>([
    ["reads more than its origin's", 30_000, 200_000],
    ["reads less than its origin's", 200_000, 30_000],
  ])("may have a model that %s, wherever it begins", async ([, before, now]) => {
    const journal = memoryJournal();
    const provider = scriptedProvider(
      ...(before < now ? [[says("A summary."), ends()]] : []),
      [calls("work", {}, "c1"), ends()],
      [says("Fine."), ends()],
    );
    const { events } = await finished(
      await startProgram(program({ provider, history: longHistory, context: context(before) }), { journal }),
    );
    for (const { seq } of events) {
      const config = { history: longHistory, context: context(now) };
      const { result, events: own } = await fork({ journal, events }, config, { at: seq, hint: "More." }, done);
      expect({ seq, status: result.status, output: result.output }).toEqual({
        seq,
        status: "success",
        output: "Done.",
      });
      const trimmed = own.filter((event) => event.type === "ContextTrimmed");
      expect({ seq, hasTrimmed: trimmed.length > 0 }).toMatchObject(now < before ? { hasTrimmed: true } : {});
    }
  });

  test("of a fork has both behind it, and leaves what the first one did to be undone there", async () => {
    const whole = await origin(says("Fine."), used(1, 1), ends());
    const first = await fork(whole, {}, { hint: "More." }, [calls("work", {}, "c2"), ends()], done);
    expect(callsToUndo(first.events).map(({ requested }) => requested.callId)).toEqual(["c2"]);
    const second = await fork(first, {}, { hint: "And more." }, [calls("work", {}, "c3"), ends()], done);
    expect(second.provider.requests[0]?.messages.map(({ content }) => content)).toEqual([
      "go",
      "I will.",
      "worked",
      "Fine.",
      "More.",
      "",
      "worked",
      "Done.",
      "And more.",
    ]);
    expect(callsToUndo(second.events).map(({ requested }) => requested.callId)).toEqual(["c3"]);
    expect(second.events.filter((event) => event.type === "Resumed")).toHaveLength(1);
  });

  test("goes on after a crash of its own, with its own program", async () => {
    const whole = await origin(says("Fine."), ends());
    const handle = await forkRun(whole.journal, whole.events, briefly([says("half"), { type: "hang" }]), { at: 2 });
    for await (const event of handle) if (event.type === "OutputDelta") break;
    const cut = memoryJournal();
    const events = await whole.journal.read(handle.runId);
    const started = eventOf(events, "RunStarted");
    const { type: _, seq: __, at: ___, spanId: ____, ...init } = started;
    const writer = await cut.create(init as Parameters<Journal["create"]>[0]);
    for (const event of events.slice(1)) writer.write(event);
    await writer.close();
    const { result } = await finished(await resumeRun(cut, handle.runId, briefly(done)));
    expect(result).toMatchObject({ status: "success", output: "Done." });
    handle.control.abort();
    await handle.result;
  });

  test("that was cut off before it was whole is not taken up, for it would repeat what its origin did", async () => {
    const whole = await origin(says("Fine."), ends());
    const { journal, log } = notedJournal();
    const body = program({ provider: scriptedProvider(done) });
    const handle = await forkRun(journal, whole.events, body, {});
    await handle.result;
    const leaves = log.findIndex((entry) => "event" in entry && entry.event.type === "Resumed");
    expect(leaves).toBeGreaterThan(1);
    for (let length = 1; length <= leaves; length += 1) {
      const cut = await journalCutAt(log, length);
      await expect(resumeRun(cut, handle.runId, body)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      expect(await endRun(cut, handle.runId, interruption())).toBe(true);
      expect(checkInvariants(await cut.read(handle.runId), { ended: true })).toEqual([]);
    }
  });

  test.for([-1, 0.5, 99, Number.NaN])("at %s, where there is no event, is refused", async (at) => {
    const whole = await origin(says("Fine."), ends());
    const body = program({ provider: scriptedProvider(done) });
    await expect(forkRun(whole.journal, whole.events, body, { at })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
