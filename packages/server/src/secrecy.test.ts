import { spawn, spawnSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, readdir, readFile, rm, stat, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { operations } from "@benchtop/operations";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { json, startTestDaemon, type TestDaemon } from "../test/test-daemon.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-secrecy-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What no file and no answer may hold: planted where real ones go. */
const planted = "sk-planted-7Hq2vX9mZ4tB";

describe("PX a secret is in no file, answer, log or error", () => {
  test("PX what was planted as a key is nowhere but in the encrypted file, whatever was done with it", async () => {
    await using provider = await startEchoingProvider();
    const home = join(folder, "home");
    await mkdir(home, { mode: 0o700 });
    await writeFile(
      join(home, "config.json"),
      JSON.stringify({ trace: { file: { path: "traces.jsonl", content: "redacted" } } }),
    );
    const answers: string[] = [];
    const secrets: string[] = [planted];
    const daemon = await startTestDaemon({ home, configDir: join(folder, "config") });
    try {
      const call = async (path: string, init?: RequestInit): Promise<{ status: number; text: string }> => {
        const response = await daemon.fetch(path, init);
        const text = await response.text();
        answers.push(text);
        return { status: response.status, text };
      };
      const post = (path: string, body: unknown, headers?: Record<string, string>) => call(path, json(body, headers));

      const echoing = { name: "echo", kind: "openai-chat", baseUrl: provider.url, local: true, apiKey: planted };
      expect((await post("/api/v1/providers", echoing, { "idempotency-key": "once" })).status).toBe(201);
      await post("/api/v1/providers", echoing, { "idempotency-key": "once" });
      // With a mistake beside the key, or in it, or in its place.
      await post("/api/v1/providers", { ...echoing, kind: "telepathy" });
      await post("/api/v1/providers", { ...echoing, name: "bad", apiKey: `${planted} ${planted}` });
      await post("/api/v1/providers", {
        ...echoing,
        name: "bad",
        baseUrl: `https://user:${planted}@models.example/v1`,
      });
      await post("/api/v1/providers", { ...echoing, apikey: planted, unknown: planted });
      await call("/api/v1/providers", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: `{"apiKey":"${planted}",`,
      });
      // A provider that repeats the key in what it answers.
      for (const mode of ["401", "500", "400", "stream"] as const) {
        provider.mode = mode;
        await post("/api/v1/providers/echo/test", {});
        await call("/api/v1/models");
        const run = await post("/api/v1/runs", { model: "echo/m", prompt: "Say hello" });
        const { runId } = JSON.parse(run.text) as { runId?: string };
        if (runId === undefined) throw new Error(run.text);
        const events = await call(`/api/v1/runs/${runId}/events`);
        expect(events.text.length).toBeGreaterThan(0);
      }
      expect(provider.shown).toContain(`Bearer ${planted}`);
      const key = await daemon.fetch(
        "/api/v1/keys",
        json({ name: "ci", scopes: ["runs:read"] }, { "idempotency-key": "key" }),
      );
      secrets.push(((await key.json()) as { secret: string }).secret);
      const invitation = await daemon.fetch(
        "/api/v1/invitations",
        json({ role: "viewer" }, { "idempotency-key": "invite" }),
      );
      secrets.push(new URL(((await invitation.json()) as { url: string }).url).hash.split("=")[1] ?? "");
      const link = await daemon.fetch("/api/v1/sign-in/links", json({}, { "idempotency-key": "link" }));
      secrets.push(new URL(((await link.json()) as { url: string }).url).hash.split("=")[1] ?? "");
      secrets.push(await signIn(daemon));
      for (const secret of secrets.slice(1)) {
        answers.push(
          await (await daemon.fetch("/api/v1/whoami", { headers: { authorization: `Bearer ${secret}x` } })).text(),
        );
      }
      for (const { method, path, ...rest } of Object.values(operations)) {
        if (method === "GET" && !("transfer" in rest) && !path.includes("{")) await call(path);
      }
      await call("/openapi.json");
      await call("/metrics");
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
    expect(secrets).toHaveLength(5);
    for (const secret of secrets) expect(secret.length).toBeGreaterThan(20);
    expect(answers.length).toBeGreaterThan(30);
    for (const text of answers) for (const secret of secrets) expect(text).not.toContain(secret);
    const files = await filesBelow(folder);
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      const content = await readFile(file);
      for (const secret of secrets)
        expect(content.includes(secret), `${file} holds ${secret.slice(0, 12)}…`).toBe(false);
    }
  });
});

/** Where cores go: a file that a test may read. Where a service takes them, or none are made, nothing can be seen. */
const pattern =
  process.platform === "linux" ? spawnSync("cat", ["/proc/sys/kernel/core_pattern"]).stdout.toString().trim() : "|";
const coresCanBeRead =
  !pattern.includes("|") && !pattern.includes("/") && spawnSync("sh", ["-c", "ulimit -c unlimited"]).status === 0;

describe.skipIf(!coresCanBeRead)("PX core dumps (needs Linux with cores in the working directory)", () => {
  test("PX the core of a daemon that was aborted holds no key, though the key was in its memory", async () => {
    const script = join(import.meta.dirname, "../test/holding-process.ts");
    const holds: Record<string, boolean> = {};
    for (const mode of ["daemon", "unprotected"]) {
      const cwd = join(folder, mode);
      await mkdir(cwd);
      // What the system has by default: this process may have been a daemon's before.
      const start = `ulimit -c unlimited; echo 0x33 > /proc/self/coredump_filter; exec "${process.execPath}" "${script}" "${cwd}" ${mode}`;
      const child = spawn("sh", ["-c", start], {
        cwd,
        env: { ...process.env, TEST_PLANTED: Buffer.from(planted).toString("base64") },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = new Promise<string | null>((resolve) => child.on("close", (_, signal) => resolve(signal)));
      await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
      process.kill(child.pid ?? 0, "SIGABRT");
      expect(await ended).toBe("SIGABRT");
      const core = (await readdir(cwd)).find((name) => name.startsWith("core"));
      expect(core, `a core of ${mode}`).toBeDefined();
      holds[mode] = spawnSync("grep", ["-aqF", planted, join(cwd, core ?? "")]).status === 0;
    }
    // The second shows that the test sees a key where there is one.
    expect(holds).toEqual({ daemon: false, unprotected: true });
  });
});

test("PX no diagnostic report is written by itself, and none shows the environment", async () => {
  await using daemon = await startTestDaemon();
  expect((await daemon.fetch("/healthz", { token: null })).ok).toBe(true);
  const { reportOnFatalError, reportOnSignal, reportOnUncaughtException, excludeEnv } = process.report;
  expect({ reportOnFatalError, reportOnSignal, reportOnUncaughtException, excludeEnv }).toEqual({
    reportOnFatalError: false,
    reportOnSignal: false,
    reportOnUncaughtException: false,
    excludeEnv: true,
  });
});

async function signIn(daemon: TestDaemon): Promise<string> {
  const response = await daemon.fetch("/api/v1/sign-in", {
    token: null,
    ...json({ token: daemon.token }, { origin: daemon.url }),
  });
  return /benchtop_session=([^;]+)/.exec(response.headers.get("set-cookie") ?? "")?.[1] ?? "";
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true });
  const files: string[] = [];
  for (const entry of entries) if ((await stat(join(path, entry))).isFile()) files.push(join(path, entry));
  return files;
}

interface EchoingProvider extends AsyncDisposable {
  readonly url: string;
  readonly shown: string[];
  mode: "401" | "400" | "500" | "stream";
}

/** A provider that writes the key that it was shown into whatever it answers. */
async function startEchoingProvider(): Promise<EchoingProvider> {
  const shown: string[] = [];
  const state = { mode: "401" as EchoingProvider["mode"] };
  const server: Server = createServer((request, response) => {
    const key = request.headers.authorization ?? "";
    shown.push(key);
    request.resume();
    if (state.mode === "stream" && request.method === "POST") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`data: {"error":{"message":"wrong key ${key}","code":"invalid_api_key"}}\n\n`);
      return;
    }
    response.writeHead(state.mode === "stream" ? 403 : Number(state.mode), {
      "content-type": "application/json",
      "x-echo": key,
    });
    response.end(JSON.stringify({ error: { message: `Incorrect API key provided: ${key}`, type: key, code: key } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    shown,
    get mode() {
      return state.mode;
    },
    set mode(mode) {
      state.mode = mode;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
