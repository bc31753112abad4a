import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RunEvent } from "@benchtop/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import { createClient } from "./index.ts";

const program = join(import.meta.dirname, "../../server/test/daemon-process.ts");
let folder: string;
let models: ModelServer;
let kill: () => void;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-restart-"));
  models = await startModelServer();
});
afterEach(async () => {
  kill();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

async function spawnDaemon(port = 0): Promise<{ url: string; token: string; killed(): Promise<void> }> {
  const child = spawn(process.execPath, [program, join(folder, "home"), join(folder, "config"), String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  kill = () => child.kill("SIGKILL");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return {
    ...(JSON.parse(line) as { url: string; token: string }),
    killed: async () => {
      const exited = once(child, "exit");
      kill();
      await exited;
    },
  };
}

test("H8 a follower reads on across kill -9 and restart: nothing it was shown is missing, nothing comes twice", async () => {
  const daemon = await spawnDaemon();
  const client = createClient(daemon);
  await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
  const { runId } = await client.call("runs.start", { model: "loop/slow", prompt: "say a lot, slowly" });

  const connections: boolean[] = [];
  const events: RunEvent[] = [];
  let restarted: Promise<unknown> | undefined;
  for await (const event of client.follow(runId, { onConnection: (connected) => connections.push(connected) })) {
    events.push(event);
    if (event.type !== "OutputDelta") continue;
    restarted ??= daemon.killed().then(() => spawnDaemon(Number(new URL(daemon.url).port)));
  }
  await restarted;
  expect(connections).toEqual([false, true]);
  expect(events.map(({ seq }) => seq)).toEqual([...events.keys()]);
  // The run went on in the new daemon, and was heard to its end.
  expect(events.filter(({ type }) => type === "Resumed")).toMatchObject([{ reason: "crash" }]);
  expect(events.at(-1)).toMatchObject({ type: "Completed" });

  const { items } = await client.call("runs.eventPage", { runId });
  expect(items).toEqual(events);
  expect(await client.call("runs.verify", { runId })).toMatchObject({ ok: true, violations: [] });
  expect(await client.call("runs.get", { runId })).toMatchObject({ status: "success", errorCode: null });
});
