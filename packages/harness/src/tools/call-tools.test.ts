import { BenchtopError, type EventOf, type RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider } from "../../test/scripted-provider.ts";
import { finished, startAgent } from "../../test/started-runs.ts";
import type { Tool } from "./tool.ts";

function toolNamed(name: string, more: Partial<Tool>): Tool {
  return {
    name,
    description: name,
    inputSchema: { type: "object" },
    effects: "none",
    idempotent: true,
    execute: async () => ({ content: name }),
    ...more,
  };
}

/** A tool whose calls end when all that are expected have begun; alone it would wait for ever. */
function meeting(name: string, expected: number): Tool {
  const all = Promise.withResolvers<void>();
  let begun = 0;
  return toolNamed(name, {
    concurrent: true,
    execute: async (_, { callId }) => {
      begun += 1;
      if (begun === expected) all.resolve();
      await all.promise;
      return { content: `met ${callId}` };
    },
  });
}

const asksFor = (...names: string[]) =>
  scriptedProvider(
    [...names.map((name, place) => calls(name, {}, `c${place}`)), ends("tool-calls")],
    [says("done"), ends()],
  );

function toolEvents(events: readonly RunEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type === "ToolCallRequested") return [`+${event.callId}`];
    return event.type === "ToolCallFinished" ? [`-${event.callId}`] : [];
  });
}

const endsOf = (events: readonly RunEvent[]) =>
  events.filter((event): event is EventOf<"ToolCallFinished"> => event.type === "ToolCallFinished");

describe("H3 calls of one answer", () => {
  test("run one after the other unless their tools say otherwise", async () => {
    const provider = asksFor("a", "b", "a");
    const { events } = await finished(await startAgent({ provider, tools: [toolNamed("a", {}), toolNamed("b", {})] }));
    expect(toolEvents(events)).toEqual(["+c0", "-c0", "+c1", "-c1", "+c2", "-c2"]);
  });

  test("run at the same time where they are neighbours and all of them may; results keep the order of the calls", async () => {
    const provider = asksFor("meet", "meet", "meet", "alone");
    const { events } = await finished(
      await startAgent({ provider, tools: [meeting("meet", 3), toolNamed("alone", {})] }),
    );
    expect(toolEvents(events).slice(0, 3)).toEqual(["+c0", "+c1", "+c2"]);
    expect(toolEvents(events).slice(-2)).toEqual(["+c3", "-c3"]);
    const results = provider.requests[1]?.messages.flatMap((message) =>
      message.role === "tool" ? [message.content] : [],
    );
    expect(results).toEqual(["met c0", "met c1", "met c2", "alone"]);
  });

  test("are all recorded when one of them throws", async () => {
    const provider = asksFor("meet", "broken", "meet");
    const broken = toolNamed("broken", { concurrent: true, execute: () => Promise.reject(new Error("no")) });
    const { events, result } = await finished(await startAgent({ provider, tools: [meeting("meet", 2), broken] }));
    expect(Object.fromEntries(endsOf(events).map(({ callId, outcome }) => [callId, outcome]))).toEqual({
      c0: "success",
      c1: "error",
      c2: "success",
    });
    expect(result.status).toBe("success");
  });

  test("are all recorded when one of them ends the run", async () => {
    const provider = asksFor("meet", "full", "meet");
    const full = toolNamed("full", {
      concurrent: true,
      execute: () => Promise.reject(new BenchtopError("DISK_FULL", "The disk is full.")),
    });
    const { events, result } = await finished(await startAgent({ provider, tools: [meeting("meet", 2), full] }));
    expect(endsOf(events)).toHaveLength(3);
    expect(result.error?.code).toBe("DISK_FULL");
  });

  test("are all told to stop by an abort, and those after them are not made", async () => {
    const provider = asksFor("wait", "wait", "after");
    const wait = toolNamed("wait", {
      concurrent: true,
      execute: (_, { signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    });
    const handle = await startAgent({ provider, tools: [wait, toolNamed("after", {})] });
    let requested = 0;
    for await (const event of handle) {
      if (event.type !== "ToolCallRequested") continue;
      requested += 1;
      if (requested === 2) handle.control.abort();
    }
    const { events, result } = await finished(handle);
    expect(endsOf(events).map(({ callId, outcome }) => `${callId} ${outcome}`)).toEqual(["c0 canceled", "c1 canceled"]);
    expect(result.error?.code).toBe("USER_CANCELED");
  });
});
