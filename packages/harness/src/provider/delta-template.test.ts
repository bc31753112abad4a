import * as fc from "fast-check";
import { expect, test } from "vitest";
import { DeltaTemplate } from "./delta-template.ts";

const event = (content: unknown, extra: object = {}) =>
  JSON.stringify({ id: "1", choices: [{ index: 0, delta: { content }, finish_reason: null }], ...extra });

function contentOf(data: string): unknown {
  return (JSON.parse(data) as { choices: { delta: { content: unknown } }[] }).choices[0]?.delta.content;
}

test("whatever a template reads is what the parser would have read", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom('"', "\\", '","x":"', '"content":"', "", "\u2028"),
  );
  const content = fc.oneof(text, fc.constantFrom(null, 1, ["a"], { content: "b" }));
  const extra = fc.constantFrom({}, { usage: null }, { content: "c" }, { note: '"content":"d"' });
  const agrees = fc.check(
    fc.property(fc.array(fc.tuple(content, extra)), (events) => {
      const template = new DeltaTemplate("content");
      for (const [content, extra] of events) {
        const data = event(content, extra);
        const matched = template.match(data);
        if (matched !== undefined && matched !== contentOf(data)) return false;
        if (matched === undefined && typeof content === "string") template.learn(data, content);
      }
      return true;
    }),
    { numRuns: 2000 },
  );
  expect(agrees.counterexample).toBeNull();
});

test("a template matches the common case and nothing that ends the answer", () => {
  const template = new DeltaTemplate("content");
  template.learn(event("Hello"), "Hello");
  expect(template.match(event(" wörld 🌍"))).toBe(" wörld 🌍");
  expect(template.match(event('a "quote"'))).toBeUndefined();
  expect(template.match(event("end").replace("null", '"stop"'))).toBeUndefined();
  expect(template.match("[DONE]")).toBeUndefined();
});
