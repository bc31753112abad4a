import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home, type Running } from "./home.ts";

/** `benchtop rpc --stdio`, as a program has it that embeds Benchtop. */

let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

interface Message {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: { readonly events?: { seq: number; type: string }[]; readonly reason?: string };
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data: { readonly error_code: string } };
}

/** What is written in, and what came out: every line of it must be a message. */
async function exchange(input: string | Buffer): Promise<{ code: number; stderr: string; messages: Message[] }> {
  const child = home.start(["rpc", "--stdio"]);
  const ended = finished(child);
  child.stdin.end(input);
  const { code, stdout, stderr } = await ended;
  const messages = stdout.split("\n").filter((line) => line !== "");
  return { code, stderr, messages: messages.map((line) => JSON.parse(line) as Message) };
}

/** A child that is written to and read from, message by message. */
function converse(child: Running) {
  const seen: Message[] = [];
  const lines = createInterface(child.stdout);
  lines.on("line", (line) => seen.push(JSON.parse(line) as Message));
  return {
    seen,
    send: (message: unknown) => child.stdin.write(`${JSON.stringify(message)}\n`),
    until: (isIt: (message: Message) => boolean): Promise<Message> =>
      new Promise((resolve) => {
        const known = seen.find(isIt);
        if (known !== undefined) return resolve(known);
        lines.on("line", () => {
          const found = seen.find(isIt);
          if (found !== undefined) resolve(found);
        });
      }),
  };
}

const call = (id: number, method: string, params: Record<string, unknown> = {}) =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;

test("S12 calls, notifications and batches go in a line each; nothing but answers comes out, and the end of the input ends it", async () => {
  const { code, messages, stderr } = await exchange(
    `${call(1, "IdentityWhoami")}\r\n   \n{"jsonrpc":"2.0","method":"SystemHealth"}\n[${call(2, "WorkbenchCreate", { name: "piped" }).trim()}]`,
  );
  expect([code, stderr]).toEqual([0, ""]);
  expect(messages).toHaveLength(2);
  expect(messages.find(({ id }) => id === 1)).toMatchObject({ result: { user_id: "owner" } });
  expect(messages.find((message) => Array.isArray(message))).toMatchObject([{ id: 2, result: { name: "piped" } }]);
});

test("garbage is answered with what is wrong about it, and harms no call beside it", async () => {
  const { code, messages } = await exchange(
    Buffer.concat([
      Buffer.from("garbage\n{\n\0\0\0\n[]\n"),
      Buffer.from([0xff, 0xfe, 10]),
      Buffer.from(`${"[".repeat(100_000)}\n${call(1, "SystemHealth")}`),
    ]),
  );
  expect(code).toBe(0);
  const codes = messages.filter(({ error }) => error !== undefined).map(({ error }) => error?.code);
  expect(codes).toEqual([-32_700, -32_700, -32_700, -32_600, -32_700, -32_700]);
  expect(messages.find(({ id }) => id === 1)).toMatchObject({ result: { status: "ok" } });
});

test("a line that comes in pieces is one message", async () => {
  const child = home.start(["rpc", "--stdio"]);
  const { until } = converse(child);
  const line = Buffer.from(call(1, "WorkbenchCreate", { name: "Bücher ☃" }));
  for (const byte of line) {
    child.stdin.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await until(({ id }) => id === 1)).toMatchObject({ result: { name: "Bücher ☃" } });
  child.stdin.end();
});

test("a line that is too long is refused, and the next one is read", async () => {
  const large = JSON.stringify({ jsonrpc: "2.0", id: 7, method: "SystemHealth", params: { x: "x".repeat(9_900_000) } });
  const { code, messages } = await exchange(`${"x".repeat(10_000_001)}\n${large}\n${call(1, "SystemHealth")}`);
  expect(code).toBe(0);
  expect(messages.find(({ id }) => id === null)?.error).toMatchObject({
    code: -32_600,
    data: { error_code: "VALIDATION_FAILED", detail: { max_bytes: 10_000_000 } },
  });
  for (const id of [1, 7])
    expect(messages.find((message) => message.id === id)?.result).toMatchObject({ status: "ok" });
});

test("H8 runs are followed, and every call is answered although the input ended before", async () => {
  const child = home.start(["rpc", "--stdio"]);
  const { seen, send, until } = converse(child);
  const ended = new Promise((resolve) => child.once("close", resolve));
  send({ jsonrpc: "2.0", id: 1, method: "RunsStart", params: { model: "local/gpt-5.2", prompt: "say hello" } });
  const { result } = await until(({ id }) => id === 1);
  send({ jsonrpc: "2.0", id: 2, method: "RunsEvents", params: { run_id: result?.["run_id"] } });
  await until(({ method, params }) => method === "$/end" && params?.reason === "completed");
  const events = seen.flatMap(({ method, params }) => (method === "$/events" ? (params?.events ?? []) : []));
  expect(events.map(({ seq }) => seq)).toEqual([...events.keys()]);
  expect(events.at(-1)?.type).toBe("Completed");
  for (let id = 10; id < 60; id++) send({ jsonrpc: "2.0", id, method: "SystemStatus" });
  child.stdin.end();
  expect(await ended).toBe(0);
  for (let id = 10; id < 60; id++) expect(seen.find((message) => message.id === id)?.result).toBeDefined();
});

test("a program that does not read what it asked for holds nobody up, and misses nothing when it does", async () => {
  const child = home.start(["rpc", "--stdio"]);
  const asked = 3000;
  child.stdin.end(Array.from({ length: asked }, (_, id) => call(id, "SystemStatus")).join(""));
  expect((await home.ok("status", "--json")).code).toBe(0);
  const { code, stdout } = await finished(child);
  const ids = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as Message).id);
  expect([code, new Set(ids).size]).toEqual([0, asked]);
});

test("a reader that goes away ends it quietly", async () => {
  const child = home.start(["rpc", "--stdio"]);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.stdout.destroy();
  child.stdin.on("error", () => undefined);
  const writing = setInterval(() => child.stdin.write(call(1, "SystemHealth")), 20);
  expect(await exited).toBe(0);
  clearInterval(writing);
});

test("a wrong token, and no daemon where one was named, end it with what is wrong, on standard error alone", async () => {
  const { url } = JSON.parse((await home.ok("status", "--json")).stdout) as { url: string };
  const wrong = await home.run(["rpc", "--stdio"], { BENCHTOP_URL: url, BENCHTOP_TOKEN: "A".repeat(43) });
  expect([wrong.code, wrong.stdout]).toEqual([5, ""]);
  expect(wrong.stderr).toContain("AUTH_REQUIRED");
  const none = await home.run(["rpc", "--stdio"], { BENCHTOP_URL: "http://127.0.0.1:9", BENCHTOP_TOKEN: "x" });
  expect([none.code, none.stdout]).toEqual([3, ""]);
  expect(none.stderr).toContain("NETWORK_UNAVAILABLE");
});

test("H8 a daemon that is killed in the middle is told to every call and stream that was open", async () => {
  const child = home.start(["rpc", "--stdio"]);
  const { seen, send, until } = converse(child);
  const ended = new Promise((resolve) => child.once("close", resolve));
  send({ jsonrpc: "2.0", id: 1, method: "RunsStart", params: { model: "local/slow", prompt: "count to 100000" } });
  const { result } = await until(({ id }) => id === 1);
  send({ jsonrpc: "2.0", id: 2, method: "RunsEvents", params: { run_id: result?.["run_id"] } });
  await until(({ params }) => params?.events?.some(({ type }) => type === "OutputDelta") === true);
  const { pid } = home;
  process.kill(pid, "SIGSTOP");
  send({ jsonrpc: "2.0", id: 3, method: "SystemStatus" });
  send({ jsonrpc: "2.0", id: "four", method: "WorkbenchCreate", params: { name: "nobody knows" } });
  // What is no message is answered on the spot, so that the lines before it were read when the answer comes.
  child.stdin.write("garbage\n");
  await until(({ error }) => error?.code === -32_700);
  process.kill(pid, "SIGKILL");
  expect(await ended).toBe(3);
  const lost = { code: -32_000, data: { error_code: "NETWORK_UNAVAILABLE", subphase: "daemon_unreachable" } };
  expect(seen.find(({ id }) => id === 3)?.error).toMatchObject(lost);
  expect(seen.find(({ id }) => id === "four")?.error).toMatchObject(lost);
  expect(seen.find(({ method }) => method === "$/end")).toMatchObject({
    params: { subscription_id: "s1", reason: "failed", error: lost },
  });
});
