import { BenchtopError, type Json } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { isPointer, valueAt } from "./json-pointer.ts";
import { filled, parseRestMapping } from "./rest-mapping.ts";

const chat = { path: "/say", request: { text: "{{prompt}}" }, response: { text: "/answer" } };
const mapping = { chat, models: { names: ["m"] } };
const withChat = (more: object): object => ({ ...mapping, chat: { ...chat, ...more } });

function refusal(value: unknown): BenchtopError {
  try {
    parseRestMapping(value);
  } catch (thrown) {
    if (BenchtopError.is(thrown)) return thrown;
  }
  return expect.unreachable("it was taken");
}

describe("P2.3 a mapping of a server", () => {
  test("is taken as it is written, with what is left out filled in", () => {
    expect(parseRestMapping(mapping).chat.response).toEqual({ framing: "document", text: "/answer" });
  });

  test.for<[string, unknown, string]>([
    ["nothing", undefined, "it"],
    ["a text", "{}", "it"],
    ["an unknown field", { ...mapping, token: "x" }, "Unrecognized key"],
    ["an address for a path", withChat({ path: "https://elsewhere.example/say" }), "chat.path"],
    ["a path to another host", withChat({ path: "//elsewhere.example/say" }), "chat.path"],
    ["a path that leaves its folder", withChat({ path: "/a/../../admin" }), "chat.path"],
    ["a path with a query", withChat({ path: "/say?key=1" }), "chat.path"],
    ["a path with an end of line", withChat({ path: "/say\r\nHost: x" }), "chat.path"],
    ["another value in a path", withChat({ path: "/{{prompt}}" }), "chat.path"],
    ["a value in the path of a list", { ...mapping, models: { path: "/{{model}}", items: "", name: "" } }, "models"],
    ["a value that there is not", withChat({ request: { text: "{{prompt}}", key: "{{env.KEY}}" } }), "env.KEY"],
    ["a value that belongs to embeddings", withChat({ request: { text: "{{prompt}} {{texts}}" } }), "texts"],
    ["no place for the conversation", withChat({ request: { model: "{{model}}" } }), "chat.request"],
    ["a request that is no object", withChat({ request: "{{prompt}}" }), "chat.request"],
    ["a request of many levels", withChat({ request: { text: "{{prompt}}", deep: deep(100) } }), "levels"],
    ["a place that is no pointer", withChat({ response: { text: "answer" } }), "chat.response.text"],
    ["a stream without an end", withChat({ response: { text: "/a", framing: "lines" } }), "chat.response"],
    ["no models", { chat, models: { names: [] } }, "models"],
    ["a model whose name has a space", { chat, models: { names: ["a b"] } }, "models"],
    ["more than anybody writes", withChat({ request: { text: "{{prompt}}", more: "x".repeat(100_000) } }), "64 kB"],
  ])("is refused with %s", ([, value, field]) => {
    const error = refusal(value);
    expect(error.code).toBe("VALIDATION_FAILED");
    expect(error.message).toContain(field);
  });

  test("takes no field of an object's own nature", () => {
    expect(refusal(JSON.parse(`{"__proto__": {"chat": {}}, "chat": {}}`)).code).toBe("VALIDATION_FAILED");
    expect(valueAt({}, "/constructor/name")).toBeUndefined();
    expect(valueAt([], "/length")).toBe(0);
    expect(valueAt({}, "/__proto__")).toBeUndefined();
  });
});

describe("P2.3 a template", () => {
  test("keeps a value's own form, and leaves out what is not there", () => {
    const template: Json = {
      whole: "{{messages}}",
      number: "{{maxOutputTokens}}",
      within: "Q: {{question}} ({{maxOutputTokens}})",
      gone: "{{seed}}",
      goneWithin: "seed {{seed}}",
      list: ["{{seed}}", "{{model}}", 1, null],
    };
    const values = { messages: [{ role: "user" }], maxOutputTokens: 5, question: 'a "b" {{model}}', model: "m" };
    expect(filled(template, values)).toEqual({
      whole: [{ role: "user" }],
      number: 5,
      within: 'Q: a "b" {{model}} (5)',
      list: ["m", 1, null],
    });
  });

  test("is not filled a second time by what a person wrote", () => {
    expect(filled("{{question}}", { question: "{{system}}", system: "secret" })).toBe("{{system}}");
    expect(filled("x {{question}}", { question: "{{system}}", system: "secret" })).toBe("x {{system}}");
  });
});

describe("P2.3 a JSON pointer", () => {
  const document = { a: [{ b: 1 }, "x"], "c/d": 2, "e~f": 3, "": 4 };
  test.for<[string, unknown]>([
    ["", document],
    ["/a/0/b", 1],
    ["/a/1", "x"],
    ["/a/2", undefined],
    ["/c~1d", 2],
    ["/e~0f", 3],
    ["/", 4],
    ["/a/0/b/c", undefined],
  ])("%j leads to %j (RFC 6901)", ([pointer, value]) => {
    expect(isPointer(pointer)).toBe(true);
    expect(valueAt(document, pointer)).toEqual(value);
  });
  test.for(["a", "/a~", "/a~2", "#/a"])("%j is none", (text) => expect(isPointer(text)).toBe(false));
});

function deep(levels: number): Json {
  return levels === 0 ? 1 : [deep(levels - 1)];
}
