import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isOurProcess } from "../../apps/cli/src/daemon/find.ts";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

/** H5 What agents remember, from the command line: turned on, used, seen, forgotten, and unharmed by a killed daemon. */

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

const model = ["--model", "local/gpt-5.2"];
const listed = async () =>
  ((await home.ok("memory", "list", "budget", "--json")).json as { items: { id: string; text: string }[] }).items;

test("H5 an agent remembers once it is let, the person sees that it does, and what", async () => {
  await home.ok("ask", "budget", "remember that the rent is due on Monday", ...model);
  expect(await listed()).toEqual([]);
  await home.ok("memory", "on", "budget");
  const asked = await home.ok("ask", "budget", "remember that the rent is due on Monday", ...model);
  expect(asked.stderr).toContain("Remembered a text: mem_");
  expect((await home.ok("memory", "list", "budget")).stdout).toContain("the rent is due on Monday");
  const reminded = await home.ok("ask", "budget", "when is the rent due?", ...model);
  expect(reminded.stderr).toContain("Recalled 1 text");
  expect(server.requests.at(-1)?.body).toContain("the rent is due on Monday");
});

test("H5 a run that was killed while it waited goes on with what it had been told, though it was forgotten since", async () => {
  const waiting = await home.run(["ask", "budget", "delete notes.md; rent", "--run-id", "told", ...model, "--json"]);
  expect(waiting.code).toBe(7);
  const recalled = waiting.events().filter(({ type }) => type === "MemoryRetrieved");
  expect(recalled.some((event) => event.type === "MemoryRetrieved" && event.items.length === 1)).toBe(true);
  await killDaemon();

  const [memory] = await listed();
  await home.ok("memory", "forget", "budget", memory?.id ?? "");
  expect(await listed()).toEqual([]);
  const resumed = await home.ok("runs", "resume", "told", "--approve", "--json");
  expect(resumed.events().map(({ type }) => type)).not.toContain("MemoryRetrieved");
  expect(resumed.events().at(-1)).toMatchObject({ type: "Completed" });
  expect((await home.ok("runs", "replay", "told", "--json")).json).toMatchObject({ report: { outcome: "identical" } });
});

test("H5 undo forgets, and everything can be forgotten at once", async () => {
  await home.ok("draft", "discard", "budget", "--yes");
  const words = ["ask", "budget", "remember that Anna pays the power"];
  await home.ok(...words, "--run-id", "power", ...model);
  expect((await listed()).map(({ text }) => text)).toEqual(["Anna pays the power"]);
  await home.ok("runs", "undo", "power");
  expect(await listed()).toEqual([]);
  await home.ok("ask", "budget", "remember that Ben pays the rent", ...model);
  const unclear = await home.run(["memory", "forget", "budget", "--json"]);
  expect([unclear.code, unclear.error().error_code]).toEqual([2, "VALIDATION_FAILED"]);
  expect((await home.ok("memory", "forget", "budget", "--all", "--json")).json).toEqual({ forgotten: 1 });
  const gone = await home.run(["memory", "forget", "budget", "mem_gone", "--json"]);
  expect(gone.error().error_code).toBe("NOT_FOUND");
  await home.ok("memory", "off", "budget");
  expect((await home.ok("memory", "list", "budget")).stderr).toContain("Memory is off");
});

async function killDaemon(): Promise<void> {
  const { pid } = (await home.ok("up", "--json", "--detach")).json as { pid: number };
  process.kill(pid, "SIGKILL");
  await expect.poll(() => isOurProcess(pid), { timeout: 20_000 }).toBe(false);
}
