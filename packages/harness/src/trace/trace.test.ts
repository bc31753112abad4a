import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId, newSpanId, newTraceId, type EventInput, type Journal, type RunEvent } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCollector, status, type Collector } from "../../test/collector.ts";
import { memoryJournal } from "../journal/memory.ts";
import { jsonlFile } from "./jsonl-file.ts";
import { otlpTraces, type OtlpOptions } from "./otlp.ts";
import { redactedTrace, withMaskedContent, withoutContent } from "./redacted.ts";
import { personalData } from "../gates/personal-data.ts";
import { secrets } from "../gates/secrets.ts";
import { everySink, traceRun, type TraceSink } from "./sink.ts";

const secretText = "the words that nobody may see";
const usage = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 4, cacheWriteInputTokens: 2, reasoningTokens: 1 };
const totals = { steps: 1, toolCalls: 1, usage, costMicros: 42, queuedMs: 0, durationMs: 5 };
const failure = {
  message: secretText,
  error_code: "TOOL_FAILED" as const,
  phase: "run" as const,
  retryable: true,
  actions: [],
  detail: { path: secretText },
};

/** A run with a call, a tool, a gate and what else happens, as a journal has it. */
function eventsOfARun(): readonly EventInput[] {
  const [call, tool] = [newSpanId(), newSpanId()];
  const place = { providerId: "openai", modelId: "gpt-5.2" };
  return [
    { type: "StepStarted", step: 1 },
    {
      type: "GateDecided",
      gate: "secrets",
      point: "input",
      mode: "shadow",
      decision: "redact",
      findings: ["jwt"],
      reason: secretText,
      durationMs: 1,
    },
    {
      type: "ProviderCallStarted",
      callId: "c1",
      ...place,
      attempt: 1,
      requestHash: "00",
      messageCount: 1,
      spanId: call,
    },
    { type: "OutputDelta", callId: "c1", channel: "text", text: secretText, spanId: call },
    {
      type: "ProviderCallFinished",
      callId: "c1",
      outcome: "success",
      message: {
        role: "assistant",
        content: secretText,
        reasoning: secretText,
        toolCalls: [{ callId: "t1", name: "send", arguments: { [secretText]: secretText } }],
        continuation: { protocol: "x", blocks: [secretText] },
      },
      finishReason: "tool-calls",
      usage,
      responseId: "resp_1",
      firstTokenMs: 250,
      durationMs: 500,
      spanId: call,
    },
    {
      type: "ToolCallRequested",
      callId: "t1",
      name: "send",
      arguments: { text: secretText },
      idempotent: false,
      spanId: tool,
    },
    {
      type: "ArtifactWritten",
      artifactId: "a",
      name: secretText,
      mediaType: "x/y",
      sha256: "00",
      bytes: 1,
      spanId: tool,
    },
    {
      type: "ToolCallFinished",
      callId: "t1",
      name: "send",
      outcome: "error",
      content: secretText,
      error: failure,
      durationMs: 1,
      spanId: tool,
    },
    { type: "HintInjected", text: secretText },
    { type: "StepFinished", step: 1, durationMs: 5 },
    { type: "Completed", finishReason: "stop", output: secretText, result: { [secretText]: secretText }, totals },
  ];
}

async function writeRun(
  journal: Journal,
  events: readonly EventInput[] = eventsOfARun(),
  init: { readonly traceId?: string; readonly runId?: string } = {},
): Promise<string> {
  const run = { runId: newId("run"), traceId: newTraceId(), ...init };
  const writer = await journal.create({
    ...run,
    kind: "agent",
    userId: "owner",
    sessionId: "session_1",
    model: "openai/gpt-5.2",
    contract: {},
    input: {
      prompt: secretText,
      attachments: [{ mediaType: "text/plain", data: Buffer.from(secretText).toString("base64") }],
    },
  });
  for (const event of events) writer.write(event);
  await writer.committed();
  await writer.close();
  return run.runId;
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
}

function recorder(): TraceSink & { readonly events: RunEvent[] } {
  const events: RunEvent[] = [];
  return {
    events,
    event: async (event) => void events.push(event),
    flush: async () => {},
    close: async () => {},
    state: { passedOn: 0, dropped: 0, waiting: 0 },
  };
}

async function storedRun(): Promise<RunEvent[]> {
  const journal = memoryJournal();
  return journal.read(await writeRun(journal));
}

describe("H6 a redacted trace", () => {
  test("has no content at all unless it is asked for, and stays a sequence of events", async () => {
    const journal = memoryJournal();
    const runId = await writeRun(journal);
    const sink = recorder();
    await traceRun(journal, runId, redactedTrace(sink));
    expect(JSON.stringify(sink.events)).not.toContain("nobody");
    expect(JSON.stringify(sink.events)).not.toContain(Buffer.from(secretText).toString("base64").slice(0, 20));
    expect(sink.events.map(({ type }) => type)).toEqual((await journal.read(runId)).map(({ type }) => type));
    expect(sink.events.find(({ type }) => type === "ToolCallFinished")).toMatchObject({
      name: "send",
      outcome: "error",
      content: "",
      error: { error_code: "TOOL_FAILED", message: "" },
    });
    expect(sink.events.find(({ type }) => type === "GateDecided")).toMatchObject({ findings: ["jwt"], reason: "" });
  });

  test("drops a field that it does not know", async () => {
    const [first] = await storedRun();
    const event = { ...first, addedLater: "content", nested: { deep: "content" } } as unknown as RunEvent;
    expect(JSON.stringify(withoutContent(event))).not.toContain("content");
  });

  test("with content has secrets and personal data masked, in values, in names, and beside their names", () => {
    const token = `ghp_${"aB3dE5gH7jK9".repeat(3)}`;
    const event: RunEvent = {
      type: "ToolCallRequested",
      runId: "r",
      seq: 1,
      at: "2026-11-21T00:00:00.000Z",
      traceId: "t",
      spanId: "s",
      callId: "c",
      name: "send",
      idempotent: true,
      arguments: {
        to: "anna@benchtop.dev",
        [token]: [{ password: "aB3dE5gH7jK9mN1" }],
        text: `a ${token}`,
        file: { mediaType: "x", data: token },
      },
    };
    expect(withMaskedContent(event, [secrets, personalData()])).toMatchObject({
      arguments: {
        to: "[redacted: email]",
        "[redacted: github-token]": [{ password: "[redacted: named-secret]" }],
        text: "a [redacted: github-token]",
        file: { mediaType: "x" },
      },
    });
  });

  test("with content has no deltas, since a secret may be spread over several, and no blocks that cannot be read", async () => {
    const events = (await storedRun()).map((event) => withMaskedContent(event, []));
    expect(events.find(({ type }) => type === "OutputDelta")).toMatchObject({ text: "" });
    const finished = events.find(({ type }) => type === "ProviderCallFinished");
    expect(finished).toMatchObject({ message: { content: secretText } });
    expect(JSON.stringify(finished)).not.toContain("continuation");
  });
});

describe("H6 a trace file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "benchtop-trace-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("has one event a line, for its owner's eyes", async () => {
    const path = join(folder, "trace.jsonl");
    const events = await storedRun();
    const sink = jsonlFile(path);
    for (const event of events) void sink.event(event);
    await sink.close();
    expect((await linesOf(path)).map((line) => JSON.parse(line) as RunEvent)).toEqual(events);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(sink.state).toEqual({ passedOn: events.length, dropped: 0, waiting: 0 });
  });

  test("goes on after a line that a killed process left half written", async () => {
    const path = join(folder, "trace.jsonl");
    await writeFile(path, '{"type":"RunSta');
    const sink = jsonlFile(path);
    const [event] = await storedRun();
    if (event) await sink.event(event);
    await sink.close();
    expect(await linesOf(path)).toEqual(['{"type":"RunSta', JSON.stringify(event)]);
  });

  test("is put aside when it is full", async () => {
    const path = join(folder, "trace.jsonl");
    const events = await storedRun();
    const sink = jsonlFile(path, { maxBytes: 3000 });
    for (const event of events) {
      await sink.event(event);
      await sink.flush();
    }
    await sink.close();
    const both = [...(await linesOf(`${path}.1`)), ...(await linesOf(path))];
    expect(both).toEqual(events.map((event) => JSON.stringify(event)));
  });

  test("that cannot be written drops what it gets, and says so", async () => {
    const sink = jsonlFile(join(folder, "missing", "trace.jsonl"));
    for (const event of await storedRun()) await sink.event(event);
    await sink.close();
    expect(sink.state).toMatchObject({ passedOn: 0, dropped: 12, problem: expect.stringContaining("ENOENT") });
  });
});

describe("H6 a collector", () => {
  let collector: Collector;
  let sink: TraceSink | undefined;
  beforeEach(async () => {
    collector = await startCollector();
  });
  afterEach(async () => {
    await sink?.close();
    await collector.close();
    // What came was against the protocol: no test of these may pass then.
    if (collector.problems.length > 0) throw new Error(collector.problems.join("\n"));
  });

  const open = (options: Partial<OtlpOptions> = {}) =>
    (sink = otlpTraces({ url: collector.url, retryMs: 1, ...options }));
  const spanNamed = (name: string) => collector.spans.find((span) => span.name === name);

  test("gets spans by the conventions for generative AI, with our ids and their parents", async () => {
    const journal = memoryJournal();
    const runId = await writeRun(journal);
    const sink = open({ headers: { "x-key": "k" }, resource: { "service.version": "1" } });
    await traceRun(journal, runId, redactedTrace(sink));
    await sink.flush();

    expect(collector.requests).toMatchObject([
      { path: "/v1/traces", headers: { "x-key": "k", "content-type": "application/json" } },
    ]);
    const root = spanNamed("invoke_agent agent");
    const [started] = await journal.read(runId);
    expect(root).toMatchObject({ spanId: started?.spanId, traceId: started?.traceId, kind: 1, status: {} });
    expect(root?.parentSpanId).toBeUndefined();
    expect(root?.resource).toEqual({ "service.name": "benchtop", "service.version": "1" });
    expect(root?.attributes).toMatchObject({
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-5.2",
      "gen_ai.conversation.id": "session_1",
      "gen_ai.usage.input_tokens": 10,
      "benchtop.run.id": runId,
      "benchtop.run.cost_micros": 42,
    });
    expect(root?.events).toMatchObject([
      { name: "benchtop.gate_decided", attributes: { "benchtop.findings": ["jwt"], "benchtop.mode": "shadow" } },
      { name: "benchtop.hint_injected" },
    ]);
    expect(spanNamed("chat gpt-5.2")).toMatchObject({
      parentSpanId: root?.spanId,
      kind: 3,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.finish_reasons": ["tool_call"],
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 1,
      },
    });
    expect(spanNamed("execute_tool send")).toMatchObject({
      parentSpanId: root?.spanId,
      kind: 1,
      status: { code: 2 },
      attributes: { "gen_ai.tool.name": "send", "gen_ai.tool.call.id": "t1", "error.type": "TOOL_FAILED" },
      events: [{ name: "benchtop.artifact_written" }],
    });
    expect(JSON.stringify(collector.spans)).not.toContain("nobody");
    expect(sink.state).toEqual({ passedOn: 3, dropped: 0, waiting: 0 });
  });

  test("gets content when it is asked for, as JSON text", async () => {
    const journal = memoryJournal();
    const sink = open();
    await traceRun(journal, await writeRun(journal), redactedTrace(sink, { content: "redacted" }));
    await sink.flush();
    expect(JSON.parse(String(spanNamed("invoke_agent agent")?.attributes["gen_ai.input.messages"]))).toEqual([
      { role: "user", parts: [{ type: "text", content: secretText }] },
    ]);
    expect(JSON.parse(String(spanNamed("chat gpt-5.2")?.attributes["gen_ai.output.messages"]))).toMatchObject([
      {
        role: "assistant",
        finish_reason: "tool_call",
        parts: [{ type: "reasoning" }, { type: "text" }, { type: "tool_call", id: "t1" }],
      },
    ]);
    expect(spanNamed("execute_tool send")?.attributes).toMatchObject({
      "gen_ai.tool.call.arguments": JSON.stringify({ text: secretText }),
      "gen_ai.tool.call.result": secretText,
    });
  });

  test("sees a run that another started below the tool that started it", async () => {
    const journal = memoryJournal();
    const [traceId, child, tool] = [newTraceId(), newId("run"), newSpanId()];
    const parent = await writeRun(
      journal,
      [
        { type: "ToolCallRequested", callId: "t", name: "delegate", arguments: {}, idempotent: false, spanId: tool },
        { type: "SubRunStarted", childRunId: child, name: "helper", callId: "t" },
        {
          type: "ToolCallFinished",
          callId: "t",
          name: "delegate",
          outcome: "success",
          content: "",
          durationMs: 1,
          spanId: tool,
        },
        { type: "Completed", finishReason: "stop", output: "", totals },
      ],
      { traceId },
    );
    await writeRun(journal, [{ type: "Completed", finishReason: "stop", output: "", totals }], {
      traceId,
      runId: child,
    });
    const sink = open();
    await traceRun(journal, parent, sink);
    await traceRun(journal, child, sink);
    await sink.flush();
    const below = collector.spans.filter((span) => span.traceId === traceId && span.parentSpanId === tool);
    expect(below).toMatchObject([{ attributes: { "benchtop.run.id": child } }]);
  });

  test("that is not well is asked again, and gets every span once", async () => {
    collector.answers.push(
      status(503),
      status(429, { "retry-after": "0" }),
      (response) => response.destroy(),
      status(502),
    );
    const journal = memoryJournal();
    const sink = open();
    await traceRun(journal, await writeRun(journal), sink);
    await sink.flush();
    expect(collector.spans).toHaveLength(3);
    expect(collector.requests).toHaveLength(5);
    expect(sink.state).toEqual({ passedOn: 3, dropped: 0, waiting: 0 });
  });

  test.each([400, 401, 413, 500, 301])(
    "that refuses for good with %i is not asked again, and the loss is visible",
    async (code) => {
      collector.answers.push(status(code, { location: "/elsewhere" }));
      const journal = memoryJournal();
      const sink = open();
      await traceRun(journal, await writeRun(journal), sink);
      await sink.flush();
      expect(collector.requests).toHaveLength(1);
      expect(sink.state).toEqual({ passedOn: 0, dropped: 3, waiting: 0, problem: `The collector answered ${code}.` });
    },
  );

  test("that takes a part says how much it did not", async () => {
    collector.answers.push(status(200, {}, '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}'));
    const journal = memoryJournal();
    const sink = open();
    await traceRun(journal, await writeRun(journal), sink);
    await sink.flush();
    expect(sink.state).toMatchObject({ passedOn: 1, dropped: 2 });
  });

  test("that is away holds up whoever waits, and nobody else: what does not fit is dropped and counted", async () => {
    await collector.close();
    const journal = memoryJournal();
    const events = await journal.read(await writeRun(journal));
    const sink = open({ maxWaitingSpans: 2, giveUpAfterMs: 60_000, retryMs: 60_000, delayMs: 0 });
    const taken: number[] = [];
    const waiting = traceRun(journal, events[0]?.runId ?? "", sink, { taken: (seq) => taken.push(seq) });
    for (let copy = 0; copy < 1100; copy += 1) for (const event of events) void sink.event(event);
    expect(taken).toEqual([]);
    await sink.close();
    await waiting;
    expect(sink.state.waiting).toBe(0);
    expect(sink.state.passedOn).toBe(0);
    expect(sink.state.dropped).toBeGreaterThan(3000);
    expect(sink.state.problem).toBe("The collector cannot be reached.");
  });

  test("that never answers is given up when the process ends", async () => {
    collector.answers.push(() => {});
    const journal = memoryJournal();
    const sink = open();
    await traceRun(journal, await writeRun(journal), sink);
    await sink.close();
    expect(sink.state).toMatchObject({ passedOn: 0, dropped: 3, waiting: 0 });
  });

  test("gets what a process that is gone had not sent, and that alone", async () => {
    const journal = memoryJournal();
    const runId = await writeRun(journal);
    const call = (await journal.read(runId)).findIndex(({ type }) => type === "ProviderCallFinished");
    const sink = open();
    await traceRun(journal, runId, sink, { after: call });
    await sink.flush();
    expect(collector.spans.map(({ name }) => name)).toEqual(["execute_tool send", "invoke_agent agent"]);
    expect(spanNamed("invoke_agent agent")?.events).toHaveLength(2);
  });

  test("gets a live run's spans as they end", async () => {
    const journal = memoryJournal();
    const writer = await journal.create({
      runId: "r1",
      traceId: newTraceId(),
      kind: "agent",
      userId: "u",
      contract: {},
      input: "x",
    });
    const sink = open({ delayMs: 1 });
    const tracing = traceRun(journal, "r1", sink);
    const events = eventsOfARun();
    for (const event of events.slice(0, -1)) writer.write(event);
    await writer.committed();
    await expect.poll(() => collector.spans.map(({ name }) => name)).toEqual(["chat gpt-5.2", "execute_tool send"]);
    for (const event of events.slice(-1)) writer.write(event);
    await writer.close();
    await tracing;
    await sink.flush();
    expect(collector.spans).toHaveLength(3);
  });

  test("and a file get the same run side by side", async () => {
    const journal = memoryJournal();
    const other = recorder();
    const both = everySink([open(), other]);
    await traceRun(journal, await writeRun(journal), both);
    await both.flush();
    expect([collector.spans.length, other.events.length]).toEqual([3, 12]);
    expect(both.state.passedOn).toBe(3);
    await both.close();
  });

  test.each(["collector:4318", "ftp://x", "http://user:password@x", ""])("is not at %j", (url) => {
    expect(() => otlpTraces({ url })).toThrow(/no URL such as/);
  });
});
