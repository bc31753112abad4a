import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BenchtopError, type Decision, type Journal } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { openStore } from "@benchtop/store";
import { describe, expect, test } from "vitest";
import { approval, endRun, memoryJournal, replayRun, resumeRun, type RunBody, type Tool } from "../src/index.ts";
import { journalCutAt, notedJournal } from "./recorded-runs.ts";
import { calls, ends, says, scriptedProvider, type Act } from "./scripted-provider.ts";
import { agentUnderTest, eventOf, finished, startProgram, typesOf } from "./started-runs.ts";

const payment = [says("I will pay."), calls("pay", { euros: 5 }, "c1"), ends()];
const thanks: readonly Act[] = [says("Paid."), ends()];

/** An agent that may pay once a person has agreed; counts what it asked and paid. */
function payer(...scripts: (readonly Act[])[]) {
  const provider = scriptedProvider(...scripts);
  const paid: string[] = [];
  const pay: Tool = {
    name: "pay",
    description: "Pays.",
    inputSchema: { type: "object" },
    effects: "external",
    idempotent: false,
    execute: async (_, { callId }) => {
      paid.push(callId);
      return { content: "paid" };
    },
  };
  const gates = [approval({ mode: "enforcing", effects: ["external"] })];
  return { provider, paid, body: agentUnderTest({ provider, tools: [pay], gates }), pay };
}

async function suspendedRun(journal: Journal): Promise<string> {
  const handle = await startProgram(payer(payment).body, { journal });
  const { events, result } = await finishedPart(journal, handle);
  expect(result.status).toBe("suspended");
  expect(eventOf(events, "Suspended")).toMatchObject({
    reason: "approval",
    callId: "c1",
    tool: "pay",
    gate: "approval",
  });
  return handle.runId;
}

async function finishedPart(journal: Journal, handle: Awaited<ReturnType<typeof resumeRun>>) {
  const result = await handle.result;
  return { result, events: await journal.read(handle.runId) };
}

describe("H6 a call that a person has to approve", () => {
  test("is made once it was approved, and nothing before it is repeated", async () => {
    const journal = memoryJournal();
    const runId = await suspendedRun(journal);
    const { provider, paid, body } = payer(thanks);
    const handle = await resumeRun(journal, runId, body, { decision: "approve", userId: "ada" });
    const { events, result } = await finished(handle);
    expect(result).toMatchObject({ status: "success", output: "Paid." });
    expect(paid).toEqual(["c1"]);
    expect(provider.requests).toHaveLength(1);
    expect(typesOf(events).slice(-9)).toEqual(
      [
        "Resumed",
        "ToolCallRequested",
        "ToolCallFinished",
        "StepFinished",
        "StepStarted",
        "ProviderCallStarted",
        "OutputDelta",
        "ProviderCallFinished",
        "StepFinished",
        "Completed",
      ].slice(-9),
    );
    expect(eventOf(events, "Resumed")).toMatchObject({ reason: "decision", decision: "approve", userId: "ada" });
    expect(await replayRun(events, payer().body)).toMatchObject({ outcome: "identical" });
  });

  test("is not made when it was denied; the model is told, with the person's words", async () => {
    const journal = memoryJournal();
    const runId = await suspendedRun(journal);
    const { provider, paid, body } = payer(thanks);
    const handle = await resumeRun(journal, runId, body, { decision: "deny", note: "Too much." });
    const { events } = await finished(handle);
    expect(paid).toEqual([]);
    expect(eventOf(events, "ToolCallFinished")).toMatchObject({
      outcome: "denied",
      error: { error_code: "POLICY_DENIED" },
    });
    expect(provider.requests[0]?.messages.at(-1)).toMatchObject({
      role: "tool",
      isError: true,
      content: "The person did not allow this call. They say: Too much.",
    });
    expect(await replayRun(events, payer().body)).toMatchObject({ outcome: "identical" });
  });

  test.for<Decision | undefined>([undefined, "retry", "skip"])(
    "waits on when the decision is %s, which is not what it waits for",
    async (decision) => {
      const journal = memoryJournal();
      const runId = await suspendedRun(journal);
      const before = await journal.read(runId);
      const resumed = resumeRun(journal, runId, payer(thanks).body, decision ? { decision } : {});
      await expect(resumed).rejects.toMatchObject({ code: "VALIDATION_FAILED", info: { subphase: "resume" } });
      expect(await journal.read(runId)).toEqual(before);
    },
  );

  test("is decided once: of two who decide at the same time one is refused, and so is everybody after them", async () => {
    const journal = memoryJournal();
    const runId = await suspendedRun(journal);
    const { paid, body } = payer(thanks);
    const both = await Promise.allSettled([
      resumeRun(journal, runId, body, { decision: "approve" }),
      resumeRun(journal, runId, body, { decision: "approve" }),
    ]);
    const won = both.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(won).toHaveLength(1);
    expect(both.find((one) => one.status === "rejected")?.reason).toMatchObject({ code: "RUN_INTERRUPTED" });
    await won[0]?.result;
    await expect(resumeRun(journal, runId, body, { decision: "approve" })).rejects.toMatchObject({
      code: "RUN_INTERRUPTED",
    });
    expect(paid).toEqual(["c1"]);
  });

  test("is never made when the run is canceled while it waits", async () => {
    const journal = memoryJournal();
    const runId = await suspendedRun(journal);
    const canceled = new BenchtopError("USER_CANCELED", "The run was canceled.");
    expect(await endRun(journal, runId, canceled)).toBe(true);
    expect(await endRun(journal, runId, canceled)).toBe(false);
    const events = await journal.read(runId);
    expect(checkInvariants(events, { ended: true })).toEqual([]);
    expect(typesOf(events).slice(-3)).toEqual(["Suspended", "StepFinished", "Error"]);
    expect(await replayRun(events, payer().body)).toMatchObject({ outcome: "identical" });
  });

  test("leaves the run as it was when its program is another now, unless that is accepted", async () => {
    const journal = memoryJournal();
    const runId = await suspendedRun(journal);
    const before = await journal.read(runId);
    const { provider, paid, pay } = payer(thanks);
    const gates = [approval({ mode: "enforcing", effects: ["external"] })];
    const other = agentUnderTest({ provider, tools: [pay], gates, instructions: "Be quick." });
    await expect(resumeRun(journal, runId, other, { decision: "approve" })).rejects.toMatchObject({
      code: "REPLAY_DIVERGED",
      info: { detail: { field: "request.instructions, request.messages" } },
    });
    expect(await journal.read(runId)).toEqual(before);
    const accepted = await resumeRun(journal, runId, other, { decision: "approve", onDivergence: "accept" });
    expect((await accepted.result).output).toBe("Paid.");
    expect(paid).toEqual(["c1"]);
  });
});

const withLook = (pay: Tool) => [pay, { ...pay, name: "look", idempotent: true }];

function program(): { body: RunBody; paid: string[] } {
  const { provider, paid, pay } = payer(thanks);
  return { body: agentUnderTest({ provider, tools: withLook({ ...pay, concurrent: true }) }), paid };
}

/** Reads, asks, asks once more, then pays. */
function asker(idempotent: boolean, ...scripts: (readonly Act[])[]) {
  const log: string[] = [];
  const pay: Tool = {
    name: "pay",
    description: "Pays.",
    inputSchema: { type: "object" },
    effects: "external",
    idempotent,
    execute: async (_, { ask }) => {
      log.push("started");
      if (!ask("Pay five euros?").approved) return { content: "not paid" };
      const { approved, note } = ask("To whom?");
      if (!approved) return { content: "nobody" };
      log.push(`paid ${note}`);
      return { content: `paid ${note}` };
    },
  };
  return { log, body: agentUnderTest({ provider: scriptedProvider(...scripts), tools: [pay] }) };
}

describe("H6 a tool that asks in its middle", () => {
  test("takes no process while it waits, and gets each answer once it is given", async () => {
    const journal = memoryJournal();
    const first = asker(true, payment);
    const handle = await startProgram(first.body, { journal });
    expect(await handle.result).toMatchObject({
      status: "suspended",
      suspended: { reason: "question", callId: "c1", question: "Pay five euros?" },
    });
    const { runId } = handle;
    const second = await resumeRun(journal, runId, asker(true, payment).body, { decision: "approve" });
    expect((await second.result).suspended?.question).toBe("To whom?");

    const last = asker(true, thanks);
    const third = await resumeRun(journal, runId, last.body, { decision: "approve", note: "Ada" });
    expect((await third.result).output).toBe("Paid.");
    expect([first.log, last.log]).toEqual([["started"], ["started", "paid Ada"]]);
    const events = await journal.read(runId);
    expect(checkInvariants(events, { ended: true })).toEqual([]);
    expect(eventOf(events, "ToolCallFinished")).toMatchObject({ outcome: "success", content: "paid Ada" });
    expect(typesOf(events).filter((type) => type === "ToolCallRequested")).toHaveLength(1);
    expect(await replayRun(events, asker(true).body)).toMatchObject({ outcome: "identical" });
  });

  test("is told no like it is told yes", async () => {
    const journal = memoryJournal();
    const handle = await startProgram(asker(true, payment).body, { journal });
    await handle.result;
    const { log, body } = asker(true, thanks);
    const resumed = await resumeRun(journal, handle.runId, body, { decision: "deny" });
    await resumed.result;
    expect(log).toEqual(["started"]);
    expect(eventOf(await journal.read(handle.runId), "ToolCallFinished").content).toBe("not paid");
  });

  test("may not, when it must not be executed again: the model is told, and nothing waits", async () => {
    const { body } = asker(false, payment, thanks);
    const { events, result } = await finished(await startProgram(body));
    expect(result.status).toBe("success");
    expect(eventOf(events, "ToolCallFinished")).toMatchObject({
      outcome: "error",
      error: { error_code: "TOOL_FAILED" },
    });
  });
});

describe("H7 a call whose outcome nobody knows after a crash", () => {
  const both = [calls("look", {}, "l1"), calls("pay", {}, "c1"), ends()];

  async function crashed(): Promise<{ journal: Journal; runId: string }> {
    const { journal, log } = notedJournal();
    const { provider, pay } = payer(both, thanks);
    const concurrent = withLook({ ...pay, concurrent: true });
    const handle = await startProgram(agentUnderTest({ provider, tools: concurrent }), { journal });
    await handle.result;
    const lastRequest = log.findLastIndex((entry) => "event" in entry && entry.event.type === "ToolCallRequested");
    return { journal: await journalCutAt(log, lastRequest + 1), runId: handle.runId };
  }

  test.for<["retry" | "skip", readonly string[], string]>([
    ["retry", ["c1"], "success"],
    ["skip", [], "unknown"],
  ])(
    "is asked about, once nothing else is going; %s says what becomes of it",
    async ([decision, executed, outcome]) => {
      const { journal, runId } = await crashed();
      const first = program();
      const waiting = await (await resumeRun(journal, runId, first.body)).result;
      expect(waiting).toMatchObject({ status: "suspended", suspended: { reason: "outcome-unknown", callId: "c1" } });
      expect(first.paid).toEqual(["l1"]);
      const second = program();
      const { events, result } = await finished(
        await resumeRun(journal, runId, second.body, { decision, note: "I looked." }),
      );
      expect(result.status).toBe("success");
      expect(second.paid).toEqual(executed);
      expect(events.findLast((event) => event.type === "ToolCallFinished")).toMatchObject({ callId: "c1", outcome });
      expect(await replayRun(events, program().body)).toMatchObject({ outcome: "identical" });
    },
  );
});

describe("H7 a run that waits while its process is killed", () => {
  test("is approved in another process, which makes the call exactly once", async () => {
    const home = await mkdtemp(join(tmpdir(), "benchtop-suspended-"));
    try {
      const child = spawn(process.execPath, [join(import.meta.dirname, "waiting-process.ts"), home], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      const runId = line.toString().trim();
      child.kill("SIGKILL");
      await once(child, "exit");
      const store = await openStore({ home });
      try {
        const { provider, paid, body } = payer(thanks);
        const handle = await resumeRun(store.journal, runId, body, { decision: "approve" });
        const { result } = await finished(handle);
        expect(result).toMatchObject({ status: "success", output: "Paid." });
        expect(paid).toEqual(["c1"]);
        expect(provider.requests).toHaveLength(1);
        expect(await store.journal.verify(runId)).toMatchObject({ ok: true, violations: [] });
        await expect(readFile(join(home, "paid"))).rejects.toMatchObject({ code: "ENOENT" });
      } finally {
        await store.close();
      }
    } finally {
      await rm(home, { recursive: true });
    }
  });
});
