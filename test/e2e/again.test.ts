import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { isOurProcess } from "../../apps/cli/src/daemon/find.ts";
import type { RunEvent } from "../../packages/protocol/src/index.ts";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home, prints } from "./home.ts";

/** Runs that go on after a crash, wait for a person, and are replayed, forked and taken back. */

let home: Home;
let server: ModelServer;
const notes = "# Notes\n";
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  await home.write({ "notes.md": notes });
  await home.ok("workbench", "create", "budget", "--add", "notes.md");
  await home.ok("down");
  const gates = [{ policy: "approval", mode: "enforcing", options: { tools: [{ tool: "delete_file" }] } }];
  await home.configure({ gates });
});
beforeEach(async () => {
  await home.ok("draft", "discard", "budget", "--yes");
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

const model = ["--model", "local/gpt-5.2", "--json"];

test("H6 a gate that asks suspends the run; the answer is given after a kill −9, and the tool runs once", async () => {
  const asked = await home.run(["ask", "budget", "delete notes.md", "--run-id", "careful", ...model]);
  expect(asked.code).toBe(7);
  expect(asked.events().at(-1)).toMatchObject({ type: "Suspended", reason: "approval", tool: "delete_file" });
  expect(JSON.parse(asked.stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({ waiting: { runId: "careful" } });
  await killDaemon();

  const waiting = (await home.ok("approvals", "--json")).json as { items: { runId: string; suspension: unknown }[] };
  expect(waiting.items).toMatchObject([{ runId: "careful", suspension: { tool: "delete_file" } }]);
  expect((await home.ok("approvals")).stdout).toContain("delete_file");
  const wrong = await home.run(["runs", "resume", "careful", "--retry", "--json"]);
  expect([wrong.code, wrong.error().error_code]).toEqual([2, "VALIDATION_FAILED"]);

  const resumed = await home.ok("runs", "resume", "careful", "--approve", "--json");
  expect(resumed.events().map(({ type }) => type)).toContain("DraftChanged");
  const events = await journalOf("careful");
  expect(deletions(events)).toMatchObject([{ type: "DraftChanged", path: "notes.md", change: "deleted" }]);
  expect(events.find((event) => event.type === "Resumed")).toMatchObject({ reason: "decision", decision: "approve" });
  expect((await home.ok("approvals", "--json")).json).toMatchObject({ items: [] });
  const again = await home.run(["runs", "resume", "careful", "--approve", "--json"]);
  expect(again.error().error_code).toBe("RUN_INTERRUPTED");
});

test("H6 a call that a person refuses is not made, and the model is told why", async () => {
  await home.run(["ask", "budget", "delete notes.md", "--run-id", "refused", ...model]);
  const resumed = await home.ok("runs", "resume", "refused", "--deny", "--note", "we need it", "--json");
  const denied = resumed.events().find((event) => event.type === "ToolCallFinished");
  expect(denied).toMatchObject({ name: "delete_file", outcome: "denied" });
  expect(denied?.type === "ToolCallFinished" && denied.content).toContain("we need it");
  expect((await home.ok("draft", "status", "budget", "--json")).json).toMatchObject({ draft: { exists: false } });
});

test("a run that waits for a person can be aborted", async () => {
  await home.run(["ask", "budget", "delete notes.md", "--run-id", "given-up", ...model]);
  expect((await home.ok("runs", "abort", "given-up", "--json")).json).toMatchObject({ aborted: true });
  expect((await home.ok("runs", "show", "given-up", "--json")).json).toMatchObject({ errorCode: "USER_CANCELED" });
  expect((await home.ok("runs", "verify", "given-up", "--json")).json).toMatchObject({ ok: true });
});

test("H7 kill −9 while an agent writes: it goes on by itself, and writes nothing twice", async () => {
  const words = ["ask", "budget", "write 60 notes", "--run-id", "long", "--max-steps", "1000", ...model];
  const child = home.start(words);
  const ended = finished(child);
  await prints(child, /("DraftChanged"[\s\S]*){5}/);
  const { port } = await killDaemon();
  await home.ok("up", "--detach", "--json", "--port", port);

  // The command that followed the run catches up with the new daemon from where it was.
  const result = await ended;
  expect(result.code).toBe(0);
  const events = await journalOf("long");
  expect(events).toEqual(result.events());
  expect(events.find((event) => event.type === "Resumed")).toMatchObject({ reason: "crash" });
  const written = events.flatMap((event) => (event.type === "DraftChanged" ? [event.path] : []));
  expect([written.length, new Set(written).size]).toEqual([60, 60]);
  expect(events.at(-1)?.type).toBe("Completed");
  expect((await home.ok("runs", "verify", "--all", "--json")).json).toMatchObject({ ok: true });
  expect((await home.ok("runs", "replay", "long", "--json")).json).toMatchObject({ report: { outcome: "identical" } });
});

test("H7 a run is replayed without asking anybody, taken back, and forked", async () => {
  await home.ok("ask", "budget", "add a summary.md", "--run-id", "first", ...model);
  const asked = server.requests.length;
  const replayed = await home.ok("runs", "replay", "first");
  expect(replayed.stdout).toContain("Identical");
  expect(server.requests).toHaveLength(asked);

  const undone = await home.ok("runs", "undo", "first", "--json");
  expect(undone.events().filter(({ type }) => type === "Compensated").length).toBeGreaterThan(0);
  expect((await home.ok("draft", "status", "budget", "--json")).json).toMatchObject({ draft: { exists: false } });
  expect((await journalOf("first")).at(-1)?.type).toBe("Completed");

  await home.ok("runs", "checkpoint", "save", "first", "asked", "--at", "1");
  const forked = await home.ok("runs", "fork", "first", "--at", "asked", "--input", "add a plan.md", "--json");
  const [started] = forked.events();
  expect(started).toMatchObject({ parentRunId: "first", forkedFrom: { runId: "first", seq: 1 } });
  expect(forked.events().at(-1)?.type).toBe("Completed");
  expect((await home.ok("runs", "verify", "--all", "--json")).json).toMatchObject({ ok: true });
  const missing = await home.run(["runs", "fork", "first", "--at", "9999", "--json"]);
  expect(missing.error().error_code).toBe("NOT_FOUND");
});

function deletions(events: readonly RunEvent[]): RunEvent[] {
  return events.filter((event) => event.type === "DraftChanged");
}

async function journalOf(runId: string): Promise<RunEvent[]> {
  return (await home.ok("runs", "events", runId, "--no-follow", "--json")).events();
}

async function killDaemon(): Promise<{ port: string }> {
  const { url, pid } = (await home.ok("up", "--json", "--detach")).json as { url: string; pid: number };
  process.kill(pid, "SIGKILL");
  await expect.poll(() => isOurProcess(pid), { timeout: 20_000 }).toBe(false);
  return { port: new URL(url).port };
}
