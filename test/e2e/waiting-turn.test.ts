import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

/** S3 A turn that waits for a person is neither told to the next one nor taken back before it is decided. */

let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  await home.write({ "notes.md": "# Notes\n" });
  await home.ok("workbench", "create", "budget", "--add", "notes.md");
  await home.ok("down");
  const gates = [{ policy: "approval", mode: "enforcing", options: { tools: [{ tool: "delete_file" }] } }];
  await writeFile(join(home.home, "config.json"), JSON.stringify({ gates }));
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

test("S3 a waiting turn stays out of what is told, and has to be decided before it is taken back", async () => {
  const model = ["--model", "local/gpt-5.2"];
  const waiting = await home.run(["ask", "budget", "delete notes.md", "--run-id", "waits", ...model, "--json"]);
  expect(waiting.code).toBe(7);

  await home.ok("ask", "budget", "what is in the notes?", "--run-id", "after", ...model);
  expect(server.requests.at(-1)?.body).not.toContain("delete notes.md");

  const refused = await home.run(["workshop", "undo", "budget", "waits", "--json"]);
  expect(refused.error()).toMatchObject({ error_code: "VALIDATION_FAILED", subphase: "run_waiting", run_id: "waits" });

  await home.ok("runs", "abort", "waits");
  await home.ok("workshop", "undo", "budget", "waits");
  await home.ok("ask", "budget", "what is in the notes?", ...model);
  expect(server.requests.at(-1)?.body).not.toContain("delete notes.md");
});
