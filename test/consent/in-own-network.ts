import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createClient } from "../../packages/client/src/index.ts";
import { startDaemon } from "../../packages/server/src/index.ts";
import { startModelServer } from "../model-server.ts";

/**
 * Run in a network of its own, which has one public address (93.184.216.34) and a name server (127.0.0.1): a whole internet in
 * which every lookup, every connection and every byte is counted. A daemon works there for somebody who agreed to nothing, or to
 * something else. Reads a folder as its argument; prints what happened as JSON.
 */
const [folder = ""] = process.argv.slice(2);
const seen = { lookups: 0, connections: 0, bytes: 0 };
/** Where every name leads now. */
let address = "93.184.216.34";

const names = createSocket("udp4").bind(53, "127.0.0.1");
names.on("message", (question, { port }) => {
  seen.lookups++;
  names.send(answerTo(question, address), port, "127.0.0.1");
});
await once(names, "listening");
const capture = createServer((socket) => {
  seen.connections++;
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    seen.bytes += chunk.byteLength;
    socket.destroy();
  });
});
for (const at of ["93.184.216.34", "127.0.0.1"]) {
  const server = capture.listening ? createServer((socket) => capture.emit("connection", socket)) : capture;
  server.listen(443, at);
  await once(server, "listening");
}

const models = await startModelServer();
await mkdir(join(folder, "home"), { mode: 0o700 });
const daemon = await startDaemon({ home: join(folder, "home"), configDir: join(folder, "config"), port: 0 });
const client = createClient({ url: daemon.url, token: daemon.token });
const far = { name: "far", kind: "openai-chat", baseUrl: "https://models.example/v1" } as const;
await client.call("providers.add", far);
await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });

const outcomes: Record<string, unknown> = {};
/** What became of a run, and what of it was seen from outside. */
async function watched(name: string, start: () => Promise<{ runId: string }>): Promise<void> {
  const before = { ...seen };
  let ended: string;
  try {
    ended = await endOf((await start()).runId);
  } catch (error) {
    ended = (error as { code: string }).code;
  }
  outcomes[name] = {
    ended,
    lookups: seen.lookups - before.lookups,
    connections: seen.connections - before.connections,
    bytes: seen.bytes - before.bytes,
  };
}
async function endOf(runId: string): Promise<string> {
  for await (const event of client.follow(runId)) {
    if (event.type === "Completed") return "Completed";
    if (event.type === "Error") return event.error.error_code;
  }
  return "open";
}

const { workbenchId } = await client.call("workbenches.create", { name: "private" });
async function add(path: string, text: string): Promise<void> {
  const { sha256 } = await client.upload(new TextEncoder().encode(text));
  await client.call("files.add", { workbenchId, uploads: [{ path, sha256 }] });
}
async function agree(model: string): Promise<void> {
  const { workshop } = await client.call("egress.consentStatus", { workbenchId, model });
  const { providerId, modelId, scopeHash } = workshop;
  await client.call("egress.grantConsent", { workbenchId, providerId, modelId, scopeHash, persist: true });
}
await add("notes.md", "# private\n");
const task = "summarise notes.md";
const agent = (model = "far/m", more: object = {}) =>
  client.call("workshop.runAgent", { workbenchId, model, task, ...more });
const prompt = (more: object = {}) => client.call("runs.start", { model: "far/m", prompt: "private words", ...more });
const upload = async (text: string) => (await client.upload(new TextEncoder().encode(text))).sha256;

// Nobody agreed to anything.
await watched("agent", () => agent());
await watched("message", () => client.call("workshop.sendUserMessage", { workbenchId, model: "far/m", message: task }));
await watched("prompt", () => prompt());
const attachments = [{ name: "private.txt", sha256: await upload("private") }];
await watched("attachment", () => prompt({ attachments }));
await watched("fallback", () => agent("loop/too-long", { fallbacks: ["far/m"] }));
await watched("evaluation", () =>
  client.call("evals.run", {
    suite: {
      name: "one",
      models: ["far/m"],
      prompt: "{{input}}",
      evaluators: [{ type: "exact" }],
      cases: [{ id: "a", input: "private", expected: "x" }],
    },
  }),
);
await watched("consentToAnotherScope", () => agent("far/m", { consent: { mode: "once", scopeHash: "0".repeat(64) } }));
await watched("consentToAnotherModel", () => agent("far/m", { consent: { mode: "once", models: ["far/n"] } }));

// Somebody agreed, and then it was about something else.
await agree("far/m");
await watched("anotherModel", () => agent("far/n"));
await watched("bareprompt", () => prompt());
await client.call("memory.set", { workbenchId, enabled: true });
await watched("memoryTurnedOn", () => agent());
await client.call("memory.set", { workbenchId, enabled: false });
await add("more.md", "# more\n");
await watched("fileAdded", () => agent());
await agree("far/m");
await client.call("contextItems.put", { workbenchId, kind: "situation", title: "Us", content: "private" });
await watched("contextItemAdded", () => agent());
await agree("far/m");
await client.call("egress.revokeConsent", { workbenchId });
await watched("revoked", () => agent());
await agree("far/m");
await client.call("providers.add", { ...far, baseUrl: "https://other.example/v1" });
await watched("providerMoved", () => agent());
await client.call("providers.add", far);
await watched("providerMovedBack", () => agent());
await client.call("providers.add", { name: "near", kind: "openai-chat", baseUrl: "https://near.example/v1" });
await agree("far/m");
await watched("anotherProvider", () => agent("near/m"));

// That all of this can be seen: the same, agreed to; and a name that now leads to this machine.
const before = { ...seen };
const { runId } = await prompt({ consent: { mode: "once" } });
while (seen.bytes === before.bytes) await new Promise((resolve) => setTimeout(resolve, 5));
await client.call("runs.abort", { runId });
await endOf(runId);
outcomes["agreed"] = { seen: seen.lookups > before.lookups && seen.connections > before.connections };
address = "127.0.0.1";
const rebound = { ...seen };
await client.call("providers.test", { name: "near" }).catch((error: { code: string; message: string }) => {
  const { lookups, connections } = seen;
  outcomes["rebound"] = {
    code: error.code,
    looked: lookups > rebound.lookups,
    connections: connections - rebound.connections,
  };
});

const { items } = await client.call("egress.listEvents", { limit: 1000 });
outcomes["sentBeforeAgreed"] = items.filter(
  ({ host, bytesSent, runId: of }) => host.endsWith(".example") && bytesSent > 0 && of !== runId,
).length;
await daemon.close();
writeSync(1, JSON.stringify(outcomes));
process.exit(0);

/** One A record for whatever name was asked for; nothing for IPv6 (RFC 1035, 4.1). */
function answerTo(question: Buffer, to: string): Buffer {
  let end = 12;
  while ((question[end] ?? 0) !== 0) end += 1 + (question[end] ?? 0);
  const isFour = question.readUInt16BE(end + 1) === 1;
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(isFour ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...to.split(".").map(Number)]);
  return Buffer.concat([header, question.subarray(12, end + 5), ...(isFour ? [record] : [])]);
}
