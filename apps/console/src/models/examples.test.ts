import { expect, test } from "vitest";
import { checkExamples } from "./examples.ts";

test("the three forms are examples, and the first line that is none is named with its number", () => {
  const good = [
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}',
    "",
    '{"prompt":"a","completion":"b"}',
    '{"text":"a"}',
  ];
  expect(checkExamples(good.join("\n"))).toEqual({ count: 3, problem: undefined });
  expect(checkExamples([...good, "{"].join("\n")).problem).toBe(
    "Line 5 is no JSON: each line has to be one JSON object.",
  );
  expect(checkExamples('{"prompt":"a"}\n{').problem).toBe("Line 1 has to have `prompt` and `completion`, both texts.");
  expect(checkExamples('{"question":"a"}').problem).toContain("Line 1 has neither");
  expect(checkExamples("[]").problem).toBe("Line 1 is no JSON object.");
  expect(checkExamples(" \n")).toEqual({ count: 0, problem: undefined });
});
