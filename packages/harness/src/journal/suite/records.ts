import assert from "node:assert/strict";
import { completed, runInit } from "./events.ts";
import { rejectsWith, type JournalSubject } from "./subject.ts";

export function recordSuite({ test, withJournal }: JournalSubject): void {
  test("the run list is newest first, pages without gaps, and filters", () =>
    withJournal(async ({ journal, runs }) => {
      const created: string[] = [];
      for (let i = 0; i < 25; i++) {
        const init = runInit({
          kind: i % 2 === 0 ? "prompt" : "agent",
          toolId: `tool-${i % 3}`,
          userId: `user-${i % 5}`,
        });
        const writer = await journal.create({
          ...init,
          ...(i % 4 === 0 && { workspaceId: "ws_1", workbenchId: "wb_1", sessionId: "ses_1" }),
        });
        if (i % 2 === 0) writer.write(completed());
        await writer.close();
        created.unshift(init.runId);
      }
      const listed: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await runs.list({ limit: 7, cursor });
        listed.push(...page.items.map(({ runId }) => runId));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      assert.deepEqual(listed, created);

      const count = async (filter: Parameters<typeof runs.list>[0]) => (await runs.list(filter)).items.length;
      assert.equal(await count({ kind: "agent" }), 12);
      assert.equal(await count({ status: "success" }), 13);
      assert.equal(await count({ status: "pending" }), 12);
      assert.equal(await count({ toolId: "tool-0" }), 9);
      assert.equal(await count({ userId: "user-0" }), 5);
      assert.equal(await count({ workbenchId: "wb_1", sessionId: "ses_1" }), 7);
      assert.equal(await count({ workbenchId: "wb_2" }), 0);
      assert.equal(await count({ workspaceId: "ws_1" }), 7);
      assert.equal(await count({ workspaceId: "ws_2" }), 0);
      assert.equal(await count({ workspaceId: null }), 25);
      await rejectsWith("VALIDATION_FAILED", runs.list({ cursor: "garbage" }));
    }));

  test("H7 a session lists its newest runs, oldest first, without those that another run started", () =>
    withJournal(async ({ journal, sessions }) => {
      const ids: string[] = [];
      for (let i = 0; i < 4; i++) {
        const writer = await journal.create(runInit({ sessionId: "ses_1" }));
        ids.push(writer.runId);
      }
      await journal.create(runInit({ sessionId: "ses_1", parentRunId: ids[0]! }));
      await journal.create(runInit({ sessionId: "ses_2" }));
      await journal.create(runInit());
      assert.deepEqual(await sessions.runs("ses_1", 10), ids);
      assert.deepEqual(await sessions.runs("ses_1", 2), ids.slice(2));
      assert.deepEqual(await sessions.runs("ses_1", 0), []);
      assert.deepEqual(await sessions.runs("ses_nobody", 10), []);
    }));

  test("the record of a run has its title, whole characters of its task alone", () =>
    withJournal(async ({ journal, runs }) => {
      const smiles = "😀".repeat(300);
      for (const [input, title] of [
        ["  Say hello.\u0000 ", "Say hello."],
        [{ task: "Do it." }, "Do it."],
        [{ prompt: smiles }, "😀".repeat(200)],
        [[1, 2], ""],
      ] as const) {
        const writer = await journal.create(runInit({ input: structuredClone(input) as never }));
        assert.equal((await runs.get(writer.runId))?.title, title);
      }
    }));
}
