import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as ClassicClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as ClassicTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home, prints } from "./home.ts";

/** `benchtop mcp`, as a client has it that starts its servers itself. */

let home: Home;
let server: ModelServer;
const open: AsyncDisposable[] = [];
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
});
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

const command = {
  command: process.execPath,
  args: [resolve(import.meta.dirname, "../../apps/cli/src/main.ts"), "mcp"],
  stderr: "pipe" as const,
};
type Environment = Record<string, string>;

interface Spoken {
  readonly shown: string[];
  readonly call: (
    name: string,
    args: Record<string, unknown>,
    options?: { signal?: AbortSignal; onprogress?: () => void },
  ) => Promise<{
    readonly isError?: boolean;
    readonly structuredContent?: Record<string, unknown>;
    readonly _meta?: { readonly "benchtop/error"?: Record<string, unknown> };
  }>;
  readonly client: Client;
}

/** An official client with a person at it who says yes to everything. */
async function speak(kind: "2026-07-28" | "2025-11-25" | "classic", env: Environment = {}): Promise<Spoken> {
  const shown: string[] = [];
  const parameters = { ...command, env: { ...(home.env as Environment), ...env }, cwd: home.files };
  const confirm = async (message: string) => {
    shown.push(message);
    return { action: "accept" as const, content: { confirm: true } };
  };
  const capabilities = { elicitation: { form: {} } };
  if (kind === "classic") {
    const { ElicitRequestSchema } = await import("@modelcontextprotocol/sdk/types.js");
    const client = new ClassicClient({ name: "test", version: "1" }, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => confirm(params.message));
    await client.connect(new ClassicTransport(parameters));
    open.push({ [Symbol.asyncDispose]: () => client.close() });
    const call = (name: string, args: Record<string, unknown>, options = {}) =>
      client.callTool({ name, arguments: args }, undefined, options);
    return { shown, call: call as unknown as Spoken["call"], client: client as unknown as Client };
  }
  const mode = kind === "2026-07-28" ? { pin: "2026-07-28" } : ("legacy" as const);
  const client = new Client({ name: "test", version: "1" }, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", ({ params }) => confirm(params.message));
  await client.connect(new StdioClientTransport(parameters));
  open.push({ [Symbol.asyncDispose]: () => client.close() });
  const call = (name: string, args: Record<string, unknown>, options = {}) =>
    client.callTool({ name, arguments: args }, options);
  return { shown, call: call as unknown as Spoken["call"], client };
}

describe.each(["2026-07-28", "2025-11-25", "classic"] as const)("an official client (%s)", (kind) => {
  test("P1 has an agent work, reads its Draft, and publishes it once the person said yes", async () => {
    const { client, call, shown } = await speak(kind);
    const { structuredContent } = await call("workbenches_create", { name: `budget ${kind}` });
    const workbenchId = structuredContent?.["workbenchId"];
    let told = 0;
    const task = 'write a file hello.md with "hello"';
    const ran = await call(
      "workshop_run_agent",
      { workbenchId, model: "local/gpt-5.2", task: `add a summary.md. ${task}` },
      {
        onprogress: () => told++,
      },
    );
    expect(ran.structuredContent).toMatchObject({ status: "success", draft: { exists: true } });
    expect(told).toBeGreaterThan(2);
    const { contents } = await client.readResource({ uri: `benchtop://workbenches/${String(workbenchId)}/draft` });
    expect(JSON.stringify(contents)).toContain("added");
    expect((await call("draft_publish", { workbenchId })).structuredContent).toMatchObject({ status: "success" });
    expect(shown[0]).toContain("Publish the Draft");
  });

  test("cancels a run that it waits for", async () => {
    const { call } = await speak(kind);
    const { structuredContent } = await call("workbenches_create", { name: `slow ${kind}` });
    const workbenchId = String(structuredContent?.["workbenchId"]);
    const canceling = new AbortController();
    const calling = call(
      "workshop_run_agent",
      { workbenchId, model: "local/slow", task: "say a lot, slowly" },
      {
        signal: canceling.signal,
        onprogress: () => canceling.abort("enough"),
      },
    );
    await expect(calling).rejects.toThrow("enough");
    const client = await home.client();
    const runs = async () => (await client.call("runs.list", { workbenchId })).items.map(({ errorCode }) => errorCode);
    await expect.poll(runs, { timeout: 10_000 }).toEqual(["USER_CANCELED"]);
  });
});

test("a daemon that was started anew in between is found again, and the session with it", async () => {
  const { call, client } = await speak("2025-11-25");
  expect((await client.listTools()).tools.length).toBeGreaterThan(40);
  const before = home.pid;
  await home.ok("down");
  expect((await call("workbenches_list", {})).structuredContent).toMatchObject({ items: expect.any(Array) as unknown });
  expect(home.pid).not.toBe(before);
  await home.ok("down");
  await home.ok("status").catch(() => undefined);
  expect((await call("identity_whoami", {})).structuredContent).toMatchObject({ userId: "owner" });
});

test("a daemon that is killed leaves no call without an answer, and the next call starts it anew", async () => {
  const { call } = await speak("2025-11-25");
  const { structuredContent } = await call("workbenches_create", { name: "killed" });
  const workbenchId = String(structuredContent?.["workbenchId"]);
  let killed = false;
  const calling = call(
    "workshop_run_agent",
    { workbenchId, model: "local/slow", task: "say a lot, slowly" },
    {
      onprogress() {
        if (!killed) process.kill(home.pid, "SIGKILL");
        killed = true;
      },
    },
  );
  await expect(calling).rejects.toThrow(/does not answer/);
  const { structuredContent: after } = await call("runs_list", { workbenchId });
  expect(after).toMatchObject({ items: [{ workbenchId }] });
});

test("what answers but is no daemon is said to be none", async () => {
  const other = createServer((_, response) => response.end("hello"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const env = { BENCHTOP_URL: `http://127.0.0.1:${port}`, BENCHTOP_TOKEN: "any" };
  await expect(speak("classic", env)).rejects.toThrow("speaks no MCP");
  other.close();
});

test("P1.4 a daemon elsewhere is used with the key that the environment gives, and only for what that may do", async () => {
  const client = await home.client();
  await client.call("system.status", {});
  const { secret } = await client.call("keys.create", { name: "reader", scopes: ["workbenches:read"] });
  const env = { BENCHTOP_URL: client.url, BENCHTOP_TOKEN: secret };
  const reader = await speak("classic", env);
  const names = (await reader.client.listTools()).tools.map(({ name }) => name);
  expect(names).toContain("files_read");
  expect(names).not.toContain("draft_publish");
  const refused = await reader.call("workbenches_create", { name: "not mine" });
  expect(refused._meta?.["benchtop/error"]).toMatchObject({ error_code: "PERMISSION_DENIED" });
  await expect(speak("classic", { ...env, BENCHTOP_TOKEN: "wrong" })).rejects.toThrow(/token/i);
});

const greeting = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
};
const line = (message: unknown) => `${JSON.stringify(message)}\n`;

test("garbage, half lines and lines without end are left out with a word on standard error; nothing but messages comes out", async () => {
  const child = home.start(["mcp"]);
  const ended = finished(child);
  child.stdin.write("garbage\n{\n[]\n\0\0\n\r\n");
  child.stdin.write(Buffer.from([0xff, 0xfe, 10]));
  child.stdin.write(`${"x".repeat(10_000_001)}\n`);
  const whole = line(greeting);
  child.stdin.write(whole.slice(0, 20));
  child.stdin.write(whole.slice(20));
  child.stdin.write(line({ jsonrpc: "2.0", method: "notifications/initialized" }));
  child.stdin.write(line({ jsonrpc: "2.0", id: "a", method: "no/such" }));
  child.stdin.write(line({ jsonrpc: "2.0", id: "b", method: "tools/list", params: { cursor: 7 } }));
  child.stdin.write(line({ jsonrpc: "2.0", id: "c", method: "ping" }));
  child.stdin.end('{"jsonrpc":"2.0","id":"d","meth');
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(0);
  const messages = stdout
    .split("\n")
    .filter((each) => each !== "")
    .map((each) => JSON.parse(each) as { id?: unknown; result?: unknown; error?: { code: number } });
  const answerTo = (id: unknown) => messages.find((message) => message.id === id);
  expect(answerTo(0)?.result).toMatchObject({ serverInfo: { name: "benchtop" } });
  expect(answerTo("a")?.error?.code).toBe(-32601);
  expect(answerTo("b")?.error?.code).toBeLessThan(0);
  expect(answerTo("c")?.result).toEqual({});
  expect(stderr.match(/no JSON-RPC message/g)).toHaveLength(6);
  expect(stderr).toContain("more than 10000000 bytes");
});

test("a signal ends it as the end of the input does, with the session at the daemon", async () => {
  const child = home.start(["mcp"]);
  const ended = finished(child);
  child.stdin.write(line(greeting));
  await prints(child, '"serverInfo"');
  const deletions = async () =>
    (await readFile(join(home.home, "logs", "daemon.log"), "utf8")).split('"method":"DELETE"').length - 1;
  const before = await deletions();
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ code: 0, stderr: "" });
  await expect.poll(deletions).toBe(before + 1);
});

test("a request before any greeting is answered with an error, and the greeting still works", async () => {
  const child = home.start(["mcp"]);
  const ended = finished(child);
  child.stdin.end(line({ jsonrpc: "2.0", id: 1, method: "tools/list" }) + line(greeting));
  const { stdout } = await ended;
  const messages = stdout.split("\n").filter((each) => each !== "");
  expect(messages.map((each) => JSON.parse(each) as unknown)).toContainEqual(
    expect.objectContaining({ id: 1, error: expect.anything() as unknown }),
  );
  expect(stdout).toContain('"serverInfo"');
});
