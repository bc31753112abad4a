import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, used, type Act } from "../../test/scripted-provider.ts";
import { eventOf, finished } from "../../test/started-runs.ts";
import { approval } from "../gates/approval.ts";
import { Harness } from "../harness/harness.ts";
import { memoryJournal, type MemoryJournal } from "../journal/memory.ts";

/** A harness on a journal that others may have written, whose tool puts things on a list. */
function harnessOn(journal: MemoryJournal, list: string[], ...scripts: (readonly Act[])[]) {
  const provider = scriptedProvider(...scripts);
  const put = {
    name: "put",
    description: "Puts.",
    inputSchema: { type: "object" },
    effects: "external" as const,
    idempotent: false,
    execute: async () => ({ content: String(list.push("it")) }),
    compensate: async () => void list.pop(),
  };
  const harness = Harness.builder()
    .provider(provider)
    .tools([put])
    .gates([approval({ mode: "enforcing" })])
    .journal(journal)
    .sessions(journal.sessions)
    .build();
  return { harness, provider };
}

const config = { model: "scripted/m", instructions: "Be brief." };

/** Three turns; the second waits for a person, and is approved after the third, in another process. */
async function conversation(journal: MemoryJournal, list: string[]) {
  const first = harnessOn(
    journal,
    list,
    [says("Hello."), used(1, 1), ends()],
    [calls("put", {}, "c1"), used(1, 1), ends()],
    [says("Third."), used(1, 1), ends()],
  );
  const session = first.harness.session(config);
  const runIds: string[] = [];
  for (const input of ["one", "two", "three"]) {
    const handle = await session.run(input).start();
    await handle.result;
    runIds.push(handle.runId);
  }
  await session.history();
  // Events of the same millisecond could not be told apart by their times.
  await expect.poll(() => Date.now()).toBeGreaterThan(Date.parse((await journal.read(runIds[2] ?? ""))[0]?.at ?? ""));
  const { harness, provider } = harnessOn(journal, list, [says("Put."), used(1, 1), ends()]);
  const resumed = await harness.resume(runIds[1] ?? "", config, { decision: "approve" });
  return { harness, provider, runIds, resumed: await finished(resumed) };
}

describe("H7 a harness on the journal of another process", () => {
  test("resumes a run of a session with what had been said before it, not since", async () => {
    const list: string[] = [];
    const { provider, resumed } = await conversation(memoryJournal(), list);
    expect(resumed.result).toMatchObject({ status: "success", output: "Put." });
    expect(list).toEqual(["it"]);
    expect(provider.requests[0]?.messages.map(({ content }) => content)).toEqual([
      "Be brief.",
      "one",
      "Hello.",
      "two",
      "",
      "1",
    ]);
  });

  test("replays each run of the session as it was, and says what another configuration changes", async () => {
    const { harness, runIds } = await conversation(memoryJournal(), []);
    for (const runId of runIds) {
      expect(await harness.replay(runId, config)).toMatchObject({ runId, outcome: "identical" });
    }
    const other = await harness.replay(runIds[0] ?? "", { ...config, instructions: "Be long." });
    expect(other.divergence).toMatchObject({ field: "request.instructions" });
  });

  test("forks a run with another question or another model, and replays the fork", async () => {
    const journal = memoryJournal();
    const { runIds } = await conversation(journal, []);
    const { harness, provider } = harnessOn(journal, [], [says("Forked."), used(1, 1), ends()]);
    const other = { ...config, model: "scripted/other" };
    const handle = await harness.fork(runIds[2] ?? "", other, { input: "Something else?" });
    const { events, result } = await finished(handle);
    expect(result).toMatchObject({ output: "Forked.", totals: { steps: 1 } });
    expect(eventOf(events, "RunStarted")).toMatchObject({
      model: "scripted/other",
      forkedFrom: { runId: runIds[2] },
      input: { prompt: "Something else?" },
    });
    expect(provider.requests[0]).toMatchObject({ modelId: "other" });
    expect(provider.requests[0]?.messages.at(-1)?.content).toBe("Something else?");
    expect(await harness.replay(handle.runId, other)).toMatchObject({ outcome: "identical" });
  });

  test("undoes what a run did", async () => {
    const list: string[] = [];
    const { harness, runIds } = await conversation(memoryJournal(), list);
    const { events, result } = await finished(await harness.undo(runIds[1] ?? ""));
    expect(list).toEqual([]);
    expect(eventOf(events, "RunStarted")).toMatchObject({ kind: "undo", parentRunId: runIds[1] });
    expect(result.result).toEqual({ undone: 1, skipped: 0 });
  });

  test("refuses a run that nobody knows, and one that is no run of a session", async () => {
    const { harness, runIds } = await conversation(memoryJournal(), []);
    await expect(harness.replay("run_none", config)).rejects.toMatchObject({ code: "NOT_FOUND" });
    const undone = await harness.undo(runIds[0] ?? "");
    await undone.result;
    await expect(harness.replay(undone.runId, config)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });
});
