import type { EventOf, RunEvent, RunEventType } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { startModelServer } from "../../../test/model-server.ts";
import { openStage, type Stage } from "./stage.ts";

/** What can be said with a prompt and with a task: models to fall back to, files to look at, the form of the answer. */

const someone = { userId: "someone", workspaceId: "default" };
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

async function openWithModels() {
  const stage = await openStage({ limits: { maxAttachments: 2, maxAttachmentBytes: 1000, maxAttachmentsBytes: 1500 } });
  const models = await startModelServer();
  await stage.providers.add("default", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
  const opened = new AsyncDisposableStack();
  opened.use(stage);
  opened.use(models);
  return { stage, models, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

function allOf<Type extends RunEventType>(events: readonly RunEvent[], type: Type): EventOf<Type>[] {
  return events.filter((event): event is EventOf<Type> => event.type === type);
}

async function prompt(stage: Stage, more: Partial<Parameters<Stage["workbenches"]["runPrompt"]>[0]>) {
  const request = { prompt: "hello", model: "loop/gpt-5.2", ...someone, ...more };
  const { runId } = await stage.workbenches.runPrompt(request);
  return { runId, events: await stage.journal(runId) };
}

async function upload(stage: Stage, name: string, content: Uint8Array | string) {
  return { name, sha256: await stage.upload(content) };
}

test("H4 the next model of the plan is asked when the first fails, and a replay goes the same way", async () => {
  await using opened = await openWithModels();
  const { stage, models } = opened;
  const { runId, events } = await prompt(stage, {
    model: "loop/too-long",
    fallbacks: ["loop/silent-not", "loop/gpt-5.2"],
  });
  expect(events[0]).toMatchObject({
    model: "loop/too-long",
    input: { fallbacks: ["loop/silent-not", "loop/gpt-5.2"] },
  });
  expect(allOf(events, "RetryScheduled").map(({ reason, modelId }) => [reason, modelId])).toEqual([
    ["fallback", "silent-not"],
    ["fallback", "gpt-5.2"],
  ]);
  expect(events.at(-1)).toMatchObject({ type: "Completed", output: expect.stringContaining("You asked: hello") });
  const asked = models.requests.length;
  const { report } = await stage.workbenches.replay({ runId, ...someone });
  expect(report).toMatchObject({ outcome: "identical" });
  expect(models.requests).toHaveLength(asked);
});

test("H4 a fork keeps the models to fall back to", async () => {
  await using opened = await openWithModels();
  const { stage } = opened;
  const { runId } = await prompt(stage, { fallbacks: ["loop/gpt-5.2-mini"] });
  const fork = await stage.workbenches.fork({ runId, input: "and now?", model: "loop/too-long", ...someone });
  const events = await stage.journal(fork.runId);
  expect(events[0]).toMatchObject({ input: { prompt: "and now?", fallbacks: ["loop/gpt-5.2-mini"] } });
  expect(allOf(events, "RetryScheduled")).toMatchObject([{ reason: "fallback", modelId: "gpt-5.2-mini" }]);
  expect(events.at(-1)).toMatchObject({ type: "Completed" });
});

test("S7 a fallback elsewhere that nobody agreed to is passed over, and nothing is sent to it", async () => {
  await using opened = await openWithModels();
  const { stage } = opened;
  const plan = { model: "loop/too-long", fallbacks: ["far/large", "loop/gpt-5.2"] };
  const { runId, events } = await prompt(stage, plan);
  expect(allOf(events, "CandidatesSkipped")[0]?.skipped).toEqual([
    { providerId: "far", modelId: "large", reason: "nobody agreed to send this to models.invalid" },
  ]);
  expect(events.at(-1)).toMatchObject({ type: "Completed" });
  expect(stage.sent.map(({ providerId }) => providerId)).not.toContain("far");
  expect((await stage.workbenches.replay({ runId, ...someone })).report).toMatchObject({ outcome: "identical" });

  // A consent that names no models is about the first.
  const first = await prompt(stage, { ...plan, consent: { mode: "once" } });
  expect(allOf(first.events, "CandidatesSkipped")).toHaveLength(1);
  const named = await prompt(stage, { ...plan, consent: { mode: "once", models: ["far/large"] } });
  expect(allOf(named.events, "CandidatesSkipped")).toEqual([]);
  expect(stage.sent.map(({ providerId }) => providerId)).toContain("far");
  expect(named.events.at(-1)).toMatchObject({ type: "Completed" });
});

test("S7 a consent that names other models than the first asks for the first", async () => {
  await using opened = await openWithModels();
  const { stage } = opened;
  const consent = { mode: "once" as const, models: ["far/other"] };
  const { events } = await prompt(stage, { model: "far/large", fallbacks: ["far/other"], consent });
  expect(events.map(({ type }) => type)).toEqual(["RunStarted", "ConsentRequired", "Error"]);
  expect(stage.sent).toEqual([]);
});

test("H4 a plan that names a model twice, or one that is not there, is refused", async () => {
  await using opened = await openWithModels();
  const { stage } = opened;
  await expect(prompt(stage, { fallbacks: ["loop/gpt-5.2"] })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  await expect(prompt(stage, { fallbacks: ["gone/m"] })).rejects.toMatchObject({ code: "PROVIDER_NOT_CONFIGURED" });
});

test("H4 a fallback whose provider was removed meanwhile is passed over in a fork, and does not hinder a replay", async () => {
  await using opened = await openWithModels();
  const { stage } = opened;
  const { runId } = await prompt(stage, { fallbacks: ["far/large", "loop/gpt-5.2-mini"] });
  await stage.providers.remove("default", "far");
  expect((await stage.workbenches.replay({ runId, ...someone })).report).toMatchObject({ outcome: "identical" });
  const fork = await stage.workbenches.fork({ runId, input: "again", model: "loop/too-long", ...someone });
  const events = await stage.journal(fork.runId);
  expect(allOf(events, "CandidatesSkipped")[0]?.skipped).toMatchObject([{ providerId: "far" }]);
  expect(events.at(-1)).toMatchObject({ type: "Completed" });
});

test("images, PDF and text go to the model as what they are, and a replay needs neither", async () => {
  await using opened = await openWithModels();
  const { stage, models } = opened;
  const attachments = [await upload(stage, "picture.bin", png), await upload(stage, "notes.md", "# Rent\n700\n")];
  const { runId, events } = await prompt(stage, { attachments });
  expect(events[0]).toMatchObject({
    input: {
      attachments: [
        { name: "picture.bin", mediaType: "image/png", bytes: png.length },
        { name: "notes.md", mediaType: "text/markdown", bytes: 11 },
      ],
    },
  });
  expect(events.at(-1)).toMatchObject({ type: "Completed" });
  const body = models.requests.at(-1)?.body ?? "";
  expect(body).toContain(`data:image/png;base64,${png.toString("base64")}`);
  expect(body).toContain("# Rent");
  // The journal names the files and does not hold them.
  expect(JSON.stringify(events)).not.toContain(png.toString("base64"));
  expect((await stage.workbenches.replay({ runId, ...someone })).report).toMatchObject({ outcome: "identical" });
});

test("attachments beyond the limits, of an unknown kind or never uploaded are refused before anything is sent", async () => {
  await using opened = await openWithModels();
  const { stage, models } = opened;
  const refused = async (attachments: { name: string; sha256: string }[], error: object) =>
    await expect(prompt(stage, { attachments })).rejects.toMatchObject(error);
  const small = await upload(stage, "a.txt", "a");
  await refused([small, small, small], { info: { detail: { limit: "maxAttachments" } } });
  await refused([await upload(stage, "large.txt", "x".repeat(1001))], {
    info: { detail: { limit: "maxAttachmentBytes" } },
  });
  const halves = [await upload(stage, "1.txt", "1".repeat(800)), await upload(stage, "2.txt", "2".repeat(800))];
  await refused(halves, { info: { detail: { limit: "maxAttachmentsBytes" } } });
  await refused([await upload(stage, "a.png", Buffer.from([0, 1, 2, 3]))], {
    code: "VALIDATION_FAILED",
    message: expect.stringContaining("no image"),
  });
  await refused([{ name: "a.txt", sha256: "0".repeat(64) }], { code: "NOT_FOUND" });
  expect(models.requests).toEqual([]);
});

test("S7 what is attached is part of what was agreed to, also when it was attached earlier in the conversation", async () => {
  await using opened = await openWithModels();
  const { stage } = opened;
  const far = { model: "far/large", sessionId: "s1" };
  const always = { consent: { mode: "always" as const } };
  const attachments = [await upload(stage, "notes.md", "# Rent\n")];
  await prompt(stage, { ...far, ...always });
  expect((await prompt(stage, far)).events.at(-1)).toMatchObject({ error: { error_code: "NETWORK_UNAVAILABLE" } });

  const asked = await prompt(stage, { ...far, attachments });
  expect(asked.events[1]).toMatchObject({ type: "ConsentRequired", fileCount: 1, totalBytes: 7 });
  expect(asked.events.at(-1)).toMatchObject({
    error: { error_code: "EGRESS_CONSENT_REQUIRED", message: expect.stringContaining("1 attached file") },
  });

  // Shown to a model of this machine first, it would reach the other with the history.
  await prompt(stage, { sessionId: "s1", attachments });
  expect((await prompt(stage, far)).events[1]).toMatchObject({ type: "ConsentRequired", fileCount: 1, totalBytes: 7 });
});

test("a prompt is answered as JSON of the schema that came with it", async () => {
  await using opened = await openWithModels();
  const { stage } = opened;
  const schema = { type: "object", properties: { sum: { type: "integer" } }, required: ["sum"] };
  const output = { name: "sum", schema };
  const { runId, events } = await prompt(stage, { prompt: 'repeat: {"sum":3}', output });
  expect(events.at(-1)).toMatchObject({ type: "Completed", result: { sum: 3 } });
  expect((await stage.workbenches.replay({ runId, ...someone })).report).toMatchObject({ outcome: "identical" });
  const failed = await prompt(stage, { prompt: "repeat: no", output });
  expect(failed.events.at(-1)).toMatchObject({
    type: "Error",
    error: { error_code: "VALIDATION_FAILED", subphase: "output" },
  });
  const bad = { name: "sum", schema: { type: "object", requierd: ["sum"] } };
  await expect(prompt(stage, { output: bad })).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
    message: expect.stringContaining("requierd"),
  });
});
