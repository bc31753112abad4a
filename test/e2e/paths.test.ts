import { link, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostilePaths } from "../model-server/attacks.ts";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

/** S1: whoever names a path (a person, a program, a model), nothing outside the workbench is read or written. */

let home: Home;
let server: ModelServer;
let api: (path: string, init?: RequestInit) => Promise<{ status: number; code: string; text: string }>;
const secret = "the secret outside\n";
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  await home.write({ "notes.md": "# Notes\n" });
  await home.ok("workbench", "create", "budget", "--add", "notes.md");
  await writeFile(join(home.home, "workbenches", "outside.txt"), secret);
  await writeFile(join(home.folder, "outside.txt"), secret);
  const { url, token } = (await home.ok("up", "--json", "--no-open")).json as { url: string; token: string };
  api = async (path, init = {}) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(`${url}/api/v1/workbenches/budget${path}`, { ...init, headers });
    const text = await response.text();
    return { status: response.status, code: /"error_code":"(\w+)"/.exec(text)?.[1] ?? "", text };
  };
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

const refusals = ["SANDBOX_VIOLATION", "VALIDATION_FAILED"];
const attacks = [
  ...hostilePaths,
  "LPT1.log",
  "aux",
  "notes.md/../../outside.txt",
  "%2e%2e/outside.txt/..",
  "..\u2215outside.txt/../x",
  "x".repeat(9000),
  "a/".repeat(4000) + "b",
];

describe("a model that tries everything", () => {
  test.each(["openai-chat", "openai-responses"] as const)(
    "S5 every hostile path is refused to every tool, over %s",
    async (kind) => {
      await home.addProvider(server.url, kind);
      const words = ["ask", "budget", "do your worst", "--model", "local/malicious", "--max-steps", "500", "--json"];
      const asked = await home.run(words);
      expect(asked.code).toBe(0);
      const calls = asked.events().filter((event) => event.type === "ToolCallFinished");
      expect(calls).toHaveLength(hostilePaths.length * 4);
      for (const call of calls) {
        expect(["error", "denied"], `${call.name} ${call.content}`).toContain(call.outcome);
        expect(call.content).not.toContain("root:");
        expect(call.content).not.toContain("BENCHTOP_HOME");
      }
      expect(asked.events().filter((event) => event.type === "DraftChanged")).toEqual([]);
      await nothingHappened();
    },
  );

  test("arguments that are not JSON, or miss a field, are told to the model and change nothing", async () => {
    const asked = await home.run([
      "ask",
      "budget",
      "add x.md",
      "--model",
      "local/garbled",
      "--max-steps",
      "3",
      "--json",
    ]);
    expect(asked.events().filter((event) => event.type === "DraftChanged")).toEqual([]);
    const calls = asked.events().filter((event) => event.type === "ToolCallFinished");
    expect(calls.length).toBeGreaterThan(0);
    expect(new Set(calls.map(({ outcome }) => outcome))).toEqual(new Set(["error"]));
  });
});

describe("the API", () => {
  test.each(
    attacks.map((path) => [
      path.length > 60 ? `${path.slice(0, 20)}… (${path.length} characters)` : JSON.stringify(path),
      path,
    ]),
  )("%s is refused wherever a path goes in", async (_, path) => {
    const query = new URLSearchParams({ path }).toString();
    const upload = { uploads: [{ path, sha256: "0".repeat(64) }] };
    const answers = await Promise.all([
      api(`/files/content?${query}`),
      api(`/draft/diff?${query}`),
      api("/files", { method: "POST", body: JSON.stringify(upload) }),
      api("/files/remove", { method: "POST", body: JSON.stringify({ workbenchPaths: [path] }) }),
      api("/draft/confirm-deletions", { method: "POST", body: JSON.stringify({ paths: [path] }) }),
    ]);
    for (const answer of answers) {
      expect(answer.text).not.toContain(secret.trim());
      expect(answer.text).not.toContain("root:");
      const code = answer.text.includes('"outcome":"refused"') ? "SANDBOX_VIOLATION" : answer.code;
      expect([...refusals, "NOT_FOUND"]).toContain(code);
    }
    await nothingHappened();
  });
});

describe("the command line", () => {
  test.each(["../outside.txt", "/etc/passwd", "notes.md/../../x", "con"])(
    "cat, remove and diff refuse %s",
    async (path) => {
      for (const words of [
        ["workbench", "cat", "budget", path],
        ["workbench", "remove", "budget", path],
      ]) {
        const refused = await home.run([...words, "--json"]);
        expect([words[1], refused.code]).not.toEqual([words[1], 0]);
        expect(refused.stdout).not.toContain("root:");
      }
      await nothingHappened();
    },
  );

  test("links are never followed into a workbench, whatever they point at", async () => {
    const folder = join(home.files, "links");
    await mkdir(join(folder, "inner"), { recursive: true });
    await writeFile(join(folder, "fine.txt"), "fine\n");
    await symlink(join(home.folder, "outside.txt"), join(folder, "symlink.txt"));
    await symlink(home.folder, join(folder, "inner", "symlinked-folder"));
    const refused = await home.run(["workbench", "add", "budget", "links", "--json"]);
    expect([refused.code, refused.error().error_code]).toEqual([4, "SANDBOX_VIOLATION"]);

    const added = await home.ok("workbench", "add", "budget", "links", "--skip-refused", "--json");
    const { refused: left } = added.json as { refused: { path: string }[] };
    expect(left.map(({ path }) => path).filter((path) => path.includes("symlink"))).toHaveLength(2);
    const published = await home.published();
    expect(published["fine.txt"]).toBe("fine\n");
    expect(JSON.stringify(published)).not.toContain(secret.trim());
    await home.ok("workbench", "remove", "budget", "fine.txt");
  });

  test("a published file that became a link to somewhere else is not read", async () => {
    const { publishedDir } = (await home.ok("workbench", "open", "budget", "--json")).json as { publishedDir: string };
    await rm(join(publishedDir, "notes.md"));
    await symlink(join(home.folder, "outside.txt"), join(publishedDir, "notes.md"));
    const read = await home.run(["workbench", "cat", "budget", "notes.md"]);
    expect(read.stdout).not.toContain(secret.trim());
    await home.run(["workbench", "extract", "budget", join(home.folder, "out")]);
    expect(await contentOf(join(home.folder, "out", "notes.md"))).not.toContain(secret.trim());
    const changes = await home.ok("workbench", "changes", "budget", "--json");
    expect(changes.json).toMatchObject({ items: [{ path: "notes.md" }] });
    await home.ok("workbench", "revert", "budget");
    expect(await home.published()).toEqual({ "notes.md": "# Notes\n" });
    expect(await readFile(join(home.folder, "outside.txt"), "utf8")).toBe(secret);
  });

  test("a hard link made behind our back is not written through", async () => {
    const { publishedDir } = (await home.ok("workbench", "open", "budget", "--json")).json as { publishedDir: string };
    await link(join(publishedDir, "notes.md"), join(home.folder, "hardlink.md"));
    await home.ok("ask", "budget", 'replace "Notes" with "Owned" in notes.md', "--model", "local/gpt-5.2");
    const refused = await home.run(["draft", "publish", "budget", "--json"]);
    expect([refused.code, refused.error().error_code]).toEqual([1, "CONFLICT_PUBLISHED_CHANGED"]);
    await home.ok("workbench", "revert", "budget");
    await home.ok("draft", "publish", "budget");
    expect(await home.published()).toMatchObject({ "notes.md": "# Owned\n" });
    expect(await readFile(join(home.folder, "hardlink.md"), "utf8")).toBe("# Notes\n");
  });
});

/** The workbench is as it was, and what lies around it too. */
async function nothingHappened(): Promise<void> {
  expect(await home.published()).toEqual({ "notes.md": "# Notes\n" });
  expect(await readFile(join(home.folder, "outside.txt"), "utf8")).toBe(secret);
  expect(await readFile(join(home.home, "workbenches", "outside.txt"), "utf8")).toBe(secret);
  expect((await readdir(home.folder)).toSorted()).toEqual(["config", "files", "home", "outside.txt", "user"]);
}

async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
