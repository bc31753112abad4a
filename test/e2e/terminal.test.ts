import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home } from "./home.ts";

/** What a person at a terminal is asked and shown; `script` (util-linux) gives the command a real one. */

const main = resolve(import.meta.dirname, "../../apps/cli/src/main.ts");
let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  await home.write({ "notes.md": "# Notes\n", "old.md": "old\n" });
  await home.ok("workbench", "create", "budget", "--add", "notes.md", "--add", "old.md");
  const url = "https://models.example/v1";
  await home.ok("providers", "add", "remote", "--kind", "openai-chat", "--base-url", url, "--api-key-env", "MODEL_KEY");
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

/** Runs a command on a pseudo-terminal and types a line as soon as it asks. */
async function atTerminal(words: readonly string[], question: string, answer: string) {
  const command = [process.execPath, main, ...words].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    cwd: home.files,
    env: { ...home.env, TERM: "xterm" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let seen = "";
  let answered = false;
  child.stdout.on("data", (chunk) => {
    seen += String(chunk);
    if (answered || !seen.includes(question)) return;
    answered = true;
    child.stdin.write(answer);
  });
  return finished(child);
}

test("S7 a person is shown what would go where, and a no sends nothing", async () => {
  const words = ["ask", "budget", "add a summary.md", "--model", "remote/gpt-5.2"];
  const { code, stdout } = await atTerminal(words, "or [n]o?", "n\n");
  expect(code).toBe(6);
  expect(stdout).toContain("2 files, 12 B");
  expect(stdout).toContain("models.example");
  expect(stdout).toContain("remote/gpt-5.2");
  expect(stdout).toContain("Nothing was sent.");
  expect((await home.ok("egress", "--json")).json).toMatchObject({ items: [] });
});

test("S7 a person sees each recipient of a plan, and a no to the fallbacks alone asks the first", async () => {
  await home.write({ "picture.txt": "a house" });
  const attach = ["--attach", "picture.txt"];
  const both = ["run", "hello", "--model", "remote/a", "--fallback", "remote/b", ...attach];
  const refused = await atTerminal(both, "or [n]o?", "n\n");
  expect(refused.code).toBe(6);
  expect(refused.stdout).toContain("your prompt and 1 file (picture.txt; 7 B)");
  expect(refused.stdout).toContain("(remote/a)");
  expect(refused.stdout).toMatch(/If remote\/a fails, this sends .*\(remote\/b\)/);
  const second = ["run", "hello", "--model", "local/gpt-5.2", "--fallback", "remote/b"];
  const asked = await atTerminal(second, "or [n]o?", "n\n");
  expect(asked.code).toBe(0);
  expect(asked.stdout).toContain("remote/b is passed over");
});

test("Ctrl-C at a question means no", async () => {
  const words = ["run", "hello", "--model", "remote/gpt-5.2"];
  const { code, stdout } = await atTerminal(words, "or [n]o?", "\u0003");
  expect(code).not.toBe(0);
  expect(stdout).toContain("your prompt");
  const { items } = (await home.ok("runs", "list", "--json")).json as { items: { modelId: string }[] };
  expect(items.filter(({ modelId }) => modelId !== "gpt-5.2")).toEqual([]);
});

test("a deletion is asked about before it is published, and the diff has colour", async () => {
  await home.ok("ask", "budget", "delete old.md", "--model", "local/gpt-5.2");
  const diff = await atTerminal(["draft", "diff", "budget"], "never asked", "");
  expect(diff.stdout).toContain("\u001B[31m-");
  const { code, stdout } = await atTerminal(["draft", "publish", "budget"], "[y/N]", "y\n");
  expect(code).toBe(0);
  expect(stdout).toContain("old.md");
  expect(await home.published()).toEqual({ "notes.md": "# Notes\n" });
});

test("Ctrl-C at a terminal aborts the run", async () => {
  const words = ["run", "count to 100000", "--model", "local/slow"];
  const { code, stdout } = await atTerminal(words, "7 8 9", "\u0003");
  expect(code).toBe(130);
  expect(stdout).toContain("Stopping the run");
  expect(stdout).toContain("[USER_CANCELED]");
});

test("P1.4 a token that is typed to log in is not shown, and Ctrl-C keeps nothing", async () => {
  const { url, token } = (await home.ok("up", "--json", "--no-open")).json as { url: string; token: string };
  const canceled = await atTerminal(["login", url], "Token (it is not shown):", "\u0003");
  expect([canceled.code, canceled.stdout]).toEqual([130, expect.stringContaining("[USER_CANCELED]")]);
  const { code, stdout } = await atTerminal(["login", url], "Token (it is not shown):", `${token}\r`);
  expect(code).toBe(0);
  expect(stdout).toContain(`Logged in at ${url} as `);
  expect(stdout).not.toContain(token);
  await home.ok("logout");
});
