import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ChildProcess } from "node:child_process";
import type { Client } from "../../packages/client/src/index.ts";
import { createClient } from "../../packages/client/src/index.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCollector } from "../../packages/harness/test/collector.ts";
import { startOidcProvider } from "../../packages/server/test/identity-providers.ts";
import { startPostgres } from "../../packages/store/test/postgres.ts";
import { startModelServer } from "../model-server.ts";
import { canTrace, endTraced, readTrace, startTraced, violations, type Trace } from "./trace.ts";

/**
 * S8, from below: whatever the code says, the kernel knows whom it was asked to reach. Every connection of the daemon, its
 * threads and its children is one that the egress log names, or the operator's own as `benchtop status` lists them, and no
 * name is looked up for anything else.
 */
const root = resolve(import.meta.dirname, "../..");
const possible = canTrace();

let folder: string;
let open: AsyncDisposableStack;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-calls-"));
  open = new AsyncDisposableStack();
  open.defer(() => rm(folder, { recursive: true, force: true }));
});
afterEach(() => open.disposeAsync());

interface Traced {
  readonly url: string;
  readonly token: string;
  readonly client: Client;
  /** Ends the daemon and gives what it did. */
  readonly end: () => Promise<Trace>;
}

async function traced(
  script: string,
  words: readonly string[],
  { config, env = {} }: { readonly config?: object; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Traced> {
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  if (config) await writeFile(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  const file = join(folder, "trace");
  const child = startTraced(join(root, script), words, file, {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, "config"),
      BENCHTOP_HOME: home,
      BENCHTOP_PORT: "0",
      NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compiled"),
      ...env,
    },
  });
  const { url, token, pid } = await started(child);
  let ended = false;
  const end = async () => {
    ended = true;
    await endTraced(child, pid);
    return readTrace(file);
  };
  open.defer(async () => {
    if (!ended) await end();
  });
  return { url, token, client: createClient({ url, token }), end };
}

async function started(child: ChildProcess): Promise<{ url: string; token: string; pid: number }> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  // Whatever comes later is of no interest, and must not stop the daemon.
  child.stdout?.resume();
  return JSON.parse(text.split("\n")[0] ?? "") as { url: string; token: string; pid: number };
}

/** Whoever makes a request past the gate ends the process. */
const endAtFirstUse =
  "for (const name of ['fetch', 'WebSocket', 'EventSource']) globalThis[name] = function () { process.exit(70); };";

async function finished(client: Client, runId: string): Promise<string> {
  for await (const event of client.follow(runId)) {
    if (event.type === "Completed") return "Completed";
    if (event.type === "Error") return event.error.error_code;
  }
  return "open";
}

describe("S8 what the daemon asks the kernel to reach", () => {
  test.skipIf(!possible)(
    "[needs strace] is what the egress log names, for everything that a person does",
    async () => {
      const models = open.use(await startModelServer());
      const silent = open.use(await startModelServer());
      const collector = await startCollector();
      open.defer(() => collector.close());
      const issuer = open.use(
        await startOidcProvider({ redirectUri: "http://127.0.0.1:1/sign-in/oidc", accounts: { ada: {} } }),
      );
      const { url, token, client, end } = await traced("apps/cli/src/main.ts", ["up", "--json", "--no-open"], {
        config: {
          trace: { otlp: { url: collector.url } },
          oidc: [{ name: "team", displayName: "The Team", issuer: issuer.issuer, clientId: "benchtop", local: true }],
        },
        env: {
          // Nobody uses what Node brings: the daemon would end at once.
          NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(endAtFirstUse)}`,
          // Nothing of this is read.
          HTTPS_PROXY: silent.origin,
          HTTP_PROXY: silent.origin,
          https_proxy: silent.origin,
          ALL_PROXY: silent.origin,
          NODE_USE_ENV_PROXY: "1",
          OTEL_EXPORTER_OTLP_ENDPOINT: silent.origin,
          OPENAI_BASE_URL: silent.url,
        },
      });

      // Providers: of this machine, and one elsewhere that does not exist. It is looked up, and that is all.
      const loop = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true } as const;
      await client.call("providers.add", loop);
      await client.call("providers.test", { name: "loop" });
      await client.call("providers.add", { name: "far", kind: "openai-chat", baseUrl: "https://far.invalid/v1" });
      await expect(client.call("providers.test", { name: "far" })).rejects.toMatchObject({
        code: "NETWORK_UNAVAILABLE",
      });
      await client.call("models.list", {});
      await client.call("providers.add", { name: "secret", kind: "openai-chat", baseUrl: "https://secret.invalid/v1" });

      // A person's work, from files to a publish and back.
      const { workbenchId } = await client.call("workbenches.create", { name: "budget" });
      const { sha256 } = await client.upload(new TextEncoder().encode("item,amount\nrent,700\nfood,300\ntotal,900\n"));
      await client.call("files.add", { workbenchId, uploads: [{ path: "data.csv", sha256 }] });
      await client.call("memory.set", { workbenchId, enabled: true });
      const task = "make the totals consistent";
      const { runId } = await client.call("workshop.runAgent", { workbenchId, model: "loop/gpt-5.2", task });
      expect(await finished(client, runId)).toBe("Completed");
      await client.call("review.getChangeSet", { workbenchId });
      await client.call("review.getTextDiff", { workbenchId, path: "data.csv" });
      await client.call("draft.publish", { workbenchId });
      await client.call("checkpoints.restore", { workbenchId });
      const message = "what is in data.csv?";
      const said = await client.call("workshop.sendUserMessage", { workbenchId, model: "loop/gpt-5.2", message });
      expect(await finished(client, said.runId)).toBe("Completed");
      const exported = await client.downloadFrom("workshop.exportConversation", { workbenchId });
      expect(new TextDecoder().decode(await exported.arrayBuffer())).toContain(message);
      await client.call("runs.replay", { runId });

      // What nobody agreed to ends before a name is looked up.
      const refused = await client.call("workshop.runAgent", { workbenchId, model: "secret/m", task });
      expect(await finished(client, refused.runId)).toBe("EGRESS_CONSENT_REQUIRED");
      const prompt = await client.call("runs.start", { model: "secret/m", prompt: "private words" });
      expect(await finished(client, prompt.runId)).toBe("EGRESS_CONSENT_REQUIRED");

      // A sign-in, and a client of MCP.
      const begun = await fetch(`${url}/api/v1/sign-in/oidc/team`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: url },
        body: "{}",
      });
      expect(begun.status).toBe(200);
      const greeting = {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "client", version: "1" },
      };
      const served = await fetch(`${url}/mcp`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: greeting }),
      });
      expect(await served.text()).toContain("serverInfo");
      await expect.poll(() => collector.spans.length).toBeGreaterThan(0);

      const { items } = await client.call("egress.listEvents", { limit: 1000 });
      const status = await client.call("system.status", {});
      const trace = await end();
      const hosts = items.filter(({ outcome }) => outcome !== "blocked").map(({ host }) => host);
      const own = [new URL(url).host, ...status.otherConnections.map(({ target }) => new URL(target).host)];
      expect(violations(trace, { hosts, own })).toEqual([]);

      // All of it was seen, from below and in the log.
      for (const place of [models.origin, collector.url, issuer.issuer]) {
        expect([...trace.connections]).toContain(new URL(place).host);
        expect(hosts).toContain(new URL(place).host);
      }
      expect([...trace.lookups].filter((name) => name.startsWith("secret"))).toEqual([]);
      expect(new Set(items.map(({ purpose }) => purpose))).toEqual(
        new Set(["provider-test", "model-list", "model-call", "oidc", "telemetry"]),
      );
      expect(silent.connections).toBe(0);
    },
    120_000,
  );

  test.skipIf(!possible)(
    "[needs strace] includes the database that the operator configured, which the status names",
    async () => {
      const models = open.use(await startModelServer());
      const cluster = await startPostgres();
      open.defer(() => cluster.stop());
      const { url, client, end } = await traced("apps/cli/src/main.ts", ["up", "--json", "--no-open"], {
        env: { BENCHTOP_DATABASE_URL: cluster.createDatabase() },
      });
      await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
      const { runId } = await client.call("runs.start", { model: "loop/gpt-5.2", prompt: "hello" });
      expect(await finished(client, runId)).toBe("Completed");
      const { items } = await client.call("egress.listEvents", {});
      const { otherConnections } = await client.call("system.status", {});
      const trace = await end();
      const hosts = items.map(({ host }) => host);
      const own = otherConnections.map(({ target }) => new URL(target).host);
      expect(violations(trace, { hosts, own: [...own, new URL(url).host] })).toEqual([]);
      expect(violations(trace, { hosts, own: [] })).toEqual(expect.arrayContaining([`connected to ${own[0]}`]));
    },
    120_000,
  );

  test.skipIf(!possible).each([
    ["fetch", (port: number) => `connected to 127.0.0.1:${port}`],
    ["socket", (port: number) => `connected to 127.0.0.1:${port}`],
    ["thread", (port: number) => `connected to 127.0.0.1:${port}`],
    ["child", (port: number) => `connected to 127.0.0.1:${port}`],
    ["datagram", (port: number) => `datagrams to 127.0.0.1:${port}`],
    ["lookup", () => "looked leak.invalid up"],
  ])(
    "[needs strace] a program beside it that goes around the gate by a %s is caught",
    async (way, caught) => {
      const server = createServer((socket) => {
        socket.on("error", () => socket.destroy());
        socket.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      open.defer(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const datagrams = createSocket("udp4").bind(port, "127.0.0.1");
      await once(datagrams, "listening");
      open.defer(() => void datagrams.close());
      const words = [join(folder, "home"), join(folder, "config"), String(port)];
      const { url, token, client, end } = await traced("test/system-calls/saboteur.ts", words, {
        env: { SABOTEUR: way },
      });
      const leaked = await fetch(`${url}/api/v1/saboteur`, { headers: { authorization: `Bearer ${token}` } });
      expect(leaked.status).toBe(200);
      const { items } = await client.call("egress.listEvents", {});
      const found = violations(await end(), { hosts: items.map(({ host }) => host), own: [new URL(url).host] });
      expect(found).toContain(caught(port));
    },
    60_000,
  );
});
