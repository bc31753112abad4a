import { execFile } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Home } from "./e2e/home.ts";
import { startModelServer, type ModelServer } from "./model-server.ts";

/** docs/client.md is one program; examples/api are others. They are run against a real daemon and a model on loopback. */

const root = resolve(import.meta.dirname, "..");
const run = promisify(execFile);
let home: Home;
let server: ModelServer;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  const key = (await home.ok("keys", "create", "guide", "--work")).stdout.trim();
  const { url } = (await home.ok("status", "--json")).json as { url: string };
  env = { ...home.env, BENCHTOP_URL: url, BENCHTOP_TOKEN: key, MODEL: "local/gpt-5.2" };
  // As in the clone, where programs find its packages.
  symlinkSync(join(root, "node_modules"), join(home.files, "node_modules"));
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

test("H8 the snippets of the client guide are one program that compiles and does what it says", async () => {
  const guide = readFileSync(join(root, "docs/client.md"), "utf8");
  const snippets = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
  expect(snippets.length).toBeGreaterThan(8);
  writeFileSync(join(home.files, "guide.ts"), snippets.join("\n"));
  writeFileSync(join(home.files, "package.json"), '{"type":"module"}');
  writeFileSync(
    join(home.files, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: { types: ["node"] },
      files: ["guide.ts"],
    }),
  );
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const compiled = await run(tsc, ["-p", home.files]).catch((error: { stdout: string }) => error);
  expect(compiled.stdout).toBe("");

  const { stdout } = await run(process.execPath, ["guide.ts"], { cwd: home.files, env });
  expect(stdout).toContain("Default\nguide 0\n");
  expect(stdout).toContain("NOT_FOUND false\n");
  expect(stdout).toContain("# Notes");
  expect(stdout).toContain("→ write_file\n");
  expect(stdout).toContain("[ 'summary.md' ]\ndone\ndone\n");
});

test("HX H8 the example drives the daemon from an upload to what was published, and leaves nothing behind", async () => {
  const example = join(root, "examples/api/drive-daemon.ts");
  const { stdout } = await run(process.execPath, [example], { env });
  expect(stdout).toContain(" in Default\n");
  expect(stdout).toContain("[write_file]");
  expect(stdout).toContain("added summary.md\npublished: success\n# Summary");
  expect((await home.ok("workbench", "list")).stdout).not.toContain("example");

  const { BENCHTOP_TOKEN: _, ...without } = env;
  const refused = await run(process.execPath, [example], { env: without }).catch((error: { stderr: string }) => error);
  expect(refused.stderr).toContain("keys create drive-daemon --work");
});
