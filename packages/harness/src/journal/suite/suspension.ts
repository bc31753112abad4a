import assert from "node:assert/strict";
import type { EventInput } from "@benchtop/protocol";
import { completed, failed, runInit } from "./events.ts";
import type { JournalSubject } from "./subject.ts";

const question = "Send this letter to everybody?";
export const suspended: EventInput<"Suspended"> = {
  type: "Suspended",
  reason: "approval",
  callId: "call_1",
  tool: "send_mail",
  arguments: { to: "everybody", text: "\u0000 and a lone \ud83d" },
  gate: "ask-before-mail",
  question,
};

/** A run that waits for a person is found by what it waits for. */
export function suspensionSuite({ test, withJournal }: JournalSubject): void {
  test("H7 a suspended run says what it waits for, in the commit of its event, until the next event", () =>
    withJournal(async ({ journal, runs }) => {
      const writer = await journal.create(runInit());
      assert.equal((await runs.get(writer.runId))?.suspension, null);
      writer.write(suspended);
      await writer.committed();
      const { at } = (await journal.read(writer.runId)).at(-1)!;
      const { type: _, ...said } = suspended;
      assert.deepEqual((await runs.get(writer.runId))?.suspension, { at, ...said });

      writer.write({ type: "Resumed", reason: "decision", callId: "call_1", decision: "approve" });
      await writer.committed();
      assert.equal((await runs.get(writer.runId))?.suspension, null);
      writer.write(suspended);
      writer.write(failed("USER_CANCELED"));
      await writer.close();
      assert.equal((await runs.get(writer.runId))?.suspension, null);
    }));

  test("H7 what comes after a suspension in the same commit counts", () =>
    withJournal(async ({ journal, runs }) => {
      const writer = await journal.create(runInit());
      writer.write(suspended);
      writer.write({ type: "Resumed", reason: "decision", decision: "deny" });
      await writer.committed();
      assert.equal((await runs.get(writer.runId))?.suspension, null);
      writer.write({ type: "PhaseChanged", phase: "waiting" });
      writer.write(suspended);
      await writer.close();
      assert.equal((await runs.get(writer.runId))?.suspension?.question, question);
    }));

  test("H7 a suspended run is given back, and whoever decides takes it over", () =>
    withJournal(async ({ journal, runs }) => {
      const waiting = await journal.create(runInit());
      waiting.write(suspended);
      await waiting.close();
      const writer = await journal.acquire(waiting.runId);
      assert.equal((await runs.get(waiting.runId))?.suspension?.question, question);
      writer.write({ type: "Resumed", reason: "decision", callId: "call_1", decision: "deny" });
      writer.write(completed());
      await writer.close();
      assert.equal((await runs.get(waiting.runId))?.status, "success");
    }));

  test("H7 lists show the runs that wait, the children of a run, and the runs of a trace", () =>
    withJournal(async ({ journal, runs }) => {
      const parent = await journal.create(runInit());
      const { runId: parentRunId, traceId } = parent;
      const child = await journal.create(runInit({ parentRunId, traceId }));
      await (await journal.create(runInit())).close();
      for (const writer of [child, parent]) {
        writer.write(suspended);
        await writer.close();
      }
      const ids = async (filter: Parameters<typeof runs.list>[0]) =>
        (await runs.list(filter)).items.map(({ runId }) => runId);
      assert.deepEqual(await ids({ suspended: true }), [child.runId, parentRunId]);
      assert.deepEqual(await ids({ parentRunId }), [child.runId]);
      assert.deepEqual(await ids({ traceId }), [child.runId, parentRunId]);
      assert.deepEqual(await ids({ traceId, suspended: true, parentRunId: "run_nobody" }), []);
      assert.equal((await ids({})).length, 3);
    }));
}
