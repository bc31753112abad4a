import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId, newTraceId } from "../../packages/protocol/src/index.ts";
import { openStore } from "../../packages/store/src/index.ts";
import { Bench, hasBrowser } from "./bench.ts";

const events = 100_002;
const runId = newId("run");

/** What is large must not become slow: only what is in view exists in the page. */
describe.skipIf(!hasBrowser)("a run of 100,000 events (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start({ prepare: writeLongRun });
  }, 120_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  test("H8 every event can be reached, and the page stays small", { timeout: 120_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/runs/${runId}`);
    // A call thinks aloud and says a word: 12,500 calls, 25,000 deltas.
    await page.getByRole("button", { name: /^OutputDelta 25,000/ }).waitFor({ timeout: 60_000 });
    await page.getByRole("listbox", { name: "Events" }).focus();
    await page.keyboard.press("End");
    await page.getByRole("option", { name: /Completed/ }).waitFor();
    expect(Number(await page.evaluate("document.querySelectorAll('*').length"))).toBeLessThan(2500);
    await page.getByRole("button", { name: /^ToolCallRequested/ }).click();
    await page.getByRole("listbox", { name: "Events" }).focus();
    await page.keyboard.press("End");
    await page
      .getByRole("option", { name: /number 12500/ })
      .last()
      .click();
    await page.getByRole("region", { name: "Event" }).getByText("What came of number 12500").waitFor();
  });
});

/** Eight events a step: a call that says two words, a tool call, and what surrounds them. */
async function writeLongRun(home: string): Promise<void> {
  const store = await openStore({ home });
  const writer = await store.journal.create({
    runId,
    traceId: newTraceId(),
    kind: "prompt",
    userId: "owner",
    workspaceId: "default",
    contract: {},
    input: { prompt: "count" },
  });
  const usage = { inputTokens: 1, outputTokens: 1 };
  const steps = (events - 2) / 8;
  for (let step = 1; step <= steps; step++) {
    const callId = `call_${step}`;
    writer.write({ type: "StepStarted", step });
    writer.write({
      type: "ProviderCallStarted",
      callId,
      providerId: "local",
      modelId: "m",
      attempt: 1,
      requestHash: "0",
      messageCount: step,
    });
    writer.write({ type: "OutputDelta", callId, channel: "reasoning", text: `step ${step}` });
    writer.write({ type: "OutputDelta", callId, channel: "text", text: `word ${step}` });
    writer.write({ type: "ProviderCallFinished", callId, outcome: "success", usage, durationMs: 1 });
    const tool = `tool_${step}`;
    const call = { callId: tool, name: "count" };
    writer.write({ type: "ToolCallRequested", ...call, arguments: { what: `number ${step}` }, idempotent: true });
    const content = `What came of number ${step}`;
    writer.write({ type: "ToolCallFinished", ...call, outcome: "success", content, durationMs: 1 });
    writer.write({ type: "StepFinished", step, durationMs: 1 });
    if (step % 500 === 0) await writer.committed();
  }
  const totals = { steps, toolCalls: steps, usage, queuedMs: 0, durationMs: 1 };
  writer.write({ type: "Completed", finishReason: "stop", output: "counted", totals });
  await writer.close();
  await store.close();
}
