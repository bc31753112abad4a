import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import openapiTS, { astToString } from "openapi-typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

/** The official client of OpenAPI documents for TypeScript: types made from what the daemon serves, and calls by them. */

const root = resolve(import.meta.dirname, "../../../..");
const run = promisify(execFile);

/** As somebody would write it who knows the document alone. */
const program = `
import createClient from "openapi-fetch";
import type { paths } from "./schema.ts";

const { BENCHTOP_URL: baseUrl = "", BENCHTOP_TOKEN: token = "" } = process.env;
const headers = { authorization: \`Bearer \${token}\` };
const client = createClient<paths>({ baseUrl, headers });

const created = await client.POST("/api/v1/workbenches", { body: { name: "budget" } });
if (created.data === undefined) throw new Error(created.error.error.message);
const { workbenchId } = created.data;
const params = { path: { workbenchId } };

const listed = await client.GET("/api/v1/workbenches", { params: { query: { limit: 1 } } });
const names: string[] = listed.data?.items.map(({ name }) => name) ?? [];

const key = await client.POST("/api/v1/keys", { body: { name: "reader", scopes: ["workbenches:read"] } });
const reader = createClient<paths>({ baseUrl, headers: { authorization: \`Bearer \${key.data?.secret}\` } });
const opened = await reader.GET("/api/v1/workbenches/{workbenchId}", { params });
const refused = await reader.DELETE("/api/v1/workbenches/{workbenchId}", { params });

const missing = await client.GET("/api/v1/workbenches/{workbenchId}", { params: { path: { workbenchId: "nothing" } } });
const code: "NOT_FOUND" | string | undefined = missing.error?.error.error_code;

// @ts-expect-error There is no such field, and the name is missing.
const wrong = await client.POST("/api/v1/workbenches", { body: { title: "x" } });

console.log(JSON.stringify({
  names,
  opened: opened.data?.name,
  refused: [refused.response.status, refused.error?.error.error_code, refused.error?.error.retryable],
  missing: [missing.response.status, code],
  wrong: [wrong.response.status, wrong.error?.error.error_code],
}));
`;

let daemon: TestDaemon;
let folder: string;
beforeAll(async () => {
  daemon = await startTestDaemon();
  folder = await mkdtemp(join(tmpdir(), "benchtop-openapi-"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const document = await (await daemon.fetch("/openapi.json")).text();
  const types = await openapiTS(document, { defaultNonNullable: false });
  await writeFile(join(folder, "schema.ts"), astToString(types));
  await writeFile(join(folder, "program.ts"), program);
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        target: "esnext",
        module: "nodenext",
        allowImportingTsExtensions: true,
        types: ["node"],
      },
      files: ["program.ts"],
    }),
  );
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("W4 the types that openapi-typescript makes of the served document fit a program that uses them", async () => {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const { stdout } = await run(tsc, ["-p", folder]).catch((error: { stdout: string }) => error);
  expect(stdout).toBe("");
});

test("W4 openapi-fetch drives the daemon by them: it creates, lists, is refused, and reads why", async () => {
  const env = { ...process.env, BENCHTOP_URL: daemon.url, BENCHTOP_TOKEN: daemon.token };
  const { stdout } = await run(process.execPath, [join(folder, "program.ts")], { env });
  expect(JSON.parse(stdout)).toEqual({
    names: ["budget"],
    opened: "budget",
    refused: [403, "PERMISSION_DENIED", false],
    missing: [404, "NOT_FOUND"],
    wrong: [400, "VALIDATION_FAILED"],
  });
});
