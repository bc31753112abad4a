import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { pipedLines } from "./typed-lines.ts";

async function questionsIn(text: string): Promise<string[]> {
  const questions: string[] = [];
  for await (const question of pipedLines(Readable.from([text]))) questions.push(question);
  return questions;
}

test("each line of a pipe is a question, and empty ones are none", async () => {
  expect(await questionsIn("one\n\n  \r\ntwo\r\nthree")).toEqual(["one", "two", "three"]);
});

test("a backslash at the end of a line goes on in the next, also where the pipe ends", async () => {
  expect(await questionsIn("first \\\nand more\nlast \\")).toEqual(["first \nand more", "last "]);
});
