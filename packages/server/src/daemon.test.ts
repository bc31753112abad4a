import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { json, startTestDaemon } from "../test/test-daemon.ts";

let folder: string;
let home: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-daemon-"));
  home = join(folder, "home");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const daemonProgram = join(import.meta.dirname, "../test/daemon-process.ts");

/** A daemon in a process of its own, once it listens. */
async function spawnDaemon(): Promise<{
  url: string;
  pid: number;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}> {
  const child = spawn(process.execPath, [daemonProgram, home, join(folder, "config")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const exited = once(child, "exit") as Promise<[number | null]>;
  return {
    ...(JSON.parse(line) as { url: string; pid: number }),
    kill: async (signal) => {
      child.kill(signal);
      return (await exited)[0];
    },
  };
}

test("P1.4 a fresh home gets a token, a lock and an address that other commands find", async () => {
  await using daemon = await startTestDaemon({ home });
  const file = JSON.parse(await readFile(join(home, "daemon.json"), "utf8")) as Record<string, unknown>;
  expect(file).toEqual({ url: daemon.url, pid: process.pid, startedAt: expect.any(String) as unknown });
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  expect((await stat(join(home, "bootstrap-token"))).mode & 0o777).toBe(0o600);
  expect(new URL(daemon.url).hostname).toBe("127.0.0.1");
  const status = (await (await daemon.fetch("/api/v1/status")).json()) as Record<string, unknown>;
  expect(status).toMatchObject({
    home,
    url: daemon.url,
    database: {
      dialect: "sqlite",
      location: join(home, "ops.db"),
      migration: expect.stringMatching(/^\d{4}-/) as unknown,
    },
    runs: { active: 0, total: 0 },
    otherConnections: [],
  });
  expect((await daemon.fetch("/readyz", { token: null })).status).toBe(200);
});

test("a second daemon on the same home is refused and told where the first one is; the first goes on", async () => {
  await using daemon = await startTestDaemon({ home });
  await expect(startTestDaemon({ home })).rejects.toMatchObject({
    info: { subphase: "home_locked", detail: { pid: process.pid, url: daemon.url } },
  });
  expect((await daemon.fetch("/readyz")).status).toBe(200);
});

test("a closed daemon leaves the home to the next one, which has the same token and data", async () => {
  const first = await startTestDaemon({ home });
  await first.fetch("/api/v1/workbenches", json({ name: "budget" }));
  await first.close();
  await expect(stat(join(home, "daemon.json"))).rejects.toMatchObject({ code: "ENOENT" });
  await expect(first.fetch("/healthz")).rejects.toThrow("fetch failed");
  await using second = await startTestDaemon({ home });
  expect(second.token).toBe(first.token);
  const { items } = (await (await second.fetch("/api/v1/workbenches")).json()) as { items: { name: string }[] };
  expect(items.map(({ name }) => name)).toEqual(["budget"]);
});

test("closing twice is closing once", async () => {
  const daemon = await startTestDaemon({ home });
  await Promise.all([daemon.close(), daemon.close()]);
  await daemon.close();
  await expect(stat(join(home, "daemon.json"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("a port that is taken is said in words, and the home is free again afterwards", async () => {
  await using daemon = await startTestDaemon();
  await expect(startTestDaemon({ home, port: daemon.port })).rejects.toMatchObject({
    message: expect.stringContaining(`Port ${daemon.port} is taken`) as unknown,
    info: { subphase: "listen" },
  });
  await using second = await startTestDaemon({ home });
  expect((await second.fetch("/readyz")).status).toBe(200);
});

test("after kill -9 the next daemon starts at once on the same home", async () => {
  const first = await spawnDaemon();
  await first.kill("SIGKILL");
  const left = JSON.parse(await readFile(join(home, "daemon.json"), "utf8")) as { pid: number };
  expect(left.pid).toBe(first.pid);
  const second = await spawnDaemon();
  expect(second.pid).not.toBe(first.pid);
  const file = JSON.parse(await readFile(join(home, "daemon.json"), "utf8")) as { pid: number; url: string };
  expect(file).toMatchObject({ pid: second.pid, url: second.url });
  expect(await second.kill("SIGTERM")).toBe(0);
});

test("a daemon of another process holds its home", async () => {
  const other = await spawnDaemon();
  await expect(startTestDaemon({ home })).rejects.toMatchObject({
    info: { subphase: "home_locked", detail: { pid: other.pid, url: other.url } },
  });
  await other.kill("SIGKILL");
  await using mine = await startTestDaemon({ home });
  expect((await mine.fetch("/readyz")).status).toBe(200);
});
