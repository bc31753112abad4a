import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon, type Daemon } from "@benchtop/server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import { startCollector, type Collector } from "../../harness/test/collector.ts";
import { createClient, type Client } from "./index.ts";

/** Planted in everything that is sent, each where it cannot be mistaken. */
const planted = {
  prompt: "planted-prompt-5f1c",
  instructions: "planted-instructions-77aa",
  fileName: "planted-name-91d2.csv",
  fileText: "planted,text,60c4\n1,2,3\n",
  attachment: "planted-attachment-e0b3",
  key: "sk-planted-key-1d9e",
  header: "planted-header-c07f",
};

let folder: string;
let models: ModelServer;
let collector: Collector;
let daemon: Daemon;
let client: Client;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-egress-events-"));
  models = await startModelServer();
  collector = await startCollector();
  process.env["PLANTED_HEADERS"] = `x-planted=${planted.header}`;
  await mkdir(join(folder, "home"), { mode: 0o700 });
  const config = { trace: { otlp: { url: collector.url, headersEnv: "PLANTED_HEADERS", content: "redacted" } } };
  await writeFile(join(folder, "home", "config.json"), JSON.stringify(config), { mode: 0o600 });
  daemon = await startDaemon({
    home: join(folder, "home"),
    configDir: join(folder, "config"),
    port: 0,
    checkOutputs: true,
  });
  client = createClient({ url: daemon.url, token: daemon.token });
  const provider = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true } as const;
  await client.call("providers.add", { ...provider, apiKey: planted.key });
});
afterEach(async () => {
  delete process.env["PLANTED_HEADERS"];
  await daemon.close();
  await models.close();
  await collector.close();
  await rm(folder, { recursive: true, force: true });
});

async function finished(runId: string): Promise<void> {
  for await (const event of client.follow(runId)) if (event.type === "Error") throw new Error(event.error.message);
}

test("S12 the log answers what was sent where: bytes, tokens as the provider counted them, files in scope, and no content", async () => {
  const { workbenchId } = await client.call("workbenches.create", { name: "planted" });
  const text = new TextEncoder().encode(planted.fileText);
  const { sha256 } = await client.upload(text);
  const uploads = [planted.fileName, "second.csv"].map((path) => ({ path, sha256 }));
  await client.call("files.add", { workbenchId, uploads });
  const agent = await client.call("workshop.runAgent", { workbenchId, model: "loop/gpt-5.2", task: planted.prompt });
  await finished(agent.runId);
  const attachment = await client.upload(new TextEncoder().encode(planted.attachment));
  const prompt = await client.call("runs.start", {
    model: "loop/gpt-5.2",
    prompt: planted.prompt,
    instructions: planted.instructions,
    attachments: [{ name: planted.fileName.replace("csv", "txt"), sha256: attachment.sha256 }],
  });
  await finished(prompt.runId);
  await expect.poll(() => collector.spans.length).toBeGreaterThan(0);

  // What each call used, as the journal has it.
  const used = async (runId: string) => {
    const { items } = await client.call("runs.eventPage", { runId, limit: 1000 });
    return items.flatMap((event) => (event.type === "ProviderCallFinished" && event.usage ? [event.usage] : []));
  };
  const logged = async (runId: string) =>
    (await client.call("egress.listEvents", { runId, limit: 1000 })).items.toReversed();
  for (const [runId, fileCount] of [
    [agent.runId, 2],
    [prompt.runId, 1],
  ] as const) {
    const calls = await used(runId);
    expect(calls.length).toBeGreaterThan(0);
    const tokens = calls.map(({ inputTokens, outputTokens }) => ({ inputTokens, outputTokens }));
    expect((await logged(runId)).map(({ inputTokens, outputTokens }) => ({ inputTokens, outputTokens }))).toEqual(
      tokens,
    );
    for (const event of await logged(runId)) {
      expect(event).toMatchObject({
        purpose: "model-call",
        outcome: "sent",
        host: new URL(models.url).host,
        fileCount,
      });
      expect(event.bytesSent).toBeGreaterThan(100);
      expect(event.bytesReceived).toBeGreaterThan(0);
      expect(event.inputTokens).toBeGreaterThan(0);
    }
  }

  const everything = await client.call("egress.listEvents", { limit: 1000 });
  expect(new Set(everything.items.map(({ purpose }) => purpose))).toEqual(new Set(["model-call", "telemetry"]));
  const telemetry = everything.items.find(({ purpose }) => purpose === "telemetry");
  expect(telemetry).toMatchObject({ host: new URL(collector.url).host, inputTokens: null, fileCount: null });
  // All of it went out, and none of it is in the log.
  const sent = JSON.stringify(models.requests);
  for (const word of [planted.prompt, planted.instructions, planted.attachment, planted.fileName])
    expect(sent).toContain(word);
  for (const word of Object.values(planted)) expect(JSON.stringify(everything)).not.toContain(word.trim());
  expect(JSON.stringify(everything)).not.toContain("/v1");
});

test("S7 consent is asked with the files that would be shown: by path, the largest first where there are too many", async () => {
  const { workbenchId } = await client.call("workbenches.create", { name: "many" });
  await client.call("providers.add", { name: "far", kind: "openai-chat", baseUrl: "https://far.example/v1" });
  const status = async () => (await client.call("egress.consentStatus", { workbenchId, model: "far/m" })).workshop;
  const upload = async (bytes: number) => (await client.upload(new Uint8Array(bytes).fill(65))).sha256;
  const [small, large] = [await upload(3), await upload(2000)];
  await client.call("files.add", {
    workbenchId,
    uploads: [
      { path: "b.txt", sha256: large },
      { path: "a.txt", sha256: small },
    ],
  });
  expect((await status()).files).toEqual([
    { path: "a.txt", bytes: 3 },
    { path: "b.txt", bytes: 2000 },
  ]);
  const uploads = Array.from({ length: 600 }, (_, index) => ({ path: `many/${index}.txt`, sha256: small }));
  await client.call("files.add", { workbenchId, uploads });
  const { files, fileCount, totalBytes } = await status();
  expect([files.length, files[0], fileCount, totalBytes]).toEqual([500, { path: "b.txt", bytes: 2000 }, 602, 3803]);
});

test("S8 a host of the local network is approved by the operator alone, for this workspace alone", async () => {
  const host = "192.168.7.20:11434";
  const lab = { name: "lab", kind: "openai-chat", baseUrl: `http://${host}/v1` } as const;
  await expect(client.call("providers.add", lab)).rejects.toMatchObject({
    code: "EGRESS_BLOCKED_BY_POLICY",
    info: { actions: expect.arrayContaining(["open_settings"]), detail: { host, approvable: true } },
  });
  const { secret } = await client.call("keys.create", {
    name: "admin of the workspace",
    scopes: ["providers:write", "egress:read", "egress:write"],
    expiresInDays: 1,
  });
  const admin = createClient({ url: daemon.url, token: secret });
  await expect(admin.call("egressExceptions.approve", { host })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  expect(await client.call("egressExceptions.approve", { host, note: "the lab" })).toMatchObject({ host });
  expect((await admin.call("egressExceptions.list", {})).items).toMatchObject([{ host, note: "the lab" }]);
  await expect(admin.call("egressExceptions.revoke", { host })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  expect(await admin.call("providers.add", lab)).toMatchObject({ local: false });
  await client.call("egressExceptions.revoke", { host });
  const audit = (await client.call("audit.list", {})).items.filter(({ event }) => event.startsWith("egress."));
  expect(audit.map(({ event, subjectName }) => [event, subjectName])).toEqual([
    ["egress.revoked", host],
    ["egress.approved", host],
  ]);
  await expect(client.call("providers.test", { name: "lab" })).rejects.toMatchObject({
    code: "EGRESS_BLOCKED_BY_POLICY",
  });
});

test("S11 nothing that was sent is in what the daemon logs", async () => {
  const { runId } = await client.call("runs.start", { model: "loop/gpt-5.2", prompt: planted.prompt });
  await finished(runId);
  const logs = join(folder, "home", "logs");
  for (const name of await readdir(logs)) {
    const text = await readFile(join(logs, name), "utf8");
    for (const word of Object.values(planted)) expect(text).not.toContain(word.trim());
  }
});
