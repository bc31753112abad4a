import { spawn, spawnSync } from "node:child_process";
import { delimiter, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isOurProcess } from "../../apps/cli/src/daemon/find.ts";
import type { RunEvent } from "../../packages/protocol/src/index.ts";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home, prints } from "./home.ts";

/** Runs that are stopped, told something on the way, or lose their daemon. */

let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  await home.write({ "notes.md": "# Notes\n" });
  await home.ok("workbench", "create", "budget", "--add", "notes.md");
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

const endless = ["run", "count to 100000", "--model", "local/slow"];

test("H2 Ctrl-C aborts the run: the provider's request is canceled, the journal closed, exit 130", async () => {
  const child = home.start([...endless, "--json"]);
  const ended = finished(child);
  await prints(child, '"OutputDelta"');
  child.kill("SIGINT");
  const result = await ended;
  expect([result.code, result.error().error_code]).toEqual([130, "USER_CANCELED"]);
  const events = result.events();
  expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "USER_CANCELED" } });
  await expect.poll(() => server.requests.at(-1)?.outcome).toBe("canceled");
  const report = await home.ok("runs", "verify", String(events[0]?.runId), "--json");
  expect(report.json).toMatchObject({ ok: true, eventCount: events.length });
});

test("the wrapper that finds the right Node passes signals on and keeps the exit code", async () => {
  const wrapper = resolve(import.meta.dirname, "../../apps/cli/bin/benchtop.js");
  const child = spawn(oldNode() ?? process.execPath, [wrapper, ...endless, "--json"], {
    cwd: home.files,
    env: home.env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = finished(child);
  await prints(child, '"OutputDelta"');
  child.kill("SIGINT");
  expect((await ended).code).toBe(130);
});

test("a run is aborted from elsewhere", async () => {
  const child = home.start([...endless, "--run-id", "aborted", "--json"]);
  const ended = finished(child);
  await prints(child, '"OutputDelta"');
  expect((await home.ok("runs", "abort", "aborted", "--json")).json).toEqual({ runId: "aborted", aborted: true });
  expect((await ended).error().error_code).toBe("USER_CANCELED");
  expect((await home.ok("runs", "abort", "--all")).stdout).toContain("No run is going on.");
});

test("H2 a hint reaches the agent before its next turn", async () => {
  const words = ["ask", "budget", "look around for ever", "--model", "local/restless", "--run-id", "hinted", "--json"];
  const child = home.start([...words, "--max-steps", "1000"]);
  const ended = finished(child);
  await prints(child, '"ToolCallFinished"');
  expect((await home.ok("runs", "hint", "hinted", "please stop now", "--json")).json).toEqual({ accepted: true });
  const result = await ended;
  const events = result.events();
  expect(result.code).toBe(0);
  expect(events.some((event) => event.type === "HintInjected" && event.text === "please stop now")).toBe(true);
  expect(events.at(-1)).toMatchObject({
    type: "Completed",
    output: expect.stringContaining("please stop now") as string,
  });
});

test("a conversation goes on: the model is told what was said before", async () => {
  await home.ok("run", "my colour is teal", "--model", "local/gpt-5.2", "--session", "talk");
  const second = await home.ok("run", "what did I say?", "--model", "local/gpt-5.2", "--session", "talk");
  expect(second.stdout).toContain("my colour is teal");
  const other = await home.ok("run", "what did I say?", "--model", "local/gpt-5.2");
  expect(other.stdout).not.toContain("teal");
});

test("H7 kill −9 of the daemon in a run: what was shown is kept, and the run goes on", async () => {
  const { pid, port } = await daemonOf(home);
  const child = home.start([...endless, "--run-id", "killed", "--json"]);
  let shown = "";
  child.stdout.on("data", (chunk) => (shown += String(chunk)));
  const ended = finished(child);
  await prints(child, /"OutputDelta"[\s\S]*"OutputDelta"/);
  process.kill(pid, "SIGKILL");
  await gone(pid);
  await home.ok("up", "--detach", "--json", "--port", port);
  // The command that followed the run catches up with the new daemon from where it was.
  await expect.poll(() => shown, { timeout: 20_000 }).toMatch(/"Resumed"[\s\S]*"OutputDelta"/);
  await home.ok("runs", "abort", "killed");

  const result = await ended;
  expect([result.code, result.error().error_code]).toEqual([130, "USER_CANCELED"]);
  const events = result.events();
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index));
  const stored = (await home.ok("runs", "events", "killed", "--json")).events();
  const before = shown
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent);
  expect(stored.slice(0, before.length)).toEqual(before);
  expect(stored).toEqual(events);
  // What the model had said when the process ended stands in the journal, and is asked for once more.
  const calls = stored.filter((event) => event.type === "ProviderCallFinished");
  expect(calls[0]).toMatchObject({ outcome: "error", error: { error_code: "RUN_INTERRUPTED" } });
  expect(calls[0]?.type === "ProviderCallFinished" && calls[0].message?.content).not.toBe("");
  expect(calls).toHaveLength(2);
  expect((await home.ok("runs", "verify", "--all", "--json")).json).toMatchObject({ ok: true });
  expect((await home.ok("runs", "show", "killed", "--json")).json).toMatchObject({ status: "error" });
});

test("kill −9 while an agent writes, and an abort after it: the Draft holds whole files, and can be published", async () => {
  const { pid } = await daemonOf(home);
  const child = home.start([
    "ask",
    "budget",
    "write 400 notes",
    "--run-id",
    "writing",
    "--model",
    "local/gpt-5.2",
    "--max-steps",
    "1000",
    "--json",
  ]);
  const ended = finished(child);
  await prints(child, /("DraftChanged"[\s\S]*){5}/);
  process.kill(pid, "SIGKILL");
  child.kill("SIGKILL");
  await Promise.all([gone(pid), ended]);

  await home.ok("runs", "abort", "writing");
  await home.run(["runs", "events", "writing", "--json"]);
  expect((await home.ok("runs", "verify", "--all", "--json")).json).toMatchObject({ ok: true });
  const { draft } = (await home.ok("draft", "status", "budget", "--json")).json as {
    draft: { counts: { added: number } };
  };
  expect(draft.counts.added).toBeGreaterThanOrEqual(5);
  await home.ok("draft", "publish", "budget");
  const published = await home.published();
  expect(Object.keys(published)).toHaveLength(1 + draft.counts.added);
  for (const [path, content] of Object.entries(published)) {
    const number = /^notes\/note-(\d+)\.md$/.exec(path)?.[1];
    expect(content).toBe(number === undefined ? "# Notes\n" : `# Note ${number}\n`);
  }
});

async function daemonOf(home: Home): Promise<{ pid: number; port: string }> {
  const { url, pid } = (await home.ok("up", "--json", "--detach")).json as { url: string; pid: number };
  return { pid, port: new URL(url).port };
}

async function gone(pid: number): Promise<void> {
  await expect.poll(() => isOurProcess(pid), { timeout: 20_000 }).toBe(false);
}

/** A Node before 24, where this machine has one: the wrapper is for those. */
function oldNode(): string | undefined {
  const candidates = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "node"));
  return candidates.find((path) => {
    const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    return /^v(1[6-9]|2[0-3])\./.test(stdout ?? "");
  });
}
