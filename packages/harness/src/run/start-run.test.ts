import { BenchtopError, newSpanId, type Journal, type JournalWriter } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { eventOf, finished, startProgram, typesOf } from "../../test/started-runs.ts";
import { memoryJournal } from "../journal/memory.ts";
import { startRun } from "./start-run.ts";

describe("H2 the life of a run", () => {
  test("is RunStarted, what the program writes, and Completed with its output", async () => {
    const { events, result } = await finished(
      await startProgram(async (run) => {
        await run.emit({ type: "PhaseChanged", phase: "working" });
        return { output: "made", result: { files: 2 } };
      }),
    );
    expect(typesOf(events)).toEqual(["RunStarted", "PhaseChanged", "Completed"]);
    expect(result).toMatchObject({ status: "success", output: "made", result: { files: 2 }, recorded: true });
    expect(eventOf(events, "Completed")).toMatchObject({
      output: "made",
      totals: { steps: 0, durationMs: expect.any(Number) },
    });
  });

  test("shows the ceilings that are enforced, asked for or not", async () => {
    const { events } = await finished(await startProgram(async () => ({ output: "" }), { contract: { maxSteps: 3 } }));
    expect(eventOf(events, "RunStarted").contract).toMatchObject({
      maxSteps: 3,
      maxTotalTokens: expect.any(Number),
      maxDurationMs: expect.any(Number),
    });
  });

  test("ends in Error when its program throws, without the words of an unknown exception", async () => {
    const { events, result } = await finished(
      await startProgram(async () => {
        throw new Error("secret path /home/me");
      }),
    );
    expect(result).toMatchObject({ status: "error", error: { code: "INTERNAL" } });
    expect(JSON.stringify(eventOf(events, "Error"))).not.toContain("secret");
  });

  test("closes what a failing program left open, the last one opened first", async () => {
    const { events } = await finished(
      await startProgram(async (run) => {
        run.write({ type: "StepStarted", step: 1 });
        run.write({
          type: "ProviderCallStarted",
          callId: "c",
          providerId: "p",
          modelId: "m",
          attempt: 1,
          requestHash: "",
          messageCount: 0,
        });
        run.write({
          type: "ToolCallRequested",
          callId: "t",
          name: "tool",
          arguments: {},
          idempotent: false,
          spanId: newSpanId(),
        });
        throw new BenchtopError("FILE_READ_FAILED", "The file is gone.");
      }),
    );
    expect(typesOf(events).slice(-4)).toEqual(["ToolCallFinished", "ProviderCallFinished", "StepFinished", "Error"]);
    expect(eventOf(events, "ToolCallFinished").outcome).toBe("unknown");
    expect(eventOf(events, "Error").error).toMatchObject({
      error_code: "FILE_READ_FAILED",
      run_id: expect.any(String),
    });
  });

  test("ends in USER_CANCELED, with the reason, when it is aborted", async () => {
    const handle = await startProgram(async (run) => {
      await new Promise((_, reject) => run.signal.addEventListener("abort", () => reject(run.signal.reason)));
      return { output: "never" };
    });
    expect(handle.control.abort("wrong file")).toBe(true);
    expect(handle.control.abort()).toBe(false);
    const { result } = await finished(handle);
    expect(result.error?.code).toBe("USER_CANCELED");
    expect(result.error?.message).toContain("wrong file");
    expect(handle.control.inject("too late")).toBe(false);
  });

  test("ends in BUDGET_CAP_REACHED when it takes longer than its contract allows", async () => {
    const handle = await startProgram(
      async (run) => {
        await new Promise((_, reject) => run.signal.addEventListener("abort", () => reject(run.signal.reason)));
        return { output: "never" };
      },
      { contract: { maxDurationMs: 20 } },
    );
    const { events, result } = await finished(handle);
    expect(typesOf(events)).toEqual(["RunStarted", "TimedOut", "BudgetExceeded", "Error"]);
    expect(result).toMatchObject({ status: "budget_exceeded", error: { code: "BUDGET_CAP_REACHED" } });
  });

  test("counts as completed when the program finished in spite of an abort", async () => {
    const handle = await startProgram(async (run) => {
      await run.emit({ type: "PhaseChanged", phase: "past the point of no return" });
      handle.control.abort();
      return { output: "published" };
    });
    expect((await finished(handle)).result.status).toBe("success");
  });

  test("takes no more events once it has ended", async () => {
    let late: (() => void) | undefined;
    const handle = await startProgram(async (run) => {
      late = () => run.write({ type: "PhaseChanged", phase: "late" });
      return { output: "" };
    });
    await handle.result;
    expect(() => late?.()).toThrow(expect.objectContaining({ code: "RUN_INTERRUPTED" }));
    await finished(handle);
  });

  test("L3 refuses an id that is taken", async () => {
    const journal = memoryJournal();
    const init = { runId: "same", traceId: "t", kind: "test", userId: "u", contract: {}, input: null };
    await startRun(journal, init, async () => ({ output: "" }));
    await expect(startRun(journal, init, async () => ({ output: "" }))).rejects.toMatchObject({ code: "RUN_REPLAYED" });
  });

  test("can be followed from the first event on, live and afterwards, by any number of readers", async () => {
    const handle = await startProgram(async (run) => {
      for (let step = 1; step <= 3; step += 1) {
        await run.emit({ type: "StepStarted", step });
        await run.emit({ type: "StepFinished", step, durationMs: 0 });
      }
      return { output: "" };
    });
    const [first, second] = await Promise.all([finished(handle), finished(handle)]);
    expect(first.events).toEqual(second.events);
    expect((await finished(handle)).events).toEqual(first.events);
  });
});

describe("a run whose journal fails", () => {
  test("stops its program, says why, and claims nothing", async () => {
    const journal = failingAfter(2, new BenchtopError("DISK_FULL", "The disk is full."));
    let aborted = false;
    const handle = await startProgram(
      async (run) => {
        run.signal.addEventListener("abort", () => (aborted = true));
        await run.emit({ type: "StepStarted", step: 1 });
        await run.emit({ type: "StepFinished", step: 1, durationMs: 0 });
        return { output: "never" };
      },
      { journal },
    );
    const { events, result } = await finished(handle);
    expect(result).toMatchObject({ status: "error", recorded: false, output: "", error: { code: "DISK_FULL" } });
    expect(aborted).toBe(true);
    expect(typesOf(events)).toEqual(["RunStarted", "StepStarted"]);
  });

  test("does not report success when the terminal event cannot be committed", async () => {
    const journal = failingAfter(1, new BenchtopError("RUN_INTERRUPTED", "Another writer holds the run."));
    const { result } = await finished(await startProgram(async () => ({ output: "done" }), { journal }));
    expect(result).toMatchObject({ status: "error", recorded: false, error: { code: "RUN_INTERRUPTED" } });
  });
});

/** A memory journal whose writers commit so many times and then fail for good. */
function failingAfter(commits: number, error: BenchtopError): Journal {
  const journal = memoryJournal();
  return {
    ...journal,
    async create(init) {
      const writer = await journal.create(init);
      return limited(writer, commits - 1, error);
    },
  };
}

function limited(writer: JournalWriter, commits: number, error: BenchtopError): JournalWriter {
  let left = commits;
  let failed = false;
  const queue: Parameters<JournalWriter["write"]>[0][] = [];
  return {
    runId: writer.runId,
    traceId: writer.traceId,
    get pending() {
      return writer.pending;
    },
    write(event) {
      if (failed) throw error;
      queue.push(event);
    },
    async committed() {
      if (queue.length > 0 && left === 0) failed = true;
      if (failed) throw error;
      if (queue.length > 0) left -= 1;
      for (const event of queue.splice(0)) writer.write(event);
      await writer.committed();
    },
    close: () => writer.close(),
  };
}
