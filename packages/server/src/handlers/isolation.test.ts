import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OperationId } from "@benchtop/operations";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer } from "../../../../test/model-server.ts";
import { exampleInputs, type Belongings } from "../../test/example-inputs.ts";
import { fingerprint } from "../../test/permissions/fingerprint.ts";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";
import { furnish, names, roomOf, suite, type Furnished, type Room } from "../../test/two-workspaces.ts";

/**
 * Two workspaces of one daemon that hold the same things under the same names. Whoever works in one never sees, changes or
 * learns of a thing of the other. (Who may call what at all is the matter of `permissions.test.ts`.)
 */
let folder: string;
let daemon: TestDaemon;
let ours: Room;
let theirs: Room;
let our: Furnished;
let their: Furnished;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-isolation-"));
  await mkdir(join(folder, "home"), { mode: 0o700 });
  const unlimited = { perSecond: 1_000_000, burst: 1_000_000 };
  const config = {
    rateLimits: { identity: unlimited, address: unlimited },
    reliability: { retry: { maxAttempts: 1 } },
  };
  await writeFile(join(folder, "home/config.json"), JSON.stringify(config), { mode: 0o600 });
  await start();
  const operator = roomOf(() => daemon, "default", await startModelServer());
  ours = operator;
  const { workspaceId } = await operator.ask("workspaces.create", { name: "Theirs" });
  theirs = roomOf(() => daemon, workspaceId, await startModelServer());
  [our, their] = [await furnish(ours, "albatross"), await furnish(theirs, "bittern")];
}, 60_000);
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await Promise.all([ours, theirs].map(({ models }) => models.close()));
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  daemon = await startTestDaemon({ home: join(folder, "home"), configDir: join(folder, "config") });
}

const both = () =>
  [
    [ours, our, their],
    [theirs, their, our],
  ] as const;

/** What nothing that one workspace is told may hold of the other. */
function secretsOf({ word, workbenchId, sessionId, checkpointId, sha256, runId, evalRunId }: Furnished): string[] {
  return [word, workbenchId, sessionId, checkpointId, sha256, runId, evalRunId];
}

const lists = [
  "workbenches.list",
  "providers.list",
  "models.list",
  "runs.list",
  "evals.list",
  "egress.listEvents",
] as const satisfies OperationId[];

test.each(lists)("P1.4 %s has what is of the workspace, and nothing of the other", async (id) => {
  for (const [room, , other] of both()) {
    const { items } = (await room.ask(id, {})) as { items: unknown[] };
    expect(items.length).toBeGreaterThan(0);
    const text = JSON.stringify(await room.ask(id, {}));
    for (const secret of secretsOf(other)) expect(text).not.toContain(secret);
  }
});

test.each(["runs.list", "evals.list"] as const)("P1.4 %s has the evaluation of the workspace", async (id) => {
  for (const [{ ask }, own] of both()) expect(JSON.stringify(await ask(id, {}))).toContain(own.evalRunId);
});

test("P1.4 what the two have in number adds up to what there is", async () => {
  const counts = await Promise.all(
    both().map(async ([{ ask }]) => [
      (await ask("runs.list", { questions: true })).items.length,
      (await ask("egress.listEvents", {})).items.length,
    ]),
  );
  expect(counts[0]).toEqual(counts[1]);
  const questions = await Promise.all(
    both().map(([{ ask }, , other]) => ask("runs.list", { parentRunId: other.evalRunId, questions: true })),
  );
  expect(questions.map(({ items }) => items)).toEqual([[], []]);
  for (const [{ ask }, , other] of both()) {
    expect((await ask("runs.list", { workbenchId: other.workbenchId })).items).toEqual([]);
    expect((await ask("egress.listEvents", { workbenchId: other.workbenchId })).items).toEqual([]);
    expect((await ask("egress.listEvents", { runId: other.runId })).items).toEqual([]);
  }
});

test("P1.4 one name means in each workspace what is there", async () => {
  for (const [{ ask }, own] of both()) {
    expect((await ask("workbenches.open", { workbenchId: names.workbench })).workbenchId).toBe(own.workbenchId);
    expect(await ask("files.read", { workbenchId: names.workbench, path: "notes.txt" })).toBe(
      `the file of ${own.word}`,
    );
    const conversation = JSON.stringify(await ask("workshop.conversation", { workbenchId: names.workbench }));
    expect(conversation).toContain(own.word);
  }
});

/** Operations whose input names a thing that only one of the two has; providers have the same name in both. */
const named = (Object.keys(exampleInputs) as OperationId[]).filter(
  (id) =>
    exampleInputs[id].about === "theirs" &&
    /^(runs|workbenches|files|outsideChanges|draft|review|checkpoints|workshop|egress|memory|evals)\./.test(id) &&
    id !== "runs.start",
);

test.each(named)(
  "P1.4 %s finds no thing of the other workspace, even for the operator, and does nothing",
  async (id) => {
    for (const [{ ask }, , other] of both()) {
      const input = exampleInputs[id].input({ ...other, provider: names.provider } as unknown as Belongings);
      const before = fingerprint(daemon.home, "");
      await expect(ask(id, input as never)).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(fingerprint(daemon.home, "")).toEqual(before);
    }
  },
);

test("P1.4 content whose hash one knows from elsewhere is as if it were not there", async () => {
  const content = "only ours";
  const sha256 = await ours.upload(content);
  const unknown = "0".repeat(64);
  const place = { workbenchId: their.workbenchId };
  const refusal = (hash: string) =>
    theirs.ask("files.add", { ...place, uploads: [{ path: "stolen.txt", sha256: hash }] });
  const attach = (hash: string) =>
    theirs.ask("runs.start", { model: names.model, prompt: "read", attachments: [{ name: "a.txt", sha256: hash }] });
  for (const attempt of [refusal, attach]) {
    const [known, nobodys] = await Promise.all(
      [sha256, our.sha256, unknown].map(async (hash) => {
        const error: unknown = await attempt(hash).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "NOT_FOUND" });
        return (error as Error).message;
      }),
    );
    expect(known).toBe(nobodys);
  }
  expect(await theirs.upload(content)).toBe(sha256);
  await theirs.ask("files.add", { ...place, uploads: [{ path: "sent.txt", sha256 }] });
  await theirs.ask("files.remove", { ...place, workbenchPaths: ["sent.txt"] });
  await ours.ask("files.add", { workbenchId: our.workbenchId, uploads: [{ path: "sent.txt", sha256 }] });
  await ours.ask("files.remove", { workbenchId: our.workbenchId, workbenchPaths: ["sent.txt"] });
});

test("P1.4 S7 a model is told what was said in a conversation of its workspace, not in one of the same name", async () => {
  for (const [{ ask, ended, models }, own, other] of both()) {
    const { runId } = await ask("runs.start", { model: names.model, prompt: "and?", sessionId: names.conversation });
    await ended(runId);
    expect(models.requests.at(-1)?.body).toContain(own.word);
    expect(models.requests.map(({ body }) => body).join()).not.toContain(other.word);
  }
});

test("P1.4 S9 each workspace asks its own provider, also when a run is forked, replayed or asked about after a restart", async () => {
  await daemon.close();
  await start();
  for (const [{ ask, ended, models }, own] of both()) {
    const others = both().filter(([room]) => room.models !== models);
    const counts = others.map(([room]) => room.models.requests.length);
    const asked = models.requests.length;
    const { runId } = await ask("runs.fork", { runId: own.runId, input: "otherwise" });
    expect(await ended(runId)).toBe("success");
    expect((await ask("runs.replay", { runId })).report.outcome).toBe("identical");
    expect((await ask("runs.get", { runId })).parentRunId).toBe(own.runId);
    expect(models.requests.length).toBe(asked + 1);
    expect(others.map(([room]) => room.models.requests.length)).toEqual(counts);
  }
});

test("P1.4 H6 an answer that another workspace's evaluation got is not taken for one's own", async () => {
  const third = roomOf(() => daemon, (await ours.ask("workspaces.create", { name: "Third" })).workspaceId, ours.models);
  await third.ask("providers.add", {
    name: names.provider,
    kind: "openai-chat",
    baseUrl: ours.models.url,
    local: true,
  });
  const asked = () => ours.models.requests.length;
  const before = asked();
  const evaluate = async ({ ask, ended }: Room) => {
    expect(await ended((await ask("evals.run", { suite })).runId)).toBe("success");
    return asked() - before;
  };
  expect(await evaluate(ours)).toBe(0);
  expect(await evaluate(third)).toBe(1);
  expect(await evaluate(third)).toBe(1);
  expect(await evaluate(ours)).toBe(1);
});

/** How a prompt to the provider elsewhere ends, which nobody can reach. */
async function farPrompt({ ask, ended }: Room, consent?: { mode: "always" }): Promise<string | null> {
  const { runId } = await ask("runs.start", { model: "far/large", prompt: "hello", ...(consent && { consent }) });
  await ended(runId);
  return (await ask("runs.get", { runId })).errorCode;
}

test("P1.4 S7 whoever agreed to send prompts in one workspace agreed for no other", async () => {
  const far = { name: "far", kind: "openai-chat", baseUrl: "https://models.invalid/v1", apiKey: "key" } as const;
  for (const { ask } of [ours, theirs]) await ask("providers.add", far);
  expect(await farPrompt(ours, { mode: "always" })).toBe("NETWORK_UNAVAILABLE");
  expect(await farPrompt(theirs)).toBe("EGRESS_CONSENT_REQUIRED");
  expect(await farPrompt(ours)).toBe("NETWORK_UNAVAILABLE");
  await theirs.ask("providers.remove", { name: "far" });
  expect(await farPrompt(ours)).toBe("NETWORK_UNAVAILABLE");
  expect((await theirs.ask("providers.list", {})).items.map(({ name }) => name)).toEqual([names.provider]);
  await expect(theirs.ask("runs.start", { model: "far/large", prompt: "hello" })).rejects.toMatchObject({
    code: "PROVIDER_NOT_CONFIGURED",
  });
});

test("P1.4 S11 a provider that fails in one workspace is not left alone in the other", async () => {
  const failing = `${names.provider}/broken`;
  for (let failures = 0; failures < 5; failures++) {
    const { runId } = await ours.ask("runs.start", { model: failing, prompt: "there?" });
    expect(await ours.ended(runId)).toBe("error");
  }
  const answeredBy = async ({ ask, ended, models }: Room) => {
    await ask("providers.add", { name: "spare", kind: "openai-chat", baseUrl: models.url, local: true });
    const { runId } = await ask("runs.start", { model: names.model, fallbacks: [spare], prompt: "still there?" });
    expect(await ended(runId)).toBe("success");
    return models.requests.at(-1)?.model;
  };
  const spare = "spare/gpt-5.2-mini";
  expect(await answeredBy(ours)).toBe("gpt-5.2-mini");
  expect(await answeredBy(theirs)).toBe("gpt-5.2");
});

test("P1.4 a run id that is taken elsewhere is refused, and nothing of the run is told or touched", async () => {
  const before = await ours.ask("runs.get", { runId: our.runId });
  const again = theirs.ask("runs.start", { model: names.model, prompt: "mine", runId: our.runId });
  await expect(again).rejects.toMatchObject({ code: "RUN_REPLAYED" });
  expect(await ours.ask("runs.get", { runId: our.runId })).toEqual(before);
  const { items } = await ours.ask("runs.list", { status: "replay" });
  expect(items).toEqual([]);
  expect((await theirs.ask("runs.list", { status: "replay" })).items.map(({ title }) => title)).toEqual(["mine"]);
  await expect(theirs.ask("runs.get", { runId: our.runId })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("P1.4 H7 pruning deletes runs of the workspace alone, and tells its editors nothing of what the others stored", async () => {
  const before = new Date(Date.now() + 60_000).toISOString();
  const { secret } = await theirs.ask("keys.create", { name: "editor", scopes: ["runs:read", "runs:write"] });
  const editor = roomOf(() => daemon, theirs.workspaceId, theirs.models, secret);
  const own = (await ours.ask("runs.list", { questions: true })).items.map(({ runId }) => runId);
  const dry = await editor.ask("runs.prune", { before, force: true, dryRun: true });
  const done = await editor.ask("runs.prune", { before, force: true });
  expect(done).toEqual({ ...dry, dryRun: false });
  expect(done.runs).toBeGreaterThan(0);
  expect(
    (await theirs.ask("runs.list", { questions: true })).items.filter(({ status }) => status !== "replay"),
  ).toEqual([]);
  expect((await ours.ask("runs.list", { questions: true })).items.map(({ runId }) => runId)).toEqual(own);
  expect(await ours.ask("runs.verify", { runId: our.runId })).toMatchObject({ ok: true });
  expect(await ours.ask("files.read", { workbenchId: our.workbenchId, path: "notes.txt" })).toContain(our.word);
});
