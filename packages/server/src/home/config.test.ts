import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { defaultLimits } from "@benchtop/workbench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfig } from "./config.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-config-"));
});
afterEach(() => rm(home, { recursive: true }));

const write = (content: string) => writeFile(join(home, "config.json"), content);

test("S1 limits have defaults, and the file changes what it names", async () => {
  expect(await readConfig(home)).toMatchObject({ limits: defaultLimits });
  await write('{"limits":{"maxFiles":25000}}');
  expect(await readConfig(home)).toMatchObject({ limits: { ...defaultLimits, maxFiles: 25_000 } });
  await write("{}");
  expect(await readConfig(home)).toMatchObject({ limits: defaultLimits });
});

test.each([
  ["{", /is not JSON/],
  ["[]", /the file/],
  ['{"limits":{"maxFile":1}}', /maxFile/],
  ['{"limit":{}}', /limit/],
  ['{"limits":{"maxFiles":0}}', /limits\.maxFiles/],
  ['{"limits":{"maxFiles":"many"}}', /limits\.maxFiles/],
  ['{"limits":{"maxFileBytes":1.5}}', /limits\.maxFileBytes/],
  ['{"retention":{"days":0}}', /retention\.days/],
  ['{"retention":{"weeks":1}}', /retention/],
  ['{"gates":[{"policy":"secret","mode":"shadow"}]}', /gates\.0\.policy/],
  ['{"gates":[{"policy":"secrets"}]}', /gates\.0\.mode/],
  ['{"gates":[{"policy":"secrets","mode":"shadow","options":{"point":["input"]}}]}', /gates\.0\.options.*point/],
  ['{"gates":[{"policy":"destinations","mode":"enforcing"}]}', /gates\.0\.options\.allow/],
  [
    '{"gates":[{"policy":"destinations","mode":"enforcing","options":{"allow":["a/b"]}}]}',
    /gates\.0: "a\/b" is no host/,
  ],
  [
    '{"gates":[{"policy":"tools","mode":"enforcing","options":{"deny":[{"tool":"*","where":[{"path":"/a","regex":"(?=a)"}]}]}}]}',
    /gates\.0: The pattern is not understood/,
  ],
  [
    '{"gates":[{"policy":"approval","mode":"enforcing"},{"policy":"approval","mode":"shadow"}]}',
    /gates\.1: there is a gate "approval" already/,
  ],
  ['{"trace":{"otlp":{"url":"http://user:password@x"}}}', /trace\.otlp\.url/],
  ['{"trace":{"otlp":{"url":"http://x","headersEnv":"A B"}}}', /trace\.otlp\.headersEnv/],
  ['{"trace":{"file":"traces.jsonl"}}', /trace\.file/],
  ['{"trace":{"otlp":{"url":"http://x","content":"all"}}}', /trace\.otlp\.content/],
])("%s stops the start and says where", async (content, message) => {
  await write(content);
  await expect(readConfig(home)).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED", phase: "settings" },
    message: expect.stringMatching(message),
  });
});

test("H6 without a word about gates, secrets are noticed and nothing is changed; an empty list asks none", async () => {
  expect((await readConfig(home)).gates).toMatchObject([
    { name: "secrets", mode: "shadow", points: ["input", "tool-result"] },
  ]);
  await write('{"gates":[]}');
  expect((await readConfig(home)).gates).toEqual([]);
});

test("H6 gates are asked in the order of the file, under their own names", async () => {
  const gates = [
    { policy: "secrets", mode: "enforcing" },
    { policy: "personal-data", mode: "shadow", options: { kinds: ["iban"], action: "deny" } },
    { policy: "tools", mode: "enforcing", options: { deny: [{ tool: "shell" }] } },
    { policy: "destinations", mode: "enforcing", options: { allow: ["example.com"] } },
    { policy: "prompt-injection", mode: "enforcing", options: { action: "mark" } },
    { policy: "approval", name: "mail", mode: "enforcing", options: { tools: [{ tool: "send_*" }] } },
    { policy: "approval", name: "outside", mode: "shadow", options: { effects: ["external"] } },
    { policy: "model", mode: "shadow", options: { points: ["output"], forbids: "medical advice" } },
  ];
  await write(JSON.stringify({ gates }));
  expect((await readConfig(home)).gates.map(({ name, mode }) => `${name} ${mode}`)).toEqual([
    "secrets enforcing",
    "personal-data shadow",
    "tools enforcing",
    "destinations enforcing",
    "prompt-injection enforcing",
    "mail enforcing",
    "outside shadow",
    "model shadow",
  ]);
});

test("H6 a trace leaves without content unless the file says otherwise", async () => {
  await write(
    '{"trace":{"file":{"path":"t.jsonl"},"otlp":{"url":"http://127.0.0.1:4318","headersEnv":"OTLP_HEADERS"}}}',
  );
  expect((await readConfig(home)).trace).toEqual({
    file: { path: "t.jsonl", content: "none" },
    otlp: { url: "http://127.0.0.1:4318", headersEnv: "OTLP_HEADERS", content: "none" },
  });
});

test("the documentation names every limit with its default", async () => {
  const text = await readFile(resolve(import.meta.dirname, "../../../../docs/configuration.md"), "utf8");
  const documented = [...text.matchAll(/^\| `((?:max|keep|stale)\w+|\w+TimeoutMs)`\s*\|\s*([\d,]+)/gm)].map(
    ([, name, value]) => [name, Number(value?.replaceAll(",", ""))],
  );
  expect(Object.fromEntries(documented)).toEqual(defaultLimits);
});
