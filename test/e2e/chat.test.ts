import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home } from "./home.ts";

/** `benchtop chat`: at a terminal (`script`, of util-linux, gives it a real one), and in a pipe. */

const main = resolve(import.meta.dirname, "../../apps/cli/src/main.ts");
let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  const url = "https://models.example/v1";
  await home.ok("providers", "add", "remote", "--kind", "openai-chat", "--base-url", url, "--api-key-env", "MODEL_KEY");
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

/** A conversation at a pseudo-terminal: each answer is typed once what is waited for has been printed after the last one. */
async function typed(words: readonly string[], ...steps: readonly (readonly [waitFor: string, type?: string])[]) {
  const command = [process.execPath, main, ...words].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["--quiet", "--return", "--command", `stty cols 200; exec ${command}`, "/dev/null"], {
    cwd: home.files,
    env: { ...home.env, TERM: "xterm" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const open = [...steps];
  let since = "";
  child.stdout.on("data", (chunk) => {
    since += String(chunk);
    for (let step = open[0]; step !== undefined; step = open[0]) {
      const [waitFor, type] = step;
      const at = since.indexOf(waitFor);
      if (at < 0) return;
      since = since.slice(at + waitFor.length);
      open.shift();
      if (type !== undefined) child.stdin.write(type);
    }
  });
  const result = await finished(child);
  if (open.length > 0) throw new Error(`nobody said ${JSON.stringify(open[0])}: ${result.stdout}`);
  return result;
}

async function piped(words: readonly string[], input: string) {
  const child = home.start(words);
  child.stdin.end(input);
  return await finished(child);
}

/** What the model was sent, newest last. */
function conversations(): { role: string; content: string }[][] {
  return server.requests
    .filter(({ path }) => path === "/v1/chat/completions")
    .map(({ body }) => (JSON.parse(body) as { messages: { role: string; content: string }[] }).messages);
}

test("a conversation goes on from turn to turn, and from one command to the next", async () => {
  const { code, stdout } = await typed(
    ["chat", "local/gpt-5.2", "--instructions", "Be short."],
    ["> ", "repeat: one\r"],
    ["Completed"],
    ["> ", "repeat: two \\\r"],
    ["… ", "and three\r"],
    ["Completed"],
    ["> ", "\u0004"],
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/in \+ \d+ out tokens/);
  const session = /benchtop chat local\/gpt-5\.2 --session (ses_\w+)/.exec(stdout)?.[1] ?? "";
  const [last] = conversations().slice(-1);
  expect(last?.map(({ role, content }) => [role, content])).toEqual([
    ["system", "Be short."],
    ["user", "repeat: one"],
    ["assistant", expect.stringContaining("one")],
    ["user", "repeat: two \nand three"],
  ]);
  const { code: again, stdout: answers } = await piped(
    ["chat", "local/gpt-5.2", "--session", session],
    "repeat: four\n",
  );
  expect([again, answers]).toEqual([0, expect.stringContaining("four")]);
  expect(conversations().at(-1)).toHaveLength(5);
});

test("lines that are pasted at once are asked one after the other, and the arrow up brings one back", async () => {
  const { stdout } = await typed(
    ["chat", "local/gpt-5.2"],
    ["> ", "repeat: one\rrepeat: two\rrepeat: thr"],
    ["Completed"],
    ["Completed"],
    ["> "],
    ["repeat: thr", "ee\r"],
    ["Completed"],
    ["> ", "\u001B[A\u001B[A\r"],
    ["Completed"],
    ["> ", "/exit\r"],
  );
  expect(stdout).toContain("Go on with it");
  const asked = conversations()
    .at(-1)
    ?.filter(({ role }) => role === "user");
  expect(asked?.map(({ content }) => content)).toEqual(["repeat: one", "repeat: two", "repeat: three", "repeat: two"]);
});

test("what a model says cannot steer the terminal", async () => {
  const { stdout } = await piped(["chat", "local/gpt-5.2"], "repeat: \u001B[2Jcleared\n");
  expect(stdout).toContain(String.raw`\u{1b}[2Jcleared`);
  expect(stdout).not.toContain("\u001B");
});

test("each line of a pipe is a question of one conversation, and answers alone are printed", async () => {
  const { code, stdout, stderr } = await piped(["chat", "local/gpt-5.2"], "repeat: first\n\nrepeat: second");
  expect(code).toBe(0);
  const lines = stdout.trim().split("\n");
  expect(lines.findIndex((line) => line.includes("first"))).toBeLessThan(
    lines.findIndex((line) => line.includes("second")),
  );
  expect(stdout).not.toContain("Completed");
  expect(stderr.match(/Completed · /g)).toHaveLength(2);
  expect(conversations().at(-1)).toHaveLength(3);
});

test("with --json each event is a line, and the model can come from the environment", async () => {
  const child = home.start(["chat", "--json"], { BENCHTOP_MODEL: "local/gpt-5.2" });
  child.stdin.end("repeat: one\nrepeat: two\n");
  const result = await finished(child);
  const completed = result.events().filter(({ type }) => type === "Completed");
  expect([result.code, completed.length]).toEqual([0, 2]);
});

test("sampling reaches the model", async () => {
  await piped(
    ["chat", "local/slow", "--temperature", "0.2", "--seed", "7", "--max-output-tokens", "99"],
    "repeat: a\n",
  );
  expect(JSON.parse(server.requests.at(-1)?.body ?? "")).toMatchObject({ temperature: 0.2, seed: 7, max_tokens: 99 });
  expect((await piped(["chat", "local/slow", "--temperature", "3"], "")).code).toBe(2);
});

test("Ctrl-C stops the answer that is coming, then what is typed, then leaves", async () => {
  const { code, stdout } = await typed(
    ["chat", "local/slow"],
    ["> ", "count to 100000\r"],
    ["7 8 9", "\u0003"],
    ["Aborted"],
    ["> ", "never mind"],
    ["never mind", "\u0003"],
    ["> ", "\u0003"],
  );
  expect(code).toBe(0);
  expect(stdout).toContain("Stopping the run");
  const { items } = (await home.ok("runs", "list", "--limit", "1", "--json")).json as {
    items: { errorCode: string }[];
  };
  expect(items).toMatchObject([{ errorCode: "USER_CANCELED" }]);
});

test("in a pipe an answer that fails ends the command with its exit code", async () => {
  const { code, stderr } = await piped(["chat", "nobody/model"], "one\ntwo\n");
  expect(code).toBe(3);
  expect(stderr).toContain("[PROVIDER_NOT_CONFIGURED]");
});

test("at a terminal what fails is said and the conversation goes on, with another model if wanted", async () => {
  const { code, stdout } = await typed(
    ["chat", "nobody/model"],
    ["> ", "hello\r"],
    ["[PROVIDER_NOT_CONFIGURED]"],
    ["> ", "/help\r"],
    ["/model PROVIDER/MODEL"],
    ["> ", "/nonsense\r"],
    ["There is no /nonsense"],
    ["> ", "/model local/gpt-5.2\r"],
    ["> ", "/model\r"],
    ["local/gpt-5.2 is asked"],
    ["> ", "repeat: here\r"],
    ["Completed"],
    ["> ", "/new\r"],
    ["> ", "repeat: anew\r"],
    ["Completed"],
    ["> ", "/exit\r"],
  );
  expect(code).toBe(0);
  expect(stdout).toContain("here");
  expect(conversations().at(-1)).toHaveLength(1);
});

test("S7 a model elsewhere is asked once a person has agreed, and not without", async () => {
  const before = server.requests.length;
  const { stdout } = await typed(
    ["chat", "remote/gpt-5.2"],
    ["models.example"],
    ["> ", "my secret\r"],
    ["or [n]o?", "n\n"],
    ["Nothing was sent."],
    ["> ", "\u0004"],
  );
  expect(stdout).toContain("what you type in this conversation");
  expect((await piped(["chat", "remote/gpt-5.2"], "my secret\n")).code).toBe(6);
  expect(server.requests).toHaveLength(before);
  const { items } = (await home.ok("egress", "--json")).json as { items: { providerId: string }[] };
  expect(items.filter(({ providerId }) => providerId === "remote")).toEqual([]);
});

test("the guide says what it is in two lines before it is asked", async () => {
  const { code, stdout } = await typed(["chat"], ["> ", "\u0004"]);
  expect(code).toBe(0);
  expect(stdout).toContain(
    "a tiny model trained on Benchtop's own documentation, answers questions about Benchtop only.",
  );
  expect(stdout).toMatch(/this machine: no account, no network\. It can be wrong\./);
});
