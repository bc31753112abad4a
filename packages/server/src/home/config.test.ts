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
  expect(await readConfig(home)).toEqual({ limits: defaultLimits });
  await write('{"limits":{"maxFiles":25000}}');
  expect(await readConfig(home)).toEqual({ limits: { ...defaultLimits, maxFiles: 25_000 } });
  await write("{}");
  expect(await readConfig(home)).toEqual({ limits: defaultLimits });
});

test.each([
  ["{", /is not JSON/],
  ["[]", /the file/],
  ['{"limits":{"maxFile":1}}', /maxFile/],
  ['{"limit":{}}', /limit/],
  ['{"limits":{"maxFiles":0}}', /limits\.maxFiles/],
  ['{"limits":{"maxFiles":"many"}}', /limits\.maxFiles/],
  ['{"limits":{"maxFileBytes":1.5}}', /limits\.maxFileBytes/],
])("%s stops the start and says where", async (content, message) => {
  await write(content);
  await expect(readConfig(home)).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED", phase: "settings" },
    message: expect.stringMatching(message),
  });
});

test("the documentation names every limit with its default", async () => {
  const text = await readFile(resolve(import.meta.dirname, "../../../../docs/configuration.md"), "utf8");
  const documented = [...text.matchAll(/^\| `(max\w+|\w+TimeoutMs)`\s*\|\s*([\d,]+)/gm)].map(([, name, value]) => [
    name,
    Number(value?.replaceAll(",", "")),
  ]);
  expect(Object.fromEntries(documented)).toEqual(defaultLimits);
});
