import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import { errorOf, json, startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

let daemon: TestDaemon;
let models: ModelServer;
let elsewhere: string;
beforeAll(async () => {
  models = await startModelServer();
  daemon = await startTestDaemon();
  ({ workspaceId: elsewhere } = (await ask("/api/v1/workspaces", json({ name: "Elsewhere" }))) as {
    workspaceId: string;
  });
  for (const workspace of ["default", elsewhere]) {
    const provider = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true };
    await ask("/api/v1/providers", json(provider, { "benchtop-workspace": workspace }));
  }
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await models.close();
});

async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await daemon.fetch(path, init);
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer;
}

async function run(sessionId: string, model: string, workspace = "default"): Promise<string> {
  const headers = { "benchtop-workspace": workspace };
  const asked = json({ model: `loop/${model}`, prompt: `hello from ${workspace}`, sessionId }, headers);
  return ((await ask("/api/v1/runs", asked)) as { runId: string }).runId;
}

async function ended(runId: string, workspace = "default"): Promise<void> {
  const headers = { "benchtop-workspace": workspace };
  const status = async () => ((await ask(`/api/v1/runs/${runId}`, { headers })) as { status: string }).status;
  await expect.poll(status).not.toBe("pending");
}

test("H8 a conversation in which a run goes on is not deleted, and nothing of it is", async () => {
  await ended(await run("talk", "gpt-5.2"));
  const going = await run("talk", "slow");
  const refused = await daemon.fetch("/api/v1/conversations/talk", { method: "DELETE" });
  expect(await errorOf(refused)).toMatchObject({ error_code: "VALIDATION_FAILED", run_id: going });
  expect(await ask("/api/v1/conversations/talk")).toMatchObject({ runs: 2 });
  await ask(`/api/v1/runs/${going}/abort`, json({}));
  await ended(going);
  expect(await ask("/api/v1/conversations/talk", { method: "DELETE" })).toMatchObject({ runs: 2 });
  expect((await daemon.fetch("/api/v1/conversations/talk")).status).toBe(404);
});

test("H8 W22 a conversation of the same name in another workspace is another one, and stays", async () => {
  await ended(await run("weather", "gpt-5.2"));
  await ended(await run("weather", "gpt-5.2", elsewhere), elsewhere);
  const headers = { "benchtop-workspace": elsewhere };
  expect(await ask("/api/v1/conversations/weather", { method: "DELETE" })).toMatchObject({ runs: 1 });
  expect(await ask("/api/v1/conversations", { headers })).toMatchObject({
    items: [{ sessionId: "weather", title: `hello from ${elsewhere}`, runs: 1 }],
  });
});

test("H8 conversations come in pages, the one with the newest run first", async () => {
  for (const name of ["first", "second", "third"]) await ended(await run(name, "gpt-5.2"));
  const seen: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const query = cursor === "" ? "limit=2" : `limit=2&cursor=${cursor}`;
    const page = (await ask(`/api/v1/conversations?${query}`)) as {
      items: { sessionId: string }[];
      nextCursor: string | null;
    };
    seen.push(...page.items.map(({ sessionId }) => sessionId));
    cursor = page.nextCursor;
  }
  expect(seen).toEqual(["third", "second", "first"]);
});
