import { afterEach, describe, expect, test } from "vitest";
import { LoopbackServer, frames, openaiChatDialect, type Reply } from "../src/provider/conformance.ts";
import { openaiChat, type LoopConfig, type Timeouts, type Tool } from "../src/index.ts";
import { calls, ends, says, scriptedProvider } from "./scripted-provider.ts";
import { eventOf, finished, startAgent } from "./started-runs.ts";

const servers: LoopbackServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const whole = openaiChatDialect.events({ text: ["Good ", "morning."] });

/** A run against a server that answers like this, the last reply again when they run out. */
async function askServer(timeouts: Partial<Timeouts>, ...replies: (Reply | Promise<Reply>)[]) {
  let asked = 0;
  const server = await LoopbackServer.start(() => replies[Math.min(asked++, replies.length - 1)] ?? {});
  servers.push(server);
  const provider = openaiChat({ id: "loopback", baseUrl: server.url });
  const reliability: LoopConfig["reliability"] = { retry: { maxAttempts: 2, initialDelayMs: 0 }, timeouts };
  return { server, ...(await finished(await startAgent({ provider, reliability }))) };
}

const answering: Reply = { chunks: [frames(whole)] };
const never = new Promise<Reply>(() => {});

describe("H4 a provider that takes too long", () => {
  test("to begin is cut off, and asked again", async () => {
    const { events, result, server } = await askServer({ connectMs: 1000 }, never, answering);
    expect(eventOf(events, "TimedOut")).toMatchObject({ scope: "connect", limitMs: 1000 });
    expect(eventOf(events, "ProviderCallFinished").error).toMatchObject({
      error_code: "PROVIDER_UNAVAILABLE",
      detail: { timeout: "connect", limit_ms: 1000 },
    });
    await server.abandoned();
    expect(result.output).toBe("Good morning.");
  });

  test("to say something is cut off, and asked again", async () => {
    const silent: Reply = { chunks: [": waiting\n\n"], ending: "hang" };
    const { events, result, server } = await askServer({ firstTokenMs: 1000 }, silent, answering);
    expect(eventOf(events, "TimedOut")).toMatchObject({ scope: "first-token", limitMs: 1000 });
    await server.abandoned();
    expect(result.output).toBe("Good morning.");
  });

  test("to go on is cut off, what it had said is kept, and it is asked again", async () => {
    const stuck: Reply = { chunks: [frames(whole.slice(0, 2))], ending: "hang" };
    const { events, result, server } = await askServer({ idleMs: 1000 }, stuck, answering);
    expect(eventOf(events, "TimedOut")).toMatchObject({ scope: "idle", limitMs: 1000 });
    expect(eventOf(events, "ProviderCallFinished")).toMatchObject({ outcome: "error", message: { content: "Good " } });
    await server.abandoned();
    expect(result.output).toBe("Good morning.");
  });

  test("every time ends the run with what took too long", async () => {
    const { events, result } = await askServer({ connectMs: 20 }, never);
    expect(events.filter((event) => event.type === "TimedOut")).toHaveLength(2);
    expect(result.error?.info).toMatchObject({ error_code: "PROVIDER_UNAVAILABLE", subphase: "timeout" });
  });
});

const endless = (more: Partial<Tool>): Tool => ({
  name: "endless",
  description: "Never ends.",
  inputSchema: { type: "object" },
  effects: "none",
  idempotent: true,
  execute: (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  ...more,
});
const provider = () => scriptedProvider([calls("endless", {}), ends()], [says("Never mind."), ends()]);

describe("H4 a tool that takes too long", () => {
  test("is stopped, the model is told, and the run goes on", async () => {
    const reliability = { timeouts: { toolMs: 20 } };
    const { events, result } = await finished(
      await startAgent({ provider: provider(), tools: [endless({})], reliability }),
    );
    expect(eventOf(events, "TimedOut")).toMatchObject({ scope: "tool", limitMs: 20 });
    expect(eventOf(events, "ToolCallFinished")).toMatchObject({
      outcome: "error",
      error: { error_code: "TOOL_FAILED", subphase: "timeout" },
    });
    expect(result.output).toBe("Never mind.");
  });

  test("and does not stop is abandoned, with an outcome nobody knows", async () => {
    const deaf = endless({ timeoutMs: 20, execute: () => new Promise(() => {}) });
    const { events, result } = await finished(
      await startAgent({ provider: provider(), tools: [deaf], toolGraceMs: 10 }),
    );
    expect(eventOf(events, "ToolCallFinished").outcome).toBe("unknown");
    expect(result.output).toBe("Never mind.");
  });

  test("ends with the run when the run's time is up first", async () => {
    const { events, result } = await finished(
      await startAgent({ provider: provider(), tools: [endless({})] }, { contract: { maxDurationMs: 40 } }),
    );
    expect(eventOf(events, "ToolCallFinished").outcome).toBe("canceled");
    expect(eventOf(events, "TimedOut")).toMatchObject({ scope: "run", limitMs: 40 });
    expect(result.status).toBe("budget_exceeded");
  });
});
