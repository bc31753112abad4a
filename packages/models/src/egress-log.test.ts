import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EgressRecord } from "@benchtop/egress";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EgressLog } from "./egress-log.ts";

let home: string;
let store: Store;
let log: EgressLog;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "benchtop-egress-log-"));
  store = await openStore({ home });
  log = new EgressLog({ store });
});
afterEach(async () => {
  await store.close();
  rmSync(home, { recursive: true, force: true });
});

const sent: EgressRecord = {
  at: "2026-11-21T03:00:00.000Z",
  purpose: "model-call",
  outcome: "sent",
  method: "POST",
  host: "api.example.com",
  workspaceId: "ws_1",
  providerId: "remote",
  modelId: "large",
  runId: "run_1",
  workbenchId: "wb_1",
  scopeHash: "abc",
  fileCount: 7,
  bytesSent: 3_000_000_000,
  bytesReceived: 5,
  status: 200,
  errorCode: null,
};

const shown = ({ workspaceId: _whose, ...record }: EgressRecord) => ({
  ...record,
  inputTokens: null,
  outputTokens: null,
});

describe("S8 what was sent where", () => {
  test("is listed at once, newest first, as it was recorded", async () => {
    log.record(sent);
    await new Promise((resolve) => setTimeout(resolve, 2));
    const blocked: EgressRecord = {
      ...sent,
      outcome: "blocked",
      modelId: null,
      runId: null,
      workbenchId: null,
      scopeHash: null,
      fileCount: null,
      bytesSent: 0,
      status: null,
      errorCode: "EGRESS_CONSENT_REQUIRED",
    };
    log.record(blocked);
    const { items, nextCursor } = await log.list({ workspaceId: "ws_1" });
    expect(items.map(({ id: _id, ...rest }) => rest)).toEqual([shown(blocked), shown(sent)]);
    expect(items.every((item) => /^egr_[0-9a-z]{26}$/.test(item.id))).toBe(true);
    expect(nextCursor).toBeNull();
    await log.close();
  });

  test("pages by cursor, each event once", async () => {
    for (let status = 100; status < 350; status++) log.record({ ...sent, status });
    const seen: (number | null)[] = [];
    let cursor: string | undefined;
    do {
      const page = await log.list({ workspaceId: "ws_1", cursor, limit: 60 });
      expect(page.items.length).toBeLessThanOrEqual(60);
      seen.push(...page.items.map((item) => item.status));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(250);
    expect(new Set(seen).size).toBe(250);
    await log.close();
  });

  test("can be narrowed to a workbench or a run", async () => {
    log.record(sent);
    log.record({ ...sent, workbenchId: "wb_2", runId: "run_2" });
    log.record({ ...sent, workbenchId: "wb_1", runId: "run_3" });
    const runs = async (filter: { workbenchId?: string; runId?: string }) =>
      (await log.list({ workspaceId: "ws_1", ...filter })).items.map((item) => item.runId ?? "").toSorted();
    expect(await runs({ workbenchId: "wb_1" })).toEqual(["run_1", "run_3"]);
    expect(await runs({ runId: "run_2" })).toEqual(["run_2"]);
    expect(await runs({ workbenchId: "wb_2", runId: "run_1" })).toEqual([]);
    await log.close();
  });

  test.each(["x", "run_1", "egr_", "egr_00000000000000000000000000'--"])(
    "a cursor like %j is refused",
    async (cursor) => {
      await expect(log.list({ workspaceId: "ws_1", cursor })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    },
  );

  test("close writes what is still queued", async () => {
    for (let index = 0; index < 500; index++) log.record(sent);
    await log.close();
    await store.close();
    store = await openStore({ home });
    expect((await new EgressLog({ store }).list({ workspaceId: "ws_1", limit: 1000 })).items).toHaveLength(500);
  });

  test("what the database did not take is kept and tried again; who asks is told", async () => {
    await store.db.schema.alterTable("egress_events").renameTo("away").execute();
    log.record(sent);
    await expect(log.list({ workspaceId: "ws_1" })).rejects.toThrow(/egress_events/);
    log.record({ ...sent, runId: "run_2" });
    await expect(log.close()).rejects.toThrow(/egress_events/);
    await store.db.schema.alterTable("away").renameTo("egress_events").execute();
    expect((await log.list({ workspaceId: "ws_1" })).items.map((item) => item.runId ?? "").toSorted()).toEqual([
      "run_1",
      "run_2",
    ]);
    await log.close();
  });
});

/** By run: tokens in and out, files. */
async function listed() {
  const { items } = await log.list({ workspaceId: "ws_1" });
  return Object.fromEntries(
    items.map(({ runId, inputTokens, outputTokens, fileCount }) => [runId, [inputTokens, outputTokens, fileCount]]),
  );
}

describe("S12 what providers counted", () => {
  const tokens = { inputTokens: 1200, outputTokens: 34 };
  test("is with the record of its call, whichever comes first, queued or written", async () => {
    const [before, after, late, never] = [{}, {}, {}, {}];
    log.counted(before, tokens);
    log.record({ ...sent, runId: "before", call: before });
    log.record({ ...sent, runId: "after", call: after });
    log.counted(after, tokens);
    log.record({ ...sent, runId: "late", call: late, fileCount: null });
    log.record({ ...sent, runId: "never", call: never });
    expect(await listed()).toMatchObject({ late: [null, null, null] });
    log.counted(late, tokens);
    expect(await listed()).toEqual({
      before: [1200, 34, 7],
      after: [1200, 34, 7],
      late: [1200, 34, null],
      never: [null, null, 7],
    });
    await log.close();
  });

  test("is written by close, and tried again where the database did not take it", async () => {
    const call = {};
    log.record({ ...sent, call });
    expect(await listed()).toEqual({ run_1: [null, null, 7] });
    await store.db.schema.alterTable("egress_events").renameTo("away").execute();
    log.counted(call, tokens);
    await expect(log.close()).rejects.toThrow(/egress_events/);
    await store.db.schema.alterTable("away").renameTo("egress_events").execute();
    await log.close();
    expect(await new EgressLog({ store }).list({ workspaceId: "ws_1" })).toMatchObject({ items: [tokens] });
  });

  test("of many calls at once each has its own", async () => {
    const calls = Array.from({ length: 450 }, () => ({}));
    for (const [index, call] of calls.entries()) {
      log.record({ ...sent, status: index, call });
      log.counted(call, { inputTokens: index, outputTokens: 1 });
    }
    const { items } = await log.list({ workspaceId: "ws_1", limit: 1000 });
    expect(items).toHaveLength(450);
    expect(items.filter(({ status, inputTokens }) => status !== inputTokens)).toEqual([]);
    await log.close();
  });
});
