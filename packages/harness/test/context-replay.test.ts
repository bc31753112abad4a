import { BenchtopError, type Memory, type Message } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { memoryInProcess, recallForRun, replayRun } from "../src/index.ts";
import { calls, ends, says, scriptedProvider, used, type Act } from "./scripted-provider.ts";
import { agentUnderTest, finished, startAgent, typesOf } from "./started-runs.ts";

const long = (name: string) => `${name} ${"word ".repeat(2000)}`;
const history: Message[] = Array.from({ length: 6 }, (_, turn): Message[] => [
  { role: "user", content: long(`q${turn}`) },
  { role: "assistant", content: long(`a${turn}`) },
]).flat();
const context = { maxTokens: 30_000, reservedOutputTokens: 100, overflow: "summarize" } as const;
const scopes = { working: "w", episodic: "e" };
const look = {
  name: "look",
  description: "Looks.",
  inputSchema: { type: "object" },
  effects: "none" as const,
  idempotent: true,
  execute: async () => ({ content: long("seen") }),
};

function configured(memory: Memory, ...scripts: (readonly Act[])[]) {
  const provider = scriptedProvider(...scripts);
  const recall = (run: Parameters<typeof recallForRun>[0]) => recallForRun(run, memory, scopes, "tea");
  return { provider, config: { provider, history, context, tools: [look], recall } };
}

describe("H7 a run whose context was trimmed and remembered", () => {
  test("is the same when it is driven again, without its memory and without a model", async () => {
    const memory = memoryInProcess();
    await memory.write({ lane: "episodic", scope: "e", text: "The tea is green." });
    const { provider, config } = configured(
      memory,
      [says("A summary."), used(8000, 4), ends()],
      [calls("look", {}), calls("look", {}), calls("look", {}), used(24_000, 4), ends()],
      [says("Shorter."), used(9000, 2), ends()],
      [calls("look", {}), calls("look", {}), calls("look", {}), used(20_000, 4), ends()],
      [says("Done."), used(9000, 2), ends()],
    );
    const { events, result } = await finished(await startAgent(config));
    expect(result).toMatchObject({ status: "success", output: "Done." });
    const trims = events.filter((event) => event.type === "ContextTrimmed");
    expect(trims.length).toBeGreaterThan(1);
    expect(trims[0]).toMatchObject({ summary: "A summary." });
    expect(typesOf(events)).toContain("MemoryRetrieved");
    expect(provider.requests.length).toBeGreaterThan(4);

    const again = configured(memoryInProcess());
    expect(await replayRun(events, agentUnderTest(again.config))).toMatchObject({ outcome: "identical" });
    expect(again.provider.requests).toEqual([]);

    const other = configured(memoryInProcess());
    const changed = { ...other.config, context: { ...context, targetRatio: 0.3 } };
    expect(await replayRun(events, agentUnderTest(changed))).toMatchObject({ outcome: "diverged" });
  });

  test("that a failed summary shortened is the same, too", async () => {
    const { config } = configured(
      memoryInProcess(),
      [{ type: "throw", error: new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.") }],
      [says("Done."), used(20_000, 2), ends()],
    );
    const { events, result } = await finished(await startAgent(config));
    expect(result.status).toBe("success");
    expect(events.find((event) => event.type === "ContextTrimmed")).toMatchObject({ summaryError: expect.any(String) });
    const again = configured(memoryInProcess());
    expect(await replayRun(events, agentUnderTest(again.config))).toMatchObject({ outcome: "identical" });
  });

  test("is refused before a byte is sent when what must stay is too much", async () => {
    const { provider, config } = configured(memoryInProcess(), [says("never"), ends()]);
    const { events, result } = await finished(await startAgent({ ...config, input: long("x").repeat(20) }));
    expect(result.error).toMatchObject({ code: "CONTEXT_EXHAUSTED" });
    expect(result.error?.info.detail).toMatchObject({ tokenLimit: 29_900 });
    expect(provider.requests).toEqual([]);
    const again = configured(memoryInProcess());
    const replayed = await replayRun(events, agentUnderTest({ ...again.config, input: long("x").repeat(20) }));
    expect(replayed).toMatchObject({ outcome: "identical" });
  });
});
