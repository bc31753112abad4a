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

describe.skipIf(!hasBrowser)("Review of 2,000 changed files (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let workbenchId: string;
  const paths = Array.from({ length: 2000 }, (_, index) => `part-${index % 40}/file-${index}.txt`);
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
    workbenchId = await bench.workbench("Large", {});
    const { sha256 } = await bench.client.upload(new Blob(["old\n"]));
    const uploads = paths.slice(0, 1500).map((path) => ({ path, sha256 }));
    await bench.client.call("files.add", { workbenchId, uploads });
    for (let from = 0; from < paths.length; from += 500) {
      const adds = paths.slice(from, from + 500).map((path) => `add ${path} with "new"`);
      const { runId } = await bench.client.call("workshop.sendUserMessage", {
        workbenchId,
        message: adds.join("\n"),
        model: "local/gpt-5.2",
      });
      for await (const event of bench.client.follow(runId)) {
        if (event.type === "Error") throw new Error(event.error.message);
      }
    }
  }, 120_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  test("S4 every file can be found and decided on, and the page stays small", { timeout: 120_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches/${workbenchId}?full=true`);
    const review = page.getByRole("region", { name: "Review" });
    await review.getByText("0 of 2,000 accepted").waitFor({ timeout: 60_000 });
    await review
      .getByRole("button", { name: /file-\d+\.txt/ })
      .first()
      .waitFor();
    expect(Number(await page.evaluate("document.querySelectorAll('*').length"))).toBeLessThan(2500);

    await review.getByLabel("Filter changed files").fill("part-39/file-79.");
    await review.getByRole("button", { name: /file-79\.txt/ }).click();
    await review.getByRole("region", { name: "Changes of part-39/file-79.txt" }).getByText("new").waitFor();
    await page.keyboard.press("a");
    await review.getByText("1 of 2,000 accepted").waitFor();

    await review.getByLabel("Filter changed files").fill("");
    await review.getByRole("button", { name: "Accept several files" }).click();
    await page.getByRole("menuitem", { name: /Accept modified files/ }).click();
    await review.getByText("1,500 of 2,000 accepted").waitFor({ timeout: 60_000 });
    const { changes } = await bench.client.call("review.getChangeSet", { workbenchId });
    expect(changes.filter(({ change, accepted }) => accepted !== (change === "modified"))).toEqual([]);
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
