import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

/** Every error that a person can cause has a code, an exit code of its category, and a next step to type. */

let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  // One further attempt, soon: what is looked at here comes after the last one.
  const retry = { maxAttempts: 2, initialDelayMs: 10, maxDelayMs: 10 };
  await home.configure({ reliability: { retry } });
  await home.addProvider(server.url);
  await home.write({ "notes.md": "# Notes\n" });
  await home.ok("workbench", "create", "budget", "--add", "notes.md");
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});
beforeEach(() => server.behave(undefined));

async function prompt(model: string, ...words: string[]) {
  const json = await home.run(["run", "hello", "--model", model, "--json", ...words]);
  const plain = await home.run(["run", "hello", "--model", model, ...words]);
  return { json, plain };
}

describe("the provider refuses or fails (exit 3)", () => {
  test("a wrong key: PROVIDER_AUTH_FAILED, and how to give another", async () => {
    const add = ["providers", "add", "wrong", "--kind", "openai-chat", "--base-url", server.url, "--local"];
    await home.run([...add, "--api-key-env", "MODEL_KEY"], { MODEL_KEY: "sk-wrong" });
    const { json, plain } = await prompt("wrong/gpt-5.2");
    expect([json.code, json.error().error_code]).toEqual([3, "PROVIDER_AUTH_FAILED"]);
    expect(json.events().at(-1)).toMatchObject({ type: "Error", error: { error_code: "PROVIDER_AUTH_FAILED" } });
    expect(plain.stderr).toContain("benchtop providers add wrong");
    expect(plain.stderr + json.stdout + json.stderr).not.toContain("sk-wrong");
    expect((await home.run(["providers", "test", "wrong", "--json"])).code).toBe(3);
  });

  test("a rate limit: PROVIDER_RATE_LIMITED, and when to try again", async () => {
    const { json, plain } = await prompt("local/rate-limited");
    expect([json.code, json.error().error_code]).toEqual([3, "PROVIDER_RATE_LIMITED"]);
    expect(json.error()).toMatchObject({ retryable: true, detail: { retry_after_ms: 2000 } });
    expect(plain.stderr).toContain("try again in 2 s");
  });

  test("an unreachable host: NETWORK_UNAVAILABLE, and how to check it", async () => {
    const port = await closedPort();
    await home.ok(
      "providers",
      "add",
      "gone",
      "--kind",
      "openai-chat",
      "--base-url",
      `http://127.0.0.1:${port}/v1`,
      "--local",
    );
    const { json, plain } = await prompt("gone/gpt-5.2");
    expect([json.code, json.error().error_code]).toEqual([3, "NETWORK_UNAVAILABLE"]);
    expect(plain.stderr).toContain("benchtop providers test gone");
  });

  test("an unknown model: the name, and where the known ones are", async () => {
    const { json, plain } = await prompt("local/gpt-99");
    expect(json.code).toBe(3);
    expect(plain.stderr).toContain("gpt-99");
    expect(plain.stderr).toContain("benchtop models");
  });

  test("a provider that was never added: PROVIDER_NOT_CONFIGURED, and how to add it", async () => {
    const { json, plain } = await prompt("nobody/gpt-5.2");
    expect([json.code, json.error().error_code]).toEqual([3, "PROVIDER_NOT_CONFIGURED"]);
    expect(plain.stderr).toContain("benchtop providers add nobody");
  });

  test.each([
    ["broken", "PROVIDER_UNAVAILABLE"],
    ["disconnects", "NETWORK_UNAVAILABLE"],
    ["too-long", "CONTEXT_EXHAUSTED"],
  ])("the model called %s: %s, and the journal is whole", async (model, code) => {
    const { json } = await prompt(`local/${model}`);
    expect([json.code, json.error().error_code]).toEqual([3, code]);
    expect((await home.ok("runs", "verify", String(json.events()[0]?.runId), "--json")).json).toMatchObject({
      ok: true,
    });
  });
});

describe("S7 consent (exit 6)", () => {
  test("without consent nothing is sent: not a byte, not a connection", async () => {
    await using elsewhere = await startModelServer({ host: "0.0.0.0", tls: await selfSigned() });
    const url = `https://${remoteName()}:${elsewhere.port}/v1`;
    await home.ok(
      "providers",
      "add",
      "remote",
      "--kind",
      "openai-responses",
      "--base-url",
      url,
      "--api-key-env",
      "MODEL_KEY",
    );
    for (const words of [
      ["run", "hello"],
      ["ask", "budget", "add a summary.md"],
    ]) {
      const json = await home.run([...words, "--model", "remote/gpt-5.2", "--json"]);
      expect([json.code, json.error().error_code]).toEqual([6, "EGRESS_CONSENT_REQUIRED"]);
      const plain = await home.run([...words, "--model", "remote/gpt-5.2"]);
      expect(plain.code).toBe(6);
      expect(plain.stderr).toContain("--consent once");
    }
    const consent = await home.ok("consent", "status", "budget", "--model", "remote/gpt-5.2", "--json");
    expect(consent.json).toMatchObject({ workshop: { required: true, consented: false, fileCount: 1 } });
    expect([elsewhere.connections, elsewhere.requests]).toEqual([0, []]);
  });

  test("S8 with consent a host that resolves to this machine is still refused by the policy", async () => {
    await using elsewhere = await startModelServer({ host: "0.0.0.0", tls: await selfSigned() });
    const url = `https://${remoteName()}:${elsewhere.port}/v1`;
    await home.ok(
      "providers",
      "add",
      "remote",
      "--kind",
      "openai-responses",
      "--base-url",
      url,
      "--api-key-env",
      "MODEL_KEY",
    );
    const asked = await home.run(["run", "hello", "--model", "remote/gpt-5.2", "--consent", "once", "--json"]);
    expect(asked.code).not.toBe(0);
    expect(["EGRESS_BLOCKED_BY_POLICY", "NETWORK_UNAVAILABLE"]).toContain(asked.error().error_code);
    expect([elsewhere.connections, elsewhere.requests]).toEqual([0, []]);
  });

  test.each([
    ["http://api.example.com/v1"],
    ["https://93.184.215.14/v1"],
    ["https://[2606:2800:21f::1]/v1"],
    ["https://0x7f.1/v1"],
    ["http://127.0.0.1:1234/v1"],
    ["https://localhost/v1"],
  ])("S8 a provider at %s is refused when it is added", async (url) => {
    const added = await home.run(["providers", "add", "bad", "--kind", "openai-chat", "--base-url", url, "--json"]);
    expect([added.code, added.error().error_code]).toEqual([6, "EGRESS_BLOCKED_BY_POLICY"]);
  });

  test("S8 --local is for loopback alone", async () => {
    const url = "http://192.168.1.10:8080/v1";
    const added = await home.run([
      "providers",
      "add",
      "lan",
      "--kind",
      "openai-chat",
      "--base-url",
      url,
      "--local",
      "--json",
    ]);
    expect([added.code, added.error().error_code]).toEqual([6, "EGRESS_BLOCKED_BY_POLICY"]);
  });
});

describe("Benchtop refuses (exit 1 and 2)", () => {
  test("L3 a repeated run id: RUN_REPLAYED, and the first run is untouched", async () => {
    const first = await home.ok("run", "hello", "--model", "local/gpt-5.2", "--run-id", "mine-1", "--json");
    const sent = server.requests.length;
    const again = await home.run(["run", "other", "--model", "local/gpt-5.2", "--run-id", "mine-1", "--json"]);
    expect([again.code, again.error().error_code]).toEqual([1, "RUN_REPLAYED"]);
    expect(server.requests.length).toBe(sent);
    expect((await home.ok("runs", "events", "mine-1", "--json")).events()).toEqual(first.events());
    const { items } = (await home.ok("runs", "list", "--status", "replay", "--json")).json as { items: unknown[] };
    expect(items).toMatchObject([{ runId: "mine-1" }]);
  });

  test("a budget that is too small: BUDGET_CAP_REACHED, the flags that raise it, and status budget_exceeded", async () => {
    const words = [
      "ask",
      "budget",
      "add 20 notes",
      "--model",
      "local/gpt-5.2",
      "--max-steps",
      "3",
      "--run-id",
      "capped",
    ];
    const capped = await home.run(words);
    expect(capped.code).toBe(1);
    expect(capped.stderr).toContain("--max-steps");
    expect((await home.ok("runs", "show", "capped", "--json")).json).toMatchObject({ status: "budget_exceeded" });
    await home.ok("draft", "discard", "budget");
  });

  test("a file that is too large is named, with the limit, and nothing is added", async () => {
    const path = `${home.files}/large.bin`;
    writeFileSync(path, Buffer.alloc(1));
    const { truncate } = await import("node:fs/promises");
    await truncate(path, 101 * 1024 * 1024);
    const added = await home.run(["workbench", "add", "budget", "large.bin", "--json"]);
    expect([added.code, added.error().error_code]).toEqual([2, "VALIDATION_FAILED"]);
    expect(added.error().message).toContain("large.bin");
    expect((await home.ok("workbench", "open", "budget", "--json")).json).toMatchObject({ fileCount: 1 });
  });

  test("a file that does not exist: no workbench is left behind", async () => {
    const made = await home.run(["workbench", "create", "empty", "--add", "missing.md", "--json"]);
    expect(made.code).not.toBe(0);
    expect(made.error().message).toContain("missing.md");
    expect((await home.ok("workbench", "list")).stdout).not.toContain("empty");
  });

  test("an empty key variable is noticed before anything is sent to the daemon", async () => {
    const words = ["providers", "add", "x", "--kind", "openai-chat", "--base-url", "https://api.example.com/v1"];
    const added = await home.run([...words, "--api-key-env", "NO_SUCH_KEY"]);
    expect(added.code).toBe(2);
    expect(added.stderr).toContain("NO_SUCH_KEY");
  });

  test.each([
    [["workbench", "open", "nothing"]],
    [["runs", "show", "run_nothing"]],
    [["draft", "diff", "nothing"]],
    [["checkpoints", "restore", "budget", "cp_nothing"]],
  ])("%s: NOT_FOUND", async (words) => {
    const refused = await home.run([...words, "--json"]);
    expect([refused.code, refused.error().error_code]).toEqual([1, "NOT_FOUND"]);
  });

  test("a daemon elsewhere that does not answer: NETWORK_UNAVAILABLE", async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const refused = await home.run(["runs", "list", "--json"], { BENCHTOP_URL: url, BENCHTOP_TOKEN: "t".repeat(43) });
    expect([refused.code, refused.error().error_code]).toEqual([3, "NETWORK_UNAVAILABLE"]);
  });

  test("a file changed behind our back stops publishing; adopt and revert settle it", async () => {
    await home.ok("ask", "budget", 'add a.md with "from the agent"', "--model", "local/gpt-5.2");
    const { publishedDir } = (await home.ok("workbench", "open", "budget", "--json")).json as { publishedDir: string };
    writeFileSync(`${publishedDir}/notes.md`, "changed by an editor\n");
    const refused = await home.run(["draft", "publish", "budget"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("[CONFLICT_PUBLISHED_CHANGED]");
    expect(refused.stderr).toContain("benchtop workbench changes budget");
    expect((await home.ok("workbench", "changes", "budget", "--json")).json).toEqual({
      items: [{ path: "notes.md", change: "modified" }],
    });
    await home.ok("workbench", "adopt", "budget");
    await home.ok("draft", "publish", "budget");
    const published = await home.published();
    expect(published).toMatchObject({ "notes.md": "changed by an editor\n", "a.md": "from the agent\n" });
  });
});

/** A name of this machine that is no `localhost`, so that it counts as a host elsewhere. */
function remoteName(): string {
  return /^[a-z0-9-]+(\.[a-z0-9-]+)*$/i.test(hostname()) ? hostname().toLowerCase() : "models.example";
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const { execFileSync } = await import("node:child_process");
  const pem = execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=models.example",
      "-keyout",
      "-",
      "-out",
      "-",
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  const key = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----/.exec(pem)?.[0] ?? "";
  const cert = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(pem)?.[0] ?? "";
  return { key, cert };
}
