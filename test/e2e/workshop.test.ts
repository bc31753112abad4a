import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

/** S3 S12 A conversation from the command line: said, taken back, asked again, told, decided on, and exported. */

let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  await home.write({ "data.csv": "item,amount\nrent,700\nfood,300\ntotal,900\n", "old.txt": "gone soon\n" });
  await home.ok("workbench", "create", "budget", "--add", "data.csv", "--add", "old.txt");
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

const model = ["--model", "local/gpt-5.2"];
interface Entry {
  readonly runId: string;
  readonly kind: string;
}
const shown = async () => ((await home.ok("workshop", "show", "budget", "--json")).json as { items: Entry[] }).items;

test("S3 a message changes the Draft, is taken back with it, and is asked again", async () => {
  const early = await home.run(["workshop", "say", "budget", "hello", "--json"]);
  expect(early.error().error_code).toBe("PROVIDER_NOT_CONFIGURED");

  const said = await home.ok("workshop", "say", "budget", "make the totals consistent", ...model);
  expect(said.stderr).toContain("Draft: 1 modified");
  expect((await home.ok("draft", "diff", "budget")).stdout).toContain("+total,1000");
  const [turn] = await shown();
  expect(turn?.kind).toBe("message");
  const undone = await home.ok("workshop", "undo", "budget", turn?.runId ?? "");
  expect(undone.stdout).toContain("There is no Draft.");
  expect(undone.stdout).toContain("make the totals consistent");

  await home.ok("workshop", "say", "budget", 'add a.md with "one"', ...model);
  await home.ok("workshop", "model", "budget", "local/gpt-5.2-mini");
  expect((await home.ok("workshop", "model", "budget")).stdout).toBe("local/gpt-5.2-mini\n");
  await home.ok("workshop", "regenerate", "budget");
  expect((await shown()).map(({ kind }) => kind)).toEqual(["message", "rewind", "rewind"]);
  expect((await home.ok("workshop", "meter", "budget")).stdout).toContain("instructions");
  const exported = await home.ok("workshop", "export", "budget");
  const lines = exported.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.at(-1)).toMatchObject({ type: "message", asked: 'add a.md with "one"', outcome: "changes" });
});

test("S4 files of the Draft are accepted, rejected and changed by hand", async () => {
  await home.ok("workshop", "say", "budget", 'add b.md with "two"; delete old.txt', ...model);
  await home.ok("draft", "accept", "budget", "a.md");
  expect((await home.ok("draft", "status", "budget")).stdout).toMatch(/✓ +a\.md/);
  await home.ok("draft", "reject", "budget", "old.txt", "--yes");
  const file = join(home.folder, "by-hand.md");
  await writeFile(file, "two, by hand\n");
  await home.ok("draft", "edit", "budget", "b.md", "--from", file);
  const diff = (await home.ok("draft", "diff", "budget")).stdout;
  expect(diff).toContain("+two, by hand");
  expect(diff).not.toContain("old.txt");
  await home.ok("draft", "publish", "budget");
});

test("S7 what every turn is told is kept, sent, and taken away", async () => {
  await home.ok("workshop", "set-item", "budget", "House style", "Amounts in EUR.", "--kind", "style-guide");
  await home.ok("workshop", "say", "budget", "what is here?", ...model);
  expect(server.requests.at(-1)?.body).toContain("Amounts in EUR.");
  const { items } = (await home.ok("workshop", "items", "budget", "--json")).json as { items: { itemId: string }[] };
  await home.ok("workshop", "remove-item", "budget", items[0]?.itemId ?? "");
  expect((await home.ok("workshop", "items", "budget")).stdout).toContain("nothing besides the files");
});

test("S4 published files go back to where they came from, and what changed there is left alone", async () => {
  await home.ok("workshop", "say", "budget", "make the totals consistent", ...model);
  const gated = await home.run(["workbench", "write-back", "budget", "--json"]);
  expect(gated.error().error_code).toBe("DRAFT_EXISTS");
  await home.ok("draft", "publish", "budget");
  expect((await home.ok("workbench", "origins", "budget")).stdout).toContain("changed here");
  await home.ok("workbench", "write-back", "budget");
  expect(await readFile(join(home.files, "data.csv"), "utf8")).toContain("total,1000");

  await writeFile(join(home.files, "data.csv"), "item,amount\nsomebody else was here,1\n");
  await home.ok("ask", "budget", 'replace "rent" with "lease" in data.csv', ...model);
  await home.ok("draft", "publish", "budget");
  const refused = await home.run(["workbench", "write-back", "budget", "--json"]);
  expect(refused.code).not.toBe(0);
  expect(await readFile(join(home.files, "data.csv"), "utf8")).toContain("somebody else");
});

test("S11 what went wrong is listed, and shown from the error itself", async () => {
  await home.ok("providers", "add", "far", "--kind", "openai-chat", "--base-url", "https://models.invalid/v1");
  const refused = await home.run(["ask", "budget", "look", "--model", "far/large", "--json"]);
  expect(refused.code).not.toBe(0);
  const listed = await home.ok("failures", "list", "--json");
  const { items } = listed.json as { items: { failureId: string; errorCode: string }[] };
  expect(items[0]).toMatchObject({ errorCode: "EGRESS_CONSENT_REQUIRED" });
  const report = await home.ok("failures", "show", items[0]?.failureId ?? "");
  expect(report.stdout).toContain("EGRESS_CONSENT_REQUIRED");
  expect(report.stdout).not.toContain("look");
});
