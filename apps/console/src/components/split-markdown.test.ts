import { expect, test } from "vitest";
import { splitMarkdown } from "./split-markdown.ts";

test("paragraphs are apart", () => {
  expect(splitMarkdown("one\n\ntwo\nstill two")).toEqual(["one\n", "two\nstill two"]);
});

test("a code fence stays whole, blank lines included", () => {
  expect(splitMarkdown("```ts\na\n\nb\n```")).toHaveLength(1);
});

test("a list with blank lines between its items stays whole", () => {
  expect(splitMarkdown("1. a\n\n   more\n\n2. b\n\nafter")).toHaveLength(2);
});
