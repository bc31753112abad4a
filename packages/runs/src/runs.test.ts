import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRun, ToolRegistry } from "@benchtop/harness";
import { newTraceId, type RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { openStore, type Store } from "@benchtop/store";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Runs } from "./runs.ts";

let home: string;
let store: Store;
let runs: Runs;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-runs-"));
  store = await openStore({ home, soleOwner: true });
  runs = new Runs({ store });
});

afterEach(async () => {
  await store.close();
  await rm(home, { recursive: true });
});

const start = { kind: "test", userId: "owner", workspaceId: "default", contract: {}, input: "do it" };

async function journalOf(runId: string): Promise<RunEvent[]> {
  return await store.journal.read(runId, { limit: 5000 });
}

describe("a run that is going", () => {
  test("is reached by its id until it ends", async () => {
    const gate = Promise.withResolvers<void>();
    const handle = await runs.start(start, async () => {
      await gate.promise;
      return { output: "done" };
    });
    expect(runs.active()).toEqual([handle.runId]);
    expect(await runs.hint(handle.runId, "hurry", "owner")).toBe(true);
    gate.resolve();
    expect((await handle.result).status).toBe("success");
    expect(runs.active()).toEqual([]);
    expect(await runs.abort(handle.runId)).toBe(false);
  });

  test("ends with USER_CANCELED when it is aborted", async () => {
    const handle = await runs.start(start, async (run) => {
      await new Promise((_, reject) => run.signal.addEventListener("abort", () => reject(run.signal.reason)));
      return { output: "never" };
    });
    expect(await runs.abort(handle.runId, "enough")).toBe(true);
    expect((await handle.result).error?.code).toBe("USER_CANCELED");
  });

  test("is not confused with one that never was", async () => {
    await expect(runs.abort("run_nobody")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(runs.hint("run_nobody", "hello")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

test("L3 a repeated run id is refused, and the attempt is a ledger row of its own", async () => {
  const first = await runs.start({ ...start, runId: "mine" }, async () => ({ output: "once" }));
  await first.result;
  await expect(runs.start({ ...start, runId: "mine" }, async () => ({ output: "twice" }))).rejects.toMatchObject({
    code: "RUN_REPLAYED",
  });
  const rows = await store.db.selectFrom("workbench_runs").select(["run_id", "status"]).execute();
  expect(rows.map((row) => row.status).sort()).toEqual(["replay", "success"]);
  expect((await store.ledger.get("mine"))?.status).toBe("success");
});

/** Leaves a run open in the middle of a step, as a killed process does, and opens the store again. */
async function crashInTheMiddle(): Promise<void> {
  const writer = await store.journal.create({ ...start, runId: "left", traceId: "t".repeat(32) });
  writer.write({ type: "StepStarted", step: 1 });
  writer.write({
    type: "ProviderCallStarted",
    callId: "p1",
    providerId: "p",
    modelId: "m",
    attempt: 1,
    requestHash: "",
    messageCount: 1,
  });
  writer.write({ type: "OutputDelta", callId: "p1", channel: "text", text: "half an ans" });
  writer.write({ type: "ToolCallRequested", callId: "c1", name: "send_mail", arguments: {}, idempotent: false });
  await writer.committed();
  const orphan = await openStore({ home, soleOwner: true });
  await store.close();
  store = orphan;
  runs = new Runs({ store });
}

describe("after a crash", () => {
  test("what it left open is closed: partial text kept, the tool's outcome unknown, one Error", async () => {
    await crashInTheMiddle();
    expect(await runs.recover()).toEqual([{ runId: "left", kind: "test", outcome: "interrupted" }]);
    const events = await journalOf("left");
    expect(checkInvariants(events, { ended: true })).toEqual([]);
    expect(events.map((event) => event.type).slice(-4)).toEqual([
      "ToolCallFinished",
      "ProviderCallFinished",
      "StepFinished",
      "Error",
    ]);
    expect(events.find((event) => event.type === "ProviderCallFinished")?.message?.content).toBe("half an ans");
    expect(events.find((event) => event.type === "ToolCallFinished")?.outcome).toBe("unknown");
    expect((await store.ledger.get("left"))?.errorCode).toBe("RUN_INTERRUPTED");
    expect((await store.journal.verify("left")).ok).toBe(true);
    expect(await runs.recover()).toEqual([]);
  });

  test("a run whose work is known to be done is completed instead", async () => {
    await crashInTheMiddle();
    const recovered = await runs.recover(async () => ({ output: "published" }));
    expect(recovered).toEqual([{ runId: "left", kind: "test", outcome: "completed" }]);
    expect((await journalOf("left")).at(-1)).toMatchObject({ type: "Completed", output: "published" });
  });
});

test("a run that a full disk left open, and that had done its work, is completed once there is room", async () => {
  await runs.recover(async () => ({ output: "published" }));
  await room(0);
  const handle = await runs.start({ ...start, runId: "done" }, async (run) => {
    await run.emit({ type: "PhaseChanged", phase: "x".repeat(1_000_000) });
    return { output: "never" };
  });
  expect((await handle.result).recorded).toBe(false);
  await room(100_000);
  await vi.waitFor(async () => expect((await store.ledger.get("done"))?.status).toBe("success"), 10_000);
  expect((await journalOf("done")).at(-1)).toMatchObject({ type: "Completed", output: "published" });
});

test("a run that a full disk left open gets its Error once there is room", async () => {
  await room(0);
  const handle = await runs.start({ ...start, runId: "full" }, async (run) => {
    await run.emit({ type: "PhaseChanged", phase: "x".repeat(1_000_000) });
    return { output: "never" };
  });
  expect(await handle.result).toMatchObject({ recorded: false, error: { code: "DISK_FULL" } });
  expect((await store.ledger.get("full"))?.status).toBe("pending");
  await room(100_000);
  await vi.waitFor(async () => expect((await store.ledger.get("full"))?.errorCode).toBe("DISK_FULL"), 10_000);
  expect((await store.journal.verify("full")).ok).toBe(true);
});

/** Lets the database grow by so many pages and no further, as a disk would that is almost full. */
async function room(pages: number): Promise<void> {
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
  await sql.raw(`pragma max_page_count = ${(rows[0]?.page_count ?? 0) + pages}`).execute(store.db);
}

test("shutting down ends every run and starts no other", async () => {
  const handle = await runs.start(start, async (run) => {
    await new Promise((_, reject) => run.signal.addEventListener("abort", () => reject(run.signal.reason)));
    return { output: "never" };
  });
  await runs.shutdown();
  expect((await journalOf(handle.runId)).at(-1)?.type).toBe("Error");
  await expect(runs.start(start, async () => ({ output: "late" }))).rejects.toMatchObject({ code: "RUN_INTERRUPTED" });
});

const done = async () => ({ output: "done" });

test("P1.4 what is made of a run stays in its workspace, and runs of before there were several are of the first", async () => {
  for (const [workspaceId, expected] of [
    ["ws_1", "ws_1"],
    [undefined, "default"],
  ] as const) {
    const { workspaceId: _, ...rest } = start;
    const before = { ...rest, runId: `of-${expected}`, traceId: newTraceId() };
    const origin = await startRun(
      store.journal,
      { ...before, ...(workspaceId !== undefined && { workspaceId }) },
      done,
    );
    await origin.result;
    const fork = await runs.fork(origin.runId, { body: done });
    await fork.result;
    const { replayRunId } = await runs.replay(origin.runId, done, "owner");
    const undo = await runs.undo(origin.runId, new ToolRegistry([]), { runId: `undo-${expected}`, userId: "owner" });
    await undo.result;
    for (const runId of [fork.runId, replayRunId, undo.runId]) {
      expect((await store.ledger.get(runId))?.workspaceId).toBe(expected);
      expect((await journalOf(runId))[0]).toMatchObject({ type: "RunStarted", workspaceId: expected });
    }
  }
});
