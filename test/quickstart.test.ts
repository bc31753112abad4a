import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { signInAt, startOidcProvider } from "../packages/server/test/identity-providers.ts";
import { freePort } from "./e2e/free-port.ts";
import { Home } from "./e2e/home.ts";
import { startModelServer } from "./model-server.ts";

/** The quickstarts are run as they are written: their `sh` blocks, one after another, in one shell and a fresh home. */

const root = resolve(import.meta.dirname, "..");

test("HX every command of the quickstart works, in the order in which a reader types them", async () => {
  await using home = await Home.create();
  await using server = await startModelServer();
  const { status, stdout, stderr } = await follow("docs/quickstart.md", home, server.url);
  expect(`${stdout}\n${stderr}`.split("\n").slice(-30).join("\n")).not.toContain("✗");
  expect(status).toBe(0);

  expect(stdout).toContain("local answers in");
  expect(stdout).toContain("-Total,1610,1705\n+Total,1610,1695\n");
  expect(stdout).toContain("✓ Published budget: 1 added, 1 modified.");
  expect(stdout).toMatch(/✓ \d+ journals, \d+ events: whole and unchanged\./);
  expect(readFileSync(join(home.files, "result/summary.md"), "utf8")).toContain("# Summary");
  expect(server.requests.length).toBeGreaterThan(5);
});

test(
  "HX every command of the quickstart on review works: said, taken back, decided on, published, written back",
  { timeout: 120_000 },
  async () => {
    await using home = await Home.create();
    await using server = await startModelServer();
    const { status, stdout, stderr } = await follow("docs/quickstart-review.md", home, server.url);
    expect(`${stdout}\n${stderr}`.split("\n").slice(-30).join("\n")).not.toContain("✗");
    expect(status).toBe(0);

    expect(stdout).toContain("It said: add plan.md");
    expect(stdout).toContain("Accepted 1 file.");
    expect(stdout).toContain("+First the rent, then the food.");
    expect(stdout).toContain("Wrote back 1 file.");
    expect(readFileSync(join(home.files, "household/data.csv"), "utf8")).toContain("Total,1610,1695");
    expect(stdout).toContain('{"type":"conversation","version":1');
  },
);

test(
  "HX every command of the quickstart on models works: the guide, training, quantizing, adapters, bundles, Ollama's protocol",
  { timeout: 180_000 },
  async () => {
    await using home = await Home.create();
    const { status, stdout, stderr } = await follow("docs/quickstart-models.md", home, "");
    expect(`${stdout}\n${stderr}`.split("\n").slice(-30).join("\n")).not.toContain("✗");
    expect(status).toBe(0);

    expect(stdout).toContain("I do not know that. I am the guide");
    expect(stdout).toContain(
      "With Mrs. Lund on the second floor.\nThe red tap in the cellar, a quarter turn to the right.",
    );
    expect(stdout).toMatch(/house-q8-0 is house as Q8_0, with \d+ % of its size\./);
    expect(stdout).toContain("In the box at the gate, code 4711.");
    expect(stdout).toContain('"models":[{"name":"guide:latest"');
    expect(stdout).toMatch(/"content":"It is called Fjord[^"]*"/);
  },
);

test("HX H8 every command and program of the API quickstart works", async () => {
  await using home = await Home.create();
  await using server = await startModelServer();
  // As in the clone, where programs find its packages.
  symlinkSync(join(root, "node_modules"), join(home.files, "node_modules"));
  const { status, stdout, stderr } = await follow("docs/quickstart-api.md", home, server.url);
  expect(`${stdout}\n${stderr}`.split("\n").slice(-30).join("\n")).not.toMatch(/✗|Traceback|Error:/);
  expect(status).toBe(0);

  expect(stdout).toMatch(/Known by +api-key key_/);
  const made = [...stdout.matchAll(/^\{"workbenchId":"(wb_\w+)".*"name":"ledger"/gm)].map(([, id]) => id);
  expect(made.length).toBe(2);
  expect(new Set(made).size).toBe(1);
  expect(stdout).toContain('"error_code":"PERMISSION_DENIED"');
  expect(stdout).toMatch(/^data: .*"type":"Completed"/m);
  expect(stdout).toContain("→ list_files");
  expect(stdout).toContain("[ 'modified ledger.csv' ]\npublished: success\nas expected: NOT_FOUND");
  expect(stdout).toContain("three runs, one connection: Completed, Completed, Completed");
  expect(stdout).toContain("404 NOT_FOUND");
  expect(stdout).toMatch(/over stdio: \S+/);
  expect(stdout).toContain("Revoked my-program");
  expect(readFileSync(join(home.files, "drive.ts"), "utf8")).toContain("createClient");
});

test("HX W22 every command of the quickstart for teams works, and a colleague signs in with the company's account", async () => {
  await using home = await Home.create();
  await using server = await startModelServer();
  const port = await freePort();
  await using provider = await startOidcProvider({
    redirectUri: `http://127.0.0.1:${port}/sign-in/oidc`,
    accounts: { ada: { email: "ada@company.example", email_verified: true, name: "Ada" } },
    clientSecret: "secret-of-the-client",
  });
  const { status, stdout, stderr } = await follow("docs/teams.md", home, server.url, {
    BENCHTOP_PORT: String(port),
    ISSUER: provider.issuer,
    ISSUER_IS_LOCAL: "true",
    COMPANY_OIDC_SECRET: "secret-of-the-client",
  });
  expect(`${stdout}\n${stderr}`.split("\n").slice(-30).join("\n")).not.toContain("✗");
  expect(status).toBe(0);
  expect(stdout).toMatch(/#invitation=/);
  expect(stdout).toMatch(/service|nightly/);
  expect(stdout).toContain("Company account");
  expect(stdout).toContain("key.revoked");

  const origin = `http://127.0.0.1:${port}`;
  const post = (path: string, body: object, cookie = "") =>
    fetch(`${origin}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin, cookie },
      body: JSON.stringify(body),
    });
  const begun = await post("/api/v1/sign-in/oidc/company", {});
  const { url } = (await begun.json()) as { url: string };
  const cookie = begun.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const signedIn = await post("/api/v1/sign-in/oidc", { parameters: await signInAt(url, "ada") }, cookie);
  expect(await signedIn.json()).toMatchObject({ displayName: "Ada", role: "viewer", workspaceId: "default" });
});

async function follow(document: string, home: Home, modelUrl: string, env: NodeJS.ProcessEnv = {}) {
  const script = join(home.folder, "quickstart.sh");
  const blocks = shellBlocks(readFileSync(join(root, document), "utf8"));
  writeFileSync(script, ["set -euo pipefail", "shopt -s expand_aliases", "set -x", ...blocks].join("\n"));
  return await runShell(script, home, { MODEL_URL: modelUrl, MODEL_NAME: "gpt-5.2", ...env });
}

/** Blocks marked `sh`. Blocks without a language are what a reader does elsewhere, or instead. */
function shellBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
}

/** Bash with the clone's own `npx`: a stand-in for `npx benchtop` and `npx node` that needs no working directory in it. */
async function runShell(script: string, home: Home, env: NodeJS.ProcessEnv) {
  const bin = join(home.folder, "bin");
  mkdirSync(bin);
  const command = join(root, "apps/cli/bin/benchtop.js");
  writeFileSync(
    join(bin, "npx"),
    `#!/bin/sh\nprogram=$1; shift\n[ "$program" = node ] && exec "${process.execPath}" "$@"\nexec "${process.execPath}" "${command}" "$@"\n`,
  );
  chmodSync(join(bin, "npx"), 0o755);
  const child = spawn("bash", [script], {
    cwd: home.files,
    env: { ...home.env, ...env, PATH: `${bin}:${process.env["PATH"]}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const status = await new Promise<number>((done) => child.once("close", (code) => done(code ?? 1)));
  return { status, stdout, stderr };
}
