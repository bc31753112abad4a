import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunEvent } from "@benchtop/protocol";
import { startDaemon, type Daemon } from "@benchtop/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import { createClient, type Client } from "./index.ts";

/** The job of a person, over the wire: provider, workbench, files, agent, review, publish, restore, proof. */
let folder: string;
let daemon: Daemon;
let models: ModelServer;
let client: Client;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-job-"));
  models = await startModelServer({ apiKey: "sk-right" });
  daemon = await startDaemon({
    home: join(folder, "home"),
    configDir: join(folder, "config"),
    port: 0,
    checkOutputs: true,
  });
  client = createClient({ url: daemon.url, token: daemon.token });
});
afterAll(async () => {
  await daemon.close();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

async function eventsOf(runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of client.follow(runId)) events.push(event);
  return events;
}

async function addFile(workbenchId: string, path: string, text: string): Promise<void> {
  const { sha256 } = await client.upload(new TextEncoder().encode(text));
  await client.call("files.add", { workbenchId, uploads: [{ path, sha256 }] });
}

async function readText(workbenchId: string, path: string, side: "published" | "draft"): Promise<string> {
  const file = await client.download({ workbenchId, path, side });
  return new TextDecoder().decode(await file.arrayBuffer());
}

test("an agent edits files in a Draft, a person reviews, publishes and restores them", async () => {
  await client.call("providers.add", {
    name: "loop",
    kind: "openai-responses",
    baseUrl: models.url,
    apiKey: "sk-right",
    local: true,
  });
  expect((await client.call("providers.test", { name: "loop" })).models).toContain("gpt-5.2");
  const { items } = await client.call("models.list", {});
  expect(items.map(({ ref }) => ref)).toContain("loop/gpt-5.2");

  const { workbenchId, publishedDir } = await client.call("workbenches.create", { name: "budget" });
  await addFile(workbenchId, "notes.md", "# Budget\n\nRent and food.\n");
  await addFile(workbenchId, "data.csv", "item,amount\nrent,700\nfood,300\ntotal,900\n");

  const started = await client.call("workshop.runAgent", {
    workbenchId: "budget",
    model: "loop/gpt-5.2",
    task: "make the totals consistent and add a summary.md",
  });
  const events = await eventsOf(started.runId);
  expect(events.map(({ seq }) => seq)).toEqual([...events.keys()]);
  expect(events.at(-1)).toMatchObject({ type: "Completed", finishReason: "stop" });
  expect(events.filter(({ type }) => type === "ToolCallFinished").length).toBeGreaterThan(2);
  expect(events.filter(({ type }) => type === "DraftChanged").length).toBeGreaterThanOrEqual(2);

  // S5: nothing of it is published yet.
  expect(await readFile(join(publishedDir, "data.csv"), "utf8")).toContain("total,900");
  await expect(readText(workbenchId, "summary.md", "published")).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(client.call("files.remove", { workbenchId, workbenchPaths: ["notes.md"] })).rejects.toMatchObject({
    code: "DRAFT_EXISTS",
    info: { actions: ["review_draft", "discard_draft"] },
  });

  const review = await client.call("review.getChangeSet", { workbenchId });
  expect(review.changes.map(({ path, change }) => `${change} ${path}`)).toEqual([
    "modified data.csv",
    "added summary.md",
  ]);
  const diff = await client.call("review.getTextDiff", { workbenchId, path: "data.csv" });
  expect(diff.hunks.flatMap(({ lines }) => lines).find(({ kind }) => kind === "added")?.text).toBe("total,1000");
  expect(await readText(workbenchId, "data.csv", "draft")).toContain("total,1000");

  const { draft } = review;
  const published = await client.call("draft.publish", {
    workbenchId,
    ...(draft.draftId !== null && { draftId: draft.draftId, revision: draft.revision }),
  });
  expect(published.status).toBe("success");
  const phases = (await eventsOf(published.runId)).flatMap((event) =>
    event.type === "PhaseChanged" ? [event.phase] : [],
  );
  expect([...new Set(phases)]).toEqual([
    "validating",
    "conflict_check",
    "checkpoint_pre_publish",
    "swap_directories",
    "finalizing",
  ]);
  expect(await readFile(join(publishedDir, "data.csv"), "utf8")).toContain("total,1000");
  expect(await client.call("draft.getState", { workbenchId })).toMatchObject({ exists: false });

  const { items: checkpoints } = await client.call("checkpoints.list", { workbenchId });
  expect(checkpoints[0]).toMatchObject({ reason: "publish", checkpointId: published.checkpointId });
  const restored = await client.call("checkpoints.restore", {
    workbenchId,
    ...(published.checkpointId !== null && { checkpointId: published.checkpointId }),
  });
  expect(restored.status).toBe("success");
  expect(await readFile(join(publishedDir, "data.csv"), "utf8")).toContain("total,900");

  const { items: conversation } = await client.call("workshop.conversation", { workbenchId });
  // What led to the publish went with it.
  expect(conversation.map(({ kind }) => kind)).toEqual(["restore"]);
  for (const { runId } of (await client.call("runs.list", {})).items) {
    expect(await client.call("runs.verify", { runId })).toMatchObject({ ok: true, violations: [] });
  }
});

test("S7 a model that is not on this machine is shown nothing without consent", async () => {
  await client.call("providers.add", { name: "far", kind: "openai-chat", baseUrl: "https://models.example/v1" });
  const { workbenchId } = await client.call("workbenches.create", { name: "private" });
  await addFile(workbenchId, "secret.txt", "do not send\n");
  const before = models.requests.length;
  const { runId } = await client.call("workshop.runAgent", { workbenchId, model: "far/m", task: "read" });
  expect((await eventsOf(runId)).at(-1)).toMatchObject({
    type: "Error",
    error: { error_code: "EGRESS_CONSENT_REQUIRED", actions: ["grant_consent", "switch_model"] },
  });
  expect(models.requests).toHaveLength(before);
  const { workshop: status } = await client.call("egress.consentStatus", { workbenchId, model: "far/m" });
  expect(status).toMatchObject({ required: true, consented: false, host: "models.example", fileCount: 1 });
});

test("L3 a run id is used once; the attempt is kept as a row of its own", async () => {
  const request = { runId: "mine-1", model: "loop/gpt-5.2", prompt: "say hello" } as const;
  const { runId } = await client.call("runs.start", request);
  await eventsOf(runId);
  await expect(client.call("runs.start", request)).rejects.toMatchObject({ code: "RUN_REPLAYED", status: 409 });
  const { items } = await client.call("runs.list", { status: "replay" });
  expect(items.map((run) => run.runId)).toEqual(["mine-1"]);
  expect(await client.call("runs.get", { runId })).toMatchObject({ status: "success" });
});

test("aborting a run cancels the provider's request, and what was said stays", async () => {
  const { runId } = await client.call("runs.start", { model: "loop/slow", prompt: "say a lot, slowly" });
  const events: RunEvent[] = [];
  const aborts: boolean[] = [];
  for await (const event of client.follow(runId)) {
    events.push(event);
    if (event.type !== "OutputDelta" || aborts.length > 0) continue;
    aborts.push((await client.call("runs.abort", { runId })).aborted);
  }
  expect(aborts).toEqual([true]);
  expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "USER_CANCELED" } });
  await expect.poll(() => models.requests.at(-1)?.outcome).toBe("canceled");
  expect(await client.call("runs.abort", { runId })).toEqual({ aborted: false });
});

test("closing the daemon ends live runs with an Error event that a follower still reads", async () => {
  const home = join(folder, "closing");
  const configDir = join(folder, "config");
  const closing = await startDaemon({ home, configDir, port: 0, checkOutputs: true });
  const other = createClient({ url: closing.url, token: closing.token });
  await other.call("providers.add", {
    name: "loop",
    kind: "openai-chat",
    baseUrl: models.url,
    apiKey: "sk-right",
    local: true,
  });
  const { runId } = await other.call("runs.start", { model: "loop/hesitant", prompt: "wait" });
  const events: RunEvent[] = [];
  for await (const event of other.follow(runId)) {
    events.push(event);
    if (event.type === "ProviderCallStarted") void closing.close();
  }
  await closing.close();
  expect(events.at(-1)?.type).toBe("Error");
  await expect(other.call("system.status", {}, { retry: false })).rejects.toMatchObject({
    code: "NETWORK_UNAVAILABLE",
    message: expect.stringContaining(closing.url) as unknown,
  });
});
