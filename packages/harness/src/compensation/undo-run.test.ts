import type { Journal, RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { journalCutAt, notedJournal } from "../../test/recorded-runs.ts";
import { calls, ends, says, scriptedProvider } from "../../test/scripted-provider.ts";
import { finished, startAgent, startProgram } from "../../test/started-runs.ts";
import { resumeRun } from "../replay/resume-run.ts";
import type { RunBody } from "../run/scope.ts";
import { ToolRegistry } from "../tools/registry.ts";
import type { CompensationContext, Tool } from "../tools/tool.ts";
import { callsToUndo, undoRun } from "./undo-run.ts";

const tool = (name: string, more: Partial<Tool>): Tool => ({
  name,
  description: name,
  inputSchema: { type: "object", properties: { item: { type: "string" } }, required: ["item"] },
  effects: "external",
  idempotent: false,
  execute: async () => ({ content: name }),
  ...more,
});

const itemOf = (input: unknown): string => (input as { item: string }).item;

/** Tools over a list: `put` can be taken back, `send` cannot, `look` changes nothing, `fail` fails. */
function toolsOn(list: string[], taken: CompensationContext[] = []): Tool[] {
  return [
    tool("put", {
      async execute(input, context) {
        list.push(itemOf(input));
        await context.emit({ type: "MetricLogged", name: itemOf(input), value: list.length });
        return { content: `put ${itemOf(input)}` };
      },
      async compensate(input, context) {
        taken.push(context);
        list.splice(list.lastIndexOf(itemOf(input)), 1);
      },
    }),
    tool("look", { effects: "none" }),
    tool("send", {}),
    tool("fail", { compensate: () => Promise.reject(new Error("secret path")) }),
  ];
}

async function runOf(list: string[], ...asked: (readonly [string, object])[]): Promise<RunEvent[]> {
  const provider = scriptedProvider(
    [...asked.map(([name, input], place) => calls(name, input, `c${place}`)), ends()],
    [says("done"), ends()],
  );
  return (await finished(await startAgent({ provider, tools: toolsOn(list) }))).events;
}

const put = (item: string) => ["put", { item }] as const;

async function undo(events: readonly RunEvent[], tools: readonly Tool[], after?: number, journal?: Journal) {
  const body: RunBody = undoRun(callsToUndo(events, after), new ToolRegistry(tools));
  return await finished(await startProgram(body, journal ? { journal } : {}));
}

const told = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.type === "Compensated" ? [`${event.targetCallId} ${event.outcome}`] : []));

describe("H7 undo", () => {
  test("takes back what can be, the newest first, and names what cannot", async () => {
    const list: string[] = [];
    const events = await runOf(list, put("a"), ["look", { item: "x" }], ["send", { item: "y" }], put("b"));
    expect(list).toEqual(["a", "b"]);
    const taken: CompensationContext[] = [];
    const { events: undone, result } = await undo(events, toolsOn(list, taken));
    expect(list).toEqual([]);
    expect(told(undone)).toEqual(["c3 success", "c2 skipped", "c1 skipped", "c0 success"]);
    expect(result).toMatchObject({ status: "success", result: { undone: 2, skipped: 2 } });
    expect(taken[0]).toMatchObject({
      target: { runId: events[0]?.runId, callId: "c3" },
      outcome: "success",
      content: "put b",
      events: [{ type: "MetricLogged", name: "b", value: 2 }],
    });
  });

  test("leaves what came up to an event", async () => {
    const list: string[] = [];
    const events = await runOf(list, put("a"), put("b"));
    const first = events.find((event) => event.type === "ToolCallFinished") as RunEvent;
    await undo(events, toolsOn(list), first.seq);
    expect(list).toEqual(["a"]);
  });

  test("leaves alone what was never executed: refused arguments and tools that did not exist", async () => {
    const list: string[] = ["a"];
    const events = await runOf(list, ["put", { item: 5 }], ["gone", {}]);
    expect(callsToUndo(events)).toEqual([]);
  });

  test("takes back a call that was cut off, for it may have done its work", async () => {
    const events = await runOf([], put("a"));
    const unknown = events.map((event) =>
      event.type === "ToolCallFinished" ? { ...event, outcome: "unknown" as const } : event,
    );
    const list = ["a"];
    const taken: CompensationContext[] = [];
    await undo(unknown, toolsOn(list, taken));
    expect(list).toEqual([]);
    expect(taken[0]?.outcome).toBe("unknown");
  });

  test("stops where it fails, for what came before may be built upon, and says nothing of the failure's words", async () => {
    const list: string[] = [];
    const events = await runOf(list, put("a"), ["fail", { item: "x" }], put("b"));
    const { events: undone, result } = await undo(events, toolsOn(list));
    expect(told(undone)).toEqual(["c2 success", "c1 error"]);
    expect(list).toEqual(["a"]);
    expect(result.error?.info).toMatchObject({ error_code: "TOOL_FAILED", subphase: "undo", detail: { undone: 1 } });
    expect(JSON.stringify(undone)).not.toContain("secret");
  });

  test("names tools that are there no more", async () => {
    const { events: undone } = await undo(await runOf([], put("a")), []);
    expect(told(undone)).toEqual(["c0 skipped"]);
  });

  test("goes on after a crash with the first call that is not recorded as taken back", async () => {
    const original = await runOf([], put("a"), put("b"), put("c"));
    const { journal, log } = notedJournal();
    const whole = await undo(original, toolsOn(["a", "b", "c"]), undefined, journal);
    const { runId } = whole.result;
    for (let length = 1; length < log.length; length += 1) {
      const cut = await journalCutAt(log, length);
      const done = log
        .slice(0, length)
        .filter((entry) => "event" in entry && entry.event.type === "Compensated").length;
      const list = ["a", "b", "c"].slice(0, 3 - done);
      const body = undoRun(callsToUndo(original), new ToolRegistry(toolsOn(list)));
      const { events, result } = await finished(await resumeRun(cut, runId, body));
      expect({ length, list, status: result.status }).toEqual({ length, list: [], status: "success" });
      expect(told(events)).toEqual(["c2 success", "c1 success", "c0 success"]);
    }
  });
});
