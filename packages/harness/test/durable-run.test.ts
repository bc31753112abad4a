import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@benchtop/store";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { messagesFromEvents } from "../src/index.ts";
import { calls, ends, says, scriptedProvider, used } from "./scripted-provider.ts";
import { finished, startAgent } from "./started-runs.ts";

let home: string;
let store: Store;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-harness-"));
  store = await openStore({ home });
});
afterAll(async () => {
  await store.close();
  await rm(home, { recursive: true });
});

const note = {
  name: "note",
  description: "Notes something.",
  inputSchema: { type: "object" },
  effects: "none" as const,
  idempotent: true,
  execute: async () => ({ content: "noted" }),
};

describe("a run on the durable journal", () => {
  test("verifies, and its ledger row has what the result says", async () => {
    const provider = scriptedProvider(
      [says("Noting 🗒️ "), calls("note", {}), used(10, 5), ends()],
      [...Array.from({ length: 500 }, (_, index) => says(`${index} `)), used(20, 500), ends()],
    );
    const handle = await startAgent({ provider, tools: [note] }, { journal: store.journal });
    const { events, result } = await finished(handle);
    expect(await store.journal.verify(handle.runId)).toMatchObject({
      ok: true,
      violations: [],
      eventCount: events.length,
    });
    expect(await store.ledger.get(handle.runId)).toMatchObject({
      status: "success",
      inputTokens: 30,
      outputTokens: 505,
      steps: result.totals.steps,
      toolCalls: 1,
    });
    expect(messagesFromEvents(events).at(-1)?.content).toBe(result.output);
  });

  test("that is aborted is an error in the ledger, and keeps what was said", async () => {
    const provider = scriptedProvider([says("so far"), { type: "hang" }]);
    const handle = await startAgent({ provider }, { journal: store.journal });
    for await (const event of handle) if (event.type === "OutputDelta") handle.control.abort();
    const { events } = await finished(handle);
    expect(await store.ledger.get(handle.runId)).toMatchObject({ status: "error", errorCode: "USER_CANCELED" });
    expect(messagesFromEvents(events).at(-1)?.content).toBe("so far");
  });
});
