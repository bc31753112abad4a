import type { RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { forkRun, readEvents, replayRun } from "../src/index.ts";
import { carriedOn, cutAt, eventsOfAll, finishedCalls, isOpenAt, journalCutAt, recordRun } from "./recorded-runs.ts";
import { failures, scenarios, world } from "./scenarios.ts";

/** Each scenario is recorded once, then taken up at every event of all its journals. */
describe.for(scenarios.map(({ name, program }) => [name, program] as const))("H7 a run with %s", ([, program]) => {
  const record = () => recordRun((journal) => program(world(journal)));

  test("comes to the same end when its process dies at any event, and repeats nothing that was finished", async () => {
    const { runId, log, result } = await record();
    expect(result).toMatchObject({ status: "success" });
    for (let length = 1; length < log.length; length += 1) {
      if (!isOpenAt(log, length)) continue;
      const journal = await journalCutAt(log, length);
      const again = world(journal);
      const resumed = await carriedOn(journal, runId, program(again));
      const { status, output, result: data, error } = resumed;
      expect({ length, status, output, data, error }).toEqual({
        length,
        status: "success",
        output: result.output,
        data: result.result,
        error: undefined,
      });
      const finished = finishedCalls(log, length);
      expect(again.executed.filter((callId) => finished.has(callId))).toEqual([]);
      const events = await eventsOfAll(journal);
      const repeated = again.executed.filter((callId, place) => again.executed.indexOf(callId) !== place);
      expect(repeated.filter((callId) => !asked(events, callId))).toEqual([]);
      const report = await replayRun(await readEvents(journal, runId), program(world(journal, true)));
      expect({ length, ...report }).toMatchObject({ length, outcome: "identical" });
    }
  });

  test("comes to the same end when the process that took it up dies, too", async () => {
    const { runId, log, result } = await record();
    for (let first = 1; first < log.length; first += 4) {
      if (!isOpenAt(log, first)) continue;
      const once = await cutAt(log, first);
      await carriedOn(once.journal, runId, program(world(once.journal)));
      for (let second = first + 1; second < once.log.length; second += 3) {
        if (!isOpenAt(once.log, second)) continue;
        const journal = await journalCutAt(once.log, second);
        const again = world(journal);
        const resumed = await carriedOn(journal, runId, program(again));
        expect({ first, second, output: resumed.output }).toEqual({ first, second, output: result.output });
        const finished = finishedCalls(once.log, second);
        expect(again.executed.filter((callId) => finished.has(callId))).toEqual([]);
        await eventsOfAll(journal);
        const report = await replayRun(await readEvents(journal, runId), program(world(journal, true)));
        expect({ first, second, ...report }).toMatchObject({ first, second, outcome: "identical" });
      }
    }
  });

  test("is the same when it is driven again, to its end and to every event", async () => {
    const { runId, journal } = await record();
    const events = await readEvents(journal, runId);
    for (let length = 1; length <= events.length; length += 1) {
      const report = await replayRun(events.slice(0, length), program(world(journal, true)));
      expect({ length, ...report }).toMatchObject({ length, outcome: "identical" });
    }
  });

  test("can be forked at every event; what came before is neither done nor counted again", async () => {
    const { runId, log, journal: origin, result } = await record();
    const events = await readEvents(origin, runId);
    for (const { seq } of events) {
      const journal = await journalCutAt(log, log.length);
      const again = world(journal);
      const body = program(again);
      const handle = await forkRun(journal, events, body, { at: seq });
      const first = await handle.result;
      const forked = await carriedOn(journal, handle.runId, body, first);
      expect({ seq, status: forked.status, error: forked.error }).toMatchObject({ seq, status: "success" });
      expect(forked).toMatchObject({ output: result.output });
      await eventsOfAll(journal);

      const done = finishedIn(events, seq);
      expect(again.executed.filter((callId) => done.has(callId))).toEqual([]);
      const own = await readEvents(journal, handle.runId);
      const leaves = own.findIndex((event) => event.type === "Resumed" && event.reason === "fork");
      const calls = own.slice(leaves).filter((event) => event.type === "ProviderCallFinished");
      const tokens = calls.reduce((sum, { usage }) => sum + (usage?.inputTokens ?? 0), 0);
      expect({ seq, tokens: forked.totals.usage.inputTokens }).toEqual({ seq, tokens });
      const report = await replayRun(own, program(world(journal, true)));
      expect({ seq, ...report }).toMatchObject({ seq, outcome: "identical" });
    }
  });
});

describe.for(failures)("H7 a run $name", ({ program, code, contract }) => {
  const record = () => recordRun((journal) => program(world(journal)), contract);

  test("ends in the same error when its process dies at any event", async () => {
    const { runId, log, result } = await record();
    expect(result.error?.code).toBe(code);
    for (let length = 1; length < log.length; length += 1) {
      if (!isOpenAt(log, length)) continue;
      const journal = await journalCutAt(log, length);
      const again = world(journal);
      const resumed = await carriedOn(journal, runId, program(again));
      // What a call in doubt would have come to is not known; and a disk has room again, once somebody made some.
      const wasInDoubt = (await readEvents(journal, runId)).some(({ type }) => type === "Suspended");
      const isKnown = !wasInDoubt && code !== "DISK_FULL";
      expect({ length, code: isKnown ? resumed.error?.code : code }).toEqual({ length, code });
      const finished = finishedCalls(log, length);
      expect(again.executed.filter((callId) => finished.has(callId))).toEqual([]);
      await eventsOfAll(journal);
      const report = await replayRun(await readEvents(journal, runId), program(world(journal, true)));
      expect({ length, ...report }).toMatchObject({ length, outcome: "identical" });
    }
  });

  test("is the same when it is driven again, to its end and to every event", async () => {
    const { runId, journal } = await record();
    const events = await readEvents(journal, runId);
    for (let length = 1; length <= events.length; length += 1) {
      const report = await replayRun(events.slice(0, length), program(world(journal, true)));
      expect({ length, ...report }).toMatchObject({ length, outcome: "identical" });
    }
  });

  test("can be forked at every event, and never takes another way", async () => {
    const { runId, log, journal: origin } = await record();
    const events = await readEvents(origin, runId);
    for (const { seq } of events) {
      const journal = await journalCutAt(log, log.length);
      const body = program(world(journal));
      const handle = await forkRun(journal, events, body, { at: seq });
      const forked = await carriedOn(journal, handle.runId, body, await handle.result);
      expect({ seq, error: forked.error?.code }).not.toMatchObject({ error: "REPLAY_DIVERGED" });
      await eventsOfAll(journal);
      const report = await replayRun(await readEvents(journal, handle.runId), program(world(journal, true)));
      expect({ seq, ...report }).toMatchObject({ seq, outcome: "identical" });
    }
  });
});

/** A tool that asks in its middle is executed again with the answer. */
function asked(events: readonly RunEvent[], callId: string): boolean {
  return events.some((event) => event.type === "Suspended" && event.reason === "question" && event.callId === callId);
}

function finishedIn(events: readonly RunEvent[], at: number): Set<string> {
  return new Set(
    events.flatMap((event) => (event.type === "ToolCallFinished" && event.seq <= at ? [event.callId] : [])),
  );
}
