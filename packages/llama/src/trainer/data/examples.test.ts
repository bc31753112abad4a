import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newFolder, writeData } from "../../../test/trainer-examples.ts";
import { parseLines, readExamples } from "./examples.ts";

let folder: string;

beforeAll(async () => {
  folder = await newFolder();
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const good = '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}';

test.each([
  ["{", /Line 2 of the training data is no JSON/],
  ["[]", /Line 2 .* no JSON object/],
  ["{}", /Line 2 .* neither `messages` nor/],
  ['{"messages":[]}', /at least one message/],
  ['{"messages":"x"}', /at least one message/],
  ['{"messages":[{"role":"user","content":"a"}]}', /no message of the assistant/],
  ['{"messages":[{"role":"tool","content":"a"}]}', /number 1\) whose `role` is not/],
  ['{"messages":[{"role":"assistant","content":""}]}', /number 1\) without text/],
  ['{"messages":[{"role":"assistant","content":5}]}', /number 1\) without text/],
  ['{"messages":[null]}', /number 1\) that is no object/],
  ['{"__proto__":{"messages":[]}}', /neither/],
  ['{"prompt":"a"}', /both texts/],
  ['{"prompt":"a","completion":""}', /empty `completion`/],
  ['{"text":""}', /neither/],
])("the line %s is refused by its number, and nothing of it is told", (line, message) => {
  expect(() => parseLines(`${good}\n${line}`)).toThrow(message);
});

test("each form of line becomes an example, and empty lines are skipped", () => {
  const lines = [good, "", '{"prompt":"p","completion":"c"}', '{"text":"t"}', "  "];
  expect(parseLines(lines.join("\n")).map(({ kind, line }) => [kind, line])).toEqual([
    ["chat", 1],
    ["completion", 3],
    ["text", 4],
  ]);
});

test("a text file becomes an example for each paragraph", async () => {
  const file = await writeData(folder, "text.txt", "\uFEFFOne\r\nmore.\r\n\r\n\r\nTwo.\n");
  expect(await readExamples(file)).toEqual([
    { kind: "text", line: 1, text: "One\nmore." },
    { kind: "text", line: 5, text: "Two." },
  ]);
});

test("a file that is not there, is empty or is no UTF-8 is refused in words", async () => {
  await expect(readExamples({ path: join(folder, "none.jsonl") })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(readExamples({ path: folder, format: "text" })).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
  await expect(readExamples(await writeData(folder, "empty.jsonl", "\n"))).rejects.toThrow(/is empty/);
  const binary = await writeData(folder, "binary.txt", Buffer.from([0xff, 0xfe, 0x41]));
  await expect(readExamples(binary)).rejects.toThrow(/not UTF-8/);
});
