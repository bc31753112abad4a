import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon } from "@benchtop/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres, type PostgresCluster } from "../../store/test/postgres.ts";
import { startModelServer } from "../../../test/model-server.ts";
import { createClient } from "./index.ts";

let cluster: PostgresCluster;
let folder: string;
beforeAll(async () => {
  cluster = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), "benchtop-evals-pg-"));
});
afterAll(async () => {
  cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

test("H6 an evaluation on PostgreSQL is run, listed, compared and run again from what it knows", async () => {
  const databaseUrl = cluster.createDatabase();
  const models = await startModelServer();
  const daemon = await startDaemon({
    home: join(folder, "home"),
    configDir: join(folder, "config"),
    port: 0,
    databaseUrl,
    checkOutputs: true,
  });
  try {
    const client = createClient({ url: daemon.url, token: daemon.token });
    await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
    const { runId } = await client.call("evals.run", {
      suite: {
        name: "echo",
        models: ["loop/gpt-5.2"],
        prompt: "repeat: {{input}}",
        evaluators: [{ type: "exact" }],
        cases: ["a", "b", "c"].map((id) => ({ id, input: id, expected: "b" })),
      },
    });
    for await (const event of client.follow(runId)) if (event.type === "Error") throw new Error(event.error.message);
    const asked = models.requests.length;
    const again = await client.call("evals.run", { from: runId });
    for await (const event of client.follow(again.runId))
      if (event.type === "Error") throw new Error(event.error.message);
    expect(models.requests).toHaveLength(asked);
    expect((await client.call("evals.list", {})).items).toMatchObject([
      { runId: again.runId, summary: { models: [{ passed: 1, failed: 2, cached: 3 }] } },
      { runId, progress: { done: 3, total: 3 }, summary: { models: [{ cached: 0 }] } },
    ]);
    expect(await client.call("evals.compare", { runId, otherRunId: again.runId })).toMatchObject({
      models: [{ same: 3 }],
    });
    expect((await client.call("runs.list", {})).items.map((run) => run.kind)).toEqual(["eval", "eval"]);
    expect((await client.call("runs.list", { parentRunId: runId })).items).toHaveLength(3);
  } finally {
    await daemon.close();
    await models.close();
  }
});
