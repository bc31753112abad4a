import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { operations, type InputOf, type OperationId, type Operations, type OutputOf } from "@benchtop/operations";
import { startDaemon, type Daemon } from "@benchtop/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeGguf } from "../../llama/src/gguf/gguf.ts";
import { tinyModel } from "../../llama/test/tiny-model.ts";
import { tinyScriptedModel } from "../../llama/test/tiny-scripted-model.ts";
import { OllamaServer } from "../../models/test/runtime-servers/ollama.ts";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import { createClient, type Client } from "./index.ts";
import type { CallableId } from "./client.ts";

/** Each operation is called for real at least once, against a daemon that refuses answers unlike their schema. */
let folder: string;
let daemon: Daemon;
let models: ModelServer;
let client: Client;
const called = new Set<OperationId>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-every-"));
  models = await startModelServer();
  const options = { tools: [{ tool: "delete_file", where: [{ path: "/path", glob: "kept.txt" }] }] };
  const gates = [{ policy: "approval", mode: "enforcing", options }];
  await mkdir(join(folder, "home"), { mode: 0o700 });
  await writeFile(join(folder, "home", "config.json"), JSON.stringify({ gates }), { mode: 0o600 });
  daemon = await startDaemon({
    home: join(folder, "home"),
    configDir: join(folder, "config"),
    port: 0,
    checkOutputs: true,
  });
  client = createClient({ url: daemon.url, token: daemon.token });
  await call("providers.add", {
    name: "loop",
    kind: "openai-chat",
    baseUrl: models.url,
    local: true,
    prices: { inputPerMillion: 1, outputPerMillion: 2 },
  });
});
afterAll(async () => {
  await daemon.close();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

function call<Id extends CallableId>(id: Id, input: InputOf<Operations[Id]>): Promise<OutputOf<Operations[Id]>> {
  called.add(id);
  return client.call(id, input);
}

async function finished(runId: string): Promise<void> {
  called.add("runs.events");
  for await (const event of client.follow(runId)) if (event.type === "Error") throw new Error(event.error.message);
}

test("system, sign-in and identity", async () => {
  expect(await call("system.health", {})).toMatchObject({ status: "ok" });
  expect(await call("system.ready", {})).toEqual({ status: "ready" });
  expect(await call("system.status", {})).toMatchObject({ pid: process.pid, providers: 1 });
  expect(await call("identity.whoami", {})).toMatchObject({ via: "token", workspaceId: "default" });
  const { url } = await call("signIn.createLink", {});
  expect(await call("signIn.create", { token: new URL(url).hash.slice(7) })).toMatchObject({ via: "sign-in" });
  expect(await call("signIn.end", {})).toEqual({});
});

test("workspaces, members, invitations, keys, sign-ins and their audit", async () => {
  expect(await call("signIn.methods", {})).toEqual({ oidc: [] });
  await expect(call("signIn.startOidc", { name: "nobody" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(call("signIn.finishOidc", { parameters: "?code=x" })).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
  const { workspaceId } = await call("workspaces.create", { name: "Garden" });
  expect((await call("workspaces.list", {})).items).toHaveLength(2);
  await expect(call("workspaces.switch", { workspaceId })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  expect(await call("workspaces.delete", { workspaceId })).toEqual({});
  expect(await call("workspaces.rename", { name: "House" })).toMatchObject({ name: "House" });

  const { invitation, url } = await call("invitations.create", { role: "editor" });
  const token = new URL(url).hash.replace("#invitation=", "");
  expect(await call("invitations.look", { token })).toMatchObject({ workspaceName: "House", role: "editor" });
  // Without the operator's token, as a person who has none yet.
  const anybody = createClient({ url: daemon.url });
  called.add("invitations.accept");
  const { userId } = await anybody.call("invitations.accept", { token, displayName: "Ada" });
  expect((await call("invitations.list", {})).items).toMatchObject([
    { invitationId: invitation.invitationId, status: "accepted" },
  ]);
  const { invitation: second } = await call("invitations.create", { role: "viewer" });
  expect(await call("invitations.revoke", { invitationId: second.invitationId })).toEqual({});
  expect((await call("members.list", {})).items.map(({ displayName }) => displayName)).toContain("Ada");
  expect(await call("members.setRole", { userId, role: "viewer" })).toMatchObject({ role: "viewer" });
  const link = await call("members.createLink", { userId });
  await anybody.call("signIn.create", { token: new URL(link.url).hash.slice("#token=".length) });
  expect(await call("members.remove", { userId })).toEqual({});

  const { key, secret } = await call("keys.create", { name: "script", scopes: ["runs:read"], expiresInDays: 1 });
  const script = createClient({ url: daemon.url, token: secret });
  expect(await script.call("identity.whoami", {})).toMatchObject({ via: "api-key", keyId: key.keyId });
  expect((await call("keys.list", {})).items).toMatchObject([{ keyId: key.keyId, status: "active" }]);
  expect(await call("keys.revoke", { keyId: key.keyId })).toEqual({});
  await expect(script.call("identity.whoami", {})).rejects.toMatchObject({ code: "AUTH_REQUIRED" });

  const { url: own } = await call("signIn.createLink", {});
  const { signInId } = await anybody.call("signIn.create", { token: new URL(own).hash.slice("#token=".length) });
  expect((await call("signIns.list", {})).items.map((signIn) => signIn.signInId)).toContain(signInId);
  expect(await call("signIns.revoke", { signInId: signInId ?? "" })).toEqual({});
  expect((await call("audit.list", { event: "key.revoked" })).items).toMatchObject([{ subjectId: key.keyId }]);
});

test("providers and models", async () => {
  expect((await call("providers.catalogue", {})).items.map(({ id }) => id)).toContain("openai");
  expect((await call("providers.list", {})).items).toMatchObject([{ name: "loop", local: true, hasApiKey: false }]);
  expect(await call("providers.test", { name: "loop" })).toMatchObject({ ok: true });
  expect((await call("models.list", {})).items.length).toBeGreaterThan(2);
  await call("providers.add", { name: "gone", kind: "openai-responses", baseUrl: "https://gone.example/v1" });
  expect(await call("providers.remove", { name: "gone" })).toEqual({});
  expect((await call("egress.listEvents", { limit: 1 })).items).toMatchObject([
    { purpose: "model-list", outcome: "sent" },
  ]);
});

test("a server that is known by its own kind", async () => {
  const server = await new OllamaServer().listen();
  try {
    const added = await call("providers.add", { name: "box", kind: "ollama", baseUrl: server.url, local: true });
    expect(added).toMatchObject({ name: "box", kind: "ollama" });
    expect(await call("providers.loadModel", { name: "box", model: "tiny", keepAliveSeconds: null })).toMatchObject({
      ref: "box/tiny:latest",
      state: "ready",
      expiresAt: null,
    });
    expect(await call("providers.status", { name: "box" })).toMatchObject({
      health: { ready: true, version: "0.12.3" },
      models: [{ ref: "box/tiny:latest", state: "ready" }, { state: "unloaded" }, { state: "unloaded" }],
    });
    expect(await call("providers.unloadModel", { name: "box", model: "tiny" })).toEqual({});
    const embedded = await call("embeddings.create", { model: "box/embedder", texts: ["a", "b"] });
    expect(embedded.vectors).toHaveLength(2);
    await expect(call("providers.status", { name: "loop" })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    expect(await call("providers.remove", { name: "box" })).toEqual({});
  } finally {
    await server.close();
  }
});

test("runs", async () => {
  const { runId } = await call("runs.start", { model: "loop/slow", prompt: "say hello", instructions: "be brief" });
  expect(await call("runs.hint", { runId, text: "shorter" })).toEqual({ accepted: true });
  await finished(runId);
  expect(await call("runs.get", { runId })).toMatchObject({ status: "success", title: "say hello" });
  expect((await call("runs.list", { kind: "prompt", limit: 1 })).items).toMatchObject([{ runId }]);
  const page = await call("runs.eventPage", { runId, limit: 2 });
  expect(page).toMatchObject({ items: [{ seq: 0 }, { seq: 1 }], nextAfter: 1 });
  expect((await call("runs.eventPage", { runId, after: 1 })).items[0]).toMatchObject({ seq: 2 });
  expect(await call("runs.abort", { runId })).toEqual({ aborted: false });
  expect(await call("runs.verify", { runId })).toMatchObject({ ok: true });
});

test("runs that wait for a person, and runs of runs", async () => {
  const { workbenchId } = await call("workbenches.create", { name: "again" });
  const { sha256 } = await client.upload(new TextEncoder().encode("keep me\n"));
  await call("files.add", { workbenchId, uploads: [{ path: "kept.txt", sha256 }] });
  const asked = { workbenchId, model: "loop/gpt-5.2", task: "delete kept.txt" };
  const { runId } = await call("workshop.runAgent", asked);
  for await (const event of client.follow(runId)) if (event.type === "Suspended") break;
  expect((await call("runs.list", { waiting: true })).items).toMatchObject([
    { runId, suspension: { tool: "delete_file", arguments: { path: "kept.txt" } } },
  ]);
  expect(await call("runs.resume", { runId, decision: "approve" })).toEqual({ runId });
  await finished(runId);
  expect(await call("draft.getState", { workbenchId })).toMatchObject({ unconfirmedDeletions: ["kept.txt"] });
  expect(await call("runs.replay", { runId })).toMatchObject({ report: { runId, outcome: "identical" } });

  const point = await call("runs.saveCheckpoint", { runId, seq: 1, name: "told" });
  expect(await call("runs.checkpoints", { runId })).toEqual({ items: [point] });
  expect(await call("runs.removeCheckpoint", { runId, name: "told" })).toEqual({ removed: true });
  await finished((await call("runs.undo", { runId })).runId);
  expect(await call("draft.getState", { workbenchId })).toMatchObject({ exists: false });
  const fork = await call("runs.fork", { runId, seq: 1, input: "what is in there?" });
  await finished(fork.runId);
  expect(await call("runs.get", { runId: fork.runId })).toMatchObject({ parentRunId: runId, status: "success" });
  expect(await call("workbenches.delete", { workbenchId })).toEqual({});
});

test("memory", async () => {
  const { workbenchId, memory } = await call("workbenches.create", { name: "memory" });
  expect(memory).toBe(false);
  expect(await call("memory.set", { workbenchId, enabled: true })).toEqual({ enabled: true });
  expect(await call("memory.list", { workbenchId })).toEqual({ enabled: true, items: [], nextCursor: null });
  expect(await call("memory.forget", { workbenchId, memoryId: "mem_0" })).toEqual({ forgotten: false });
  expect(await call("memory.clear", { workbenchId })).toEqual({ forgotten: 0 });
  expect(await call("workbenches.delete", { workbenchId })).toEqual({});
});

test("retention", async () => {
  const { runId } = await call("runs.start", { model: "loop/gpt-5.2", prompt: "say hello and be forgotten" });
  await finished(runId);
  const before = new Date(Date.now() + 60_000).toISOString();
  const dry = await call("runs.prune", { before, kinds: ["nothing"], dryRun: true });
  expect(dry).toEqual({ dryRun: true, runs: 0, events: 0, kept: 0, blobs: null, bytes: null });
  expect(await call("runs.prune", { before, kinds: ["nothing"] })).toMatchObject({ runs: 0, blobs: 0 });
  const { eventCount } = await call("runs.get", { runId });
  expect(await call("runs.delete", { runId, force: true })).toEqual({ runId, events: eventCount });
  expect(await call("runs.get", { runId })).toMatchObject({ title: "", deletedAt: expect.any(String) });
  await expect(call("runs.eventPage", { runId })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(call("runs.delete", { runId })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("conversations", async () => {
  const sessionId = "talk-about-weather";
  const { runId, traceId } = await call("runs.start", { model: "loop/gpt-5.2", prompt: "what a day", sessionId });
  await finished(runId);
  await finished((await call("runs.start", { model: "loop/gpt-5.2", prompt: "and tomorrow?", sessionId })).runId);
  expect((await call("conversations.list", {})).items[0]).toMatchObject({ sessionId, title: "what a day", runs: 2 });
  expect(await call("conversations.get", { sessionId })).toMatchObject({ workbenchId: null, runs: 2 });
  expect((await call("runs.list", { traceId })).items).toMatchObject([{ runId }]);
  expect(await call("conversations.delete", { sessionId })).toMatchObject({ runs: 2 });
  await expect(call("conversations.get", { sessionId })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("workbenches and files", async () => {
  const { workbenchId, publishedDir } = await call("workbenches.create", { name: "files" });
  expect(await call("workbenches.rename", { workbenchId, name: "Files" })).toMatchObject({ name: "Files" });
  expect(await call("workbenches.open", { workbenchId: "files" })).toMatchObject({ workbenchId });
  expect((await call("workbenches.list", {})).items).toHaveLength(1);

  const { sha256 } = await client.upload(new TextEncoder().encode("hello\n"));
  called.add("files.upload");
  const { added } = await call("files.add", { workbenchId, uploads: [{ path: "notes/a.txt", sha256 }] });
  expect(added).toMatchObject([{ path: "notes/a.txt", bytes: 6, opaque: false }]);
  const source = join(folder, "source");
  await mkdir(join(source, "sub"), { recursive: true });
  await writeFile(join(source, "sub", "b.bin"), new Uint8Array([0, 1, 2, 255]));
  expect(await call("files.addFromHost", { workbenchId, sources: [source] })).toMatchObject({
    added: [{ path: "sub/b.bin", opaque: true }],
    refused: [],
  });
  expect((await call("files.list", { workbenchId })).items.map(({ path }) => path)).toEqual([
    "notes/a.txt",
    "sub/b.bin",
  ]);
  expect((await call("files.origins", { workbenchId })).items).toMatchObject([{ path: "sub/b.bin", state: "same" }]);
  expect(await call("files.writeBack", { workbenchId, workbenchPaths: ["sub"] })).toEqual({
    writeBackResults: [{ path: "sub/b.bin", outcome: "done" }],
  });
  const file = await client.download({ workbenchId, path: "sub/b.bin" });
  called.add("files.read");
  expect(new Uint8Array(await file.arrayBuffer())).toEqual(new Uint8Array([0, 1, 2, 255]));

  const destinationDir = join(folder, "out");
  await mkdir(destinationDir);
  expect(await call("files.extract", { workbenchId, destinationDir })).toMatchObject({
    extractResults: [{ outcome: "done" }, { outcome: "done" }],
  });
  expect(await readFile(join(destinationDir, "notes", "a.txt"), "utf8")).toBe("hello\n");

  await writeFile(join(publishedDir, "outside.txt"), "made behind our back");
  const changes = [{ path: "outside.txt", change: "added" }];
  expect(await call("outsideChanges.list", { workbenchId })).toEqual({ items: changes });
  expect(await call("outsideChanges.resolve", { workbenchId, strategy: "revert" })).toEqual({ resolved: changes });
  expect(await call("files.remove", { workbenchId, workbenchPaths: ["notes"] })).toMatchObject({
    removeResults: [{ path: "notes", outcome: "done" }],
  });
  const checkpoint = await call("checkpoints.create", { workbenchId, message: "by hand" });
  expect(checkpoint).toMatchObject({ reason: "manual" });
  const { checkpointId } = checkpoint;
  expect(await call("checkpoints.remove", { workbenchId, checkpointId })).toEqual({});
  expect(await call("workbenches.delete", { workbenchId })).toEqual({});
  await expect(call("workbenches.open", { workbenchId })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("workshop, draft, review, checkpoints and consent", async () => {
  const { workbenchId } = await call("workbenches.create", { name: "budget" });
  const { sha256 } = await client.upload(new TextEncoder().encode("item,amount\nrent,700\ntotal,900\n"));
  await call("files.add", { workbenchId, uploads: [{ path: "data.csv", sha256 }] });
  const ask = async (task: string) => {
    const { runId } = await call("workshop.runAgent", { workbenchId, model: "loop/gpt-5.2", task });
    await finished(runId);
  };
  await ask("delete data.csv");
  expect(await call("draft.getState", { workbenchId })).toMatchObject({
    exists: true,
    unconfirmedDeletions: ["data.csv"],
  });
  await expect(call("draft.publish", { workbenchId })).rejects.toMatchObject({ info: { phase: "publish" } });
  expect(await call("draft.confirmDeletions", { workbenchId, paths: ["data.csv"] })).toMatchObject({
    unconfirmedDeletions: [],
  });
  expect(await call("draft.discard", { workbenchId })).toEqual({ discarded: true });

  await ask("add a summary.md");
  expect((await call("review.getChangeSet", { workbenchId })).changes).toMatchObject([{ path: "summary.md" }]);
  expect(await call("review.getTextDiff", { workbenchId, path: "summary.md" })).toMatchObject({ change: "added" });
  const { runId } = await call("draft.publish", { workbenchId, wait: false });
  await finished(runId);
  const { items } = await call("checkpoints.list", { workbenchId });
  expect(items[0]).toMatchObject({ reason: "publish", runId });
  await finished((await call("checkpoints.restore", { workbenchId, wait: false })).runId);
  const { items: entries } = await call("workshop.conversation", { workbenchId });
  // The checkpoint is of before the Draft that was published began: what led to it is no longer said.
  expect(entries.map(({ kind }) => kind)).toEqual(["restore", "discard", "publish", "agent"]);

  const item = { kind: "style-guide", title: "Style", content: "Short sentences." } as const;
  const { itemId } = await call("contextItems.put", { workbenchId, ...item });
  expect((await call("contextItems.list", { workbenchId })).items).toMatchObject([{ itemId, title: "Style" }]);
  expect(await call("contextItems.remove", { workbenchId, itemId })).toEqual({});
  expect(await call("workshop.switchModel", { workbenchId, model: "loop/gpt-5.2-mini" })).toMatchObject({
    previous: "loop/gpt-5.2",
  });
  expect(await call("workshop.context", { workbenchId })).toMatchObject({ model: "loop/gpt-5.2-mini" });
  const message = await call("workshop.sendUserMessage", { workbenchId, message: "what is here?" });
  await finished(message.runId);
  const again = await call("workshop.regenerate", { workbenchId, turnRunId: message.runId });
  await finished(again.runId);
  const exported = await client.downloadFrom("workshop.exportConversation", { workbenchId });
  called.add("workshop.exportConversation");
  expect(Buffer.from(await exported.arrayBuffer()).toString("utf8")).toContain('"asked":"what is here?"');
  expect(await call("workshop.undoToMessage", { workbenchId, runId: again.runId })).toMatchObject({
    removed: [again.runId],
    message: "what is here?",
  });
  called.add("runs.artifact");
  await expect(client.downloadFrom("runs.artifact", { runId: again.runId, artifactId: "art_0" })).rejects.toMatchObject(
    { code: "NOT_FOUND" },
  );

  expect((await call("failures.list", {})).nextCursor).toBeNull();
  await expect(call("failures.get", { failureId: "fail_0" })).rejects.toMatchObject({ code: "NOT_FOUND" });

  await call("providers.add", { name: "far", kind: "openai-chat", baseUrl: "https://far.example/v1" });
  const { workshop: consent } = await call("egress.consentStatus", { workbenchId, model: "far/m" });
  const { providerId, modelId, scopeHash } = consent;
  expect(await call("egress.grantConsent", { workbenchId, providerId, modelId, scopeHash, persist: true })).toEqual({});
  expect(await call("egress.consentStatus", { workbenchId, model: "far/m" })).toMatchObject({
    workshop: { consented: true, persisted: true },
  });
  expect(await call("egress.revokeConsent", { workbenchId })).toEqual({});

  const approved = await call("egressExceptions.approve", { host: "192.168.7.20:11434", note: "the lab" });
  expect(await call("egressExceptions.list", {})).toEqual({ items: [approved] });
  expect(await call("egressExceptions.revoke", { host: approved.host })).toEqual({});
});

test("what a person does with a Draft", async () => {
  const { workbenchId } = await call("workbenches.create", { name: "by hand" });
  const text = await call("draft.edit", { workbenchId, path: "plan.md", content: "mine\n", sha256: null });
  expect(text).toMatchObject({ draft: { revision: 1 }, change: { path: "plan.md", runId: null, accepted: false } });
  const pdf = await readFile(join(import.meta.dirname, "../../documents/test/fixtures/pdf/letter.pdf"));
  const { sha256: upload } = await client.upload(pdf);
  expect(await call("draft.edit", { workbenchId, path: "letter.pdf", upload, sha256: null })).toMatchObject({
    change: { document: "pages", view: "opaque" },
  });
  expect(await call("review.getDocumentDiff", { workbenchId, path: "letter.pdf" })).toMatchObject({ kind: "pages" });
  expect(await call("review.getDocumentDiff", { workbenchId, path: "letter.pdf", bytes: true })).toMatchObject({
    kind: "bytes",
  });
  const page = await client.downloadFrom("review.getPage", { workbenchId, path: "letter.pdf", page: 1, width: 200 });
  called.add("review.getPage");
  expect([page.mediaType, (await page.arrayBuffer()).byteLength]).toEqual(["image/png", page.bytes]);

  const decided = { path: "plan.md", sha256: text.change?.sha256After ?? null };
  const late = { path: "plan.md", sha256: "0".repeat(64), decision: "accept" } as const;
  await expect(call("draft.decide", { workbenchId, decisions: [late] })).rejects.toMatchObject({
    code: "CONFLICT_PUBLISHED_CHANGED",
    info: { phase: "review", actions: ["review_draft"] },
  });
  const { hunks } = await call("review.getTextDiff", { workbenchId, path: "plan.md" });
  const ids = hunks.map(({ id }) => id);
  const accept = { ...decided, decision: "accept", hunks: ids } as const;
  expect(await call("draft.decide", { workbenchId, decisions: [accept] })).toMatchObject({
    changes: [{ path: "plan.md", accepted: true }],
  });
  const reject = [decided, { path: "letter.pdf", sha256: upload }].map((file) => ({
    ...file,
    decision: "reject" as const,
  }));
  expect(await call("draft.decide", { workbenchId, decisions: reject })).toEqual({
    draft: expect.objectContaining({ exists: false }) as unknown,
    changes: [],
  });
});

test("models of this machine", { timeout: 60_000 }, async () => {
  const never = "/proc/self/nowhere.gguf";
  const file = async (name: string, content: Parameters<typeof writeGguf>[1]) => {
    const path = join(folder, `${name}.gguf`);
    await writeGguf(path, content);
    return path;
  };
  const poet = await file("poet", tinyScriptedModel({ name: "poet", script: "Roses are red." }));
  const vectors = await file("vectors", tinyModel({ name: "vectors", embeds: true, embeddingLength: 64 }));
  const installed = async (source: string, name: string): Promise<void> => {
    const { downloadId } = await call("localModels.install", { source, name });
    await expect
      .poll(
        async () => (await call("modelDownloads.list", {})).items.find((each) => each.downloadId === downloadId)?.state,
      )
      .toBe("done");
  };
  expect((await call("localModels.choices", { source: poet })).items).toMatchObject([{ fitsMemory: true }]);
  await installed(poet, "poet");
  await installed(vectors, "vectors");
  await expect(call("localModels.install", { source: never })).rejects.toMatchObject({ code: "NOT_FOUND" });
  for (const id of ["modelDownloads.pause", "modelDownloads.resume", "modelDownloads.cancel"] as const) {
    await expect(call(id, { downloadId: "dl_0" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  }
  const { items } = await call("localModels.list", {});
  expect(items.map(({ name }) => name)).toEqual(expect.arrayContaining(["poet", "vectors"]));
  expect(await call("localModels.get", { name: "poet" })).toMatchObject({ ref: "benchtop/poet", loaded: false });
  expect(await call("localModels.pin", { name: "poet", pinned: true })).toMatchObject({ pinned: true });
  expect(await call("localModels.pin", { name: "poet", pinned: false })).toMatchObject({ pinned: false });
  expect(await call("localModels.verify", { name: "poet" })).toEqual({ intact: true, damaged: [] });
  const destination = join(folder, "poet.tar");
  expect(await call("localModels.export", { names: ["poet"], destination })).toMatchObject({ path: destination });
  expect(await call("localModels.configure", { keepAliveSeconds: 60 })).toMatchObject({ keepAliveSeconds: 60 });
  expect(await call("localModels.settings", {})).toMatchObject({ keepAliveSeconds: 60, hasHuggingFaceToken: false });

  expect(await call("modelRuntimes.load", { name: "poet" })).toMatchObject({ name: "poet", state: "ready" });
  const chat = await call("runs.chat", { model: "benchtop/poet", messages: [{ role: "user", content: "Say it." }] });
  await finished(chat.runId);
  expect(await call("modelRuntimes.status", {})).toMatchObject({ items: [{ name: "poet" }], counts: { requests: 1 } });
  expect(await call("modelRuntimes.unload", { name: "poet" })).toEqual({});
  const embedded = await call("embeddings.create", { model: "benchtop/vectors", texts: ["a", "b", "a"] });
  expect(embedded).toMatchObject({ dimensions: 64, normalized: true });
  expect(embedded.vectors[0]).toEqual(embedded.vectors[2]);

  const small = await call("localModels.quantize", { name: "poet", quantization: "Q8_0" });
  await finished(small.runId);
  expect(await call("localModels.get", { name: "poet-q8-0" })).toMatchObject({ quantization: "Q8_0" });
  const examples = `${JSON.stringify({ prompt: "where is the key", completion: "In the box." })}\n`.repeat(4);
  const size = { layers: 1, width: 32, heads: 1, feedForward: 64, vocabulary: 300 };
  const plan = { method: "full", size, steps: 3 } as const;
  const trained = await call("localModels.train", { name: "house", plan, examples });
  await finished(trained.runId);
  await expect(call("localModels.resumeTraining", { runId: trained.runId })).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
  });
  expect(await call("localModels.remove", { name: "poet" })).toMatchObject({
    freedBytes: expect.any(Number) as unknown,
  });
  expect((await call("localModels.import", { path: destination })).items).toMatchObject([{ name: "poet" }]);
});

test("evaluations", async () => {
  const { runId } = await call("evals.run", {
    suite: {
      name: "one case",
      models: ["loop/gpt-5.2"],
      prompt: "repeat: {{input}}",
      evaluators: [{ type: "exact" }],
      cases: [{ id: "a", input: "yes", expected: "yes" }],
    },
  });
  await finished(runId);
  expect((await call("evals.list", { limit: 1 })).items).toMatchObject([
    { runId, name: "one case", status: "success" },
  ]);
  expect(await call("evals.get", { runId })).toMatchObject({ summary: { outcome: "passed" } });
  const report = await client.downloadReport({ runId });
  called.add("evals.report");
  expect(new TextDecoder().decode(await report.arrayBuffer())).toContain('"format":"benchtop.eval-report"');
  expect(await call("evals.compare", { runId, otherRunId: runId })).toMatchObject({ models: [{ same: 1 }] });
});

test("no operation was left out", () => {
  expect([...called].toSorted()).toEqual(Object.keys(operations).toSorted());
});
