import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { testFolder } from "../../test/quantize-folder.ts";
import { openPartialOutput } from "./partial-output.ts";

const folder = testFolder();
afterAll(() => folder[Symbol.dispose]());

test("a file has its name when it is whole, and not before", async () => {
  const partial = await openPartialOutput(folder.at("a.gguf"));
  writeFileSync(partial.path, "whole");
  expect(folder.names()).not.toContain("a.gguf");
  await partial.publish();
  await partial.discard();
  expect(readFileSync(folder.at("a.gguf"), "utf8")).toBe("whole");
  expect(folder.names()).toEqual(["a.gguf"]);
});

test("what took the name meanwhile is not replaced, neither by a file nor by a folder", async () => {
  const file = await openPartialOutput(folder.at("b.gguf"));
  const made = await openPartialOutput(folder.at("c"));
  writeFileSync(file.path, "late");
  mkdirSync(made.path);
  writeFileSync(folder.at("b.gguf"), "first");
  mkdirSync(folder.at("c"));
  await expect(file.publish()).rejects.toMatchObject({ info: { error_code: "VALIDATION_FAILED" } });
  await expect(made.publish()).rejects.toMatchObject({ info: { error_code: "VALIDATION_FAILED" } });
  await file.discard();
  await made.discard();
  expect(readFileSync(folder.at("b.gguf"), "utf8")).toBe("first");
  expect(folder.names().filter((name) => name.startsWith("."))).toEqual([]);
});

test("what a process that is gone left for the same name is removed, and nothing else", async () => {
  const abandoned = ".d.gguf.4194399-0123456789ab.partial";
  const earlier = `.d.gguf.${process.pid}-0123456789ab.partial`;
  const working = `.d.gguf.${process.ppid}-0123456789ab.partial`;
  const others = [".e.gguf.4194399-0123456789ab.partial", ".d.gguf.notes", "d.gguf.partial"];
  for (const name of [abandoned, earlier, working, ...others]) writeFileSync(folder.at(name), "");
  const mine = await openPartialOutput(folder.at("d.gguf"));
  writeFileSync(mine.path, "");
  const second = await openPartialOutput(folder.at("d.gguf"));
  expect(folder.names()).toEqual(expect.arrayContaining([working, ...others]));
  expect(folder.names()).not.toContain(abandoned);
  expect(folder.names()).not.toContain(earlier);
  expect(readFileSync(mine.path, "utf8")).toBe("");
  await mine.discard();
  await second.discard();
});

test("a folder that cannot be used is told as what it is", async () => {
  await expect(openPartialOutput(join(folder.path, "none", "a"))).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED" },
    message: expect.stringContaining("There is no folder") as unknown,
  });
  await expect(openPartialOutput(folder.at("a.gguf/x"))).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED" },
  });
});
