import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

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

const ask = (runId: string) => home.ok("run", "--model", "local/gpt-5.2", "--run-id", runId, "--json", "say hello");

test("H7 a person deletes a run, and old runs by their age", async () => {
  for (const runId of ["first", "second", "third"]) await ask(runId);
  const dry = await home.ok("runs", "prune", "--before", "0m", "--dry-run");
  expect(dry.stdout).toMatch(/^Would delete 3 journals with \d+ events\.\n$/);
  expect((await home.ok("runs", "prune", "--before", "90d")).stdout).toMatch(/^Deleted 0 journals/);

  expect((await home.ok("runs", "delete", "first")).stdout).toMatch(/^Deleted the journal of first: \d+ events\.\n$/);
  expect((await home.run(["runs", "delete", "first", "--json"])).error().error_code).toBe("NOT_FOUND");
  expect((await home.ok("runs", "show", "first")).stdout).toMatch(/deleted \d{4}-/);
  const listed = (await home.ok("runs", "list", "--json")).json as { items: { runId: string }[] };
  expect(listed.items.map(({ runId }) => runId)).toEqual(["third", "second"]);
  expect((await home.ok("runs", "verify", "--all")).stdout).toMatch(/2 journals/);
  expect(
    (await home.run(["run", "--model", "local/gpt-5.2", "--run-id", "first", "--json", "again"])).error(),
  ).toMatchObject({
    error_code: "RUN_REPLAYED",
  });

  expect((await home.ok("runs", "prune", "--before", "0m", "--json")).json).toMatchObject({ runs: 2, kept: 0 });
  expect((await home.run(["runs", "prune", "--before", "soon"])).code).toBe(2);
});

test("H8 a person sees conversations and deletes one whole", async () => {
  for (const text of ["what a day", "and tomorrow?"]) {
    await home.ok("run", "--model", "local/gpt-5.2", "--session", "weather", text);
  }
  expect((await home.ok("conversations", "list")).stdout).toMatch(/weather +what a day +2 /);
  expect((await home.ok("conversations", "delete", "weather", "--yes")).stdout).toMatch(
    /^Deleted the journals of 2 runs: \d+ events\.\n$/,
  );
  expect((await home.ok("conversations", "list")).stdout).toBe("There are no conversations yet.\n");
  expect((await home.run(["conversations", "delete", "weather", "--json"])).error().error_code).toBe("NOT_FOUND");
});
