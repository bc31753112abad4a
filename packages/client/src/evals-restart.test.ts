import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { EvalReport, type RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import { createClient, type Client } from "./index.ts";

const program = join(import.meta.dirname, "../../server/test/daemon-process.ts");
let folder: string;
let models: ModelServer;
let kill: () => void;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-evals-restart-"));
  models = await startModelServer();
});
afterEach(async () => {
  kill();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

async function spawnDaemon(): Promise<{ client: Client; killed(): Promise<void> }> {
  const child = spawn(process.execPath, [program, join(folder, "home"), join(folder, "config"), "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  kill = () => child.kill("SIGKILL");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return {
    client: createClient(JSON.parse(line) as { url: string; token: string }),
    killed: async () => {
      const exited = once(child, "exit");
      kill();
      await exited;
    },
  };
}

async function eventsOf(client: Client, runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of client.follow(runId)) events.push(event);
  return events;
}

test("H6 an evaluation that kill -9 interrupted says so, and run again it asks only what was not answered", async () => {
  const first = await spawnDaemon();
  await first.client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
  const cases = Array.from({ length: 6 }, (_, index) => ({ id: `case ${index}`, input: String(index), expected: "5" }));
  const { runId } = await first.client.call("evals.run", {
    suite: {
      name: "interrupted",
      models: ["loop/slow"],
      prompt: "count to 5 for {{input}}",
      evaluators: [{ type: "contains" }],
      concurrency: 1,
      cases,
    },
  });
  const stop = new AbortController();
  for await (const event of first.client.follow(runId, { signal: stop.signal })) {
    if (event.type === "PhaseChanged" && event.done === 3) stop.abort();
  }
  await first.killed();

  const { client } = await spawnDaemon();
  const events = await eventsOf(client, runId);
  expect(events.at(-1)).toMatchObject({ type: "Error", error: { error_code: "RUN_INTERRUPTED" } });
  expect(checkInvariants(events, { ended: true })).toEqual([]);
  const [interrupted] = (await client.call("evals.list", { limit: 1 })).items;
  expect(interrupted).toMatchObject({ runId, status: "error", errorCode: "RUN_INTERRUPTED", summary: null });
  expect(interrupted?.progress.done).toBeGreaterThanOrEqual(3);
  await expect(client.downloadReport({ runId })).rejects.toMatchObject({ code: "NOT_FOUND" });

  const again = await client.call("evals.run", { from: runId });
  await eventsOf(client, again.runId);
  const file = await client.downloadReport({ runId: again.runId });
  const report = EvalReport.parse(JSON.parse(new TextDecoder().decode(await file.arrayBuffer())));
  expect(report.summary).toMatchObject({ outcome: "passed", complete: true, models: [{ passed: 6 }] });
  expect(report.summary.models[0]?.cached).toBeGreaterThanOrEqual(3);
});
