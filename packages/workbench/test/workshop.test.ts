import { expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

const someone = { userId: "someone", workspaceId: "default" };

async function withFiles(files: Record<string, string>): Promise<{ stage: Stage; workbenchId: string }> {
  const stage = await openStage({ limits: { searchTimeoutMs: 300, maxDraftFileBytes: 1000 } });
  const { workbenchId } = await stage.workbenches.create({ name: "w", ...someone });
  const uploads: { path: string; sha256: string }[] = [];
  for (const [path, content] of Object.entries(files)) {
    uploads.push({ path, sha256: await stage.upload(content) });
  }
  if (uploads.length > 0) await stage.workbenches.filesAdd({ workbenchId, uploads, replace: false });
  return { stage, workbenchId };
}

/** What each tool call of one agent turn was answered. */
async function answers(stage: Stage, workbenchId: string, calls: [string, object][]): Promise<string[]> {
  stage.model.script({ calls: calls.map(([name, input]) => ({ name, arguments: input })) });
  const events = await stage.agent(workbenchId);
  return events.flatMap((event) => (event.type === "ToolCallFinished" ? [`${event.outcome}: ${event.content}`] : []));
}

test("S5 the tools read the Draft over its base and write nothing else", async () => {
  const { stage, workbenchId } = await withFiles({
    "a.txt": "one\ntwo\nthree\n",
    "img.png": "\0",
    "crlf.txt": "x\r\ny\r\n",
  });
  await using _ = stage;
  const said = await answers(stage, workbenchId, [
    ["read_file", { path: "a.txt", start_line: 2 }],
    ["edit_file", { path: "a.txt", old_text: "two", new_text: "2" }],
    ["read_file", { path: "a.txt" }],
    ["edit_file", { path: "crlf.txt", old_text: "x\ny", new_text: "x\nz" }],
    ["edit_file", { path: "a.txt", old_text: "nothing", new_text: "" }],
    ["edit_file", { path: "a.txt", old_text: "e", new_text: "E" }],
    ["read_file", { path: "img.png" }],
    ["write_file", { path: "A.TXT", content: "twin" }],
    ["write_file", { path: "a.txt/b", content: "below a file" }],
    ["write_file", { path: "large.txt", content: "x".repeat(1001) }],
    ["write_file", { path: "x.pdf", content: "no pdf" }],
    ["delete_file", { path: "a.txt" }],
    ["read_file", { path: "a.txt" }],
    ["search_files", { pattern: "Z" }],
    ["search_files", { pattern: "(", regex: true }],
    ["list_files", {}],
  ]);
  expect(said).toEqual([
    "success: 2\ttwo\n3\tthree",
    'success: "a.txt" is modified in the Draft (12 bytes).',
    "success: 1\tone\n2\t2\n3\tthree",
    'success: "crlf.txt" is modified in the Draft (6 bytes).',
    expect.stringMatching(/^error: .*does not occur/),
    expect.stringMatching(/^error: .*occurs 3 times/),
    expect.stringMatching(/^error: .*image\/png; it cannot be read/),
    expect.stringMatching(/^error: .*differs only by case/),
    expect.stringMatching(/^error: .*is a file, not a folder/),
    expect.stringMatching(/^error: .*maxDraftFileBytes/),
    expect.stringMatching(/^error: .*cannot be written as text/),
    expect.stringMatching(/^success: .*has to confirm/),
    expect.stringMatching(/^error: .*deleted in the Draft/),
    "success: crlf.txt:2: z",
    expect.stringMatching(/^error: .*no valid regular expression/),
    'success: "crlf.txt" 6 text/plain, modified in the Draft\n"img.png" 1 image/png (opaque)',
  ]);
});

test.each(["../x", "/etc/passwd", "a\\b", "C:x", "a/../../x", "x\0", "CON", "a\u202Eb", "e\u0301", "x".repeat(300)])(
  "S1 no tool takes the path %j",
  async (path) => {
    const { stage, workbenchId } = await withFiles({ "a.txt": "a" });
    await using _ = stage;
    const said = await answers(stage, workbenchId, [
      ["read_file", { path }],
      ["write_file", { path, content: "x" }],
      ["edit_file", { path, old_text: "a", new_text: "b" }],
      ["delete_file", { path }],
      ["list_files", { folder: path }],
      ["search_files", { pattern: "root", folder: path }],
    ]);
    expect(said).toHaveLength(6);
    for (const answer of said) expect(answer).toMatch(/^error: .*cannot be used/);
    expect((await stage.workbenches.draftState({ workbenchId })).exists).toBe(false);
  },
);

test("a catastrophic expression is stopped, and the next search works", async () => {
  const { stage, workbenchId } = await withFiles({ "a.txt": `${"a".repeat(60)}!` });
  await using _ = stage;
  const said = await answers(stage, workbenchId, [
    ["search_files", { pattern: "^(a+)+$", regex: true }],
    ["search_files", { pattern: "A{5}!", regex: true }],
  ]);
  expect(said[0]).toMatch(/^error: The search took too long/);
  expect(said[1]).toMatch(/^success: a.txt:1:/);
});

test("S2 a Draft gates every change of the files, and writing the base's content takes the change back", async () => {
  const { stage, workbenchId } = await withFiles({ "a.txt": "a" });
  await using _ = stage;
  const { workbenches } = stage;
  await answers(stage, workbenchId, [["write_file", { path: "a.txt", content: "b" }]]);
  const gate = { info: { error_code: "DRAFT_EXISTS", actions: ["review_draft", "discard_draft"] } };
  const from = { workbenchId, sources: ["/x"], replace: false, skipRefused: false };
  await expect(workbenches.addFromHost(from)).rejects.toMatchObject(gate);
  const uploads = [{ path: "b", sha256: "0".repeat(64) }];
  await expect(workbenches.filesAdd({ workbenchId, uploads, replace: false })).rejects.toMatchObject(gate);
  await expect(workbenches.remove({ workbenchId, workbenchPaths: ["a.txt"] })).rejects.toMatchObject(gate);
  await expect(workbenches.extract({ workbenchId, destinationDir: "/x", overwrite: false })).rejects.toMatchObject(
    gate,
  );
  await expect(workbenches.delete({ workbenchId })).rejects.toMatchObject(gate);
  await workbenches.createCheckpoint({ workbenchId });
  await expect(workbenches.restore({ workbenchId, wait: true, ...someone })).rejects.toMatchObject(gate);

  stage.model.script({ calls: [{ name: "write_file", arguments: { path: "a.txt", content: "a" } }] });
  const events = await stage.agent(workbenchId);
  expect(events.find((event) => event.type === "DraftChanged")).toMatchObject({ change: "reverted", revision: 2 });
  // What changes nothing is no Draft.
  expect((await workbenches.draftState({ workbenchId })).exists).toBe(false);
  expect(await workbenches.discard({ workbenchId, ...someone })).toEqual({ discarded: false });
  await workbenches.delete({ workbenchId });
});

test("one agent at a time; discarding aborts it, and a repeated run id is told apart", async () => {
  const { stage, workbenchId } = await withFiles({ "a.txt": "a" });
  await using _ = stage;
  const held = Promise.withResolvers<void>();
  stage.model.script(
    { calls: [{ name: "write_file", arguments: { path: "a.txt", content: "b" } }] },
    { text: "never", after: held.promise },
  );
  const ask = (runId?: string) =>
    stage.workbenches.runAgent({
      workbenchId,
      task: "go",
      model: "local/scripted",
      ...someone,
      ...(runId && { runId }),
    });
  const { runId } = await ask("first");
  for await (const event of stage.store.journal.follow(runId)) if (event.type === "DraftChanged") break;
  await expect(ask()).rejects.toMatchObject({ info: { subphase: "agent_active", detail: { active_run_id: "first" } } });
  await expect(ask("first")).rejects.toMatchObject({ info: { error_code: "RUN_REPLAYED" } });
  await expect(stage.workbenches.publish({ workbenchId, wait: true, ...someone })).rejects.toMatchObject({
    info: { subphase: "agent_active" },
  });
  expect(await stage.workbenches.discard({ workbenchId, ...someone })).toEqual({ discarded: true });
  held.resolve();
  expect((await stage.journal("first")).at(-1)).toMatchObject({
    type: "Error",
    error: { error_code: "USER_CANCELED" },
  });
  expect((await stage.workbenches.draftState({ workbenchId })).exists).toBe(false);
});

test("a conversation goes on: the next run is shown what the earlier ones said and did", async () => {
  const { stage, workbenchId } = await withFiles({ "a.txt": "a" });
  await using _ = stage;
  stage.model.script({ calls: [{ name: "read_file", arguments: { path: "a.txt" } }] }, { text: "It says a." });
  await stage.agent(workbenchId, "what does it say?");
  await stage.agent(workbenchId, "and now?");
  const messages = stage.model.requests.at(-1)?.messages ?? [];
  expect(messages.map((message) => message.role)).toEqual(["system", "user", "assistant", "tool", "assistant", "user"]);
  expect(messages[0]?.content).toContain('"a.txt" 1 text/plain');
  const page = await stage.workbenches.conversation({ workbenchId, limit: 1 });
  expect(page.items.map((entry) => entry.task)).toEqual(["and now?"]);
  const rest = await stage.workbenches.conversation({ workbenchId, limit: 1, cursor: page.nextCursor ?? "" });
  expect(rest.items.map((entry) => entry.task)).toEqual(["what does it say?"]);
  expect(rest.items[0]?.events.some((event) => event.type === "OutputDelta")).toBe(false);
});

test("S3 an agent fails closed when the manifest cannot be read", async () => {
  const { stage, workbenchId } = await withFiles({ "a.txt": "a" });
  await using _ = stage;
  await stage.store.db
    .updateTable("workbenches")
    .set({ manifest_hash: "0".repeat(64) })
    .execute();
  expect((await stage.agent(workbenchId)).at(-1)).toMatchObject({
    type: "Error",
    error: { error_code: "FILE_READ_FAILED" },
  });
  expect(stage.model.requests).toEqual([]);
});

test("S7 nothing is sent without consent to this provider, model and scope", async () => {
  const { stage, workbenchId } = await withFiles({ "a.txt": "abc" });
  await using _ = stage;
  const { workbenches } = stage;
  const ask = async (consent?: { mode: "once" | "always"; scopeHash?: string }, model = "far/large") => {
    const { runId } = await workbenches.runAgent({
      workbenchId,
      task: "go",
      model,
      ...someone,
      ...(consent && { consent }),
    });
    return await stage.journal(runId);
  };
  const status = async (model = "far/large") => await workbenches.consentStatus({ workbenchId, model });
  const refused = await ask();
  expect(refused.map((event) => event.type)).toEqual(["RunStarted", "ConsentRequired", "Error"]);
  expect(refused[1]).toMatchObject({ providerId: "far", modelId: "large", fileCount: 1, totalBytes: 3 });
  expect(refused[2]).toMatchObject({ error: { error_code: "EGRESS_CONSENT_REQUIRED", phase: "workshop" } });
  expect((await ask({ mode: "once", scopeHash: "stale" })).at(-1)).toMatchObject({
    error: { error_code: "EGRESS_CONSENT_REQUIRED" },
  });
  expect(stage.sent).toEqual([]);
  expect(await status()).toMatchObject({ required: true, consented: false, host: "models.invalid", fileCount: 1 });
  expect(await status("local/scripted")).toMatchObject({ required: false });

  const { scopeHash } = await status();
  const once = await ask({ mode: "once", scopeHash });
  expect(once.at(-1)).toMatchObject({ error: { error_code: "NETWORK_UNAVAILABLE" } });
  expect((await ask()).at(-1)).toMatchObject({ error: { error_code: "EGRESS_CONSENT_REQUIRED" } });

  const grant = { workbenchId, providerId: "far", modelId: "large", ...someone };
  await expect(workbenches.grantConsent({ ...grant, scopeHash: "other", persist: true })).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED" },
  });
  await workbenches.grantConsent({ ...grant, scopeHash, persist: false });
  expect(await status()).toMatchObject({ consented: true, persisted: false });
  expect(await status("far/other")).toMatchObject({ consented: false });
  await workbenches.revokeConsent({ workbenchId });
  expect(await status()).toMatchObject({ consented: false });
});

test("S7 a kept consent follows a publish that changes files, and asks again for an added one", async () => {
  const { stage, workbenchId } = await withFiles({ "a.txt": "abc" });
  await using _ = stage;
  const { workbenches } = stage;
  const status = async () => await workbenches.consentStatus({ workbenchId, model: "far/large" });
  const grant = { workbenchId, providerId: "far", modelId: "large", persist: true, ...someone };
  await workbenches.grantConsent({ ...grant, scopeHash: (await status()).scopeHash });
  const publish = async (path: string) => {
    await answers(stage, workbenchId, [["write_file", { path, content: `new ${path}` }]]);
    await workbenches.publish({ workbenchId, wait: true, ...someone });
  };
  await publish("a.txt");
  expect(await status()).toMatchObject({ consented: true, persisted: true });
  await publish("b.txt");
  expect(await status()).toMatchObject({ consented: false, persisted: false });
});

test("S7 a prompt needs consent too, and remembers its session", async () => {
  const { stage } = await withFiles({});
  await using _ = stage;
  const prompt = async (text: string, model: string, consent?: "once" | "always") => {
    const choice = consent && { consent: { mode: consent } };
    const input = { prompt: text, model, sessionId: "s1", ...someone, ...choice };
    return await stage.journal((await stage.workbenches.runPrompt(input)).runId);
  };
  expect((await prompt("hi", "far/large")).at(-1)).toMatchObject({ error: { error_code: "EGRESS_CONSENT_REQUIRED" } });
  expect((await prompt("hi", "far/large", "always")).at(-1)).toMatchObject({
    error: { error_code: "NETWORK_UNAVAILABLE" },
  });
  expect((await prompt("hi", "far/large")).at(-1)).toMatchObject({ error: { error_code: "NETWORK_UNAVAILABLE" } });
  await prompt("first", "local/scripted");
  await prompt("second", "local/scripted");
  expect(stage.model.requests.at(-1)?.messages.map((message) => message.content)).toEqual(["first", "Done.", "second"]);
});
