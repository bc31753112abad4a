import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/**
 * Nothing but packages/egress opens a connection: held by the linter, so that a second way out does not get as far as a review. What
 * the daemon consists of is checked; the client, the command line and the console talk to the daemon itself, and are not.
 */
const root = resolve(import.meta.dirname, "..");

/** Each on a line of its own, for each is to be found. */
const waysOut = [
  `import { request } from "undici";`,
  `import * as undici from "undici";`,
  `const { Agent } = await import("undici");`,
  `import { request as ask } from "node:http";`,
  `import { get } from "node:http";`,
  `import http from "node:http";`,
  `import * as https from "node:https";`,
  `export { request as again } from "node:https";`,
  `export * from "node:net";`,
  `import { request as bare } from "http";`,
  `import { connect as bareConnect } from "net";`,
  `import { connect } from "node:net";`,
  `import { createConnection } from "node:net";`,
  `import { Socket } from "node:net";`,
  `import { connect as secureConnect } from "node:tls";`,
  `import { connect as connect2 } from "node:http2";`,
  `import { createSocket } from "node:dgram";`,
  `import { lookup } from "node:dns";`,
  `import { resolve4 } from "node:dns/promises";`,
  `const other = process.getBuiltinModule("node:tls");`,
  `import { WebSocket as Ws } from "ws";`,
  `import { createGrpcTransport } from "@connectrpc/connect-node";`,
  `await fetch("https://x.example/");`,
  `await globalThis.fetch("https://x.example/");`,
  `const { fetch: kept } = globalThis;`,
  `globalThis["fetch"]("https://x.example/");`,
  `new WebSocket("wss://x.example/");`,
  `new EventSource("https://x.example/");`,
];

/** What servers and the judging of addresses need. */
const fine = [
  `import { createServer, type IncomingMessage } from "node:http";`,
  `import type { Socket } from "node:net";`,
  `import { BlockList, isIP } from "node:net";`,
  `import { createSecureContext } from "node:tls";`,
  `import { WebSocketServer } from "ws";`,
];

const daemonPackages = [
  "documents",
  "harness",
  "models",
  "operations",
  "protocol",
  "runs",
  "server",
  "store",
  "workbench",
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "benchtop-ways-out-"));
  const config = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8")) as Record<string, unknown>;
  // Types are of no interest here, and cannot be had without the packages.
  delete config["options"];
  delete config["$schema"];
  writeFileSync(join(folder, ".oxlintrc.json"), JSON.stringify(config));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, lines: readonly string[]): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), `${lines.join("\n")}\n`);
}

/** Lines on which a restricted way was found, by file. */
function found(): Record<string, number[]> {
  const { stdout } = spawnSync(join(root, "node_modules/.bin/oxlint"), ["-c", ".oxlintrc.json", "-f", "json"], {
    cwd: folder,
    encoding: "utf8",
  });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
  };
  const lines: Record<string, number[]> = {};
  for (const { code, filename, labels } of diagnostics) {
    if (!code.includes("no-restricted")) continue;
    const of = (lines[filename.replaceAll("\\", "/")] ??= []);
    const line = labels[0]?.span.line ?? 0;
    if (!of.includes(line)) of.push(line);
  }
  for (const of of Object.values(lines)) of.sort((a, b) => a - b);
  return lines;
}

test("S8 the linter finds every way out in every package of the daemon, and nothing where there is none", () => {
  for (const name of daemonPackages) {
    write(`packages/${name}/src/deep/out.ts`, waysOut);
    write(`packages/${name}/src/deep/fine.ts`, fine);
  }
  write("packages/egress/src/gate.ts", [waysOut[0] ?? "", waysOut[2] ?? ""]);
  const every = waysOut.map((_, index) => index + 1);
  expect(found()).toEqual(
    Object.fromEntries(daemonPackages.map((name) => [`packages/${name}/src/deep/out.ts`, every])),
  );
});

/** What the linter does not see: a module that is loaded while the program runs. */
const loadedLater =
  /\b(?:import|require|getBuiltinModule)\(\s*["'`](?:undici|(?:node:)?(?:https?|net|tls|dgram|dns(?:\/promises)?|inspector))["'`]/;

test("S8 no package of the daemon loads a way out while it runs", () => {
  for (const hidden of [
    `await import("node:net")`,
    `require('https')`,
    "import(`undici`)",
    `getBuiltinModule("tls")`,
  ]) {
    expect(hidden).toMatch(loadedLater);
  }
  const files = globSync(`packages/{${daemonPackages.join(",")}}/src/**/*.ts`, { cwd: root });
  expect(files.length).toBeGreaterThan(300);
  const hiding = files.filter(
    (file) => !file.endsWith(".test.ts") && loadedLater.test(readFileSync(join(root, file), "utf8")),
  );
  expect(hiding).toEqual([]);
});

test("S8 the harness falls back to the process's fetch in three places, each of which takes another", () => {
  const config = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8")) as {
    overrides: { files: string[]; rules: Record<string, unknown> }[];
  };
  const excepted = config.overrides.filter(({ rules }) => rules["no-restricted-properties"] === "off");
  expect(excepted.flatMap(({ files }) => files)).toEqual([
    "packages/harness/src/mcp/transport.ts",
    "packages/harness/src/provider/event-stream.ts",
    "packages/harness/src/trace/otlp.ts",
  ]);
  for (const file of excepted.flatMap(({ files }) => files)) {
    const uses = readFileSync(join(root, file), "utf8").match(/.*globalThis\.fetch\b.*/g) ?? [];
    expect(uses.filter((line) => !/fetch = globalThis\.fetch|typeof globalThis\.fetch/.test(line))).toEqual([]);
  }
});
